//! Modules that never come to an end by themselves: what the host does ends all the same.

use std::time::Duration;

use scopegate_host_tests::{
    Answer, Clock, Connection, GrpcAnswer, Host, HostBuilder, Outcome, Request, TcpOutcome,
};

use crate::guest::Arg::{Num, OutNumber, Pairs, Param};
use crate::guest::{Code, Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";
const TICK: &str = "proxy_on_tick";
const RESPONSE: &str = "proxy_on_http_call_response";
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The last second of the clock: nanoseconds since 1970 are a number of 64 bits.
const LAST: u64 = u64::MAX / 1_000_000_000;

fn ask(code: &mut Code<'_>, timeout: u32) {
    let headers = [(":method", "GET"), (":path", "/"), (":authority", "idp.test")];
    let args = [
        text("idp"),
        Pairs(&headers),
        text(""),
        Pairs(&[]),
        Num(timeout),
        OutNumber,
    ];
    code.call("proxy_http_call", &args);
}

/// Asks in this callback, and again at every answer.
fn asks_again(first: &str, timeout: u32) -> Guest {
    Guest::new()
        .on(first, |code| {
            ask(code, timeout);
            code.returns(1);
        })
        .on(RESPONSE, |code| ask(code, timeout))
}

fn builder(guest: &Guest) -> HostBuilder {
    Host::builder(&guest.module()).clock(Clock::virtual_at(1_790_000_000))
}

#[test]
fn a_request_is_held_by_a_module_that_answers_every_answer_with_another_callout() {
    for answer in [Answer::status(200), Answer::Failure] {
        let guest = asks_again(HEADERS, 1_000);
        let mut host = builder(&guest)
            .upstream("idp", move |_| answer.clone())
            .build()
            .unwrap();
        let held = host.request(Request::get("a.test", "/"));
        assert_eq!(held.outcome, Outcome::Paused);
        assert_eq!(
            host.wait(held.stream, Duration::from_millis(200)).outcome,
            Outcome::Paused
        );
        host.abort(held.stream);
        assert_eq!((host.open_streams(), host.failure()), (0, None));
    }
}

#[test]
fn a_request_is_held_by_a_module_that_answers_every_message_of_a_stream_with_another() {
    let guest = Guest::new()
        .on(HEADERS, |code| {
            let service = [text("limits"), text("service"), text("method"), Pairs(&[]), OutNumber];
            code.call("proxy_grpc_stream", &service);
            code.add("(drop (call $proxy_grpc_send (i32.load (i32.const 1000)) (i32.const 0) (i32.const 0) (i32.const 0)))");
            code.returns(1);
        })
        .on("proxy_on_grpc_receive", |code| {
            code.call("proxy_grpc_send", &[Param(1), text("x"), Num(0)]);
        });
    let mut host = builder(&guest)
        .grpc_upstream("limits", |_| GrpcAnswer::new().message("m"))
        .build()
        .unwrap();
    let held = host.request(Request::get("a.test", "/"));
    assert_eq!(held.outcome, Outcome::Paused);
    assert!(lines(&mut host).len() > 1_000, "it was told of many");
}

#[test]
fn a_connection_is_held_by_a_module_that_answers_every_answer_with_another_callout() {
    let guest = asks_again("proxy_on_downstream_data", 1_000);
    let mut host = builder(&guest)
        .upstream("idp", |_| Answer::status(200))
        .build()
        .unwrap();
    let held = host.connection(Connection::new().client("PING"));
    assert_eq!(held.outcome, TcpOutcome::Paused);
}

#[test]
fn every_piece_of_a_long_body_may_wait_for_an_answer_of_its_own() {
    let guest = Guest::new()
        .on("proxy_on_request_body", |code| {
            ask(code, 1_000);
            code.returns(1);
        })
        .on(RESPONSE, |code| {
            code.call("proxy_set_effective_context", &[Num(2)]);
            code.call("proxy_continue_stream", &[Num(0)]);
        });
    let mut host = builder(&guest)
        .body_pieces(1)
        .upstream("idp", |_| Answer::status(200))
        .build()
        .unwrap();
    let exchange = host.request(Request::new("POST", "a.test", "/").body("a long way to go in small pieces"));
    assert_eq!(
        exchange.forwarded().unwrap().body,
        b"a long way to go in small pieces"
    );
}

#[test]
fn the_clock_gets_through_a_year_of_callouts_that_are_asked_again_at_every_time_out() {
    let guest = asks_again(HEADERS, 1);
    let mut host = builder(&guest)
        .upstream("idp", |_| Answer::Later)
        .build()
        .unwrap();
    let held = host.request(Request::get("a.test", "/"));
    assert_eq!(held.outcome, Outcome::Paused);
    lines(&mut host);
    host.advance(Duration::from_secs(5)).unwrap();
    assert_eq!(lines(&mut host).len(), 5_000, "each on time");
    host.advance(YEAR).unwrap();
    let asked = lines(&mut host).len();
    assert!((10_900..=11_100).contains(&asked), "{asked}");
    assert_eq!(host.callouts().len(), 1);
}

#[test]
fn the_clock_gets_through_a_year_of_ticks_that_ask_for_the_next_one_themselves() {
    let every = |code: &mut Code<'_>| {
        code.call("proxy_set_tick_period_milliseconds", &[Num(1)]);
    };
    let guest = Guest::new().on("proxy_on_configure", every).on(TICK, every);
    let mut host = builder(&guest).build().unwrap();
    lines(&mut host);
    host.advance(YEAR).unwrap();
    let ticks = lines(&mut host).len();
    assert!((900..=1_100).contains(&ticks), "{ticks}");
}

#[test]
fn the_clock_comes_to_its_end_and_no_further() {
    let guest = Guest::new()
        .on("proxy_on_configure", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(1_000)]);
        })
        .on(TICK, |code| ask(code, u32::MAX));
    for start in [1_790_000_000, LAST] {
        let mut host = Host::builder(&guest.module())
            .clock(Clock::virtual_at(start))
            .upstream("idp", |_| Answer::Later)
            .build()
            .unwrap();
        host.advance(Duration::MAX).unwrap();
        host.advance(Duration::from_secs(2)).unwrap();
        assert!(lines(&mut host).len() <= 3_000);
    }
}
