//! Faults that the test injects, and the trace of host calls.

use scopegate_host_tests::{BufferType, Clock, Faults, Host, MapType, Request, Status};

use crate::guest::Arg::{Num, Out, OutNumber, Wide};
use crate::guest::{Guest, lines, text};

fn guest() -> Guest {
    Guest::new().on("proxy_on_request_headers", |code| {
        code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out]);
        code.call("proxy_get_property", &[text("request\0path"), Out]);
        code.call("proxy_get_header_map_value", &[Num(0), text(":method"), Out]);
        code.wasi("clock_time_get", &[Num(0), Wide(0), OutNumber]);
    })
}

fn statuses(faults: Faults) -> Vec<String> {
    let mut host = guest().host();
    host.inject(faults);
    host.request(Request::get("a.test", "/"));
    lines(&mut host)
}

#[test]
fn calls_fail_by_number_by_name_or_by_both() {
    assert_eq!(statuses(Faults::none()), ["0", "0", "0", "0"]);
    // Each line that is logged is a host call too: the calls of interest are number 0, 2, 4 and 6.
    assert_eq!(
        statuses(Faults::none().call(2, Status::InternalFailure)),
        ["0", "10", "0", "0"]
    );
    assert_eq!(
        statuses(Faults::none().call(6, Status::NotFound)),
        ["0", "0", "0", "29"]
    );
    let name = "proxy_get_header_map_value";
    assert_eq!(
        statuses(Faults::none().function(name, Status::Empty)),
        ["7", "0", "7", "0"]
    );
    assert_eq!(
        statuses(Faults::none().function_call(name, 1, Status::Empty)),
        ["0", "0", "7", "0"]
    );
    let both = Faults::none()
        .function(name, Status::Empty)
        .call(2, Status::NotFound);
    assert_eq!(statuses(both), ["7", "1", "7", "0"]);
}

#[test]
fn a_map_is_missing_and_memory_runs_out() {
    let missing = Faults::none().missing_map(MapType::HttpRequestHeaders);
    assert_eq!(statuses(missing), ["2", "0", "2", "0"]);
    assert_eq!(statuses(Faults::none().allocation(1)), ["0", "6", "6", "0"]);
}

#[test]
fn a_buffer_is_missing() {
    let guest = Guest::new().on("proxy_on_request_body", |code| {
        code.call("proxy_get_buffer_bytes", &[Num(0), Num(0), Num(9), Out]);
        code.call("proxy_get_buffer_status", &[Num(0), Out]);
        code.call("proxy_set_buffer_bytes", &[Num(0), Num(0), Num(9), text("x")]);
        code.call("proxy_get_buffer_bytes", &[Num(6), Num(0), Num(9), Out]);
    });
    let mut host = guest.host();
    host.inject(Faults::none().missing_buffer(BufferType::HttpRequestBody));
    let exchange = host.request(Request::get("a.test", "/").body("body"));
    assert_eq!(lines(&mut host), ["1", "1", "1", "0"]);
    assert_eq!(exchange.forwarded().unwrap().body, b"body");
}

#[test]
fn the_clock_fails_by_itself_or_call_by_call() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        for _ in 0..2 {
            code.call("proxy_get_current_time_nanoseconds", &[OutNumber]);
            code.wasi("clock_time_get", &[Num(0), Wide(0), OutNumber]);
        }
    });
    let clock = Clock::virtual_at(7);
    let mut host = Host::builder(&guest.module())
        .clock(clock.clone())
        .build()
        .unwrap();
    let mut ask = |faults| {
        host.inject(faults);
        host.request(Request::get("a.test", "/"));
        lines(&mut host).join(" ")
    };
    let second = Faults::none()
        .function_call("proxy_get_current_time_nanoseconds", 1, Status::InternalFailure)
        .function_call("clock_time_get", 1, Status::InternalFailure);
    assert_eq!(ask(second), "0 0 10 29");
    clock.fail();
    assert_eq!(ask(Faults::none()), "10 29 10 29");
    clock.recover();
    assert_eq!(ask(Faults::none()), "0 0 0 0");
}

#[test]
fn faults_are_counted_anew_when_they_are_set() {
    let mut host = guest().host();
    for _ in 0..2 {
        host.inject(Faults::none().call(0, Status::NotFound));
        host.request(Request::get("a.test", "/"));
        assert_eq!(lines(&mut host), ["1", "0", "0", "0"]);
    }
    host.inject(Faults::none());
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "0", "0", "0"]);
}

#[test]
fn faults_may_hold_from_the_very_start() {
    let guest = Guest::new().on("proxy_on_configure", |code| {
        code.call("proxy_get_buffer_bytes", &[Num(7), Num(0), Num(9), Out]);
    });
    let faults = Faults::none().function("proxy_get_buffer_bytes", Status::InternalFailure);
    let mut host = Host::builder(&guest.module())
        .configuration("c")
        .faults(faults)
        .build()
        .unwrap();
    assert_eq!(lines(&mut host), ["10"]);
}

#[test]
fn the_trace_says_what_was_asked_and_never_a_value() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        code.call(
            "proxy_get_header_map_value",
            &[Num(0), text("authorization"), Out],
        );
        code.call(
            "proxy_replace_header_map_value",
            &[Num(0), text("x-secret"), text("hush")],
        );
        code.call("proxy_get_property", &[text("nothing"), Out]);
    });
    let mut host = Host::builder(&guest.module()).trace().build().unwrap();
    host.trace();
    let exchange = host.request(Request::get("a.test", "/").header("authorization", "Bearer hush"));
    let trace = host.trace();
    let of: Vec<_> = trace.iter().filter(|call| call.function != "proxy_log").collect();
    let shown: Vec<_> = of
        .iter()
        .map(|call| format!("{} {} {:?}", call.function, call.about, call.status))
        .collect();
    let expected = [
        "proxy_get_header_map_value authorization Some(0)",
        "proxy_replace_header_map_value x-secret Some(0)",
        "proxy_get_property nothing Some(1)",
    ];
    assert_eq!(shown, expected);
    assert_eq!(exchange.host_calls, 6);
    assert!(
        !format!("{trace:?} {exchange:?}").contains("Bearer hush"),
        "no credential in a debug text"
    );
}
