//! The feed of revocations: asked again and again, believed whole or not at all, in every worker. What it said stands
//! while it cannot be had; then it is an outage.

use std::time::Duration;

use scopegate_host_tests::{Answer, Clock, Host, Outcome, Response, SharedData};
use serde_json::json;

use crate::common::{NOW, refused};
use crate::issuer::{Pair, Server, UPSTREAM, counted, decided, document, pass, started, step};
use crate::revocation::{
    FEED, WORKLOAD, allowed, api_key, code, fed, named, polling, publish, revoking, serving, unknown,
    workload,
};

#[test]
fn a_feed_is_asked_again_and_sent_again_only_when_it_changed() {
    let server = Server::of(&[]);
    let tag = |callout: &scopegate_host_tests::Callout| {
        let value = callout.header("if-none-match")?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    server
        .upstreams
        .document(UPSTREAM, FEED, revoking("t1").to_string(), "1");
    let mut host = started(polling(&server));
    host.tick().unwrap();
    assert_eq!(server.asked().iter().map(tag).collect::<Vec<_>>(), [None]);
    pass(&mut [&mut host], 600);
    let asked = server.asked();
    assert!((20..=23).contains(&asked.len()), "{} in ten minutes", asked.len());
    assert!(
        asked
            .iter()
            .all(|callout| tag(callout).as_deref() == Some("\"1\""))
    );
    assert_eq!(counted(&host, "scopegate.fetch.revocations.changed"), 1);
    for (jti, expected) in [("t1", Some("token_revoked")), ("t2", None)] {
        let exchange = host.request(named(jti));
        assert_eq!(
            code(&exchange, jti).as_deref(),
            expected,
            "long after max_stale: {jti}"
        );
    }
    server
        .upstreams
        .document(UPSTREAM, FEED, revoking("t2").to_string(), "2");
    pass(&mut [&mut host], 61);
    let tags: Vec<_> = server.asked().iter().filter_map(tag).collect();
    assert_eq!(tags[..2], ["\"1\"", "\"2\""]);
    for (jti, expected) in [("t1", None), ("t2", Some("token_revoked"))] {
        assert_eq!(code(&host.request(named(jti)), jti).as_deref(), expected, "{jti}");
    }
}

/// Answers that all say that `t2` is revoked and `t1` is not, and whether they are believed.
fn answers() -> Vec<(&'static str, Answer, bool)> {
    const MEBIBYTE: usize = 1024 * 1024;
    let good = revoking("t2");
    let text = good.to_string();
    let json = |body: &str| Answer::json(200, body);
    let with = |status: u16, kind: &str| Response::new(status).header("content-type", kind).body(&text);
    let padded = |length: usize| Answer::json(200, text.clone() + &" ".repeat(length - text.len()));
    let unknown = json!({"tokens": [{"provider": "corp", "jti": "t2"}, {"provider": "nobody", "jti": "t3"}]});
    let more = json!({"tokens": [{"provider": "corp", "jti": "t2"}], "devices": []});
    let lost = json!({"tokens": [{"provider": "corp", "jti": "t2"}], "keys": null});
    let twice = format!("{{\"tokens\":[],{}", text.split_at(1).1);
    vec![
        ("the same document", json(&text), true),
        ("a mebibyte", padded(MEBIBYTE), true),
        ("a byte more", padded(MEBIBYTE + 1), false),
        ("no answer", Answer::Failure, false),
        (
            "no such path",
            Answer::Response(with(404, "application/json")),
            false,
        ),
        (
            "a fault of the server",
            Answer::Response(with(500, "application/json")),
            false,
        ),
        (
            "a redirection",
            Answer::Response(with(302, "application/json")),
            false,
        ),
        ("unchanged, which was not asked", Answer::status(304), false),
        ("another type", Answer::Response(with(200, "text/html")), false),
        (
            "a type of two",
            Answer::Response(with(200, "application/json").header("content-type", "text/html")),
            false,
        ),
        ("nothing", json(""), false),
        ("an empty object", json("{}"), false),
        ("garbage", json("\u{1}\u{2}"), false),
        ("half a document", json(text.split_at(text.len() - 2).0), false),
        ("two documents", json(&format!("{text}{text}")), false),
        (
            "shorter than it says",
            Answer::Response(with(200, "application/json").header("content-length", "999")),
            false,
        ),
        (
            "a broken connection",
            Answer::Truncated(with(200, "application/json")),
            false,
        ),
        ("an unknown provider", json(&unknown.to_string()), false),
        ("a list that nobody knows", json(&more.to_string()), false),
        ("a list that is null", json(&lost.to_string()), false),
        ("a list twice", json(&twice), false),
    ]
}

#[test]
fn what_is_no_whole_feed_changes_nothing() {
    for (why, answer, is_believed) in answers() {
        let server = serving(&revoking("t1"));
        let mut host = fed(&server);
        server.upstreams.on(UPSTREAM, FEED, answer);
        pass(&mut [&mut host], 61);
        assert!(server.count() >= 2, "{why}: it is asked on");
        let revoked = if is_believed { "t2" } else { "t1" };
        for jti in ["t1", "t2"] {
            let expected = (jti == revoked).then_some("token_revoked");
            assert_eq!(
                code(&host.request(named(jti)), why).as_deref(),
                expected,
                "{why}: {jti}"
            );
        }
        let bad = counted(&host, "scopegate.fetch.revocations.refused");
        assert_eq!(bad > 0, !is_believed, "{why}: {bad} refused");
    }
}

#[test]
fn a_feed_serves_for_max_stale_and_then_it_is_an_outage_for_everybody() {
    let server = serving(&revoking("t1"));
    let mut host = fed(&server);
    let everybody = || [named("t2"), named("t1"), api_key("acme"), workload(WORKLOAD)];
    server.upstreams.set_down(UPSTREAM, true);
    for second in 1..=300 {
        pass(&mut [&mut host], 1);
        let why = format!("after {second} s");
        let codes = everybody().map(|request| code(&host.request(request), &why));
        assert_eq!(
            codes,
            [None, Some("token_revoked".to_owned()), None, None],
            "{why}"
        );
    }
    for second in 301..=310 {
        pass(&mut [&mut host], 1);
        for request in everybody() {
            unknown(&decided(&mut host, request), &format!("after {second} s"));
        }
    }
    let stranger = decided(&mut host, Pair::new("k1", "stranger").request());
    assert_eq!(refused(&stranger), (401, "signature_invalid".to_owned()));
    server.upstreams.set_down(UPSTREAM, false);
    pass(&mut [&mut host], 31);
    allowed(&host.request(named("t2")), "the server is back");
    assert_eq!(
        code(&host.request(named("t1")), "back").as_deref(),
        Some("token_revoked")
    );
}

#[test]
fn requests_before_the_first_feed_wait_for_it_and_without_it_nobody_passes() {
    for answers in [true, false] {
        let server = Server::of(&[]);
        server.upstreams.on(UPSTREAM, FEED, Answer::Later);
        let mut host = started(polling(&server));
        let held = [named("t1"), named("t2"), api_key("acme"), workload(WORKLOAD)].map(|request| {
            let exchange = host.request(request);
            assert_eq!(exchange.outcome, Outcome::Paused);
            exchange.stream
        });
        host.tick().unwrap();
        if answers {
            let asked = host.callouts()[0].token;
            host.answer(asked, Answer::Response(document(&revoking("t1"))))
                .unwrap();
            let codes = held.map(|stream| code(&host.resume(stream), "with the feed"));
            assert_eq!(codes, [Some("token_revoked".to_owned()), None, None, None]);
        } else {
            for stream in held {
                unknown(&host.wait(stream, Duration::from_secs(4)), "nobody answered");
            }
        }
        assert_eq!((host.failure(), host.open_streams()), (None, 0));
    }
}

#[test]
fn what_one_worker_hears_every_worker_refuses_within_a_second() {
    let server = serving(&json!({"tokens": []}));
    let (clock, shared) = (Clock::virtual_at(NOW), SharedData::default());
    let start = || started(polling(&server).clock(clock.clone()).shared_data(shared.clone()));
    let (mut first, mut second) = (start(), start());
    for _ in 0..3 {
        step(&mut [&mut first, &mut second]);
    }
    assert_eq!(server.count(), 1, "one fetch for both");
    for host in [&mut first, &mut second] {
        allowed(&host.request(named("t1")), "proved, and kept");
    }
    publish(&server, &revoking("t1"));
    for _ in 0..310 {
        step(&mut [&mut first, &mut second]);
        if server.upstreams.asked().len() == 2 {
            break;
        }
    }
    pass(&mut [&mut first, &mut second], 1);
    for host in [&mut first, &mut second] {
        assert_eq!(
            code(&host.request(named("t1")), "a second later").as_deref(),
            Some("token_revoked")
        );
        allowed(&host.request(named("t2")), "another token");
    }
    assert_eq!(server.count(), 1, "one more");
    let changed = |host: &Host| counted(host, "scopegate.fetch.revocations.changed");
    assert_eq!(
        changed(&first) + changed(&second),
        2,
        "each document was fetched once"
    );
}
