//! Introspection through the door of the layer: what is asked, what an answer is worth, and for whom.

use scopegate_authn::Attempt;
use serde_json::{Value, json};

use crate::common::{NOW, merge};
use crate::world::{Ask, World};

const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

fn opaque(changes: &Value) -> Value {
    let base = json!({
        "name": "opaque", "type": "introspection", "endpoint": "https://idp.example.com/introspect",
        "upstream": "idp", "audiences": ["orders"],
        "client_auth": {"basic": {"username": "orders", "password": {"env": "PASSWORD"}}},
    });
    merge(base, changes)
}

fn world(changes: &Value) -> World {
    World::of(&[opaque(changes)])
}

fn active(changes: &Value) -> String {
    let base =
        json!({"active": true, "sub": "anna", "aud": "orders", "exp": NOW + 300, "scope": "orders:read"});
    merge(base, changes).to_string()
}

#[test]
fn the_question_is_put_once_with_the_token_and_shows_neither_it_nor_the_password() {
    let mut world = world(&json!({}));
    let question = world.question(&Ask::bearer(TOKEN));
    let fetch = question.fetch();
    assert_eq!(
        (fetch.method, fetch.scheme, fetch.authority.as_str()),
        ("POST", "https", "idp.example.com")
    );
    assert_eq!(
        (fetch.path.as_str(), fetch.upstream.as_str()),
        ("/introspect", "idp")
    );
    assert_eq!(
        String::from_utf8_lossy(&fetch.body),
        format!("token_type_hint=access_token&token={TOKEN}")
    );
    let shown = format!("{question:?}");
    assert!(!shown.contains(TOKEN) && !shown.contains("Basic"), "{shown}");
    assert_eq!(
        world.ask_last(&Ask::bearer(TOKEN)),
        "introspection_unavailable",
        "it was asked before"
    );
    for malformed in ["to\"ken", "tok en", "=", "t\u{e9}"] {
        assert_eq!(
            world.ask(&Ask::bearer(malformed)),
            "token_malformed",
            "{malformed}: nobody is asked"
        );
    }
    assert_eq!(world.ask(&Ask::bearer(&"x".repeat(20_000))), "token_too_large");
}

#[test]
fn r065_r067_only_an_active_token_for_this_api_is_a_caller() {
    let cases: Vec<(&str, Value, &str)> = vec![
        ("all is well", json!({}), "opaque/anna"),
        ("R065 inactive", json!({"active": false}), "token_inactive"),
        ("R065 missing", json!({"active": null}), "token_inactive"),
        ("R065 no boolean", json!({"active": "true"}), "token_inactive"),
        ("R065 no boolean", json!({"active": 1}), "token_inactive"),
        ("another audience", json!({"aud": "ledger"}), "audience_mismatch"),
        ("no audience", json!({"aud": null}), "audience_mismatch"),
        ("expired", json!({"exp": NOW - 31}), "token_expired"),
        ("not yet", json!({"nbf": NOW + 31}), "token_not_yet_valid"),
        (
            "a refresh token",
            json!({"token_type": "refresh_token"}),
            "type_mismatch",
        ),
        ("bound to a key", json!({"cnf": {"jkt": "x"}}), "binding_mismatch"),
        (
            "bound to a key it does not name",
            json!({"token_type": "DPoP"}),
            "binding_mismatch",
        ),
        ("scopes of another type", json!({"scope": 7}), "claim_mismatch"),
        ("an id of another type", json!({"jti": 7}), "claim_mismatch"),
    ];
    for (what, changes, expected) in cases {
        let mut world = world(&json!({}));
        assert_eq!(
            world.answer(&Ask::bearer(TOKEN), Some(200), &active(&changes)),
            expected,
            "{what}"
        );
    }
    let required = json!({"require": {"claims": {"azp": ["web"]}}, "issuer": "https://idp.example.com"});
    for (changes, expected) in [
        (
            json!({"iss": "https://idp.example.com", "azp": "web"}),
            "opaque/anna",
        ),
        (json!({"iss": "https://idp.example.com"}), "claim_missing"),
        (
            json!({"iss": "https://idp.example.com", "azp": "other"}),
            "claim_mismatch",
        ),
        (
            json!({"iss": "https://evil.example.com", "azp": "web"}),
            "issuer_unknown",
        ),
    ] {
        let mut world = world(&required);
        assert_eq!(
            world.answer(&Ask::bearer(TOKEN), Some(200), &active(&changes)),
            expected,
            "{changes}"
        );
    }
}

