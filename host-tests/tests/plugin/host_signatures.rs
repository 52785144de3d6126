//! The host's own cryptography, asked about signatures: by a host that knows, by hosts that lie or fail, and where nobody
//! may ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use serde_json::{Value, json};

use scopegate_host_tests::{Host, HostBuilder, Metric, Status};

use crate::common::{builder, policy, refused};
use crate::issuer::Pair;
use crate::nginx::{keeping, under_nginx};

/// What the function does when it is called for the `n`th time, counted from 0.
type Behaviour = fn(usize, &[u8]) -> Result<Vec<u8>, Status>;

/// How often the known answers are asked before the host is believed.
const TRIALS: usize = 3;

/// The four fields of the message, all shorter than 16 KiB.
fn fields(mut message: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    while let [tag, rest @ ..] = message {
        assert_eq!(
            usize::from(*tag),
            (fields.len() + 1) << 3 | 2,
            "fields come in order"
        );
        let (length, rest) = match rest {
            [low, high, rest @ ..] if *low >= 0x80 => {
                (usize::from(low & 0x7f) | usize::from(*high) << 7, rest)
            }
            [length, rest @ ..] => (usize::from(*length), rest),
            [] => panic!("a field ends early"),
        };
        let (field, rest) = rest.split_at(length);
        fields.push(field.to_vec());
        message = rest;
    }
    fields
}

const YES: &[u8] = &[8, 1];
const NO: &[u8] = b"\x12\x02no";

fn honest(_: usize, message: &[u8]) -> Result<Vec<u8>, Status> {
    let fields = fields(message);
    assert_eq!(fields[0], b"sha256");
    let key = VerifyingKey::from_public_key_der(&fields[1]).unwrap();
    let holds =
        Signature::from_der(&fields[2]).is_ok_and(|signature| key.verify(&fields[3], &signature).is_ok());
    Ok(if holds { YES } else { NO }.to_vec())
}

/// A host that offers the function, and how often it was called.
fn offering(builder: HostBuilder, behaviour: Behaviour) -> (Host, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let function = move |message: &[u8]| behaviour(counted.fetch_add(1, Ordering::Relaxed), message);
    let mut host = builder
        .foreign_function("verify_signature", function)
        .build()
        .unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    (host, calls)
}

