//! Tokens that are bound to a key (RFC 9449) or a certificate (RFC 8705): the proof is asked for on every request, also
//! where the token itself was proved before.

use scopegate_authn::{Algorithm, Attempt, Claimed, Nonces, Step, Unclaimed};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{NOW, changes, encode, merge, provider, public_jwk, token, token_with};
use crate::world::{Ask, World, peer};

const ALG: Algorithm = Algorithm::EdDsa;
/// What proofs are signed with.
const PROOF: Algorithm = Algorithm::Es256;
const BATCH: &str = "spiffe://prod.example.com/batch";

fn world(binding: &str, more: &Value) -> World {
    World::new(&json!({
        "origins": ["https://api.example.com"],
        "providers": [provider(&[ALG], &changes(&json!({"binding": binding}), more))],
    }))
}

/// The thumbprint of the key that makes proofs (RFC 7638 section 3).
fn thumbprint() -> String {
    let jwk = public_jwk(PROOF);
    let text = format!(
        r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
        jwk["x"], jwk["y"]
    );
    encode(&Sha256::digest(text))
}

fn to_key() -> Value {
    json!({"cnf": {"jkt": thumbprint()}})
}

fn to_certificate() -> Value {
    json!({"cnf": {"x5t#S256": encode(&[7; 32])}})
}

fn to_both() -> Value {
    json!({"cnf": {"jkt": thumbprint(), "x5t#S256": encode(&[7; 32])}})
}

fn proof_with(token: &str, changes: &Value) -> String {
    let jwk = merge(public_jwk(PROOF), &json!({"kid": null}));
    let header = json!({"typ": "dpop+jwt", "alg": PROOF.name(), "jwk": jwk});
    let claims = json!({
        "jti": "proof-1", "htm": "GET", "htu": "https://api.example.com/orders", "iat": NOW,
        "ath": encode(&Sha256::digest(token)),
    });
    token_with(PROOF, &header, &merge(claims, changes))
}

fn proof(token: &str) -> String {
    proof_with(token, &json!({}))
}

fn unclaimed(world: &mut World, ask: &Ask) -> Box<Unclaimed> {
    match world.step(ask, &Attempt::default()) {
        Ok(Step::Claim(unclaimed)) => unclaimed,
        other => panic!("nothing is to be remembered: {other:?}"),
    }
}

#[test]
fn r058_r062_each_binding_takes_its_own_tokens_with_their_proofs_and_no_others() {
    let [free, key, certificate, both] =
        [json!({}), to_key(), to_certificate(), to_both()].map(|claims| token(ALG, &claims));
    let (ours, other) = (peer(BATCH, 7), peer(BATCH, 8));
    let bearer = |token: &str| Ask::bearer(token);
    let dpop = |token: &str| Ask::dpop(token, &proof(token));
    let missing = "credential_missing";
    // What is sent, and the answer under `none`, `dpop`, `mtls` and `any`.
    let ok = "corp/anna";
    let no = "binding_mismatch";
    let cases: Vec<(&str, Ask, [&str; 4])> = vec![
        ("a bearer token", bearer(&free), [ok, missing, no, no]),
        ("a bearer token as DPoP", dpop(&free), [missing, no, missing, no]),
        (
            "R058 bound to a key, as Bearer",
            bearer(&key),
            [no, missing, no, no],
        ),
        (
            "R058 as Bearer, with a proof",
            bearer(&key).and("dpop", &proof(&key)),
            [no, missing, no, no],
        ),
        ("bound to a key, as DPoP", dpop(&key), [missing, ok, missing, ok]),
        (
            "bound to a key, no proof",
            Ask::default().and("authorization", &format!("DPoP {key}")),
            [missing, "proof_missing", missing, "proof_missing"],
        ),
        (
            "another token's proof",
            Ask::dpop(&key, &proof(&free)),
            [missing, "proof_invalid", missing, "proof_invalid"],
        ),
        (
            "R062 bound to a certificate",
            bearer(&certificate).from(&ours),
            [no, missing, ok, ok],
        ),
        (
            "R062 another certificate",
            bearer(&certificate).from(&other),
            [no, missing, no, no],
        ),
        ("R062 no certificate", bearer(&certificate), [no, missing, no, no]),
        (
            "R062 as DPoP",
            dpop(&certificate).from(&ours),
            [missing, no, missing, no],
        ),
        (
            "bound to both, with both",
            dpop(&both).from(&ours),
            [missing, no, missing, ok],
        ),
        (
            "bound to both, no certificate",
            dpop(&both),
            [missing, no, missing, no],
        ),
        (
            "bound to both, another certificate",
            dpop(&both).from(&other),
            [missing, no, missing, no],
        ),
        (
            "bound to both, no proof",
            bearer(&both).from(&ours),
            [no, missing, no, no],
        ),
        (
            "bound to a key, beside a certificate",
            dpop(&key).from(&other),
            [missing, ok, missing, ok],
        ),
    ];
    for (place, binding) in ["none", "dpop", "mtls", "any"].into_iter().enumerate() {
        let mut world = world(binding, &json!({}));
        for (what, ask, expected) in &cases {
            let again = ["at first", "a second time", "after waiting"];
            let answers = [world.ask(ask), world.ask(ask), world.ask_last(ask)];
            for (when, answer) in again.into_iter().zip(answers) {
                assert_eq!(answer, expected[place], "{binding}, {when}: {what}");
            }
        }
    }
}

