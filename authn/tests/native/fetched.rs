//! Keys that are fetched, without a host: what is waited for, what changes when other keys come, what never takes the
//! place of a good set.

use scopegate_authn::Algorithm;
use scopegate_authn::remote::{Record, Schedule, Taken};
use serde_json::{Value, json};

use crate::common::{self, NOW, provider, public_jwk, token};
use crate::world::{Ask, World};

const ALG: Algorithm = Algorithm::EdDsa;
const KEYS: &str = "keys.corp";

fn world_with(keys: &Value) -> World {
    World::of(&[provider(&[ALG, Algorithm::Es256], &json!({"keys": keys}))])
}

fn world() -> World {
    world_with(&json!({
        "jwks_uri": "https://idp.example.com/jwks", "upstream": "idp", "refresh": "10m", "max_stale": "1h",
    }))
}

fn set(algorithms: &[Algorithm]) -> String {
    let keys: Vec<Value> = algorithms.iter().copied().map(public_jwk).collect();
    json!({"keys": keys}).to_string()
}

/// A token that is good for hours.
fn long(algorithm: Algorithm) -> Ask {
    Ask::bearer(&token(
        algorithm,
        &json!({"iat": NOW - 20_000, "exp": NOW + 20_000}),
    ))
}

#[test]
fn before_the_first_set_a_token_waits_and_then_it_is_an_outage() {
    let mut world = world();
    assert_eq!(world.ask(&long(ALG)), format!("wait {KEYS}"));
    assert_eq!(world.ask_last(&long(ALG)), "keys_unavailable");
    assert_eq!(
        world.ask(&Ask::bearer("a.b.c")),
        "token_malformed",
        "what is bad needs no keys"
    );
    let expired = Ask::bearer(&token(ALG, &json!({"exp": NOW - 100})));
    assert_eq!(world.ask(&expired), "token_expired");
    let fetch = world.begin(KEYS);
    assert_eq!(
        (
            fetch.method,
            fetch.scheme,
            fetch.authority.as_str(),
            fetch.path.as_str()
        ),
        ("GET", "https", "idp.example.com", "/jwks")
    );
    assert_eq!(world.take(KEYS, &fetch, Some(200), &set(&[ALG])), "document");
    assert_eq!(world.ask(&long(ALG)), "corp/anna");
}

#[test]
fn a_key_nobody_knows_is_waited_for_once_a_minute() {
    let mut world = world();
    assert_eq!(world.give(KEYS, &set(&[ALG])), "document");
    let unknown = long(Algorithm::Es256);
    assert_eq!(
        world.ask(&unknown),
        "key_not_found",
        "the set was fetched this very second"
    );
    world.now = NOW + 60;
    assert_eq!(world.ask(&unknown), format!("wait {KEYS}"));
    assert_eq!(world.ask_last(&unknown), "key_not_found");
    let fetch = world.begin(KEYS);
    assert_eq!(world.ask(&unknown), format!("wait {KEYS}"), "somebody fetches");
    assert_eq!(world.ask(&long(ALG)), "corp/anna", "known keys serve meanwhile");
    assert_eq!(world.take(KEYS, &fetch, Some(200), &set(&[ALG])), "unchanged");
    assert_eq!(world.ask(&unknown), "key_not_found", "and not again");
    world.now = NOW + 120;
    assert_eq!(world.give(KEYS, &set(&[ALG, Algorithm::Es256])), "document");
    assert_eq!(world.ask(&unknown), "corp/anna");
    let forged = Ask::bearer(&format!("{}x", &token(ALG, &json!({}))[..100]));
    world.now = NOW + 300;
    assert_ne!(
        world.ask(&forged),
        format!("wait {KEYS}"),
        "a bad token of a known key is not waited for"
    );
}

#[test]
fn another_set_makes_worthless_what_the_old_one_proved() {
    let mut world = world();
    assert_eq!(world.give(KEYS, &set(&[ALG])), "document");
    assert_eq!(world.ask(&long(ALG)), "corp/anna");
    assert_eq!(world.live.cache_use().tokens, 1);
    assert_eq!(world.give(KEYS, &set(&[ALG])), "unchanged");
    assert_eq!(world.ask(&long(ALG)), "corp/anna");
    assert_eq!(
        world.give(KEYS, &set(&[Algorithm::Es256])),
        "document",
        "the key is withdrawn"
    );
    assert_eq!(world.ask_last(&long(ALG)), "key_not_found");
    assert_eq!(world.live.cache_use().tokens, 0);
    let seed = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let other = common::merge(
        public_jwk(ALG),
        &json!({"x": common::encode(seed.verifying_key().as_bytes())}),
    );
    assert_eq!(world.give(KEYS, &set(&[ALG])), "document");
    assert_eq!(world.ask(&long(ALG)), "corp/anna");
    assert_eq!(
        world.give(KEYS, &json!({"keys": [other]}).to_string()),
        "document",
        "the same name, another key"
    );
    assert_eq!(world.ask_last(&long(ALG)), "signature_invalid");
}