#[test]
fn r067_what_is_no_answer_is_an_outage_and_never_a_bad_token() {
    let good = active(&json!({}));
    let twice = good.replace("{", r#"{"active":true,"#);
    let jwt = crate::common::token(scopegate_authn::Algorithm::EdDsa, &json!({"active": true}));
    let cases: Vec<(Option<u16>, &str)> = vec![
        (None, ""),
        (Some(200), ""),
        (Some(200), "null"),
        (Some(200), "[true]"),
        (Some(200), &twice),
        (Some(200), &jwt),
        (Some(200), &good[..good.len() - 1]),
        (Some(201), &good),
        (Some(204), ""),
        (Some(301), &good),
        (Some(401), &good),
        (Some(403), r#"{"active": false}"#),
        (Some(500), &good),
        (Some(503), ""),
    ];
    for cache in [json!({}), json!({"cache": "30s"})] {
        for (status, body) in &cases {
            let mut world = world(&cache);
            let answer = world.answer(&Ask::bearer(TOKEN), *status, body);
            assert_eq!(answer, "introspection_unavailable", "{status:?} {body}");
            assert_eq!(
                world.ask(&Ask::bearer(TOKEN)),
                "wait answer",
                "an outage is not kept"
            );
        }
    }
}

#[test]
fn r066_an_answer_is_for_the_request_that_asked_unless_the_policy_keeps_it() {
    let ask = Ask::bearer(TOKEN);
    let mut without = world(&json!({}));
    assert_eq!(
        without.answer(&ask, Some(200), &active(&json!({}))),
        "opaque/anna"
    );
    assert_eq!(without.ask(&ask), "wait answer");
    assert_eq!(without.live.cache_use().tokens, 0);

    // (`exp` of the answer, seconds later, what comes)
    let cases = [
        (NOW + 300, 29, "opaque/anna"),
        (NOW + 300, 30, "wait answer"),
        (NOW + 300, -1, "wait answer"),
        (NOW + 10, 9, "opaque/anna"),
        (NOW + 10, 10, "wait answer"),
        (NOW - 10, 0, "wait answer"),
    ];
    for (exp, later, expected) in cases {
        let mut world = world(&json!({"cache": "30s"}));
        assert_eq!(
            world.answer(&ask, Some(200), &active(&json!({"exp": exp}))),
            "opaque/anna"
        );
        world.now = NOW + later;
        assert_eq!(world.ask(&ask), expected, "R066: exp {exp}, {later} s later");
    }
    let mut negative = world(&json!({"cache": "30s"}));
    assert_eq!(
        negative.answer(&ask, Some(200), r#"{"active": false}"#),
        "token_inactive"
    );
    assert_eq!(
        negative.ask(&ask),
        "wait answer",
        "that a token is inactive is not kept"
    );
}

#[test]
fn an_answer_about_another_token_or_of_another_provider_never_counts() {
    let (first, second) = (Ask::bearer(TOKEN), Ask::bearer("anothertoken"));
    let mut world = world(&json!({"cache": "30s"}));
    let question = world.question(&first);
    let good = active(&json!({}));
    assert_eq!(
        world.answer_to(&question, &second, Some(200), &good),
        "introspection_unavailable"
    );
    assert_eq!(world.ask(&second), "wait answer", "and nothing of it is kept");
    assert_eq!(
        world.answer_to(&question, &first, Some(200), &good),
        "opaque/anna"
    );
    assert_eq!(world.ask(&second), "wait answer");
    let near = Ask::bearer(&format!("x{}", &TOKEN[1..]));
    assert_eq!(world.ask(&near), "wait answer", "one that ends alike is another");

    let by_cookie = json!({"name": "cookies", "credential": {"cookie": "t"}});
    let mut two = World::of(&[opaque(&json!({"cache": "30s"})), opaque(&by_cookie)]);
    let cookie = Ask::default().and("cookie", &format!("t={TOKEN}"));
    let question = two.question(&first);
    assert_eq!(
        two.answer_to(&question, &cookie, Some(200), &good),
        "introspection_unavailable"
    );
    assert_eq!(two.answer_to(&question, &first, Some(200), &good), "opaque/anna");
    assert_eq!(
        two.ask(&cookie),
        "wait answer",
        "what is known of a token holds in its own place"
    );
}

#[test]
fn what_is_kept_of_an_answer_is_looked_at_for_revocation_on_every_request() {
    let mut world = World::new(&json!({
        "providers": [opaque(&json!({"cache": "30s"}))],
        "revocation": {"feed": {"uri": "https://idp.example.com/r", "upstream": "idp"}},
    }));
    let ask = Ask::bearer(TOKEN);
    assert_eq!(world.give("revocations", r#"{"tokens": []}"#), "document");
    assert_eq!(
        world.answer(&ask, Some(200), &active(&json!({"jti": "t-1"}))),
        "opaque/anna"
    );
    assert_eq!(world.ask(&ask), "opaque/anna");
    let revoked = r#"{"tokens": [{"provider": "opaque", "jti": "t-1"}]}"#;
    assert_eq!(world.give("revocations", revoked), "document");
    assert_eq!(world.ask(&ask), "token_revoked");
    assert_eq!(world.attempt(&ask, &Attempt::last()), "token_revoked");
}
