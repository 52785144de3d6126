//! Requests that wait for keys: bounded in time and number, decided once, and never let through for waiting.

use scopegate_host_tests::{Answer, Exchange, Host, Outcome, Request, Step, StreamId};
use serde_json::json;

use crate::common::{anonymous, permitted, policy, public, refused, stopped};
use crate::issuer::{Pair, Server, fetching, keys, loaded, passed, started, step, unavailable, worker};

fn pair() -> Pair {
    Pair::new("k1", "first")
}

/// A worker whose issuer does not answer by itself, and which has not asked yet.
fn silent() -> Host {
    started(worker(&Server::silent()))
}

fn held(host: &mut Host, request: Request) -> StreamId {
    let exchange = host.request(request);
    assert_eq!(exchange.outcome, Outcome::Paused);
    exchange.stream
}

/// Answers the one callout that is open.
fn answer(host: &mut Host, answer: Answer) {
    let open = host.callouts();
    assert_eq!(open.len(), 1, "{open:?}");
    host.answer(open[0].token, answer).unwrap();
}

fn good() -> Answer {
    Answer::Response(keys(&[&pair()]))
}

fn is_held(exchange: &Exchange) -> bool {
    exchange.outcome == Outcome::Paused
}

#[test]
fn requests_before_the_first_keys_go_on_when_the_keys_are_there() {
    let mut host = silent();
    let first = held(&mut host, pair().request().body("b"));
    let stranger = held(&mut host, Pair::new("k1", "stranger").request());
    let spoofed = held(&mut host, pair().request().header("x-auth-subject", "root"));
    host.tick().unwrap();
    assert!(is_held(&host.resume(first)), "before the answer");
    answer(&mut host, good());
    for stream in [first, spoofed] {
        passed(&host.resume(stream), "once the keys are there");
    }
    assert_eq!(
        refused(&host.resume(stranger)),
        (401, "signature_invalid".to_owned())
    );
    assert_eq!(host.open_streams(), 0);
}

#[test]
fn who_needs_no_keys_does_not_wait_for_them() {
    let mut host = silent();
    assert!(host.request(public()).forwarded().is_some());
    assert_eq!(
        refused(&host.request(anonymous())),
        (401, "credential_missing".to_owned())
    );
    let expired = pair().token_with(json!({"exp": 1_700_000_000, "iat": 1_699_999_000}));
    let expired =
        Request::get("api.example.com", "/orders").header("authorization", format!("Bearer {expired}"));
    assert_eq!(refused(&host.request(expired)), (401, "token_expired".to_owned()));
    let unrouted = Request::get("api.example.com", "/nowhere");
    assert_eq!(refused(&host.request(unrouted)), (403, "no_route".to_owned()));
}

#[test]
fn waiting_ends_after_three_seconds_of_ticks_even_if_the_clock_stands_still() {
    let mut host = silent();
    let stream = held(&mut host, pair().request());
    for tick in 1..30 {
        host.tick().unwrap();
        assert!(is_held(&host.resume(stream)), "tick {tick}");
    }
    host.tick().unwrap();
    unavailable(&host.resume(stream), "after three seconds");
}

#[test]
fn no_more_than_256_requests_wait() {
    let mut host = silent();
    let waiting: Vec<StreamId> = (0..256).map(|_| held(&mut host, pair().request())).collect();
    for _ in 0..10 {
        unavailable(&host.request(pair().request()), "one too many");
    }
    host.finish(waiting[7]);
    let late = held(&mut host, pair().request());
    unavailable(&host.request(pair().request()), "one left, one came");
    host.tick().unwrap();
    answer(&mut host, good());
    for (number, stream) in waiting.into_iter().enumerate().filter(|(number, _)| *number != 7) {
        passed(&host.resume(stream), &format!("number {number}"));
    }
    passed(&host.resume(late), "the late one");
    assert_eq!(host.open_streams(), 0);
}

#[test]
fn a_fetch_that_fails_ends_the_waiting_at_once() {
    for bad in [
        Answer::Failure,
        Answer::status(500),
        Answer::json(200, "{}"),
        Answer::status(302),
    ] {
        let mut host = silent();
        let stream = held(&mut host, pair().request());
        host.tick().unwrap();
        let why = format!("{bad:?}");
        answer(&mut host, bad);
        host.tick().unwrap();
        unavailable(&host.resume(stream), &why);
    }
}

#[test]
fn a_stream_that_ends_while_it_waits_is_forgotten() {
    let mut host = silent();
    let gone = held(&mut host, pair().request());
    let stays = held(&mut host, pair().request());
    host.finish(gone);
    host.tick().unwrap();
    answer(&mut host, good());
    passed(&host.resume(stays), "the one that stayed");
    host.finish(gone);
    for _ in 0..40 {
        host.tick().unwrap();
    }
    assert_eq!((host.failure(), host.open_streams()), (None, 0));
    passed(&host.request(pair().request()), "afterwards");
}

#[test]
fn the_answer_for_streams_that_are_all_gone_is_kept_for_the_next() {
    let mut host = silent();
    let gone = held(&mut host, pair().request());
    host.tick().unwrap();
    host.finish(gone);
    answer(&mut host, good());
    passed(&host.request(pair().request()), "the next one");
}

/// Shows the module a whole request in parts, whatever it says of the headers.
fn in_parts(host: &mut Host, request: Request) -> StreamId {
    let stream = host.open_stream(request.properties);
    assert_eq!(host.request_headers(stream, request.headers, false), Step::Paused);
    assert_eq!(host.request_body(stream, b"first", false), Step::Paused);
    assert_eq!(host.request_body(stream, b" second", true), Step::Paused);
    stream
}

