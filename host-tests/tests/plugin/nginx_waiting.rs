//! Requests that must wait, in NGINX: no request waits for what the root fetches, one that asks its issuer is decided in
//! the answer, and nothing that happens meanwhile lets one through.

use std::time::Duration;

use scopegate_host_tests::{
    Answer, Exchange, Faults, Host, HostBuilder, Limits, LocalUpstreams, Outcome, Request, Response, Status,
};
use serde_json::{Value, json};

use crate::common::{self, FAILURES, NOW, public};
use crate::issuer::{Pair, Server, TICK, decided, jwks, pass, policy_with, step, worker};
use crate::nginx::{is_let_through, keeping, refused, started, under_nginx};

const ISSUER: &str = "tokens.example.com:443";
const INTROSPECT: &str = "/introspect";

/// A policy with opaque tokens, and with a feed of revocations where it `has_feed`.
fn opaque(has_feed: bool) -> Value {
    let mut policy = keeping(common::policy());
    policy["authentication"]["providers"] = json!([{
        "name": "opaque",
        "type": "introspection",
        "endpoint": "https://tokens.example.com/introspect",
        "upstream": ISSUER,
        "client_auth": {"basic": {"username": "orders", "password": {"env": "ORDERS_SECRET"}}},
        "audiences": ["https://api.example.com"],
        "cache": "0s",
        "forward_credential": true,
    }]);
    if has_feed {
        policy["authentication"]["revocation"] = json!({"feed": {
            "uri": "https://tokens.example.com/revoked", "upstream": ISSUER, "refresh": "30s", "max_stale": "5m",
        }});
    }
    policy
}

fn asking(upstreams: &LocalUpstreams) -> HostBuilder {
    under_nginx(common::builder())
        .upstreams(upstreams)
        .configuration(opaque(false).to_string())
}

fn host_with(answer: Answer) -> Host {
    started(asking(&upstreams(answer)))
}

fn upstreams(answer: Answer) -> LocalUpstreams {
    let upstreams = LocalUpstreams::default();
    upstreams.on(ISSUER, INTROSPECT, answer);
    upstreams
}

fn request() -> Request {
    Request::get("api.example.com", "/orders").header("authorization", "Bearer opaque-token")
}

fn active() -> Value {
    json!({
        "active": true, "sub": "anna", "scope": "orders:read", "aud": "https://api.example.com", "exp": NOW + 600,
    })
}

fn yes() -> Answer {
    Answer::json(200, active().to_string())
}

