//! `examples/envoy/envoy.yaml`, the very file, in a real Envoy: only ports, keys and the module's path differ.

use std::fs;

use crate::common::{bearer, code, field, send};
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::mint::Mint;
use scopegate_e2e::upstream::Upstream;
use scopegate_harness::keys::{Algorithm, Key};
use serde_json::{Value, json};

/// The example, cut at its policy: what stands before it, the policy, what stands after it.
fn example() -> (String, Value, String) {
    let text = fs::read_to_string(crate::common::root().join("examples/envoy/envoy.yaml")).unwrap();
    let (before, rest) = text
        .split_once("value: |\n")
        .expect("the policy is a block of its own");
    let (policy, after) = rest
        .split_once("\n\n")
        .expect("the policy ends with an empty line");
    let policy = serde_json::from_str(policy).expect("the policy is JSON");
    (before.to_owned(), policy, format!("\n\n{after}"))
}

/// Replaces what stands exactly once.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` stands once");
    text.replace(from, to)
}

#[test]
fn the_policy_of_the_example_is_the_one_that_its_authors_wrote() {
    let (_, policy, _) = example();
    assert_eq!(policy, crate::common::policy("examples/envoy/policy.yaml"));
}

#[test]
fn the_example_lets_through_what_it_says_and_nothing_else() {
    let Some(program) = crate::common::envoy("the_example_lets_through_what_it_says_and_nothing_else") else {
        return;
    };
    let (before, mut policy, after) = example();
    let mint = Mint::install(&mut policy, "corp", &[Algorithm::ES256]).unwrap();
    let secret = Key::generate(Algorithm::HS256, "batch-1").unwrap();
    let upstream = Upstream::start().unwrap();
    let text = format!("{before}value: {}{after}", Value::String(policy.to_string()));
    let text = replace(&text, "port_value: 8080", "port_value: 0");
    let text = replace(&text, "port_value: 9901", "port_value: 0");
    let text = replace(
        &text,
        "port_value: 9000",
        &format!("port_value: {}", upstream.address().port()),
    );
    let built = crate::common::module().display().to_string();
    let text = replace(
        &text,
        "target/wasm32-wasip1/release/scopegate_plugin.wasm",
        &built,
    );
    let environment = [("ORDERS_BATCH_SECRET", secret.shared_secret().unwrap())];
    let environment: Vec<_> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let envoy = Envoy::start(&program, &text, &crate::common::root(), &environment).unwrap();
    let address = envoy.listener("api").unwrap();

    let reader = json!({"sub": "anna", "client_id": "web", "scope": "orders:read", "tid": "acme"});
    let reader = bearer(&mint.token(Algorithm::ES256, &reader).unwrap());
    let batch = json!({"sub": "nightly", "scope": "orders:read orders:write", "tid": "acme"});
    let batch = bearer(
        &Mint::with_key(&policy, "batch", secret)
            .unwrap()
            .token(Algorithm::HS256, &batch)
            .unwrap(),
    );
    let orders = "/tenants/acme/orders";
    let spoofed = vec![reader.clone(), field("X-Auth-Subject", "root")];
    let underscore = vec![reader.clone(), field("x_auth_subject", "root")];
    let cases: [(&str, &str, &str, Vec<_>, u16, &str); 11] = [
        ("a reader lists", "GET", orders, vec![reader.clone()], 200, "anna"),
        (
            "a reader who says to be root",
            "GET",
            orders,
            spoofed,
            200,
            "anna",
        ),
        (
            "a path that Envoy normalises",
            "GET",
            "/tenants/./acme//orders",
            vec![reader.clone()],
            200,
            "anna",
        ),
        (
            "a nightly job lists",
            "GET",
            orders,
            vec![batch.clone()],
            200,
            "nightly",
        ),
        ("nobody, on a public route", "GET", "/healthz", vec![], 200, ""),
        ("no token", "GET", orders, vec![], 401, "credential_missing"),
        (
            "a reader writes",
            "POST",
            orders,
            vec![reader.clone()],
            403,
            "scope_missing",
        ),
        (
            "a nightly job writes",
            "POST",
            orders,
            vec![batch],
            403,
            "provider_not_allowed",
        ),
        ("no route", "GET", "/admin", vec![reader.clone()], 403, "no_route"),
        (
            "an escaped slash: Envoy itself refuses",
            "GET",
            "/tenants/acme%2Forders",
            vec![reader],
            400,
            "",
        ),
        (
            "an underscore: Envoy itself refuses",
            "GET",
            orders,
            underscore,
            400,
            "",
        ),
    ];
    for (what, method, path, headers, status, expected) in cases {
        let answer = send(address, method, path, &headers);
        let seen = upstream.take();
        assert_eq!(answer.status, status, "{what}");
        if status != 200 {
            assert_eq!((code(&answer).as_str(), seen.len()), (expected, 0), "{what}");
            continue;
        }
        assert_eq!(seen.len(), 1, "{what}");
        assert_eq!(
            seen[0].header("x-auth-subject").unwrap_or_default(),
            expected,
            "{what}"
        );
        assert_eq!(seen[0].header("authorization"), None, "{what}");
        let path = if path == "/healthz" { path } else { orders };
        assert_eq!(seen[0].path, path.as_bytes(), "{what}");
    }
}
