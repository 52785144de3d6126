//! Status lists that are not what they should be, and servers that have none: only a whole list that the provider signed
//! counts, the last good one stays while it may, and then it is an outage.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use scopegate_host_tests::{Answer, Clock, Outcome, SharedData};
use serde_json::{Value, json};

use crate::common::NOW;
use crate::issuer::{Pair, UPSTREAM, counted, decided, keys, pass, started, worker};
use crate::revocation::{allowed, code, unknown};
use crate::status_lists::{
    LIST, URI, at, bits, checking, fetched, good, inline, list, of, pair, policy, ready, revoking, sent,
    serve, serving, statuses,
};

const REFUSED: &str = "scopegate.fetch.status_list.corp.0.refused";
const MEBIBYTE: usize = 1024 * 1024;

/// Answers that say that 4 is revoked and 3 is not, and whether they are believed.
fn answers() -> Vec<(&'static str, Answer, bool)> {
    let more = |name: &str, value: Value| {
        let mut claims = revoking(&[4]);
        claims[name] = value;
        claims
    };
    let typed = |typ: &str, claims: Value| sent(list(&pair(), typ, claims));
    let by = |pair: &Pair| sent(list(pair, "statuslist+jwt", revoking(&[4])));
    let long = |length: usize| {
        let mut packed = vec![0; length];
        packed[0] = 1 << 4;
        good(json!({"status_list": statuses(1, &packed)}))
    };
    let text = list(&pair(), "statuslist+jwt", revoking(&[4]));
    let (half, _) = text.split_at(text.len() / 2);
    let unsigned = format!("{}.", text.rsplit_once('.').unwrap().0);
    let spaced = |length: usize| sent(text.clone() + &"\n".repeat(length - text.len()));
    let header = json!({"alg": "none", "typ": "statuslist+jwt"});
    let mut claims = more("sub", json!(URI));
    claims["iat"] = json!(NOW - 10);
    let none = pair().signed(&header, &claims);
    let zlib = json!({"bits": 1, "lst": BASE64URL.encode_to_string([1, 2, 3])});
    vec![
        ("the same list", typed("statuslist+jwt", revoking(&[4])), true),
        ("as long as may be", long(4 * MEBIBYTE), true),
        ("a zip bomb", long(4 * MEBIBYTE + 1), false),
        ("a larger one", long(16 * MEBIBYTE), false),
        ("a mebibyte", spaced(MEBIBYTE), true),
        ("a byte more", spaced(MEBIBYTE + 1), false),
        ("a stranger's signature", by(&Pair::new("k1", "stranger")), false),
        ("an unknown key", by(&Pair::new("k9", "first")), false),
        ("a revoked key", by(&Pair::new("old", "old")), false),
        ("no signature", sent(unsigned), false),
        ("no algorithm", sent(none), false),
        ("another type", typed("JWT", revoking(&[4])), false),
        (
            "another list",
            good(more("sub", json!("https://idp.example.com/status/2"))),
            false,
        ),
        ("no subject", good(more("sub", Value::Null)), false),
        (
            "an audience",
            good(more("aud", json!("https://api.example.com"))),
            false,
        ),
        (
            "older than the one in hand",
            good(more("iat", json!(NOW - 11))),
            false,
        ),
        ("from the future", good(more("iat", json!(NOW + 600))), false),
        ("expired", good(more("exp", json!(NOW - 60))), false),
        ("not compressed", good(more("status_list", zlib)), false),
        ("no statuses", good(more("status_list", Value::Null)), false),
        (
            "three bits",
            good(more("status_list", statuses(3, &bits(&[4])))),
            false,
        ),
        ("garbage", sent("\u{1}\u{2}"), false),
        ("half a list", sent(half), false),
        ("nothing", sent(""), false),
        ("another media type", Answer::json(200, &text), false),
        ("no answer", Answer::Failure, false),
        ("no such list", Answer::status(404), false),
    ]
}

#[test]
fn what_is_no_list_of_the_provider_changes_nothing() {
    for (way, policy) in [("keys of the policy", inline()), ("fetched keys", fetched())]
        .map(|(way, keys)| (way, policy(keys, false).to_string()))
    {
        for (why, answer, is_believed) in answers() {
            let why = format!("{why}, {way}");
            let server = serving(good(revoking(&[3])));
            let mut host = ready(worker(&server).configuration(policy.clone()));
            serve(&server, answer);
            pass(&mut [&mut host], 61);
            assert!(
                server.upstreams.count(UPSTREAM, LIST) >= 3,
                "{why}: it is asked on"
            );
            let revoked = if is_believed { 4 } else { 3 };
            for index in [3, 4] {
                let expected = (index == revoked).then_some("token_revoked");
                assert_eq!(
                    of(&mut host, at(index), &why).as_deref(),
                    expected,
                    "{why}: {index}"
                );
            }
            let bad = counted(&host, REFUSED);
            assert_eq!(bad > 0, !is_believed, "{why}: {bad} refused");
        }
    }
}

