//! Verification as it runs in WebAssembly: one real token for every algorithm, and its forgery.
#![cfg(target_arch = "wasm32")]
#![expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on must fail, and helpers of tests are tests"
)]

mod common;

use common::{answer, authenticator, encode, provider, sign, token};
use scopegate_authn::Algorithm;
use serde_json::json;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn a_token_of_every_algorithm_is_verified_and_its_forgery_refused() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let authenticator = authenticator(&[provider(&[algorithm], &json!({}))]);
        let token = token(algorithm, &json!({}));
        assert_eq!(
            answer(&authenticator, &token),
            Ok("anna".to_owned()),
            "{algorithm}"
        );
        let (signed, _) = token.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", encode(&sign(algorithm, b"another message")));
        assert_eq!(
            answer(&authenticator, &forged),
            Err("signature_invalid"),
            "{algorithm}"
        );
    }
}
