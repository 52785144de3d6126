//! Host functions on the log, time, ticks, contexts and foreign functions.

use std::time::Duration;

use scopegate_host_tests::{Clock, Host, LogLevel, Request, Status};

use crate::guest::Arg::{Num, Out, OutNumber, OutSecond, Text};
use crate::guest::{Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";

#[test]
fn lines_are_logged_with_their_level_and_context() {
    let guest = Guest::new().on(HEADERS, |code| {
        for level in 0..=6 {
            code.call("proxy_log", &[Num(level), text("line")]);
        }
        code.call("proxy_log", &[Num(2), Text(b"\xffbytes")])
            .call("proxy_log", &[Num(2), Num(u32::MAX), Num(9)]);
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    let logged = host.logs();
    let levels: Vec<_> = logged
        .iter()
        .filter(|line| line.message == "line")
        .map(|line| line.level)
        .collect();
    use LogLevel::{Critical, Debug, Error, Info, Trace, Warn};
    assert_eq!(levels, [Trace, Debug, Info, Warn, Error, Critical]);
    assert!(logged.iter().all(|line| line.context == 2));
    let statuses: Vec<_> = logged
        .iter()
        .filter(|line| line.message != "line")
        .map(|l| l.message.as_str())
        .collect();
    assert_eq!(
        statuses,
        ["0", "0", "0", "0", "0", "0", "2", "\u{fffd}bytes", "0", "6"]
    );
    assert_eq!(host.logs(), [], "taken");
}

#[test]
fn the_log_level_is_told() {
    let guest = Guest::new().on("proxy_on_configure", |code| {
        code.call("proxy_get_log_level", &[OutNumber])
            .number()
            .call("proxy_get_log_level", &[Num(u32::MAX)]);
    });
    let mut host = Host::builder(&guest.module())
        .log_level(LogLevel::Warn)
        .build()
        .unwrap();
    assert_eq!(lines(&mut host), ["0", "3", "6"]);
}

#[test]
fn the_time_is_the_clocks_in_nanoseconds() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_current_time_nanoseconds", &[OutNumber])
            .wide();
    });
    let clock = Clock::virtual_at(1_790_000_000);
    let mut host = Host::builder(&guest.module())
        .clock(clock.clone())
        .build()
        .unwrap();
    let mut ask = |change: &dyn Fn()| {
        change();
        host.request(Request::get("a.test", "/"));
        lines(&mut host)
    };
    assert_eq!(ask(&|| ()), ["0", "1790000000000000000"]);
    assert_eq!(ask(&|| clock.advance(61)), ["0", "1790000061000000000"]);
    assert_eq!(ask(&|| clock.set(5)), ["0", "5000000000"]);
    assert_eq!(ask(&|| clock.fail())[0], "10");
    assert_eq!(ask(&|| clock.recover()), ["0", "5000000000"]);
}

#[test]
fn the_systems_clock_is_not_moved() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_current_time_nanoseconds", &[OutNumber])
            .wide();
    });
    let mut host = guest.host();
    host.clock().set(5);
    host.clock().fail();
    host.request(Request::get("a.test", "/"));
    let told: u64 = lines(&mut host)[1].parse().unwrap();
    assert!(told > 1_600_000_000_000_000_000, "{told}");
}

#[test]
fn ticks_belong_to_the_root_and_0_ends_them() {
    let guest = Guest::new()
        .on(HEADERS, |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(250)]);
        })
        .on("proxy_on_tick", |code| {
            code.param(0)
                .call("proxy_set_tick_period_milliseconds", &[Num(0)]);
        });
    let mut host = guest.host();
    assert!(!host.tick().unwrap(), "nobody asked for ticks");
    host.request(Request::get("a.test", "/"));
    assert_eq!(host.tick_period(), Some(Duration::from_millis(250)));
    assert!(host.tick().unwrap());
    assert!(!host.tick().unwrap());
    assert_eq!(lines(&mut host), ["0", "1", "0"]);
}

#[test]
fn the_effective_context_must_exist_and_is_forgotten_at_the_next_entry() {
    let guest = Guest::new()
        .on("proxy_on_configure", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(1)]);
        })
        .on(HEADERS, |code| {
            code.returns(1);
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_set_effective_context", &[Num(77)])
                .call("proxy_set_effective_context", &[Num(2)]);
            code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out])
                .show();
            code.call("proxy_set_effective_context", &[Num(1)]);
            code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out]);
            code.call("proxy_set_effective_context", &[Num(2)]);
        })
        .on("proxy_on_log", |code| {
            code.call("proxy_get_property", &[text("request\0path"), Out])
                .show();
        });
    let mut host = guest.host();
    let paused = host.request(Request::get("a.test", "/p"));
    host.tick().unwrap();
    assert_eq!(lines(&mut host), ["0", "2", "0", "0", "/p", "0", "2", "0"]);
    host.finish(paused.stream);
    assert_eq!(lines(&mut host), ["0", "/p"]);
}

#[test]
fn the_status_of_a_root_is_empty_where_nothing_failed() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_status", &[OutNumber, Num(1016), OutSecond])
            .number()
            .second();
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "0", "0"]);
}

#[test]
fn foreign_functions_are_those_of_the_test() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call(
            "proxy_call_foreign_function",
            &[text("reverse"), text("abc"), Out],
        )
        .show();
        code.call(
            "proxy_call_foreign_function",
            &[text("reverse"), text("abc"), Num(0), Num(0)],
        );
        code.call("proxy_call_foreign_function", &[text("reverse"), text(""), Out])
            .second();
        code.call("proxy_call_foreign_function", &[text("broken"), text(""), Out]);
        code.call("proxy_call_foreign_function", &[text("unknown"), text(""), Out]);
        code.call(
            "proxy_call_foreign_function",
            &[Num(u32::MAX), Num(1), text(""), Out],
        );
    });
    let reverse = |argument: &[u8]| Ok(argument.iter().rev().copied().collect());
    let mut host = Host::builder(&guest.module())
        .foreign_function("reverse", reverse)
        .foreign_function("broken", |_| Err(Status::InternalFailure))
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "cba", "0", "0", "0", "10", "1", "6"]);
}
