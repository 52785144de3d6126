//! Revocation through the door of the layer: looked at last, on every request, also for what was proved before.

use scopegate_authn::Algorithm;
use serde_json::{Value, json};

use crate::common::{NOW, encode, provider, token};
use crate::world::{Ask, World};

const ALG: Algorithm = Algorithm::EdDsa;

fn world(revocation: &Value) -> World {
    world_of(&json!({}), revocation)
}

fn world_of(settings: &Value, revocation: &Value) -> World {
    World::new(&json!({"providers": [provider(&[ALG], settings)], "revocation": revocation}))
}

fn bearer(claims: &Value) -> Ask {
    Ask::bearer(&token(ALG, claims))
}

fn feed() -> Value {
    json!({"uri": "https://idp.example.com/revoked.json", "upstream": "idp", "refresh": "30s", "max_stale": "10m"})
}

#[test]
fn what_a_policy_lists_counts_no_longer() {
    let cases = [
        (
            json!({"tokens": [{"provider": "corp", "jti": "t-1"}]}),
            json!({"jti": "t-1"}),
            "token_revoked",
        ),
        (
            json!({"tokens": [{"provider": "corp", "jti": "t-1"}]}),
            json!({"jti": "t-2"}),
            "corp/anna",
        ),
        (
            json!({"tokens": [{"provider": "corp", "jti": "t-1"}]}),
            json!({}),
            "corp/anna",
        ),
        (
            json!({"keys": [{"provider": "corp", "kid": "eddsa"}]}),
            json!({}),
            "key_revoked",
        ),
        (
            json!({"keys": [{"provider": "corp", "kid": "other"}]}),
            json!({}),
            "corp/anna",
        ),
        (
            json!({"clients": [{"provider": "corp", "client": "kiosk"}]}),
            json!({"client_id": "kiosk"}),
            "token_revoked",
        ),
    ];
    for (revocation, claims, expected) in cases {
        let mut world = world(&revocation);
        for when in ["at first", "a second time"] {
            assert_eq!(
                world.ask(&bearer(&claims)),
                expected,
                "{when}: {revocation} {claims}"
            );
        }
    }
    let subject = |instant: &str| json!({"subjects": [{"provider": "corp", "subject": "anna", "issued_before": instant}]});
    for (instant, claims, expected) in [
        ("2026-11-22T09:00:00Z", json!({"iat": NOW - 1}), "token_revoked"),
        ("2026-11-22T09:00:00Z", json!({"iat": NOW}), "corp/anna"),
        (
            "2026-11-22T09:00:00Z",
            json!({"iat": NOW as f64 - 0.5}),
            "token_revoked",
        ),
        ("2026-11-22T08:00:00Z", json!({"iat": null}), "token_revoked"),
    ] {
        let mut world = world(&subject(instant));
        assert_eq!(world.ask(&bearer(&claims)), expected, "{instant} {claims}");
    }
}

#[test]
fn a_bad_token_is_not_told_whether_it_was_revoked() {
    let revoked = token(ALG, &json!({"jti": "t-1"}));
    let (signed, _) = revoked.rsplit_once('.').expect("a signature");
    let forged = Ask::bearer(&format!("{signed}.{}", encode(&[1; 64])));
    let mut world = world(&json!({"tokens": [{"provider": "corp", "jti": "t-1"}], "feed": feed()}));
    assert_eq!(world.ask(&forged), "signature_invalid");
    assert_eq!(
        world.ask(&Ask::bearer(&revoked)),
        "token_revoked",
        "what the policy lists needs no feed"
    );
}

#[test]
fn a_feed_is_waited_for_heeded_at_once_and_believed_up_to_its_age() {
    let mut world = world(&json!({"feed": feed()}));
    let ask = bearer(&json!({"jti": "t-1", "exp": NOW + 20_000}));
    assert_eq!(world.ask(&ask), "wait revocations");
    assert_eq!(world.ask_last(&ask), "revocation_unavailable");
    for bad in [
        "{}",
        "[]",
        r#"{"tokens": null}"#,
        r#"{"tokens": [{"provider": "other", "jti": "a"}]}"#,
        "<html>",
    ] {
        assert_eq!(world.give("revocations", bad), "refused", "{bad}");
        assert_eq!(world.ask_last(&ask), "revocation_unavailable", "{bad}");
    }
    assert_eq!(world.give("revocations", r#"{"tokens": []}"#), "document");
    assert_eq!(world.ask(&ask), "corp/anna");
    assert_eq!(world.live.cache_use().tokens, 1);
    let revoked = r#"{"tokens": [{"provider": "corp", "jti": "t-1"}]}"#;
    assert_eq!(world.give("revocations", revoked), "document");
    assert_eq!(world.ask(&ask), "token_revoked", "although it was proved before");
    assert_eq!(world.give("revocations", "{}"), "refused");
    assert_eq!(world.ask(&ask), "token_revoked", "the last good one stays");
    assert_eq!(
        world.give(
            "revocations",
            r#"{"keys": [{"provider": "corp", "kid": "eddsa"}]}"#
        ),
        "document"
    );
    assert_eq!(world.ask(&ask), "key_revoked");
    assert_eq!(world.give("revocations", r#"{"tokens": []}"#), "document");
    for (later, expected) in [
        (600, "corp/anna"),
        (601, "revocation_unavailable"),
        (-601, "revocation_unavailable"),
    ] {
        world.now = NOW + later;
        let answer = match later < 0 {
            true => world.ask_last(&bearer(&json!({"iat": NOW - 900, "exp": NOW + 300}))),
            false => world.ask_last(&ask),
        };
        assert_eq!(answer, expected, "{later} s later");
    }
}
