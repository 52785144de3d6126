//! API keys through the door of the layer: known by their digest, until they end, and never kept.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::NOW;
use crate::world::{Ask, World};

fn sha256(key: &str) -> String {
    let digest = Sha256::digest(key);
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn section(revocation: Option<Value>) -> Value {
    let mut section = json!({"providers": [{
        "name": "partners", "type": "api_key", "credential": {"header": "x-api-key"},
        "keys": [
            {"id": "acme-2026", "sha256": sha256("key of acme"), "subject": "acme", "tenant": "t1", "client": "c1"},
            {"id": "acme-2025", "sha256": sha256("old key of acme"), "subject": "acme"},
            {"id": "short", "sha256": sha256("short"), "subject": "globex", "expires": "2026-11-22T09:00:10Z"},
        ],
    }]});
    if let Some(revocation) = revocation {
        section["revocation"] = revocation;
    }
    section
}

fn with(key: &str) -> Ask {
    Ask::default().and("x-api-key", key)
}

#[test]
fn a_key_says_who_calls_for_whom_and_nothing_about_itself() {
    let mut world = World::new(&section(None));
    let step = world.step(&with("key of acme"), &scopegate_authn::Attempt::last());
    let Ok(scopegate_authn::Step::Done(caller)) = step else {
        panic!("{step:?}");
    };
    assert_eq!(
        (
            caller.provider(),
            caller.subject(),
            caller.tenant(),
            caller.client()
        ),
        ("partners", Some("acme"), Some("t1"), Some("c1"))
    );
    assert!(caller.scopes().is_empty() && caller.claims().is_empty());
    let evidence = caller.evidence();
    assert_eq!(
        (evidence.kind, evidence.key_id.as_deref()),
        ("api_key", Some("acme-2026"))
    );
    let shown = format!("{caller:?}");
    assert!(!shown.contains("key of acme"), "{shown}");
    assert_eq!(
        world.live.cache_use().tokens,
        0,
        "keys are found anew on every request"
    );
}

#[test]
fn a_key_ends_at_its_instant_by_the_clock_of_each_request() {
    let mut world = World::new(&section(None));
    for (later, expected) in [
        (0, "partners/globex"),
        (9, "partners/globex"),
        (10, "api_key_expired"),
        (9, "partners/globex"),
    ] {
        world.now = NOW + later;
        assert_eq!(world.ask(&with("short")), expected, "{later} s later");
    }
}

#[test]
fn a_key_is_revoked_by_its_id_its_subject_or_its_client_on_the_next_request() {
    let cases = [
        (
            json!({"keys": [{"provider": "partners", "kid": "acme-2025"}]}),
            "partners/acme",
            "key_revoked",
        ),
        (
            json!({"keys": [{"provider": "partners", "kid": "acme-2026"}]}),
            "key_revoked",
            "partners/acme",
        ),
        (
            json!({"clients": [{"provider": "partners", "client": "c1"}]}),
            "token_revoked",
            "partners/acme",
        ),
        (
            json!({"subjects": [{"provider": "partners", "subject": "acme", "issued_before": "2020-01-01T00:00:00Z"}]}),
            "token_revoked",
            "token_revoked",
        ),
    ];
    for (revocation, new, old) in cases {
        let mut world = World::new(&section(Some(revocation.clone())));
        assert_eq!(world.ask(&with("key of acme")), new, "{revocation}");
        assert_eq!(world.ask(&with("old key of acme")), old, "{revocation}");
    }
    let feed = json!({"feed": {"uri": "https://idp.example.com/revoked.json", "upstream": "idp"}});
    let mut world = World::new(&section(Some(feed)));
    assert_eq!(world.ask(&with("key of acme")), "wait revocations");
    assert_eq!(world.ask_last(&with("key of acme")), "revocation_unavailable");
    assert_eq!(world.ask_last(&with("key of nobody")), "api_key_unknown");
    assert_eq!(world.give("revocations", r#"{"keys": []}"#), "document");
    assert_eq!(world.ask(&with("key of acme")), "partners/acme");
    let revoked = r#"{"keys": [{"provider": "partners", "kid": "acme-2026"}]}"#;
    assert_eq!(world.give("revocations", revoked), "document");
    assert_eq!(world.ask(&with("key of acme")), "key_revoked");
    assert_eq!(world.ask(&with("old key of acme")), "partners/acme");
}
