//! Status lists through the door of the layer: what they say of a token, and whose word they are.

use miniz_oxide::deflate::compress_to_vec_zlib;
use scopegate_authn::Algorithm;
use serde_json::{Value, json};

use crate::common::{NOW, encode, merge, provider, public_jwk, token, token_with};
use crate::world::{Ask, World};

const ALG: Algorithm = Algorithm::EdDsa;
const LIST: &str = "https://idp.example.com/statuslists/1";

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

fn lists(changes: &Value) -> Value {
    let list = json!({"provider": "corp", "uri": LIST, "upstream": "idp", "max_stale": "1h"});
    json!({"status_lists": [merge(list, changes)]})
}

/// A status list of eight tokens, signed as tokens of the provider are.
fn list(statuses: u8, header: &Value, claims: &Value) -> String {
    let name = ALG.name();
    let base = json!({"alg": name, "kid": name.to_lowercase(), "typ": "statuslist+jwt"});
    let packed = encode(&compress_to_vec_zlib(&[statuses], 6));
    let content = json!({
        "sub": LIST, "iat": NOW - 60, "exp": NOW + 7_200, "status_list": {"bits": 1, "lst": packed},
    });
    token_with(ALG, &merge(base, header), &merge(content, claims))
}

fn at(index: u64) -> Ask {
    bearer(&json!({"exp": NOW + 20_000, "status": {"status_list": {"uri": LIST, "idx": index}}}))
}

const STATUSES: &str = "status_list.corp.0";

#[test]
fn a_status_list_says_of_each_token_whether_it_counts() {
    let mut world = world(&lists(&json!({})));
    assert_eq!(world.ask(&at(0)), format!("wait {STATUSES}"));
    assert_eq!(world.ask_last(&at(0)), "revocation_unavailable");
    assert_eq!(
        world.give(STATUSES, &list(0b0000_0010, &json!({}), &json!({}))),
        "document"
    );
    let elsewhere = json!({"status": {"status_list": {"uri": "https://evil.example/1", "idx": 0}}});
    let cases = [
        (at(0), "corp/anna"),
        (at(1), "token_revoked"),
        (at(8), "claim_mismatch"),
        (bearer(&json!({})), "claim_missing"),
        (bearer(&elsewhere), "claim_mismatch"),
        (
            bearer(&json!({"status": {"status_list": {"uri": LIST, "idx": "0"}}})),
            "claim_mismatch",
        ),
        (bearer(&json!({"status": {"other": 1}})), "claim_missing"),
    ];
    for (ask, expected) in &cases {
        assert_eq!(world.ask(ask), *expected, "{ask:?}");
    }
    assert_eq!(
        world.give(STATUSES, &list(0b0000_0001, &json!({}), &json!({"iat": NOW}))),
        "document"
    );
    assert_eq!(
        world.ask(&at(0)),
        "token_revoked",
        "although it was proved before"
    );
    assert_eq!(world.ask(&at(1)), "corp/anna");
    assert_eq!(
        world.give(STATUSES, &list(0, &json!({}), &json!({"iat": NOW - 1}))),
        "refused",
        "an older one"
    );
    assert_eq!(world.ask(&at(0)), "token_revoked");
    let mut optional = world_of(&json!({}), &lists(&json!({"optional": true})));
    assert_eq!(optional.ask(&bearer(&json!({}))), "corp/anna");
    assert_eq!(optional.ask_last(&at(0)), "revocation_unavailable");
}

#[test]
fn only_a_list_of_the_providers_own_making_is_read() {
    let mut world = world(&lists(&json!({})));
    let good = list(0, &json!({}), &json!({}));
    let (signed, _) = good.rsplit_once('.').expect("a signature");
    let none = json!({});
    let bad = [
        ("forged", format!("{signed}.{}", encode(&[1; 64]))),
        ("an access token", token(ALG, &json!({"sub": LIST}))),
        (
            "another list",
            list(0, &none, &json!({"sub": "https://idp.example.com/statuslists/2"})),
        ),
        ("for somebody else", list(0, &none, &json!({"aud": "x"}))),
        ("expired", list(0, &none, &json!({"exp": NOW - 31}))),
        ("to come", list(0, &none, &json!({"iat": NOW + 31}))),
        ("an algorithm of nobody", list(0, &json!({"alg": "ES256"}), &none)),
        ("a key of nobody", list(0, &json!({"kid": "other"}), &none)),
        ("critical", list(0, &json!({"crit": ["x"]}), &none)),
        ("no token", "{}".to_owned()),
    ];
    for (what, document) in bad {
        assert_eq!(world.give(STATUSES, &document), "refused", "{what}");
        assert_eq!(world.ask_last(&at(0)), "revocation_unavailable", "{what}");
    }
    assert_eq!(world.give(STATUSES, &good), "document");
    assert_eq!(world.ask(&at(0)), "corp/anna");
    let stolen = merge(
        lists(&json!({})),
        &json!({"keys": [{"provider": "corp", "kid": "eddsa"}]}),
    );
    let mut revoked = world_of(&json!({}), &stolen);
    assert_eq!(revoked.give(STATUSES, &good), "refused", "its key is revoked");
}

