//! Whatever bytes a stranger or a broken server sends, nothing panics, nobody is verified who should not be, and what
//! must be computed is bounded.

use proptest::prelude::*;
use scopegate_authn::{Algorithm, Peer, RawPeer, jws, limits};
use serde_json::{Value, json};

use crate::common::{self, NOW, encode, merge, provider, public_jwk, token};
use crate::world::{Ask, World, peer};

const ALG: Algorithm = Algorithm::EdDsa;
const LIST: &str = "https://idp.example.com/statuslists/1";
const INGRESS: &str = "spiffe://prod.example.com/ingress";

/// A policy with everything in it.
fn world() -> World {
    let keys = json!({"keys": {"discovery": "https://idp.example.com/metadata", "upstream": "idp"}});
    let bound = json!({"name": "bound", "issuer": "https://bound.example", "binding": "any"});
    World::new(&json!({
        "origins": ["https://api.example.com"],
        "providers": [
            provider(&[ALG], &keys),
            provider(&[ALG], &bound),
            {
                "name": "opaque", "type": "introspection", "endpoint": "https://idp.example.com/introspect",
                "upstream": "idp", "audiences": ["orders"], "client_auth": {"bearer": {"env": "PASSWORD"}},
                "cache": "1m",
            },
            {
                "name": "mesh", "type": "mtls", "trust_domains": ["prod.example.com"], "forwarded_by": [INGRESS],
            },
        ],
        "revocation": {
            "feed": {"uri": "https://idp.example.com/revoked", "upstream": "idp"},
            "status_lists": [{"provider": "bound", "uri": LIST, "upstream": "idp", "optional": true}],
        },
    }))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(LIST)),
        Just(json!("https://idp.example.com")),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let known = vec![
            "active",
            "exp",
            "iat",
            "nbf",
            "iss",
            "sub",
            "aud",
            "jti",
            "cnf",
            "jkt",
            "x5t#S256",
            "keys",
            "issuer",
            "jwks_uri",
            "tokens",
            "subjects",
            "clients",
            "provider",
            "status",
            "status_list",
            "bits",
            "lst",
            "uri",
            "idx",
            "ttl",
            "scope",
            "token_type",
            "kty",
            "crv",
            "x",
            "spiffe_refresh_hint",
        ];
        let name = prop_oneof![prop::sample::select(known).prop_map(str::to_owned), "[a-z]{1,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn is_refused(answer: &str) -> bool {
    !answer.contains('/')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_document_makes_the_layer_panic_or_a_caller(
        document in any_json(), text in ".{0,64}", status in prop_oneof![Just(200_u16), any::<u16>()], now in any::<i64>(),
    ) {
        let mut world = world();
        let good = Ask::bearer(&token(ALG, &json!({"iss": "https://bound.example"})));
        for at in [NOW, now] {
            world.now = at;
            for source in ["keys.corp", "revocations", "status_list.bound.0"] {
                for body in [document.to_string(), text.clone()] {
                    let fetch = world.begin(source);
                    let _ = world.take(source, &fetch, Some(status), &body);
                }
            }
            let fetched = world.ask(&Ask::bearer(&token(ALG, &json!({}))));
            prop_assert!(is_refused(&fetched), "{}", fetched);
            let listed = world.ask_last(&good);
            prop_assert!(is_refused(&listed), "{}", listed);
        }
    }

    #[test]
    fn no_answer_to_a_question_makes_the_layer_panic(
        document in any_json(), text in ".{0,64}", status in prop_oneof![Just(200_u16), any::<u16>()], now in any::<i64>(),
    ) {
        let mut world = world();
        let ask = Ask::bearer("opaque");
        let active = merge(json!({"active": true, "aud": "orders"}), document.as_object().map_or(&json!({}), |_| &document));
        for at in [NOW, now] {
            world.now = at;
            for body in [document.to_string(), text.clone(), active.to_string()] {
                let answer = world.answer(&ask, Some(status), &body);
                // There is no feed of revocations: nobody passes, whatever was answered.
                prop_assert!(is_refused(&answer), "{answer}: {body}");
            }
        }
    }

    #[test]
    fn no_proof_and_no_confirmation_makes_the_layer_panic_or_a_caller(
        header in any_json(), claims in any_json(), cnf in any_json(), bytes in ".{0,48}", now in any::<i64>(),
    ) {
        let mut world = world();
        let bound = token(ALG, &json!({"iss": "https://bound.example", "cnf": cnf}));
        let parts = [header.to_string(), claims.to_string()].map(|part| encode(part.as_bytes()));
        let proof = format!("{}.{}.{}", parts[0], parts[1], encode(&[1; 64]));
        for at in [NOW, now] {
            world.now = at;
            for proof in [&proof, &bytes] {
                prop_assert!(is_refused(&world.ask(&Ask::dpop(&bound, proof))));
            }
            prop_assert!(is_refused(&world.ask(&Ask::bearer(&bound))));
        }
    }

    #[test]
    fn no_certificate_and_no_word_of_a_hop_makes_the_layer_panic_or_a_caller(
        uri in ".{0,24}", dns in any::<Vec<u8>>(), digest in any::<Vec<u8>>(), certificate in any::<Option<Vec<u8>>>(),
        field in "(Hash=|URI=|DNS=|By=|;|,|\"|[0-9a-f]{64}|spiffe://prod.example.com/[a-z]|.){0,12}",
    ) {
        let mut world = world();
        let strange = Peer::read(RawPeer {
            is_verified: true,
            uri_sans: &[uri.as_bytes()],
            dns_sans: &[&dns],
            sha256: Some(&digest),
            certificate: certificate.as_deref(),
            ..RawPeer::default()
        });
        for peer in [&strange, &peer(INGRESS, 7)] {
            let ask = Ask::default().from(peer).and("x-forwarded-client-cert", &field);
            // There is no feed of revocations: nobody passes, whatever the certificate says.
            prop_assert!(is_refused(&world.ask(&ask)));
        }
    }

    #[test]
    fn a_good_caller_never_panics_at_any_time(now in any::<i64>(), before in any::<i64>()) {
        let mut world = World::of(&[provider(&[ALG], &json!({}))]);
        let ask = Ask::bearer(&token(ALG, &json!({})));
        for at in [NOW, before, now, NOW] {
            world.now = at;
            let answer = world.ask(&ask);
            let is_time = (NOW - 60 - 30..NOW + 300 + 30).contains(&at);
            prop_assert_eq!(answer == "corp/anna", is_time, "at {}: {}", at, answer);
        }
    }
}

