//! Where keys are fetched from: metadata that is the issuer's own, URLs that nobody listens on, bundles of SPIFFE.

use scopegate_authn::Algorithm;
use scopegate_authn::remote::{Answer, Taken};
use serde_json::{Value, json};

use crate::common::{self, NOW, header_with, provider, public_jwk, token, token_with};
use crate::world::{Ask, World};

const ALG: Algorithm = Algorithm::EdDsa;
const KEYS: &str = "keys.corp";

fn world_with(keys: &Value) -> World {
    World::of(&[provider(&[ALG, Algorithm::Es256], &json!({"keys": keys}))])
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
fn metadata_says_where_the_keys_are_and_is_the_issuers_own() {
    let discovery = json!({
        "discovery": "https://idp.example.com/.well-known/openid-configuration", "upstream": "idp",
    });
    let metadata = |issuer: &str, uri: &str| json!({"issuer": issuer, "jwks_uri": uri}).to_string();
    let mut world = world_with(&discovery);
    assert_eq!(world.ask(&long(ALG)), format!("wait {KEYS}"));
    for (issuer, uri) in [
        ("https://evil.example.com", "https://idp.example.com/jwks"),
        (common::ISSUER, "https://evil.example.com/jwks"),
        (common::ISSUER, "http://idp.example.com/jwks"),
        (
            common::ISSUER,
            "https://idp.example.com/.well-known/openid-configuration",
        ),
    ] {
        assert_eq!(
            world.give(KEYS, &metadata(issuer, uri)),
            "refused",
            "{issuer} {uri}"
        );
    }
    let first = world.begin(KEYS);
    assert_eq!(first.path, "/.well-known/openid-configuration");
    let metadata = metadata(common::ISSUER, "https://idp.example.com/jwks?v=1");
    let Taken::Next(second) = world.taken(KEYS, &first, Some(200), &metadata) else {
        panic!("a second leg");
    };
    assert_eq!(
        (second.path.as_str(), second.authority.as_str()),
        ("/jwks?v=1", "idp.example.com")
    );
    assert_eq!(
        world.ask_last(&long(ALG)),
        "keys_unavailable",
        "metadata is no keys"
    );
    assert_eq!(world.take(KEYS, &second, Some(200), &set(&[ALG])), "document");
    assert_eq!(world.ask(&long(ALG)), "corp/anna");
    assert_eq!(
        world.begin(KEYS).path,
        "/jwks?v=1",
        "where they are is known for a day"
    );
    assert_eq!(world.take(KEYS, &second, Some(404), ""), "refused");
    assert_eq!(
        world.begin(KEYS).path,
        first.path,
        "unless they are no longer there"
    );
}

#[test]
fn keys_that_moved_are_not_taken_for_unchanged() {
    let discovery = json!({"discovery": "https://idp.example.com/metadata", "upstream": "idp"});
    let mut world = world_with(&discovery);
    let metadata = |path: &str| {
        json!({"issuer": common::ISSUER, "jwks_uri": format!("https://idp.example.com{path}")}).to_string()
    };
    assert_eq!(world.give(KEYS, &metadata("/a")), "/a");
    let (first, id, now) = (world.begin(KEYS), world.source(KEYS), world.now());
    let keys = set(&[ALG]);
    let tagged = Answer {
        status: Some(200),
        headers: &[(b"etag", b"\"1\"")],
        body: keys.as_bytes(),
    };
    let taken = world
        .authenticator
        .take(&mut world.live, id, (&first, &tagged), (0, now));
    assert!(matches!(taken, Taken::Document(_)), "{taken:?}");
    let tags = |headers: &[(&'static str, String)]| headers.iter().any(|(name, _)| *name == "if-none-match");
    assert!(
        tags(&world.begin(KEYS).headers),
        "the same place is asked whether it is new"
    );
    world.now = NOW + 86_400;
    let metadata_asked = world.begin(KEYS);
    let Taken::Next(moved) = world.taken(KEYS, &metadata_asked, Some(200), &metadata("/b")) else {
        panic!("a second leg");
    };
    assert!(!tags(&moved.headers), "another place is not");
    assert_eq!(world.take(KEYS, &moved, Some(304), ""), "refused");
    assert_eq!(
        world.ask_last(&Ask::bearer(&token(
            ALG,
            &json!({"iat": NOW + 86_000, "exp": NOW + 87_000})
        ))),
        "keys_unavailable"
    );
}

#[test]
fn r009_keys_come_over_tls() {
    for field in ["jwks_uri", "discovery"] {
        for (url, is_taken) in [
            ("https://idp.example.com/x", true),
            ("http://idp.example.com/x", false),
            ("http://127.0.0.1.evil.example/x", false),
            ("ftp://idp.example.com/x", false),
            ("//idp.example.com/x", false),
            ("https://user@idp.example.com/x", false),
            ("http://127.0.0.1:8080/x", true),
        ] {
            let keys = json!({field: url, "upstream": "idp"});
            let found =
                crate::world::faults(&json!({"providers": [provider(&[ALG], &json!({"keys": keys}))]}));
            assert_eq!(found.is_empty(), is_taken, "{field} {url}: {found:?}");
        }
    }
}

#[test]
fn r077_of_a_fetched_bundle_only_keys_for_jwt_svids_serve() {
    let spiffe = json!({
        "profile": "spiffe", "issuer": null, "trust_domains": ["prod.example.com"], "algorithms": ["ES256"],
        "keys": {"jwks_uri": "https://spire.example.com/bundle", "upstream": "spire"},
    });
    let bundle = |usage: &str| {
        let mut key = public_jwk(Algorithm::Es256);
        key["use"] = json!(usage);
        json!({"keys": [key], "spiffe_sequence": 1}).to_string()
    };
    let claims = common::claims(&json!({"iss": null, "sub": "spiffe://prod.example.com/batch"}));
    let svid = token_with(
        Algorithm::Es256,
        &header_with(Algorithm::Es256, &json!({})),
        &claims,
    );
    let mut world = World::of(&[provider(&[Algorithm::Es256], &spiffe)]);
    assert_eq!(world.give(KEYS, &bundle("x509-svid")), "refused");
    assert_eq!(world.ask_last(&Ask::bearer(&svid)), "keys_unavailable");
    assert_eq!(world.give(KEYS, &bundle("jwt-svid")), "document");
    assert_eq!(
        world.ask(&Ask::bearer(&svid)),
        "corp/spiffe://prod.example.com/batch"
    );
}
