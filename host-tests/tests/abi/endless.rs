//! Modules that never come to an end by themselves: what the host does ends all the same.

use std::time::Duration;

use scopegate_host_tests::{
    Answer, Clock, Connection, GrpcAnswer, Host, HostBuilder, Limits, Module, Outcome, Request, TcpOutcome,
};

use crate::guest::Arg::{Num, OutNumber, Pairs, Param};
use crate::guest::{Code, Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";
const TICK: &str = "proxy_on_tick";
const RESPONSE: &str = "proxy_on_http_call_response";
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The last second of the clock: nanoseconds since 1970 are a number of 64 bits.
const LAST: u64 = u64::MAX / 1_000_000_000;

/// Asks in this callback, and again at every answer.
fn asks_again(first: &str, timeout: u32) -> Guest {
    Guest::new()
        .on(first, |code| {
            code.call_out("/", timeout);
            code.returns(1);
        })
        .on(RESPONSE, |code| code.call_out("/", timeout))
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
            code.call_out("/", 1_000);
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
        .on(TICK, |code| code.call_out("/", u32::MAX));
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

/// A module whose configuration calls this again and again. Its memory has 40 pages of 64 KiB.
fn hands_over(imports: &str, call: &str) -> Module {
    let text = format!(
        "(module {imports} (memory (export \"memory\") 40) (func (export \"proxy_abi_version_0_2_1\"))
         (func (export \"malloc\") (param i32) (result i32) (i32.const 1048576))
         (func (export \"proxy_on_configure\") (param i32 i32) (result i32) (local $i i32)
           (loop $again {call} (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $again)) (i32.const 1)))"
    );
    Module::from_bytes(&wat::parse_str(text).unwrap()).unwrap()
}

fn limited(module: &Module) -> Host {
    let limits = Limits {
        fuel: Some(20_000_000),
        memory: 4 * 1024 * 1024,
    };
    Host::builder(module).limits(limits).build().unwrap()
}

#[test]
fn what_a_module_hands_to_the_host_in_one_callback_is_bounded() {
    // 327679 vectors, each of the whole memory.
    let vectors = "(loop $fill (i32.store offset=4 (local.get $i) (i32.const 2621440))
        (local.set $i (i32.add (local.get $i) (i32.const 8))) (br_if $fill (i32.lt_u (local.get $i) (i32.const 2621440))))
        (drop (call $f (i32.const 1) (i32.const 0) (i32.const 327679) (i32.const 0)))";
    for (import, parameters, call) in [
        (
            "\"env\" \"proxy_log\"",
            3,
            "(drop (call $f (i32.const 2) (i32.const 0) (i32.const 2621440)))",
        ),
        (
            "\"env\" \"proxy_set_shared_data\"",
            5,
            "(i32.store (i32.const 0) (local.get $i))
             (drop (call $f (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 2621440) (i32.const 0)))",
        ),
        (
            "\"env\" \"proxy_define_metric\"",
            4,
            "(i32.store (i32.const 0) (local.get $i))
             (drop (call $f (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0)))",
        ),
        ("\"wasi_snapshot_preview1\" \"fd_write\"", 4, vectors),
    ] {
        let parameters = "i32 ".repeat(parameters);
        let import = format!("(import {import} (func $f (param {parameters}) (result i32)))");
        let mut host = limited(&hands_over(&import, call));
        let trap = host.failure().unwrap();
        let said = "the module hands more to the host in one callback than its limits allow";
        assert_eq!(trap.reason, said, "{import}");
        let kept: usize = host.logs().iter().map(|line| line.message.len()).sum();
        assert!(kept <= 4 * 1024 * 1024, "{import}: {kept}");
    }
}

#[test]
fn each_callback_may_hand_over_as_much_as_the_one_before() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.add("(drop (call $proxy_log (i32.const 2) (i32.const 65536) (i32.const 2000000)))");
    });
    let mut host = limited(&guest.module());
    for _ in 0..5 {
        let exchange = host.request(Request::get("a.test", "/"));
        assert!(exchange.forwarded().is_some(), "{:?}", exchange.outcome);
        host.logs();
    }
}

#[test]
fn all_memories_of_a_module_are_bounded_together_and_so_are_its_tables() {
    let starts = |extra: &str| {
        let text = format!(
            "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\")) {extra}
             (func (export \"malloc\") (param i32) (result i32) (i32.const 16)))"
        );
        let module = Module::from_bytes(&wat::parse_str(text).unwrap()).unwrap();
        let limits = Limits {
            memory: 4 * 1024 * 1024,
            ..Limits::default()
        };
        Host::builder(&module).limits(limits).build().is_ok()
    };
    assert!(starts("(memory 60)"));
    assert!(!starts("(memory 64)"), "with the first page it is one too many");
    assert!(!starts(&"(memory 16)".repeat(4)));
    assert!(starts("(table 1000 funcref)"));
    assert!(!starts("(table 2000000000 funcref)"));
}

#[test]
fn an_endless_loop_ends_also_where_no_limit_was_asked_for() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.add("(loop $forever (br $forever))\n");
    });
    let exchange = guest.host().request(Request::get("a.test", "/"));
    assert!(
        matches!(&exchange.outcome, Outcome::Failed { reason, .. } if reason.contains("fuel")),
        "{:?}",
        exchange.outcome
    );
}
