//! Token Status Lists: what a list says of a token counts at once and in every worker, and a token points at a list of its
//! provider or is refused.

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use miniz_oxide::deflate::compress_to_vec_zlib;
use scopegate_host_tests::{Answer, Clock, Exchange, Host, HostBuilder, Request, Response, SharedData};
use serde_json::{Value, json};

use crate::common::NOW;
use crate::issuer::{Pair, Server, UPSTREAM, bearer, jwks, pass, policy_with, started, step, worker};
use crate::revocation::{allowed, code};

pub(crate) const LIST: &str = "/status/1";
pub(crate) const URI: &str = "https://idp.example.com/status/1";

pub(crate) fn pair() -> Pair {
    Pair::new("k1", "first")
}

pub(crate) fn fetched() -> Value {
    json!({"jwks_uri": "https://idp.example.com/jwks", "upstream": UPSTREAM})
}

pub(crate) fn inline() -> Value {
    json!({"jwks": jwks(&[&pair(), &Pair::new("old", "old")])})
}

/// A policy with these keys and a list that is asked every half a minute and serves for five.
pub(crate) fn policy(keys: Value, is_optional: bool) -> Value {
    let mut policy = policy_with(keys);
    policy["authentication"]["revocation"] = json!({
        "keys": [{"provider": "corp", "kid": "old"}],
        "status_lists": [{
            "provider": "corp", "uri": URI, "upstream": UPSTREAM,
            "refresh": "30s", "max_stale": "5m", "optional": is_optional,
        }],
    });
    policy
}

pub(crate) fn checking(server: &Server) -> HostBuilder {
    worker(server).configuration(policy(inline(), false).to_string())
}

/// A token whose status is at this index of the list.
pub(crate) fn at(index: u64) -> Request {
    with(json!({"status": {"status_list": {"uri": URI, "idx": index}}}))
}

fn with(claims: Value) -> Request {
    bearer(&pair().token_with(claims))
}

/// 128 statuses of one bit, of which these are set.
pub(crate) fn bits(set: &[usize]) -> Vec<u8> {
    let mut packed = vec![0; 16];
    for index in set {
        packed[index / 8] |= 1 << (index % 8);
    }
    packed
}

pub(crate) fn statuses(width: u8, packed: &[u8]) -> Value {
    json!({"bits": width, "lst": BASE64URL.encode_to_string(compress_to_vec_zlib(packed, 6))})
}

pub(crate) fn revoking(set: &[usize]) -> Value {
    json!({"status_list": statuses(1, &bits(set))})
}

/// A list, signed, with these claims besides or instead.
pub(crate) fn list(pair: &Pair, typ: &str, more: Value) -> String {
    let header = json!({"alg": "ES256", "kid": pair.jwk()["kid"], "typ": typ});
    let mut claims = json!({"sub": URI, "iat": NOW - 10});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    pair.signed(&header, &claims)
}

pub(crate) fn sent(list: impl AsRef<[u8]>) -> Answer {
    let response = Response::new(200).header("content-type", "application/statuslist+jwt");
    Answer::Response(response.body(list))
}

pub(crate) fn good(more: Value) -> Answer {
    sent(list(&pair(), "statuslist+jwt", more))
}

pub(crate) fn serve(server: &Server, answer: Answer) {
    server.upstreams.on(UPSTREAM, LIST, answer);
}

pub(crate) fn serving(answer: Answer) -> Server {
    let server = Server::of(&[&pair()]);
    serve(&server, answer);
    server
}

pub(crate) fn ready(builder: HostBuilder) -> Host {
    let mut host = started(builder);
    host.tick().unwrap();
    host
}

pub(crate) fn of(host: &mut Host, request: Request, why: &str) -> Option<String> {
    let exchange: Exchange = host.request(request);
    code(&exchange, why)
}

#[test]
fn a_token_counts_while_its_status_is_valid() {
    let (revoked, far) = (Some("token_revoked"), Some("claim_mismatch"));
    let one = bits(&[3, 127]);
    let cases: [(u8, &[u8], u64, Option<&str>); 13] = [
        (1, &one, 0, None),
        (1, &one, 2, None),
        (1, &one, 3, revoked),
        (1, &one, 4, None),
        (1, &one, 127, revoked),
        (1, &one, 128, far),
        (1, &one, u64::MAX, far),
        (2, &[0b11_10_01_00], 0, None),
        (2, &[0b11_10_01_00], 1, revoked),
        (2, &[0b11_10_01_00], 2, revoked),
        (4, &[0xb0], 0, None),
        (4, &[0xb0], 1, revoked),
        (8, &[0, 9], 1, revoked),
    ];
    for (way, keys) in [("keys of the policy", inline()), ("fetched keys", fetched())] {
        for (width, packed, index, expected) in cases {
            let why = format!("{width} bits, {index}, {way}");
            let server = serving(good(json!({"status_list": statuses(width, packed)})));
            let mut host = ready(worker(&server).configuration(policy(keys.clone(), false).to_string()));
            for _ in 0..2 {
                assert_eq!(of(&mut host, at(index), &why).as_deref(), expected, "{why}");
            }
        }
    }
}

