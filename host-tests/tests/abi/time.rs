//! Time under the test's control: ticks, time-outs and late answers at their instants, and streams that wait for
//! what the root does.

use std::time::Duration;

use scopegate_host_tests::{Answer, Clock, Host, HostBuilder, LocalUpstreams, Outcome, Profile, Request};

use crate::guest::Arg::{Num, Out, OutNumber, Pairs};
use crate::guest::{Code, Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";
const TICK: &str = "proxy_on_tick";
const RESPONSE: &str = "proxy_on_http_call_response";
const NOW: u64 = 1_790_000_000;

fn tick_every(code: &mut Code<'_>, milliseconds: u32) {
    code.call("proxy_set_tick_period_milliseconds", &[Num(milliseconds)]);
}

fn show_time(code: &mut Code<'_>) {
    code.call("proxy_get_current_time_nanoseconds", &[OutNumber])
        .wide();
}

fn builder(guest: &Guest) -> HostBuilder {
    Host::builder(&guest.module()).clock(Clock::virtual_at(NOW))
}

/// The times that were shown, in milliseconds after the start; statuses are left out.
fn instants(host: &mut Host) -> Vec<u64> {
    let numbers = lines(host);
    let shown = numbers
        .iter()
        .filter_map(|line| line.parse::<u64>().ok()?.checked_sub(NOW * 1_000_000_000));
    shown.map(|nanos| nanos / 1_000_000).collect()
}

fn millis(length: u64) -> Duration {
    Duration::from_millis(length)
}

#[test]
fn ticks_come_at_their_instants_while_the_clock_goes_on() {
    let guest = Guest::new()
        .on("proxy_on_configure", |code| tick_every(code, 100))
        .on(TICK, show_time);
    let mut host = builder(&guest).build().unwrap();
    host.advance(millis(50)).unwrap();
    assert_eq!(instants(&mut host), [] as [u64; 0]);
    host.advance(millis(260)).unwrap();
    assert_eq!(instants(&mut host), [100, 200, 300]);
    host.clock().advance(60);
    assert_eq!(instants(&mut host), [] as [u64; 0], "only the host makes ticks");
}

#[test]
fn over_a_long_time_the_ticks_of_a_short_period_are_spread() {
    let guest = Guest::new()
        .on("proxy_on_configure", |code| tick_every(code, 100))
        .on(TICK, show_time);
    let mut host = builder(&guest).build().unwrap();
    host.advance(Duration::from_secs(7 * 24 * 60 * 60)).unwrap();
    let ticks = instants(&mut host);
    assert!((900..=1_000).contains(&ticks.len()), "{}", ticks.len());
    let steps: Vec<_> = ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| *step == 604_800), "{steps:?}");
}

#[test]
fn a_callout_that_is_not_answered_fails_when_its_time_is_over() {
    let guest = Guest::new()
        .on(HEADERS, |code| code.call_out("/", 500))
        .on(RESPONSE, |code| {
            code.param(2);
            show_time(code);
        });
    let mut host = builder(&guest)
        .upstream("idp", |_| Answer::Later)
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    lines(&mut host);
    host.advance(millis(499)).unwrap();
    assert_eq!(lines(&mut host), [] as [&str; 0]);
    host.advance(millis(10)).unwrap();
    let at = NOW * 1_000_000_000 + 500_000_000;
    let headers = "3";
    assert_eq!(
        lines(&mut host),
        [headers.to_owned(), "0".to_owned(), at.to_string()],
        "the proxy's own answer"
    );
    assert_eq!(host.callouts(), []);
}

#[test]
fn late_answers_come_in_the_order_of_their_instants_and_not_of_the_questions() {
    let guest = Guest::new()
        .on(HEADERS, |code| {
            for path in ["/slow", "/quick", "/too-slow"] {
                code.call_out(path, 1_000);
            }
        })
        .on(RESPONSE, |code| {
            code.param(1).param(2);
        });
    let upstreams = LocalUpstreams::default();
    for (path, delay) in [("/slow", 900), ("/quick", 10), ("/too-slow", 2_000)] {
        upstreams.on("idp", path, Answer::status(200).after(millis(delay)));
    }
    let mut host = builder(&guest).upstreams(&upstreams).build().unwrap();
    host.request(Request::get("a.test", "/"));
    lines(&mut host);
    host.advance(millis(5_000)).unwrap();
    assert_eq!(
        lines(&mut host),
        ["8", "1", "4", "1", "12", "3"],
        "number, headers"
    );
}