#[test]
fn a_key_that_the_feed_revokes_signs_no_status_list_either() {
    let mut world = world(&merge(lists(&json!({})), &json!({"feed": feed()})));
    assert_eq!(
        world.give(
            "revocations",
            r#"{"keys": [{"provider": "corp", "kid": "eddsa"}]}"#
        ),
        "document"
    );
    assert_eq!(world.give(STATUSES, &list(0, &json!({}), &json!({}))), "refused");
    assert_eq!(world.give("revocations", r#"{"keys": []}"#), "document");
    assert_eq!(world.give(STATUSES, &list(0, &json!({}), &json!({}))), "document");
}

#[test]
fn a_list_counts_no_longer_than_the_key_that_signed_it() {
    let other = Algorithm::Es256;
    let keys = |algorithms: &[Algorithm]| {
        let keys: Vec<Value> = algorithms
            .iter()
            .map(|algorithm| public_jwk(*algorithm))
            .collect();
        json!({"keys": keys}).to_string()
    };
    let fetched = json!({
        "algorithms": ["EdDSA", "ES256"], "keys": {"jwks_uri": "https://idp.example.com/jwks", "upstream": "idp"},
    });
    let mut world = world_of(&fetched, &merge(lists(&json!({})), &json!({"feed": feed()})));
    let by_other = || {
        let packed = encode(&compress_to_vec_zlib(&[0b0000_0010], 6));
        let header = json!({"alg": "ES256", "kid": "es256", "typ": "statuslist+jwt"});
        let claims = json!({"sub": LIST, "iat": NOW - 60, "status_list": {"bits": 1, "lst": packed}});
        token_with(other, &header, &claims)
    };
    let revoked = r#"{"keys": [{"provider": "corp", "kid": "es256"}]}"#;
    for (what, source, without, with) in [
        ("it left the set", "keys.corp", keys(&[ALG]), keys(&[ALG, other])),
        (
            "it is revoked",
            "revocations",
            revoked.to_owned(),
            r#"{"keys": []}"#.to_owned(),
        ),
    ] {
        for (source, document) in [
            ("keys.corp", keys(&[ALG, other])),
            ("revocations", r#"{"keys": []}"#.to_owned()),
        ] {
            world.give(source, &document);
        }
        world.give(STATUSES, &by_other());
        assert_eq!(world.ask(&at(0)), "corp/anna", "{what}: before");
        world.give(source, &without);
        assert_eq!(world.ask(&at(0)), format!("wait {STATUSES}"), "{what}");
        assert_eq!(world.ask_last(&at(0)), "revocation_unavailable", "{what}");
        assert_eq!(world.ask_last(&at(1)), "revocation_unavailable", "{what}");
        assert_eq!(
            world.give(STATUSES, &by_other()),
            "refused",
            "{what}: the same list again"
        );
        assert_eq!(world.ask_last(&at(0)), "revocation_unavailable", "{what}: again");
        world.give(source, &with);
        assert_eq!(world.ask(&at(0)), "corp/anna", "{what}: the key is back");
        assert_eq!(world.ask(&at(1)), "token_revoked", "{what}: the key is back");
        world.give(source, &without);
        assert_eq!(
            world.give(STATUSES, &list(1, &json!({}), &json!({}))),
            "document",
            "{what}"
        );
        assert_eq!(world.ask(&at(0)), "token_revoked", "{what}: signed anew");
        assert_eq!(world.ask(&at(1)), "corp/anna", "{what}: signed anew");
    }
}

#[test]
fn a_list_ends_by_its_own_word_and_by_its_age() {
    for (exp, later, expected) in [
        (NOW + 7_200, 3_600, "corp/anna"),
        (NOW + 7_200, 3_601, "revocation_unavailable"),
        (NOW + 60, 89, "corp/anna"),
        (NOW + 60, 90, "revocation_unavailable"),
    ] {
        let mut world = world(&lists(&json!({})));
        assert_eq!(
            world.give(STATUSES, &list(0, &json!({}), &json!({"exp": exp}))),
            "document"
        );
        world.now = NOW + later;
        assert_eq!(world.ask_last(&at(0)), expected, "exp {exp}, {later} s later");
    }
}

#[test]
fn a_list_is_verified_with_keys_that_are_fetched() {
    let keys = json!({"keys": {"jwks_uri": "https://idp.example.com/jwks", "upstream": "idp"}});
    let mut world = world_of(&keys, &lists(&json!({})));
    let document = list(0, &json!({}), &json!({}));
    assert_eq!(
        world.give(STATUSES, &document),
        "refused",
        "there are no keys yet"
    );
    assert_eq!(world.ask(&at(0)), "wait keys.corp");
    let other =
        json!({"keys": [public_jwk(Algorithm::Es256), merge(public_jwk(ALG), &json!({"kid": "new"}))]});
    assert_eq!(world.give("keys.corp", &other.to_string()), "document");
    assert_eq!(world.give(STATUSES, &document), "refused", "its key is not there");
    assert_eq!(
        world.give("keys.corp", &json!({"keys": [public_jwk(ALG)]}).to_string()),
        "document"
    );
    assert_eq!(world.give(STATUSES, &document), "document");
    assert_eq!(world.ask(&at(0)), "corp/anna");
}
