//! The layer where it runs: in WebAssembly, without a clock, threads or a file system.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::expect_used, reason = "a helper of tests fails the test")]

use scopegate_authz::section::AuthorizationSection;
use scopegate_authz::{Action, Authorizer, ProviderFacts, RequestError, Target, Unrouted};
use serde_json::json;
use wasm_bindgen_test::wasm_bindgen_test;

fn authorizer() -> Authorizer {
    let section: AuthorizationSection = serde_json::from_value(json!({
        "scopes": {"orders:read": "Read orders"},
        "routes": [
            {"id": "health", "match": {"path": "/healthz"}, "access": "public"},
            {"id": "orders", "match": {"hosts": ["*.example.com"], "path": "/orders/{id}"}, "access": {"scopes": {"all": ["orders:read"]}}},
        ],
    }))
    .expect("a section");
    let corp = ProviderFacts {
        name: "corp".to_owned(),
        carries_scopes: true,
    };
    Authorizer::compile(&section, &[corp]).expect("a policy")
}

#[wasm_bindgen_test]
fn a_request_selects_its_route() {
    let authorizer = authorizer();
    let target = |path| Target {
        method: b"GET",
        path,
        authority: Some(b"api.example.com"),
        headers: &[],
    };
    assert!(
        matches!(authorizer.select(target(b"/healthz")), Ok(Action::Public(action)) if action.route().id == "health")
    );
    assert!(
        matches!(authorizer.select(target(b"/orders/7")), Ok(Action::Guarded(action)) if action.route().id == "orders")
    );
    assert!(matches!(
        authorizer.select(target(b"/elsewhere")),
        Err(Unrouted::NoRoute)
    ));
}

#[wasm_bindgen_test]
fn a_path_with_two_readings_is_refused() {
    let authorizer = authorizer();
    let code = |path| match authorizer.select(Target {
        method: b"GET",
        path,
        authority: Some(b"a"),
        headers: &[],
    }) {
        Err(Unrouted::Request(error)) => Some(error),
        Ok(_) | Err(Unrouted::NoRoute) => None,
    };
    assert_eq!(code(b"/orders/../healthz"), Some(RequestError::AmbiguousPath));
    assert_eq!(code(b"/healthz%00"), Some(RequestError::MalformedRequest));
}