#[test]
fn a_token_without_kid_is_tried_with_a_few_keys_only() {
    let key = |number: u8| {
        let seed = ed25519_dalek::SigningKey::from_bytes(&[number; 32]);
        let x = encode(seed.verifying_key().as_bytes());
        merge(public_jwk(ALG), &json!({"kid": null, "x": x}))
    };
    let ours = merge(public_jwk(ALG), &json!({"kid": null}));
    let header = common::header_with(ALG, &json!({"kid": null}));
    let nameless = Ask::bearer(&common::token_with(ALG, &header, &common::claims(&json!({}))));
    let limit = u8::try_from(limits::SIGNATURE_CHECKS).expect("few");
    for (others, expected) in [(limit - 1, "corp/anna"), (limit, "signature_invalid")] {
        let keys: Vec<Value> = (1..=others).map(key).chain([ours.clone()]).collect();
        let mut world = World::of(&[provider(&[ALG], &json!({"keys": {"jwks": {"keys": keys}}}))]);
        assert_eq!(world.ask(&nameless), expected, "{others} other keys");
    }
}

#[test]
fn what_is_proved_is_kept_up_to_a_bound_and_what_is_not_is_not_kept() {
    let mut world = World::of(&[provider(&[ALG], &json!({}))]);
    let padding = "x".repeat(9_000);
    for number in 0..400 {
        let good = token(ALG, &json!({"jti": number.to_string(), "padding": padding}));
        let forged = format!("{}{}", &good[..good.len() - 20], "A".repeat(20));
        assert!(is_refused(&world.ask(&Ask::bearer(&forged))));
        if number < 3 {
            assert_eq!(world.live.cache_use().tokens, number, "nothing forged is kept");
        }
        assert_eq!(world.ask(&Ask::bearer(&good)), "corp/anna");
        let usage = world.live.cache_use();
        assert!(
            usage.bytes <= usage.bound && usage.bound <= limits::TOKEN_CACHE_BYTES,
            "{usage:?}"
        );
    }
    assert!(world.live.cache_use().tokens < 400, "older ones made room");
}

#[test]
fn documents_have_a_size_and_a_length() {
    let mut world = world();
    let padded = format!("{}{}", r#"{"tokens": []}"#, " ".repeat(limits::FETCHED_BYTES));
    assert_eq!(world.give("revocations", &padded), "refused");
    assert_eq!(
        world.give("revocations", &padded[..limits::FETCHED_BYTES]),
        "document"
    );
    let keys: Vec<Value> = (0..=limits::KEYS_PER_SET)
        .map(|number| merge(public_jwk(ALG), &json!({"kid": number.to_string()})))
        .collect();
    assert_eq!(
        jws::usable_keys(json!({"keys": keys}).to_string().as_bytes()),
        None
    );
}

#[test]
fn with_the_last_attempt_nothing_is_waited_for() {
    let token_of =
        |issuer: &str, changes: &Value| token(ALG, &common::changes(&json!({"iss": issuer}), changes));
    let asks = [
        (
            Ask::bearer(&token_of(common::ISSUER, &json!({}))),
            "wait keys.corp",
            "keys_unavailable",
        ),
        (Ask::bearer("opaque"), "wait answer", "introspection_unavailable"),
        (
            Ask::default().from(&peer("spiffe://prod.example.com/a", 1)),
            "wait revocations",
            "revocation_unavailable",
        ),
    ];
    for (ask, expected, at_last) in asks {
        let mut world = world();
        assert_eq!(world.ask(&ask), expected);
        assert_eq!(world.ask_last(&ask), at_last);
    }
    let mut world = world();
    assert_eq!(world.give("revocations", r#"{"tokens": []}"#), "document");
    let listed =
        json!({"status": {"status_list": {"uri": LIST, "idx": 0}}, "cnf": {"x5t#S256": encode(&[7; 32])}});
    let ask = Ask::bearer(&token_of("https://bound.example", &listed))
        .from(&peer("spiffe://prod.example.com/a", 7));
    assert_eq!(world.ask(&ask), "wait status_list.bound.0");
    assert_eq!(world.ask_last(&ask), "revocation_unavailable");
}
