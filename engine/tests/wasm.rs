//! The engine in WebAssembly: the same answers as anywhere else.

#![cfg(target_arch = "wasm32")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::json;
use support::{decide, engine, policy, token};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn both_layers_decide_in_webassembly_as_elsewhere() {
    let engine = engine(&policy());
    let bearer = format!("Bearer {}", token(json!({})));
    let forged = format!("Bearer {}x", token(json!({})));
    let cases = [
        ("GET", "/healthz", "", "allow"),
        ("GET", "/tenants/acme/orders", bearer.as_str(), "allow"),
        ("GET", "/tenants/acme/orders", "", "credential_missing"),
        (
            "GET",
            "/tenants/acme/orders",
            forged.as_str(),
            "signature_invalid",
        ),
        ("GET", "/tenants/other/orders", bearer.as_str(), "tenant_mismatch"),
        ("POST", "/tenants/acme/orders", bearer.as_str(), "scope_missing"),
        ("DELETE", "/tenants/acme/orders", bearer.as_str(), "no_route"),
        ("GET", "/healthz/../tenants/acme/orders", "", "ambiguous_path"),
    ];
    for (method, path, authorization, code) in cases {
        let headers = [("authorization", authorization)];
        let headers = if authorization.is_empty() {
            &headers[..0]
        } else {
            &headers[..]
        };
        assert_eq!(
            decide(&engine, method, path, headers).code,
            code,
            "{method} {path}"
        );
    }
}