fn no() -> Answer {
    Answer::json(200, r#"{"active":false}"#)
}

/// Requires that a request was answered as an outage of its issuer. A reply has a body only where NGINX would send one.
fn unknown(exchange: &Exchange, why: &str) {
    let (status, code) = refused(exchange);
    assert_eq!(status, 503, "{why}");
    assert!(
        ["introspection_unavailable", ""].contains(&code.as_str()),
        "{why}: {code}"
    );
    let told = exchange.property("wasmx.scopegate_code");
    assert_eq!(told, Some(&b"introspection_unavailable"[..]), "{why}");
    assert!(
        exchange.local_reply().unwrap().header("retry-after").is_some(),
        "{why}"
    );
}

fn answer(host: &mut Host, answer: Answer) {
    let open = host.callouts();
    assert_eq!(open.len(), 1, "{open:?}");
    host.answer(open[0].token, answer).unwrap();
}

#[test]
fn a_request_that_asks_its_issuer_is_decided_in_the_answer() {
    for later in [false, true] {
        let ask = |given: Answer| match later {
            false => host_with(given).request(request()),
            true => {
                let mut host = host_with(Answer::Later);
                let held = host.request(request());
                assert_eq!(held.outcome, Outcome::Paused);
                answer(&mut host, given);
                host.resume(held.stream)
            }
        };
        let exchange = ask(yes());
        assert!(is_let_through(&exchange), "{:?}", exchange.outcome);
        let forwarded = exchange.forwarded().unwrap();
        assert_eq!(forwarded.header_values("x-auth-subject"), [b"anna"]);
        assert_eq!(refused(&ask(no())), (401, "token_inactive".to_owned()));
        let long = Response::new(200).header("x", "v".repeat(40_000));
        let bad = [
            Answer::Failure,
            Answer::Truncated(Response::new(200).body(active().to_string())),
            Answer::Response(long.body(active().to_string())),
            Answer::status(500),
            Answer::status(204),
            Answer::json(200, "{"),
            Answer::json(200, ""),
        ];
        for given in bad {
            unknown(&ask(given.clone()), &format!("{given:?}"));
        }
    }
}

#[test]
fn nobody_is_given_up_by_the_root_and_the_host_ends_a_silence() {
    let mut host = host_with(Answer::Later);
    let held = host.request(request());
    for _ in 0..200 {
        host.tick().unwrap();
        assert_eq!(host.resume(held.stream).outcome, Outcome::Paused);
    }
    answer(&mut host, yes());
    assert!(is_let_through(&host.resume(held.stream)), "late, and in time");
    let held = host.request(request());
    let exchange = host.wait(held.stream, Duration::from_secs(10));
    unknown(&exchange, "the host's own time-out");
    assert_eq!((host.failure(), host.open_streams()), (None, 0));
}

#[test]
fn each_request_gets_its_own_answer_and_one_that_left_disturbs_nobody() {
    let mut host = host_with(Answer::Later);
    let streams = [0; 3].map(|_| host.request(request()).stream);
    let tokens: Vec<u32> = host.callouts().iter().map(|callout| callout.token).collect();
    host.abort(streams[1]);
    host.answer(tokens[2], no()).unwrap();
    assert_eq!(host.resume(streams[0]).outcome, Outcome::Paused);
    assert_eq!(refused(&host.resume(streams[2])).1, "token_inactive");
    let _ = host.answer(tokens[1], yes());
    host.answer(tokens[0], yes()).unwrap();
    assert!(is_let_through(&host.resume(streams[0])));
    assert_eq!((host.failure(), host.open_streams()), (None, 0));
}

#[test]
fn no_call_of_the_host_that_fails_in_an_answer_lets_a_request_through_that_should_not_pass() {
    let mut failures = 0;
    for given in [yes(), no(), Answer::Failure] {
        for status in FAILURES {
            for number in 0..40 {
                let mut host = host_with(Answer::Later);
                let held = host.request(request());
                host.inject(Faults::none().call(number, status));
                let token = host.callouts()[0].token;
                failures += u32::from(host.answer(token, given.clone()).is_err());
                let exchange = host.resume(held.stream);
                let why = format!("{given:?}: call {number}, {status:?}");
                if host.failure().is_some() || given != yes() {
                    assert!(!is_let_through(&exchange), "{why}");
                } else if is_let_through(&exchange) {
                    let forwarded = exchange.forwarded().unwrap();
                    assert_eq!(forwarded.header_values("x-auth-subject"), [b"anna"], "{why}");
                } else {
                    assert!(
                        exchange.forwarded().is_none(),
                        "{why}: answered, not let go undecided"
                    );
                }
            }
        }
    }
    // The SDK itself sets the context, and bears no other answer than the one that every NGINX gives.
    assert_eq!(failures, 24, "one call, 8 statuses, 3 answers");
}

#[test]
fn a_clock_that_fails_in_the_answer_refuses() {
    let mut host = host_with(Answer::Later);
    let held = host.request(request());
    let clock = "proxy_get_current_time_nanoseconds";
    host.inject(Faults::none().function(clock, Status::InternalFailure));
    answer(&mut host, yes());
    let exchange = host.resume(held.stream);
    assert_eq!(refused(&exchange).0, 503);
    let told = exchange.property("wasmx.scopegate_code");
    assert_eq!(told, Some(&b"clock_unavailable"[..]));
}

#[test]
fn what_goes_on_because_the_module_failed_is_not_marked() {
    let mut host = started(asking(&upstreams(Answer::Later)).limits(Limits {
        fuel: Some(40_000_000),
        ..Limits::default()
    }));
    let held = host.request(request());
    assert_eq!(held.outcome, Outcome::Paused);
    let heavy = host.configure(
        opaque(false)
            .to_string()
            .replace(r#""health""#, &format!(r#""{}""#, "h".repeat(20_000_000))),
    );
    assert!(heavy.is_err(), "the module was to fail");
    let exchange = host.resume(held.stream);
    assert!(exchange.forwarded().is_some(), "the host lets it go on");
    assert!(!is_let_through(&exchange), "and nothing says that it may");
}

#[test]
fn what_the_answer_shows_to_be_missing_is_an_outage_and_not_waited_for() {
    let upstreams = upstreams(yes());
    upstreams.on(ISSUER, "/revoked", Answer::Later);
    let mut host = started(asking(&upstreams).configuration(opaque(true).to_string()));
    let exchange = host.request(request());
    assert_eq!(refused(&exchange).0, 503, "there is no feed yet");
    host.tick().unwrap();
    let open = host.callouts();
    host.answer(open[0].token, Answer::json(200, r#"{"tokens":[]}"#))
        .unwrap();
    assert!(is_let_through(&host.request(request())), "the feed is there");
}

fn pair() -> Pair {
    Pair::new("k1", "first")
}

fn unavailable(exchange: &Exchange, why: &str) {
    assert_eq!(refused(exchange), (503, "keys_unavailable".to_owned()), "{why}");
    let reply = exchange.local_reply().unwrap();
    assert!(reply.header("retry-after").is_some(), "{why}");
}

fn fetching(server: &Server) -> Host {
    let policy = keeping(policy_with(
        json!({"jwks_uri": "https://idp.example.com/jwks", "upstream": "idp"}),
    ));
    started(under_nginx(worker(server)).configuration(policy.to_string()))
}

#[test]
fn before_the_first_keys_a_request_is_refused_at_once_and_soon_after_it_passes() {
    let server = Server::of(&[&pair()]);
    let mut host = fetching(&server);
    unavailable(&host.request(pair().request()), "before the first tick");
    assert!(is_let_through(&host.request(public())));
    host.advance(TICK).unwrap();
    assert!(is_let_through(&host.request(pair().request())), "a tick later");
    let stranger = host.request(Pair::new("k1", "stranger").request());
    assert_eq!(refused(&stranger), (401, "signature_invalid".to_owned()));
}

#[test]
fn a_new_key_is_fetched_and_who_came_with_it_is_asked_to_try_again() {
    let new = Pair::new("k2", "second");
    let server = Server::of(&[&pair()]);
    let mut host = fetching(&server);
    pass(&mut [&mut host], 61);
    server.publish(&[&pair(), &new]);
    unavailable(&host.request(new.request()), "its key may be there soon");
    assert!(
        is_let_through(&host.request(pair().request())),
        "whose key is known"
    );
    step(&mut [&mut host]);
    assert!(is_let_through(&host.request(new.request())), "a tick later");
    let unknown = Pair::new("k3", "third").request();
    let exchange = host.request(unknown);
    assert_eq!(
        refused(&exchange),
        (401, "key_not_found".to_owned()),
        "nobody will fetch it soon"
    );
}

#[test]
fn keys_that_stay_away_are_an_outage_and_nobody_is_ever_held() {
    let server = Server::silent();
    let mut host = fetching(&server);
    for second in 0..30 {
        let exchange = decided(&mut host, pair().request());
        unavailable(&exchange, &format!("after {second} s"));
        pass(&mut [&mut host], 1);
    }
    assert_eq!((host.failure(), host.open_streams()), (None, 0));
}

#[test]
fn a_document_that_is_too_large_to_share_is_fetched_by_every_worker() {
    let server = Server::of(&[]);
    let mut large = jwks(&[&pair()]);
    large["padding"] = json!("x".repeat(600_000));
    server.upstreams.on(
        "idp:80",
        "/jwks",
        Answer::Response(crate::issuer::document(&large)),
    );
    let (clock, shared) = (
        scopegate_host_tests::Clock::virtual_at(NOW),
        scopegate_host_tests::SharedData::default(),
    );
    let policy = keeping(policy_with(
        json!({"jwks_uri": "https://idp.example.com/jwks", "upstream": "idp:80"}),
    ));
    let start = || {
        let builder = under_nginx(worker(&server)).configuration(policy.to_string());
        started(builder.clock(clock.clone()).shared_data(shared.clone()))
    };
    let (mut first, mut second) = (start(), start());
    pass(&mut [&mut first, &mut second], 3);
    for host in [&mut first, &mut second] {
        assert!(is_let_through(&host.request(pair().request())));
    }
    assert_eq!(server.count(), 2, "one for each");
}