fn with_keys(keys: &[&Pair], more: Value) -> HostBuilder {
    let mut policy = policy();
    let provider = &mut policy["authentication"]["providers"][0];
    provider["algorithms"] = json!(["ES256"]);
    provider["keys"] = json!({"jwks": {"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}});
    for (name, value) in more.as_object().unwrap() {
        policy["authentication"][name] = value.clone();
    }
    builder().configuration(policy.to_string())
}

/// A request with another token of the same key each time, so that none was proved before.
fn another(pair: &Pair, number: usize) -> scopegate_host_tests::Request {
    crate::issuer::bearer(&pair.token_with(json!({"jti": number.to_string()})))
}

/// A token that the key's owner never signed.
fn forged(pair: &Pair) -> scopegate_host_tests::Request {
    let stranger = Pair::new("k1", "a stranger's");
    assert_ne!(stranger.jwk(), pair.jwk());
    stranger.request()
}

fn is_asked(host: &mut Host) -> Option<u64> {
    for _ in 0..=10 {
        host.tick().unwrap();
    }
    host.metrics()
        .get("scopegate.host_signatures.ES256")
        .map(|metric| match metric {
            Metric::Gauge(value) => *value,
            other @ (Metric::Counter(_) | Metric::Histogram(_)) => panic!("{other:?}"),
        })
}

#[test]
fn a_host_that_knows_is_asked_instead_of_computing_and_believed() {
    let pair = Pair::new("k1", "k1");
    let (mut host, calls) = offering(with_keys(&[&pair], json!({})), honest);
    assert_eq!(is_asked(&mut host), None, "nobody knows before the first token");
    assert!(host.request(another(&pair, 1)).forwarded().is_some());
    assert_eq!(calls.load(Ordering::Relaxed), TRIALS + 1);
    let second = host.request(another(&pair, 2));
    assert!(second.forwarded().is_some());
    assert_eq!(calls.load(Ordering::Relaxed), TRIALS + 2);
    assert_eq!(
        refused(&host.request(forged(&pair))),
        (401, "signature_invalid".to_owned())
    );
    assert_eq!(calls.load(Ordering::Relaxed), TRIALS + 3);
    assert_eq!(is_asked(&mut host), Some(1));
    // What is not computed here is what makes a first sight cheap.
    let mut alone = with_keys(&[&pair], json!({})).build().unwrap();
    alone.request(another(&pair, 1));
    let computed = alone.request(another(&pair, 2));
    assert!(
        second.fuel < computed.fuel / 20,
        "{} against {}",
        second.fuel,
        computed.fuel
    );
}

#[test]
fn a_token_that_was_proved_is_not_asked_about_again() {
    let pair = Pair::new("k1", "k1");
    let (mut host, calls) = offering(with_keys(&[&pair], json!({})), honest);
    for _ in 0..3 {
        assert!(host.request(another(&pair, 1)).forwarded().is_some());
    }
    assert_eq!(calls.load(Ordering::Relaxed), TRIALS + 1);
}

#[test]
fn a_host_that_does_not_know_decides_nothing() {
    let behaviours: [(&str, Behaviour); 9] = [
        ("yes to everything", |_, _| Ok(YES.to_vec())),
        ("no to everything", |_, _| Ok(NO.to_vec())),
        ("nothing", |_, _| Ok(Vec::new())),
        ("both", |_, _| Ok([YES, NO].concat())),
        ("a lot", |_, _| Ok(vec![8; 1 << 16])),
        ("it is not there", |_, _| Err(Status::NotFound)),
        ("it cannot read the question", |_, _| Err(Status::BadArgument)),
        (
            "right until it is believed, then yes to everything that it is asked in other words",
            |call, message| match call {
                0..TRIALS => honest(call, message),
                _ => Ok(b"\x08\x01\x12\x00".to_vec()),
            },
        ),
        (
            "right until it is believed, then it is broken",
            |call, message| match call {
                0..TRIALS => honest(call, message),
                _ => Err(Status::InternalFailure),
            },
        ),
    ];
    for (name, behaviour) in behaviours {
        let pair = Pair::new("k1", "k1");
        let (mut host, calls) = offering(with_keys(&[&pair], json!({})), behaviour);
        assert_eq!(refused(&host.request(forged(&pair))).0, 401, "{name}");
        for number in 0..3 {
            assert!(
                host.request(another(&pair, number)).forwarded().is_some(),
                "{name}"
            );
        }
        assert_eq!(refused(&host.request(forged(&pair))).0, 401, "{name}");
        assert!(calls.load(Ordering::Relaxed) <= TRIALS + 1, "{name}: asked again");
        assert_eq!(is_asked(&mut host), Some(0), "{name}");
        assert!(host.failure().is_none(), "{name}");
    }
}

#[test]
fn a_policy_can_keep_the_host_out_of_it() {
    let pair = Pair::new("k1", "k1");
    let (mut host, calls) = offering(
        with_keys(&[&pair], json!({"host_signatures": "never"})),
        |_, _| Ok(YES.to_vec()),
    );
    assert!(host.request(another(&pair, 1)).forwarded().is_some());
    assert_eq!(refused(&host.request(forged(&pair))).0, 401);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(is_asked(&mut host), None);
}

#[test]
fn nginx_is_not_asked_for_it_would_fail_the_module() {
    let pair = Pair::new("k1", "k1");
    let mut policy = keeping(policy());
    let provider = &mut policy["authentication"]["providers"][0];
    provider["algorithms"] = json!(["ES256"]);
    provider["keys"] = json!({"jwks": {"keys": [pair.jwk()]}});
    let (mut host, calls) = offering(under_nginx(builder()).configuration(policy.to_string()), honest);
    assert!(crate::nginx::is_let_through(&host.request(another(&pair, 1))));
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn what_was_learnt_of_the_host_outlives_the_policy() {
    let pair = Pair::new("k1", "k1");
    let (mut host, calls) = offering(with_keys(&[&pair], json!({})), honest);
    assert!(host.request(another(&pair, 1)).forwarded().is_some());
    let mut other = policy();
    let provider = &mut other["authentication"]["providers"][0];
    provider["algorithms"] = json!(["ES256"]);
    provider["keys"] = json!({"jwks": {"keys": [pair.jwk()]}});
    assert!(host.configure(other.to_string()).unwrap());
    assert!(host.request(another(&pair, 1)).forwarded().is_some());
    assert_eq!(
        calls.load(Ordering::Relaxed),
        TRIALS + 2,
        "proved again, and not tried again"
    );
}