#[test]
fn what_was_proved_before_is_refused_by_the_first_request_after_the_list() {
    let server = serving(good(revoking(&[])));
    let mut host = ready(checking(&server));
    allowed(&host.request(at(7)), "to set up");
    let first = host.request(at(3));
    let again = host.request(at(3));
    allowed(&again, "proved, and kept");
    assert!(again.fuel * 5 < first.fuel, "{} of {}", again.fuel, first.fuel);
    for (set, expected) in [(&[3][..], Some("token_revoked")), (&[], None)] {
        let before = of(&mut host, at(3), "before");
        serve(&server, good(revoking(set)));
        server.asked();
        let mut steps = 0..310;
        while server.count() == 0 {
            assert!(steps.next().is_some(), "nobody asked for half a minute");
            assert_eq!(of(&mut host, at(3), "nobody knows yet"), before);
            step(&mut [&mut host]);
        }
        assert_eq!(of(&mut host, at(3), "the list is here").as_deref(), expected);
    }
}

#[test]
fn a_token_says_where_its_status_is_and_nobody_is_asked_elsewhere() {
    let status = |list: Value| json!({"status": {"status_list": list}});
    let elsewhere = "https://evil.example.com/status/1";
    let (missing, mismatch) = (Some("claim_missing"), Some("claim_mismatch"));
    let cases = [
        ("none", json!({}), missing, None),
        ("valid", status(json!({"uri": URI, "idx": 4})), None, None),
        (
            "revoked",
            status(json!({"uri": URI, "idx": 3})),
            Some("token_revoked"),
            Some("token_revoked"),
        ),
        (
            "an unknown list",
            status(json!({"uri": elsewhere, "idx": 4})),
            mismatch,
            mismatch,
        ),
        ("no list", status(json!({"idx": 4})), mismatch, mismatch),
        ("no index", status(json!({"uri": URI})), mismatch, mismatch),
        (
            "a negative index",
            status(json!({"uri": URI, "idx": -1})),
            mismatch,
            mismatch,
        ),
        ("no object", json!({"status": "valid"}), mismatch, mismatch),
        (
            "another mechanism",
            json!({"status": {"other": {}}}),
            missing,
            missing,
        ),
    ];
    let server = serving(good(revoking(&[3])));
    for is_optional in [false, true] {
        let mut host = ready(worker(&server).configuration(policy(inline(), is_optional).to_string()));
        for (why, claims, required, optional) in &cases {
            let expected = if is_optional { optional } else { required };
            let found = of(&mut host, with(claims.clone()), why);
            assert_eq!(found.as_deref(), *expected, "{why}, optional: {is_optional}");
        }
    }
    assert!(server.asked().iter().all(|callout| callout.path() == LIST));
}

#[test]
fn one_fetch_of_a_list_serves_every_worker() {
    let server = serving(good(revoking(&[])));
    let (clock, shared) = (Clock::virtual_at(NOW), SharedData::default());
    let start = || started(checking(&server).clock(clock.clone()).shared_data(shared.clone()));
    let (mut first, mut second) = (start(), start());
    pass(&mut [&mut first, &mut second], 1);
    assert_eq!(server.count(), 1, "one fetch for both");
    for host in [&mut first, &mut second] {
        allowed(&host.request(at(3)), "proved, and kept");
    }
    serve(&server, good(revoking(&[3])));
    let mut steps = 0..310;
    while server.count() == 0 {
        assert!(steps.next().is_some(), "nobody asked for half a minute");
        step(&mut [&mut first, &mut second]);
    }
    pass(&mut [&mut first, &mut second], 1);
    for host in [&mut first, &mut second] {
        assert_eq!(
            of(host, at(3), "a second later").as_deref(),
            Some("token_revoked")
        );
        allowed(&host.request(at(4)), "another token");
    }
    assert_eq!(server.count(), 0);
}
