use scopegate_document::UnixTime;
use serde_json::{Map, Value, json};

use super::{SignatureFault, TokenSpec};
use crate::issuer::Issuer;
use crate::keys::{Algorithm, Key};

const NOW: UnixTime = UnixTime(1_795_338_000);

fn issuer() -> Issuer {
    let provider = json!({"name": "corp", "issuer": "https://idp", "audiences": ["api"]});
    Issuer::all(&json!({"authentication": {"providers": [provider]}})).remove(0)
}

fn key() -> Key {
    Key::generate(Algorithm::ES256, "k1").unwrap()
}

fn mint(spec: &Value) -> String {
    let spec: TokenSpec = serde_json::from_value(spec.clone()).unwrap();
    spec.mint("reader", &issuer(), &key(), NOW).unwrap()
}

fn segment(token: &str, index: usize) -> Vec<u8> {
    base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(token.split('.').nth(index).unwrap())
        .unwrap()
}

fn object(token: &str, index: usize) -> Map<String, Value> {
    serde_json::from_slice(&segment(token, index)).unwrap()
}

#[test]
fn a_plain_token_has_the_defaults_and_what_the_test_states() {
    let token = mint(&json!({"claims": {"sub": "anna", "aud": null}, "header": {"typ": null, "x": 1}}));
    assert_eq!(
        Value::Object(object(&token, 0)),
        json!({"alg": "ES256", "kid": "k1", "x": 1})
    );
    let expected = json!({"iss": "https://idp", "sub": "anna", "iat": NOW.0, "exp": NOW.0 + 300});
    assert_eq!(Value::Object(object(&token, 1)), expected);
    assert_eq!(segment(&token, 2).len(), 64);
}

#[test]
fn times_count_from_now() {
    let claims = object(&mint(&json!({"expires_in": "-1m", "valid_in": "30s"})), 1);
    assert_eq!(claims["exp"], NOW.0 - 60);
    assert_eq!(
        claims["iat"],
        NOW.0 - 360,
        "a token is not issued after it expired"
    );
    assert_eq!(claims["nbf"], NOW.0 + 30);
    assert_eq!(
        object(&mint(&json!({"issued_in": "-2h"})), 1)["iat"],
        NOW.0 - 7_200
    );
    assert_eq!(
        object(&mint(&json!({"authenticated_in": "-10m"})), 1)["auth_time"],
        NOW.0 - 600
    );
}

#[test]
fn mutators_make_what_no_honest_issuer_signs() {
    assert!(mint(&json!({"alg": "none"})).ends_with('.'));
    assert!(mint(&json!({"signature": "strip"})).ends_with('.'));
    assert_eq!(mint(&json!({"signature": "drop"})).split('.').count(), 2);
    assert_eq!(segment(&mint(&json!({"signature": "truncate"})), 2).len(), 63);
    assert_eq!(segment(&mint(&json!({"signature": "zero"})), 2), [0; 64]);
    assert!(mint(&json!({"signature": "pad"})).ends_with("=="));
    assert_eq!(
        object(&mint(&json!({"crit": ["b64"]})), 0)["crit"],
        json!(["b64"])
    );
    assert_eq!(mint(&json!({"raw": "x"})), "x");
    assert_eq!(segment(&mint(&json!({"raw_claims": "{]"})), 1), b"{]");
    assert!(mint(&json!({"padding": 17_000})).len() > 17_000);
    let confused = mint(&json!({"alg": "HS256"}));
    assert_eq!(
        (object(&confused, 0)["alg"].as_str(), segment(&confused, 2).len()),
        (Some("HS256"), 32)
    );
    let twice = mint(&json!({"duplicate_header": ["kid"]}));
    assert_eq!(
        String::from_utf8(segment(&twice, 0))
            .unwrap()
            .matches("\"kid\"")
            .count(),
        2
    );
}

#[test]
fn a_flipped_signature_differs_in_one_bit() {
    let spec = TokenSpec {
        signature: Some(SignatureFault::Flip),
        ..TokenSpec::default()
    };
    let (key, honest) = (key(), TokenSpec::default());
    let [flipped, honest] = [spec, honest].map(|spec| spec.mint("t", &issuer(), &key, NOW).unwrap());
    let pairs = segment(&flipped, 2).into_iter().zip(segment(&honest, 2));
    assert_eq!(
        pairs
            .map(|(left, right)| (left ^ right).count_ones())
            .sum::<u32>(),
        1
    );
}

#[test]
fn a_forgery_keeps_the_kid_of_the_token_it_is_made_from() {
    let base = TokenSpec {
        key: Some("k1".to_owned()),
        ..TokenSpec::default()
    };
    let forged = TokenSpec {
        key: Some("rogue".to_owned()),
        ..TokenSpec::default()
    }
    .over(&base, Some("k1"));
    assert_eq!(
        (forged.key.as_deref(), forged.kid.as_deref()),
        (Some("rogue"), Some("k1"))
    );
    let same_key = TokenSpec {
        expires_in: Some("-1m".parse().unwrap()),
        ..TokenSpec::default()
    };
    assert_eq!(same_key.over(&base, Some("k1")).kid, None);
}
