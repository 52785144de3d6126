//! What a user notices of a decision: the reply, what the upstream sees, and both audit records.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use scopegate_engine::Engine;
use scopegate_engine::{Decision, Forward, Layer, Outcome, Reply, Request, Unready};
use serde_json::{Value, json};
use support::{NOW, decide, decide_at, engine, policy, token};

fn reply(decision: &Decision) -> &Reply {
    match &decision.outcome {
        Outcome::Reply(reply) => reply,
        Outcome::Forward(forward) => panic!("forwarded: {forward:?}"),
    }
}

fn forward(decision: &Decision) -> &Forward {
    match &decision.outcome {
        Outcome::Forward(forward) => forward,
        Outcome::Reply(reply) => panic!("refused: {decision:?} {reply:?}"),
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.as_str())
}

fn with_token(claims: Value, method: &str, path: &str) -> Decision {
    let bearer = format!("Bearer {}", token(claims));
    decide(&engine(&policy()), method, path, &[("authorization", &bearer)])
}

#[test]
fn a_permitted_request_goes_on_with_proved_identity_and_without_the_token() {
    let decision = with_token(json!({}), "GET", "/tenants/acme/orders");
    let forward = forward(&decision);
    assert_eq!(
        (decision.code, decision.layer, decision.route.as_deref()),
        ("allow", Layer::Authorization, Some("orders.list"))
    );
    assert_eq!(forward.remove, [b"authorization".to_vec()]);
    let set = |name: &str| {
        forward
            .set
            .iter()
            .find(|(found, _)| **found == *name)
            .map(|(_, value)| value.to_vec())
    };
    assert_eq!(set("x-auth-subject"), Some(b"anna".to_vec()));
    assert_eq!(set("x-auth-scopes"), Some(b"orders:read".to_vec()));
    assert_eq!(set("x-auth-email"), Some(b"anna@example.com".to_vec()));
    assert_eq!(forward.set.len(), 3);
    assert_eq!(forward.path, None);
}

#[test]
fn identity_headers_of_a_clients_making_never_go_on() {
    let spoofed = [
        ("X-Auth-Subject", "root"),
        ("x_auth_scopes", "orders:write"),
        ("x-auth-email", "a"),
        ("x-other", "b"),
    ];
    let decision = decide(&engine(&policy()), "GET", "/healthz", &spoofed);
    let forward = forward(&decision);
    assert_eq!(
        forward.remove,
        [
            b"X-Auth-Subject".to_vec(),
            b"x-auth-email".to_vec(),
            b"x_auth_scopes".to_vec()
        ]
    );
    assert!(forward.set.is_empty());
}

#[test]
fn a_token_is_not_looked_at_on_a_public_route_and_does_not_go_on() {
    let decision = decide(
        &engine(&policy()),
        "GET",
        "/healthz",
        &[("authorization", "Bearer nonsense")],
    );
    assert_eq!(forward(&decision).remove, [b"authorization".to_vec()]);
}

#[test]
fn an_identity_that_a_header_would_change_is_refused() {
    for subject in ["anna\r\nx-auth-tenant: other", "anna ", "an\u{0}na"] {
        let decision = with_token(json!({"sub": subject}), "GET", "/tenants/acme/orders");
        assert_eq!(
            (decision.code, reply(&decision).status),
            ("claim_mismatch", 401),
            "{subject:?}"
        );
    }
}