#[test]
fn a_set_is_used_up_to_its_age_and_no_longer_even_for_what_it_proved() {
    let mut world = world();
    assert_eq!(world.give(KEYS, &set(&[ALG])), "document");
    assert_eq!(world.ask(&long(ALG)), "corp/anna");
    for (later, expected) in [(3_600, "corp/anna"), (3_601, "keys_unavailable")] {
        world.now = NOW + later;
        let fetch = world.begin(KEYS);
        assert_eq!(world.take(KEYS, &fetch, Some(503), ""), "refused");
        assert_eq!(world.ask_last(&long(ALG)), expected, "{later} s later");
    }
    assert_eq!(world.give(KEYS, &set(&[ALG])), "unchanged");
    assert_eq!(
        world.ask(&long(ALG)),
        "corp/anna",
        "it is good again once it was seen again"
    );
    world.now = NOW - 3_600;
    assert_eq!(
        world.ask_last(&long(ALG)),
        "keys_unavailable",
        "a clock that stepped back proves nothing"
    );
}

#[test]
fn a_bad_answer_never_takes_the_place_of_a_good_set() {
    let mut world = world();
    assert_eq!(world.give(KEYS, &set(&[ALG])), "document");
    let twice = set(&[ALG]).replace(r#""keys":"#, r#""keys":[],"keys":"#);
    let secret = json!({"keys": [public_jwk(ALG), public_jwk(Algorithm::Hs256)]}).to_string();
    let unusable = json!({"keys": [public_jwk(Algorithm::Rs256)]}).to_string();
    let cases = [
        (Some(200), "{}"),
        (Some(200), r#"{"keys": []}"#),
        (Some(200), "<html>"),
        (Some(200), &set(&[ALG])[..40]),
        (Some(200), &twice),
        (Some(200), &secret),
        (Some(200), &unusable),
        (Some(302), &set(&[Algorithm::Es256])),
        (Some(500), &set(&[Algorithm::Es256])),
        (Some(304), ""),
        (None, ""),
    ];
    for (status, body) in cases {
        let fetch = world.begin(KEYS);
        assert_eq!(
            world.take(KEYS, &fetch, status, body),
            "refused",
            "{status:?} {body}"
        );
        assert_eq!(world.ask_last(&long(ALG)), "corp/anna", "{status:?} {body}");
    }
}

#[test]
fn another_worker_takes_over_what_one_fetched_and_reads_it_as_strictly() {
    let (mut one, mut other) = (world(), world());
    let fetch = one.begin(KEYS);
    let Taken::Document(record) = one.taken(KEYS, &fetch, Some(200), &set(&[ALG])) else {
        panic!("a good document");
    };
    let (id, now) = (other.source(KEYS), other.now());
    assert!(
        other.live.observe(id, one.live.schedule(id)),
        "there is a newer one"
    );
    assert_eq!(
        other.ask_last(&long(ALG)),
        "keys_unavailable",
        "the times alone are no keys"
    );
    for body in ["{}", "", r#"{"keys": 7}"#] {
        let bad = Record::decode(&[&[0; 4], body.as_bytes()].concat()).unwrap();
        assert!(
            !other.authenticator.adopt(&mut other.live, id, &bad, now),
            "nobody told of it"
        );
        let told = Schedule {
            version: bad.version(),
            ..one.live.schedule(id)
        };
        other.live.observe(id, told);
        other.authenticator.adopt(&mut other.live, id, &bad, now);
        assert_eq!(other.ask_last(&long(ALG)), "keys_unavailable", "{body}");
    }
    other.live.observe(id, one.live.schedule(id));
    assert!(other.authenticator.adopt(&mut other.live, id, &record, now));
    assert_eq!(other.ask(&long(ALG)), "corp/anna");
    other.now = NOW + 3_601;
    assert_eq!(
        other.ask_last(&long(ALG)),
        "keys_unavailable",
        "it is as old as it was there"
    );
}