#[test]
fn a_body_that_arrives_while_the_headers_wait_passes_only_with_them() {
    let mut host = silent();
    let good_stream = in_parts(&mut host, pair().request());
    let bad_stream = in_parts(&mut host, Pair::new("k1", "stranger").request());
    host.tick().unwrap();
    for stream in [good_stream, bad_stream] {
        assert_eq!(
            host.forwarded_request(stream).body,
            b"",
            "nothing passes before the decision"
        );
    }
    answer(&mut host, good());
    assert_eq!(host.poll(good_stream), Step::Continue);
    let forwarded = host.forwarded_request(good_stream);
    assert_eq!(forwarded.body, b"first second");
    assert_eq!(forwarded.header("x-auth-subject"), Some(&b"anna"[..]));
    assert_eq!(forwarded.header("authorization"), None);
    let Step::LocalReply(reply) = host.poll(bad_stream) else {
        panic!("no reply")
    };
    assert_eq!(reply.status, 401);
    assert_eq!(host.forwarded_request(bad_stream).body, b"");
}

#[test]
fn trailers_that_arrive_while_the_headers_wait_are_stripped_too() {
    let mut host = silent();
    let request = pair().request();
    let stream = host.open_stream(request.properties);
    assert_eq!(host.request_headers(stream, request.headers, false), Step::Paused);
    assert_eq!(host.request_body(stream, b"body", false), Step::Paused);
    let trailers = vec![
        (b"x-auth-subject".to_vec(), b"root".to_vec()),
        (b"checksum".to_vec(), b"1".to_vec()),
    ];
    assert_eq!(host.request_trailers(stream, trailers), Step::Paused);
    host.tick().unwrap();
    answer(&mut host, good());
    assert_eq!(host.poll(stream), Step::Continue);
    let forwarded = host.forwarded_request(stream);
    assert_eq!(forwarded.trailers, [(b"checksum".to_vec(), b"1".to_vec())]);
    assert_eq!(forwarded.header("x-auth-subject"), Some(&b"anna"[..]));
}

#[test]
fn who_waits_when_the_policy_is_replaced_is_decided_by_the_new_one() {
    let mut host = silent();
    let with_fetched = held(&mut host, pair().request());
    let with_secret = held(&mut host, pair().request());
    host.tick().unwrap();
    let token = host.callouts()[0].token;
    assert_eq!(host.configure(policy().to_string()), Ok(true));
    for stream in [with_fetched, with_secret] {
        assert_eq!(
            refused(&host.resume(stream)),
            (401, "algorithm_not_allowed".to_owned())
        );
    }
    host.answer(token, good()).unwrap();
    assert!(
        host.request(permitted()).forwarded().is_some(),
        "by the new policy"
    );
    let exchange = host.request(pair().request());
    stopped(&host, &exchange, "the late answer changes nothing");
}

#[test]
fn an_answer_that_the_policy_before_asked_for_is_not_taken_by_the_next() {
    let mut host = silent();
    host.tick().unwrap();
    let token = host.callouts()[0].token;
    let mut narrower = fetching();
    narrower["authentication"]["providers"][0]["algorithms"] = json!(["ES384"]);
    assert_eq!(host.configure(narrower.to_string()), Ok(true));
    host.answer(token, good()).unwrap();
    let exchange = host.request(pair().request());
    assert_eq!(refused(&exchange), (401, "algorithm_not_allowed".to_owned()));
    assert_eq!(host.failure(), None);
}

#[test]
fn a_refused_policy_leaves_those_who_wait_to_the_old_one() {
    let mut host = silent();
    let stream = held(&mut host, pair().request());
    host.tick().unwrap();
    assert_eq!(host.configure("{}"), Ok(false));
    answer(&mut host, good());
    passed(&host.resume(stream), "by the old policy");
}

/// Proxies answer a callout once. One that answers twice meets the dispatcher of the SDK, which ends the machine: every
/// request is refused from then on.
#[test]
fn a_second_answer_for_one_callout_opens_nothing() {
    let server = Server::of(&[&pair()]);
    let mut host = loaded(&server);
    let token = server.upstreams.asked()[0].token;
    let failed = host.answer_again(token, Answer::Response(keys(&[&Pair::new("k1", "stranger")])));
    for request in [Pair::new("k1", "stranger").request(), anonymous()] {
        let exchange = host.request(request);
        assert!(exchange.forwarded().is_none(), "{:?}", exchange.outcome);
    }
    assert!(failed.is_err(), "the machine ended in 0.2.5 of the SDK");
}

#[test]
fn a_worker_that_waits_goes_on_with_the_keys_that_another_fetched() {
    let clock = scopegate_host_tests::Clock::virtual_at(crate::common::NOW);
    let shared = scopegate_host_tests::SharedData::default();
    let server = Server::silent();
    let start = || started(worker(&server).clock(clock.clone()).shared_data(shared.clone()));
    let (mut first, mut second) = (start(), start());
    first.tick().unwrap();
    let waiting = held(&mut second, pair().request());
    step(&mut [&mut first, &mut second]);
    assert_eq!(server.count(), 1, "one of them asks");
    answer(&mut first, good());
    second.tick().unwrap();
    passed(&second.resume(waiting), "with the keys of the first");
    assert_eq!(server.count(), 0);
}