#[test]
fn who_sends_no_credential_is_told_where_to_use_one() {
    let decision = decide(&engine(&policy()), "GET", "/tenants/acme/orders", &[]);
    let reply = reply(&decision);
    assert_eq!(
        (reply.status, decision.code, decision.layer),
        (401, "credential_missing", Layer::Authentication)
    );
    assert_eq!(
        header(reply, "www-authenticate"),
        Some(r#"Bearer realm="orders""#)
    );
    assert_eq!(header(reply, "content-type"), Some("application/problem+json"));
    assert_eq!(header(reply, "cache-control"), Some("no-store"));
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let expected = json!({
        "type": "urn:scopegate:problem:credential_missing", "title": "Authentication is required", "status": 401,
        "code": "credential_missing", "request_id": "r-1",
    });
    assert_eq!(body, expected);
}

#[test]
fn a_challenge_says_where_the_metadata_of_the_api_stands() {
    let mut policy = policy();
    policy["authentication"]["resource"] = json!("https://api.example.com/orders/");
    let decision = decide(&engine(&policy), "GET", "/tenants/acme/orders", &[]);
    let url = "https://api.example.com/.well-known/oauth-protected-resource/orders";
    let challenge = format!(r#"Bearer realm="orders", resource_metadata="{url}""#);
    assert_eq!(
        header(reply(&decision), "www-authenticate"),
        Some(challenge.as_str())
    );
}

#[test]
fn a_bad_token_and_a_missing_scope_are_told_apart() {
    let expired = with_token(json!({"exp": NOW.0 - 3_600}), "GET", "/tenants/acme/orders");
    assert_eq!((expired.code, reply(&expired).status), ("token_expired", 401));
    assert_eq!(
        header(reply(&expired), "www-authenticate"),
        Some(r#"Bearer realm="orders", error="invalid_token""#)
    );
    let reader = with_token(json!({}), "POST", "/tenants/acme/orders");
    assert_eq!((reader.code, reply(&reader).status), ("scope_missing", 403));
    let challenge = r#"Bearer realm="orders", error="insufficient_scope", scope="orders:read orders:write""#;
    assert_eq!(header(reply(&reader), "www-authenticate"), Some(challenge));
}

#[test]
fn a_denial_that_no_scope_would_lift_carries_no_challenge() {
    for path in ["/tenants/other/orders", "/nowhere"] {
        let decision = with_token(json!({}), "GET", path);
        assert_eq!(
            (
                reply(&decision).status,
                header(reply(&decision), "www-authenticate")
            ),
            (403, None),
            "{path}"
        );
    }
}

#[test]
fn a_grpc_client_is_answered_in_grpc() {
    let headers = [("content-type", "application/grpc+proto")];
    let cases = [
        ("GET", "/tenants/acme/orders", "credential_missing", 16),
        ("GET", "/nowhere", "no_route", 7),
        ("GET", "/a//../nowhere%zz", "malformed_request", 3),
    ];
    for (method, path, code, status) in cases {
        let decision = decide(&engine(&policy()), method, path, &headers);
        let reply = reply(&decision);
        assert_eq!(
            (decision.code, reply.status, reply.grpc.map(|(status, _)| status)),
            (code, 200, Some(status))
        );
        assert_eq!(header(reply, "grpc-status"), Some(status.to_string().as_str()));
        assert_eq!(header(reply, "content-type"), Some("application/grpc"));
        assert!(reply.body.is_empty());
    }
}

#[test]
fn an_outage_is_never_reported_as_a_bad_token() {
    let engine = engine(&policy());
    let bearer = format!("Bearer {}", token(json!({})));
    let headers: [(&[u8], &[u8]); 1] = [(b"authorization", bearer.as_bytes())];
    for path in [&b"/tenants/acme/orders"[..], b"/healthz"] {
        let request = Request {
            method: b"GET",
            path,
            authority: None,
            headers: &headers,
            peer: None,
            source: None,
            id: "r",
            serial: 1,
        };
        let decision = decide_at(&engine, &request, None);
        let reply = reply(&decision);
        assert_eq!((decision.code, reply.status), ("clock_unavailable", 503));
        assert_eq!(
            (header(reply, "retry-after"), header(reply, "www-authenticate")),
            (Some("5"), None)
        );
    }
}

#[test]
fn without_a_policy_everything_is_refused() {
    let request = Request {
        method: b"GET",
        path: b"/healthz",
        authority: None,
        headers: &[],
        peer: None,
        source: None,
        id: "r",
        serial: 1,
    };
    let refused = |reason| {
        let decision = Engine::unready(&request, reason, Some(NOW));
        (decision.code, reply(&decision).status, decision.audit.len())
    };
    assert_eq!(refused(Unready::NotConfigured), ("not_configured", 503, 2));
    assert_eq!(refused(Unready::HeadersTruncated), ("headers_truncated", 431, 2));
}

#[test]
fn both_layers_are_recorded_apart_under_one_id() {
    let decision = with_token(json!({}), "POST", "/tenants/acme/orders?token=secret");
    let mut records: Vec<Value> = decision.audit.iter().map(|record| json!(record)).collect();
    assert!(
        decision.audit[0]
            .to_string()
            .starts_with(r#"{"event":"authentication","request_id":"r-1","time":"#)
    );
    for record in &mut records {
        if let Some(fingerprint) = record.pointer_mut("/credential/fingerprint") {
            assert!(
                fingerprint
                    .as_str()
                    .is_some_and(|text| text.starts_with("sha256:") && text.len() == 39)
            );
            *fingerprint = "sha256:...".into();
        }
        if let Some(digest) = record.pointer_mut("/policy/digest") {
            *digest = "sha256:...".into();
        }
    }
    insta::assert_json_snapshot!(records);
}

#[test]
fn nothing_of_a_credential_is_ever_recorded() {
    let good = token(json!({"exp": NOW.0 - 3_600}));
    for credential in [good.as_str(), "abc.def.ghi", "a b"] {
        let bearer = format!("Bearer {credential}");
        let decision = decide(
            &engine(&policy()),
            "GET",
            "/tenants/acme/orders?access_token=s3cr3t",
            &[("authorization", &bearer)],
        );
        let shown = format!("{decision:?} {}", json!(decision.audit));
        for part in credential.split('.').filter(|part| part.len() > 2) {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains("s3cr3t"), "{shown}");
        let fingerprint = json!(decision.audit)[0]["credential"]["fingerprint"].clone();
        assert!(
            fingerprint
                .as_str()
                .is_some_and(|text| text.starts_with("sha256:")),
            "{shown}"
        );
        assert_eq!(decision.audit.len(), 2);
        assert_eq!(
            json!(decision.audit)[0]["subject"],
            Value::Null,
            "identity is only recorded when it was proved"
        );
    }
}

#[test]
fn a_policy_says_what_is_recorded_and_refusals_are_never_thinned() {
    let bearer = format!("Bearer {}", token(json!({})));
    let headers = [("authorization", bearer.as_str())];
    let count = |audit: Value| {
        let mut policy = policy();
        policy["audit"] = audit;
        let engine = engine(&policy);
        let allowed = decide(&engine, "GET", "/tenants/acme/orders", &headers)
            .audit
            .len();
        let denied = decide(&engine, "POST", "/tenants/acme/orders", &headers)
            .audit
            .len();
        let rejected = decide(&engine, "GET", "/tenants/acme/orders", &[]).audit.len();
        (allowed, denied, rejected)
    };
    assert_eq!(count(json!({})), (0, 1, 1));
    assert_eq!(
        count(json!({"authentication": "all", "authorization": "all"})),
        (2, 2, 2)
    );
    assert_eq!(
        count(json!({"authentication": "none", "authorization": "none"})),
        (0, 0, 0)
    );
    assert_eq!(
        count(json!({"authentication": "all", "authorization": "all", "sample": 0.0})),
        (0, 2, 2)
    );
}

#[test]
fn the_layout_of_a_policy_does_not_change_its_digest() {
    let text = serde_json::to_string_pretty(&policy()).expect("JSON");
    let spaced = Engine::from_json(text.as_bytes(), &support::Environment)
        .expect("a good policy")
        .engine;
    assert_eq!(spaced.policy(), engine(&policy()).policy());
}

#[test]
fn a_secret_that_is_not_there_is_named_and_never_shown() {
    struct Nothing;
    impl scopegate_authn::Secrets for Nothing {
        fn get(&self, _: &str) -> Option<String> {
            None
        }
    }
    let errors = Engine::from_value(&policy(), &Nothing).expect_err("no secret");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0]
            .path
            .starts_with("authentication.providers[0].keys[0].secret"),
        "{}",
        errors[0].path
    );
    assert!(
        errors[0].message.contains("SIGNING_SECRET"),
        "{}",
        errors[0].message
    );
}

#[test]
fn faults_of_both_sections_are_reported_together() {
    let mut policy = policy();
    policy["authentication"]["providers"][0]["audiences"] = json!([]);
    policy["authorization"]["routes"][1]["access"]["scopes"] = json!({"all": ["orders:raed"]});
    let errors = Engine::from_value(&policy, &support::Environment).expect_err("two faults");
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "authentication.providers[0].audiences",
            "authorization.routes[1].access.scopes.all[0]"
        ]
    );
}