#[test]
fn a_list_serves_for_max_stale_or_until_it_ends_and_then_it_is_an_outage() {
    let endless = revoking(&[3]);
    let mut ending = endless.clone();
    ending["exp"] = json!(NOW + 60);
    // A list that ends has the skew of clocks besides.
    for (claims, last) in [(endless, 300), (ending, 89)] {
        let server = serving(good(claims));
        let mut host = ready(checking(&server));
        server.upstreams.set_down(UPSTREAM, true);
        for second in 1..=last {
            pass(&mut [&mut host], 1);
            let why = format!("after {second} of {last} s");
            let codes = [4, 3].map(|index| of(&mut host, at(index), &why));
            assert_eq!(codes, [None, Some("token_revoked".to_owned())], "{why}");
        }
        pass(&mut [&mut host], 1);
        for index in [3, 4] {
            unknown(
                &decided(&mut host, at(index)),
                &format!("after {last} s: {index}"),
            );
        }
        server.upstreams.set_down(UPSTREAM, false);
        serve(&server, good(revoking(&[4])));
        pass(&mut [&mut host], 31);
        allowed(&host.request(at(3)), "the server is back");
    }
}

#[test]
fn requests_before_the_first_list_wait_for_it_and_without_it_nobody_passes() {
    for answers in [true, false] {
        let server = serving(Answer::Later);
        let mut host = started(checking(&server));
        let held = [at(3), at(4)].map(|request| {
            let exchange = host.request(request);
            assert_eq!(exchange.outcome, Outcome::Paused);
            exchange.stream
        });
        host.tick().unwrap();
        if answers {
            let asked = host.callouts()[0].token;
            host.answer(asked, good(revoking(&[3]))).unwrap();
            let codes = held.map(|stream| code(&host.resume(stream), "with the list"));
            assert_eq!(codes, [Some("token_revoked".to_owned()), None]);
        } else {
            for stream in held {
                unknown(&host.wait(stream, Duration::from_secs(4)), "nobody answered");
            }
        }
        assert_eq!((host.failure(), host.open_streams()), (None, 0));
    }
}

#[test]
fn a_list_that_comes_before_its_keys_is_asked_for_again() {
    let server = serving(good(revoking(&[3])));
    server.answer(Answer::Response(keys(&[&pair()])).after(Duration::from_millis(700)));
    let mut host = ready(worker(&server).configuration(policy(fetched(), false).to_string()));
    pass(&mut [&mut host], 3);
    allowed(&decided(&mut host, at(4)), "with keys and list");
    assert!(counted(&host, REFUSED) >= 1, "the first was worth nothing");
    assert_eq!(
        of(&mut host, at(3), "with keys and list").as_deref(),
        Some("token_revoked")
    );
}

#[test]
fn a_list_is_worth_nothing_once_its_key_is_gone_and_counts_again_when_it_is_signed_anew() {
    let former = Pair::new("lists", "lists");
    let server = serving(sent(list(&former, "statuslist+jwt", revoking(&[3]))));
    server.publish(&[&pair(), &former]);
    let mut keys = fetched();
    keys["refresh"] = json!("1m");
    let (clock, shared) = (Clock::virtual_at(NOW), SharedData::default());
    let start = || {
        let builder = worker(&server).configuration(policy(keys.clone(), false).to_string());
        ready(builder.clock(clock.clone()).shared_data(shared.clone()))
    };
    let (mut first, mut second) = (start(), start());
    pass(&mut [&mut first, &mut second], 3);
    for host in [&mut first, &mut second] {
        allowed(&decided(host, at(4)), "while its key is there");
        assert_eq!(
            of(host, at(3), "while its key is there").as_deref(),
            Some("token_revoked")
        );
    }
    server.publish(&[&pair()]);
    pass(&mut [&mut first, &mut second], 62);
    for host in [&mut first, &mut second] {
        unknown(&decided(host, at(4)), "nobody stands for the list any more");
    }
    serve(&server, good(revoking(&[4])));
    pass(&mut [&mut first, &mut second], 62);
    for host in [&mut first, &mut second] {
        allowed(&decided(host, at(3)), "signed anew");
        assert_eq!(of(host, at(4), "signed anew").as_deref(), Some("token_revoked"));
    }
}
