//! Answers for keys that are worth nothing, however they are worthless: they never take the place of good keys.

use std::time::Duration;

use scopegate_host_tests::{Answer, Response};
use serde_json::json;

use crate::common::refused;
use crate::issuer::{
    Pair, Server, TICK, counted, document, fetching, jwks, loaded, pass, passed, started, unavailable, worker,
};
use crate::nginx::{keeping, under_nginx};

fn pair() -> Pair {
    Pair::new("k1", "first")
}

/// Answers that are worth nothing.
fn bad_answers() -> Vec<(&'static str, Answer)> {
    let stranger = jwks(&[&Pair::new("k1", "stranger")]);
    let text = stranger.to_string();
    let length = |length: usize| {
        let answer = Response::new(200).header("content-type", "application/json");
        answer.header("content-length", length.to_string()).body(&text)
    };
    let body = |body: &[u8]| {
        Response::new(200)
            .header("content-type", "application/json")
            .body(body)
    };
    let mut unusable = stranger.clone();
    unusable["keys"][0]["alg"] = json!("ES384");
    let mut secret = stranger.clone();
    secret["keys"]
        .as_array_mut()
        .unwrap()
        .push(json!({"kty": "oct", "kid": "k2", "k": "c2VjcmV0"}));
    let mut twice = text.clone();
    twice.insert_str(1, "\"keys\": [], ");
    let kind = |kind: &str| Response::new(200).header("content-type", kind).body(&text);
    let mut bad: Vec<(&str, Answer)> = [
        (
            "over 1 MiB",
            body(format!("{text}{}", " ".repeat(1024 * 1024)).as_bytes()),
        ),
        ("HTML", kind("text/html")),
        ("a JWT", kind("application/jwt")),
        ("shorter than it says", length(text.len() + 1)),
        ("longer than it says", length(text.len() - 1)),
        ("half written", body(&text.as_bytes()[..text.len() / 2])),
        ("empty", body(b"")),
        ("an empty object", body(b"{}")),
        ("an empty set", body(br#"{"keys": []}"#)),
        ("null", body(b"null")),
        ("not UTF-8", body(b"\xff\xfe")),
        ("deeply nested", body("[".repeat(100_000).as_bytes())),
        ("members twice", body(twice.as_bytes())),
        ("no usable key", document(&unusable)),
        ("with a secret", document(&secret)),
        ("not modified, though nobody asked", Response::new(304)),
        (
            "cut by the host",
            document(&stranger).header(":dispatch_status", "reader failure"),
        ),
    ]
    .map(|(why, response)| (why, Answer::Response(response)))
    .into();
    for (why, status) in [
        ("created", 201),
        ("no content", 204),
        ("partial", 206),
        ("moved", 301),
        ("found", 302),
        ("see other", 303),
        ("temporarily", 307),
        ("permanently", 308),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("not found", 404),
        ("too many", 429),
        ("internal", 500),
        ("bad gateway", 502),
        ("unavailable", 503),
        ("timeout", 504),
    ] {
        let mut answer = document(&stranger).header("location", "https://idp.example.com/other");
        answer.headers[0].1 = status.to_string().into_bytes();
        bad.push((why, Answer::Response(answer)));
    }
    bad.push(("no answer", Answer::Failure));
    bad.push(("broken off", Answer::Truncated(document(&stranger))));
    bad.push(("no answer in time", Answer::Later));
    bad
}

#[test]
fn a_bad_answer_never_replaces_good_keys() {
    for (why, answer) in bad_answers() {
        let server = Server::of(&[&pair()]);
        let mut host = loaded(&server);
        host.logs();
        server.answer(answer.clone());
        pass(&mut [&mut host], 600);
        assert!(server.count() >= 1, "{why}");
        assert_eq!(counted(&host, "scopegate.fetch.keys.corp.changed"), 1, "{why}");
        assert!(counted(&host, "scopegate.fetch.keys.corp.refused") >= 1, "{why}");
        assert!(
            host.logs().iter().any(|line| line.message.contains("keys.corp")),
            "{why}: nobody is told"
        );
        passed(&host.request(pair().request()), why);
        let stranger = host.request(Pair::new("k1", "stranger").request());
        assert_eq!(refused(&stranger), (401, "signature_invalid".to_owned()), "{why}");
    }
}

#[test]
fn a_bad_first_answer_is_an_outage_and_is_soon_asked_again() {
    for (why, answer) in bad_answers() {
        let server = Server::of(&[]);
        server.answer(answer.clone());
        let mut host = started(worker(&server));
        host.advance(TICK).unwrap();
        assert_eq!(server.count(), 1, "{why}: a redirection is not followed");
        host.advance(Duration::from_secs(5)).unwrap();
        unavailable(&host.request(pair().request()), why);
        unavailable(&host.request(Pair::new("k1", "stranger").request()), why);
        server.publish(&[&pair()]);
        pass(&mut [&mut host], 2);
        passed(&host.request(pair().request()), why);
    }
}

#[test]
fn what_nginx_makes_of_a_bad_answer_is_worth_nothing_either() {
    let fetched = |answer: Answer| {
        let server = Server::of(&[]);
        server.answer(answer);
        let mut host = started(under_nginx(worker(&server)).configuration(keeping(fetching()).to_string()));
        host.advance(Duration::from_secs(6)).unwrap();
        let count = |outcome: &str| counted(&host, &format!("scopegate.fetch.keys.corp.{outcome}"));
        (count("changed"), count("refused") > 0)
    };
    let good = document(&jwks(&[&pair()]));
    assert_eq!(fetched(Answer::Response(good.clone())), (1, false));
    let oversize = Answer::Response(good.header("x-long", "x".repeat(40_000)));
    let bad = bad_answers().into_iter().chain([("too long headers", oversize)]);
    // There the host says itself what it cut.
    let bad = bad.filter(|(why, _)| *why != "cut by the host");
    let taken = bad.filter(|(_, answer)| fetched(answer.clone()) != (0, true));
    assert_eq!(taken.map(|(why, _)| why).collect::<Vec<_>>(), [] as [&str; 0]);
}

#[test]
fn a_proxy_that_does_not_know_the_upstream_is_an_outage() {
    let server = Server::of(&[&pair()]);
    let policy = fetching().to_string().replace("\"idp\"", "\"nowhere\"");
    let mut host = started(worker(&server).configuration(policy));
    pass(&mut [&mut host], 120);
    assert_eq!(host.failure(), None);
    unavailable(&host.request(pair().request()), "an unknown upstream");
    assert!(
        counted(&host, "scopegate.fetch.keys.corp.begun") <= 9,
        "it is not tried all the time"
    );
}
