//! Bytes that no honest client sends, through a real Envoy: each is answered, none is forwarded, and the next
//! good request is served. A plugin that traps takes its VM down for everybody.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{bearer, code, field, send};
use scopegate_e2e::client;
use scopegate_e2e::envoy::bootstrap::{Listener, bootstrap, plugin};
use scopegate_e2e::envoy::{Envoy, EnvoyError};
use scopegate_e2e::http1::{Field, Message};
use scopegate_e2e::mint::Mint;
use scopegate_e2e::upstream::Upstream;
use scopegate_harness::keys::Algorithm;
use serde_json::{Value, json};

const ORDERS: &str = "/tenants/acme/orders";

fn listener(name: &str, policy: &Value) -> Listener {
    let filters = vec![plugin(
        &crate::common::module(),
        &policy.to_string(),
        &BTreeMap::new(),
    )];
    Listener::new(name, filters)
}

/// A policy of more than a mebibyte: the same with many more routes.
fn large(policy: &Value) -> Value {
    let mut policy = policy.clone();
    let routes = policy["authorization"]["routes"].as_array_mut().unwrap();
    for number in 0..9000 {
        let path = format!("/a-long-segment-to-fill-the-document-with-{number}/{{id}}");
        routes.push(
            json!({"id": format!("filler.{number}"), "match": {"methods": ["GET"], "path": path},
                           "access": {"scopes": {"all": ["orders:read"]}}}),
        );
    }
    assert!(policy.to_string().len() > 1024 * 1024);
    policy
}

#[test]
fn hostile_bytes_are_answered_and_the_next_request_is_served() {
    let Some(program) = crate::common::envoy("hostile_bytes_are_answered_and_the_next_request_is_served")
    else {
        return;
    };
    let mut policy = crate::common::policy("policies/rest-api-tenants/policy.yaml");
    let mint = Mint::install(&mut policy, "corp", &[Algorithm::ES256]).unwrap();
    let claims = json!({"sub": "anna", "scope": "orders:read", "tid": "acme"});
    let token = mint.token(Algorithm::ES256, &claims).unwrap();
    let upstream = Upstream::start().unwrap();
    let listeners = [listener("small", &policy), listener("large", &large(&policy))];
    let envoy = Envoy::start(
        &program,
        &bootstrap(&listeners, upstream.address()),
        Path::new("."),
        &[],
    )
    .unwrap();
    let address = envoy.listener("small").unwrap();

    let many = |count: usize| {
        (0..count)
            .map(|n| field(&format!("x-{n}"), "v"))
            .collect::<Vec<Field>>()
    };
    let refused: [(&str, Vec<Field>, u16, &str); 7] = [
        (
            "bytes that are no UTF-8 as a token",
            vec![field("authorization", b"Bearer \xff\xfe.\x80.\xc3")],
            401,
            "token_malformed",
        ),
        (
            "bytes that are no UTF-8 as a scheme",
            vec![field("authorization", b"\xff\xfe \x80")],
            401,
            "credential_missing",
        ),
        (
            "an empty credential",
            vec![field("authorization", "")],
            401,
            "credential_missing",
        ),
        (
            "a token of 64 KiB",
            vec![bearer(&format!("{}.a.b", "a".repeat(65_536)))],
            401,
            "token_too_large",
        ),
        (
            "a token of dots",
            vec![bearer(&".".repeat(5000))],
            401,
            "token_malformed",
        ),
        ("200 headers and no token", many(200), 401, "credential_missing"),
        ("1500 headers and no token", many(1500), 401, "credential_missing"),
    ];
    for (what, headers, status, expected) in refused {
        let answer = send(address, "GET", ORDERS, &headers);
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (status, expected),
            "{what}"
        );
        assert_eq!(upstream.take(), [], "{what}");
        let answer = send(address, "GET", ORDERS, &[bearer(&token)]);
        assert_eq!((answer.status, upstream.take().len()), (200, 1), "after {what}");
    }

    let mut odd = many(200);
    odd.extend([field("x-odd", b"\xff\xfe\x80"), bearer(&token)]);
    let answer = send(address, "GET", ORDERS, &odd);
    let seen = upstream.take();
    assert_eq!(
        (answer.status, seen.len()),
        (200, 1),
        "odd bytes in a header that nobody reads"
    );
    assert!(seen[0].headers.contains(&field("x-odd", b"\xff\xfe\x80")));

    let answer = send(envoy.listener("large").unwrap(), "GET", ORDERS, &[bearer(&token)]);
    assert_eq!(
        (answer.status, upstream.take().len()),
        (200, 1),
        "a policy of a mebibyte"
    );

    let spoofed = [
        field("x-auth-subject", "root"),
        field("x_auth_tenant", "other"),
        field("x-end", "1"),
    ];
    let headers = [bearer(&token), field("te", "trailers")];
    let request = Message::request(b"GET", ORDERS.as_bytes(), Some(b"h"), &headers, b"b", &spoofed);
    let answer = client::send(address, &request).unwrap();
    let seen = upstream.take();
    assert_eq!((answer.status, seen.len()), (200, 1), "spoofed trailers");
    assert_eq!(seen[0].trailers, [field("x-end", "1")]);
    assert_eq!(seen[0].header("x-auth-subject").as_deref(), Some("anna"));
}

#[test]
fn an_envoy_with_a_policy_that_is_wrong_does_not_start() {
    let Some(program) = crate::common::envoy("an_envoy_with_a_policy_that_is_wrong_does_not_start") else {
        return;
    };
    let listeners = [listener(
        "wrong",
        &json!({"scopegate": "v1", "authorization": {"routs": []}}),
    )];
    let upstream = Upstream::start().unwrap();
    let started = Envoy::start(
        &program,
        &bootstrap(&listeners, upstream.address()),
        Path::new("."),
        &[],
    );
    let Err(EnvoyError::NotReady { log, .. }) = started else {
        panic!("it started: {started:?}")
    };
    assert!(
        log.contains("routs"),
        "the log names the field that is wrong:\n{log}"
    );
}