#[test]
fn r061_a_proof_is_taken_once_and_by_whoever_can_say_so() {
    let bound = token(ALG, &to_key());
    let ask = Ask::dpop(&bound, &proof(&bound));
    let mut world = world("dpop", &json!({}));
    let code = |unclaimed: Box<Unclaimed>, claimed| {
        let answer = unclaimed.finish(claimed);
        answer.map_or_else(
            |rejection| (rejection.reason.code(), rejection.provider),
            |_| ("ok", None),
        )
    };
    let first = unclaimed(&mut world, &ask);
    let second = unclaimed(&mut world, &ask);
    assert_eq!(first.claim(), second.claim(), "the same proof has the same id");
    assert!(
        first.claim().until().0 > NOW + 60,
        "for as long as it would be taken"
    );
    let shown = format!("{first:?}");
    assert!(!shown.contains("anna"), "{shown}");
    let corp = || Some("corp".to_owned());
    assert_eq!(code(first, Claimed::First), ("ok", None));
    assert_eq!(code(second, Claimed::Before), ("proof_replayed", corp()));
    let third = unclaimed(&mut world, &ask);
    assert_eq!(code(third, Claimed::Unknown), ("replay_unavailable", corp()));
}

#[test]
fn r061_another_spelling_of_a_proof_is_the_same_proof_or_none() {
    let bound = token(ALG, &to_key());
    let mut world = world("dpop", &json!({}));
    let first = unclaimed(&mut world, &Ask::dpop(&bound, &proof(&bound)));
    let id = *first.claim().key();
    let spellings = [
        "https://api.example.com/%6Frders",
        "HTTPS://API.example.com/orders",
        "https://api.example.com:443/orders",
        "https://api.example.com/x/../orders",
        "https://api.example.com/orders?a=1#b",
    ];
    for htu in spellings {
        let again = proof_with(&bound, &json!({"htu": htu, "iat": NOW - 1}));
        let claim = unclaimed(&mut world, &Ask::dpop(&bound, &again));
        assert_eq!(
            *claim.claim().key(),
            id,
            "{htu}: another proof with this `jti` is no other proof"
        );
    }
    for (what, changes) in [
        ("method in another case", json!({"htm": "get"})),
        (
            "path in another case",
            json!({"htu": "https://api.example.com/Orders"}),
        ),
        (
            "another origin",
            json!({"htu": "https://other.example.com/orders"}),
        ),
        ("too old", json!({"iat": NOW - 91})),
        ("to come", json!({"iat": NOW + 31})),
        ("no id", json!({"jti": null})),
    ] {
        let ask = Ask::dpop(&bound, &proof_with(&bound, &changes));
        assert_eq!(world.ask(&ask), "proof_invalid", "{what}");
    }
    let twice = Ask::dpop(&bound, &proof(&bound)).and("DPoP", &proof(&bound));
    assert_eq!(world.ask(&twice), "proof_invalid", "two fields");
}

#[test]
fn a_token_that_was_proved_before_still_needs_its_proof_on_every_request() {
    let (bound, certified) = (token(ALG, &to_key()), token(ALG, &to_certificate()));
    let mut world = world("any", &json!({}));
    assert_eq!(world.ask(&Ask::dpop(&bound, &proof(&bound))), "corp/anna");
    assert_eq!(
        world.ask(&Ask::bearer(&certified).from(&peer(BATCH, 7))),
        "corp/anna"
    );
    assert_eq!((world.live.cache_use().tokens, world.claims), (2, 1));
    world.now = NOW + 91;
    assert_eq!(
        world.ask(&Ask::dpop(&bound, &proof(&bound))),
        "proof_invalid",
        "it is too old by now"
    );
    let fresh = proof_with(&bound, &json!({"iat": NOW + 91, "jti": "proof-2"}));
    assert_eq!(world.ask(&Ask::dpop(&bound, &fresh)), "corp/anna");
    assert_eq!(world.claims, 2, "each proof is to be remembered");
    assert_eq!(world.ask(&Ask::bearer(&certified)), "binding_mismatch");
    assert_eq!(
        world.ask(&Ask::bearer(&certified).from(&peer(BATCH, 9))),
        "binding_mismatch"
    );
}

#[test]
fn r060_a_nonce_is_asked_for_and_given() {
    let bound = token(ALG, &to_key());
    let mut world = world("dpop", &json!({"dpop": {"nonce": "required"}}));
    let ask = Ask::dpop(&bound, &proof(&bound));
    assert!(world.authenticator.asks_for_nonces() && !world.live.has_nonces());
    assert_eq!(world.ask(&ask), "replay_unavailable", "the host gave no secret");
    world
        .live
        .set_nonces(Nonces::new(&zeroize::Zeroizing::new([3; 32])));
    for (what, ask, expected) in [
        ("no nonce", ask.clone(), "proof_nonce"),
        (
            "no proof",
            Ask::default().and("authorization", &format!("DPoP {bound}")),
            "proof_missing",
        ),
        (
            "a strange nonce",
            Ask::dpop(&bound, &proof_with(&bound, &json!({"nonce": "x"}))),
            "proof_nonce",
        ),
    ] {
        let rejection = world.step(&ask, &Attempt::default()).expect_err(what);
        assert_eq!(rejection.reason.code(), expected, "{what}");
        let now = world.now();
        let nonce = world
            .authenticator
            .nonce(&world.live, &rejection, now)
            .expect(what);
        let with_it = proof_with(&bound, &json!({"nonce": nonce, "jti": what}));
        assert_eq!(world.ask(&Ask::dpop(&bound, &with_it)), "corp/anna", "{what}");
    }
    let rejection = world
        .step(&Ask::default(), &Attempt::default())
        .expect_err("nothing is sent");
    let now = world.now();
    assert_eq!(world.authenticator.nonce(&world.live, &rejection, now), None);
}