/// Holds every request; the first tick asks the upstream, and the answer lets stream 2 go or refuses it.
fn root_asks(answered: impl FnOnce(&mut Code<'_>)) -> Guest {
    Guest::new()
        .on("proxy_on_configure", |code| tick_every(code, 100))
        .on(HEADERS, |code| {
            code.returns(1);
        })
        .on(TICK, |code| {
            code.call_out("/jwks", 1_000);
            code.call("proxy_set_tick_period_milliseconds", &[Num(0)]);
        })
        .on(RESPONSE, |code| {
            code.call("proxy_set_effective_context", &[Num(2)]);
            answered(code);
        })
}

#[test]
fn the_root_asks_on_a_tick_and_its_answer_lets_a_waiting_stream_go_with_changed_headers() {
    let guest = root_asks(|code| {
        code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out])
            .show();
        code.call(
            "proxy_replace_header_map_value",
            &[Num(0), text("x-who"), text("anna")],
        );
        code.call("proxy_continue_stream", &[Num(0)]);
    });
    let upstreams = LocalUpstreams::default();
    upstreams.on("idp", "/jwks", Answer::json(200, "{}"));
    let mut host = builder(&guest).upstreams(&upstreams).build().unwrap();
    let held = host.request(Request::get("a.test", "/p").header("x-who", "root"));
    assert_eq!(held.outcome, Outcome::Paused);
    let exchange = host.wait(held.stream, Duration::from_secs(5));
    let forwarded = exchange.forwarded().unwrap();
    assert_eq!(forwarded.header_values("x-who"), [b"anna"]);
    assert_eq!(upstreams.count("idp", "/jwks"), 1);
    assert_eq!(
        lines(&mut host),
        ["0", "0", "0", "0", "0", "/p", "0", "0"],
        "every call was good"
    );
}

#[test]
fn the_root_answers_a_waiting_stream_and_time_passes_no_further_than_needed() {
    let guest = root_asks(|code| {
        let reply = [Num(503), text("late"), text("sorry"), Pairs(&[]), Num(u32::MAX)];
        code.call("proxy_send_local_response", &reply);
    });
    let upstreams = LocalUpstreams::default();
    upstreams.on("idp", "/jwks", Answer::Failure.after(millis(250)));
    let clock = Clock::virtual_at(NOW);
    let mut host = builder(&guest)
        .clock(clock.clone())
        .upstreams(&upstreams)
        .build()
        .unwrap();
    let held = host.request(Request::get("a.test", "/"));
    let exchange = host.wait(held.stream, Duration::from_secs(5));
    let reply = exchange.local_reply().unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (503, &b"sorry"[..]));
    assert_eq!(host.open_streams(), 0);
    assert_eq!(upstreams.asked()[0].timeout_ms, 1_000);
}

#[test]
fn a_stream_that_nobody_lets_go_is_still_held_when_patience_is_over() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.returns(1);
    });
    let mut host = builder(&guest).build().unwrap();
    let held = host.request(Request::get("a.test", "/"));
    assert_eq!(
        host.wait(held.stream, Duration::from_secs(5)).outcome,
        Outcome::Paused
    );
    host.abort(held.stream);
    assert_eq!(host.open_streams(), 0);
}

#[test]
fn an_answer_for_a_stream_that_has_gone_finds_no_such_context() {
    let guest = root_asks(|code| {
        code.call("proxy_continue_stream", &[Num(0)]);
    });
    let upstreams = LocalUpstreams::default();
    upstreams.on("idp", "/jwks", Answer::status(200).after(millis(50)));
    let mut host = builder(&guest).upstreams(&upstreams).build().unwrap();
    let held = host.request(Request::get("a.test", "/"));
    host.advance(millis(100)).unwrap();
    host.abort(held.stream);
    lines(&mut host);
    host.advance(millis(100)).unwrap();
    assert_eq!(
        lines(&mut host),
        ["2", "0"],
        "unknown context; nothing to go on with"
    );
    assert_eq!(host.failure(), None);
    assert_eq!(host.resume(held.stream).outcome, Outcome::Reset);
    assert!(
        host.request(Request::get("a.test", "/")).outcome == Outcome::Paused,
        "the next is served"
    );
}

#[test]
fn in_nginx_the_root_cannot_reach_a_stream_at_all() {
    let guest = root_asks(|code| {
        code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out]);
        code.call("proxy_continue_stream", &[Num(0)]);
    });
    let upstreams = LocalUpstreams::default();
    upstreams.on("idp:80", "/jwks", Answer::status(200));
    let mut host = builder(&guest)
        .profile(Profile::Nginx)
        .upstreams(&upstreams)
        .build()
        .unwrap();
    let held = host.request(Request::get("a.test", "/"));
    let exchange = host.wait(held.stream, Duration::from_secs(5));
    assert_eq!(upstreams.count("idp", "/jwks"), 1);
    assert_eq!(exchange.outcome, Outcome::Paused);
    assert_eq!(
        lines(&mut host)[3..5],
        ["0", "2"],
        "the context is said to be set, and is not"
    );
}