#[test]
fn what_a_policy_trusts_of_its_upstream_is_remarked_on() {
    let remarks = |readings: Value| {
        let mut policy = policy();
        policy["authorization"]["path_readings"] = readings;
        let compiled = Engine::from_value(&policy, &support::Environment).expect("a good policy");
        let notices = compiled.notices.into_iter();
        notices
            .map(|notice| (notice.code, notice.path))
            .collect::<Vec<_>>()
    };
    let trusted = (
        "path_reading_trusted",
        "authorization.path_readings.encoded_slashes".to_owned(),
    );
    assert!(!remarks(json!("strict")).contains(&trusted));
    assert!(remarks(json!({"encoded_slashes": "kept"})).contains(&trusted));
}

#[test]
fn what_a_client_says_of_itself_decides_nothing() {
    let mut policy = policy();
    policy["authorization"]["conditions"] = json!({"headers": ["X_Auth_Subject", "x-region"]});
    policy["authorization"]["routes"][0]["match"]["headers"] = json!({"x-auth-email": "a"});
    policy["authorization"]["routes"][1]["access"]["headers"] = json!({"x-auth-scopes": "a"});
    let faults = Engine::from_value(&policy, &support::Environment).expect_err("faults");
    let mut paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "authorization.conditions.headers[0]",
            "authorization.routes[0].match.headers.x-auth-email",
            "authorization.routes[1].access.headers.x-auth-scopes",
        ]
    );
}
