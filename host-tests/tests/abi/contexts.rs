//! Host functions on the log, time, ticks, contexts and foreign functions.

use std::time::Duration;

use scopegate_host_tests::{Clock, Connection, Host, LogLevel, Outcome, Profile, Request, Status};

use crate::guest::Arg::{Num, Out, OutNumber, OutSecond, Text};
use crate::guest::{Code, Guest, lines, text};

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

/// A field of a protocol buffer: bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

fn foreign(code: &mut Code<'_>, name: &str, argument: &[u8]) {
    code.call("proxy_call_foreign_function", &[text(name), Text(argument), Out]);
}

#[test]
fn bytes_are_compressed_and_uncompressed() {
    let long = vec![b'a'; 1_000];
    let mut compressed = vec![0x78, 0x9c];
    compressed.extend(miniz_oxide::deflate::compress_to_vec(&long, 9));
    compressed.extend(adler(&long).to_be_bytes());
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        foreign(code, "compress", &long);
        code.foreign_again("uncompress").second();
        foreign(code, "uncompress", &compressed);
        code.second();
        foreign(code, "uncompress", &compressed[..compressed.len() - 5]);
        foreign(code, "uncompress", b"");
        foreign(code, "uncompress", b"no zlib");
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host).join(" "), "0 0 1000 0 1000 3 3 3");
}

fn adler(bytes: &[u8]) -> u32 {
    let sums = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    sums.1 << 16 | sums.0
}

#[test]
fn a_property_is_declared_once_and_by_the_root() {
    let once = [field(1, b"once"), vec![0x10, 1]].concat();
    let declare = |code: &mut Code<'_>| {
        foreign(code, "declare_property", &once);
        foreign(code, "declare_property", &once);
        foreign(code, "declare_property", &field(1, b"often"));
        foreign(code, "declare_property", b"\xff");
    };
    let set = |code: &mut Code<'_>| {
        for name in ["once", "once", "often", "often"] {
            code.call("proxy_set_property", &[text(name), text("v")]);
        }
    };
    let by_root = Guest::new()
        .on("proxy_on_configure", declare)
        .on("proxy_on_request_headers", set);
    let mut host = by_root.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host).join(" "), "0 2 0 2 0 2 0 0");
    let by_stream = Guest::new().on("proxy_on_request_headers", |code| {
        declare(code);
        set(code);
    });
    let mut host = by_stream.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host).join(" "), "0 2 0 2 0 0 0 0");
}

#[test]
fn filter_state_is_set_by_the_names_that_envoy_knows() {
    let known = [
        field(1, b"envoy.tcp_proxy.cluster"),
        field(2, b"green"),
        vec![0x18, 1],
    ]
    .concat();
    let guest = Guest::new()
        .on("proxy_on_configure", |code| {
            foreign(code, "set_envoy_filter_state", &known)
        })
        .on("proxy_on_request_headers", |code| {
            foreign(code, "set_envoy_filter_state", &known);
            // The context that runs counts, whatever was made the effective one.
            code.call("proxy_set_effective_context", &[Num(1)]);
            foreign(code, "set_envoy_filter_state", &known);
            code.call("proxy_set_effective_context", &[Num(2)]);
            foreign(code, "set_envoy_filter_state", &field(1, b"mine"));
            foreign(code, "set_envoy_filter_state", b"\xff");
            code.call(
                "proxy_get_property",
                &[text("filter_state\0envoy.tcp_proxy.cluster"), Out],
            )
            .show();
            code.call("proxy_set_property", &[text("mine"), text("set")]);
            code.call("proxy_get_property", &[text("filter_state\0wasm.mine"), Out])
                .show();
            code.call("proxy_get_property", &[text("filter_state\0mine"), Out]);
        });
    let mut host = guest.host();
    let exchange = host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host).join(" "), "1 0 0 0 0 1 2 0 green 0 0 set 1");
    let set = exchange
        .properties
        .get(&b"filter_state\0envoy.tcp_proxy.cluster"[..]);
    assert_eq!(set, Some(&b"green".to_vec()));
}

#[test]
fn the_route_is_chosen_anew_for_requests_alone() {
    let clear = |code: &mut Code<'_>| foreign(code, "clear_route_cache", b"");
    let guest = Guest::new()
        .on("proxy_on_configure", clear)
        .on("proxy_on_request_headers", clear);
    let mut host = guest.host();
    assert_eq!(host.route_cache_clears(), 0);
    host.request(Request::get("a.test", "/"));
    assert_eq!(
        (lines(&mut host).join(" "), host.route_cache_clears()),
        ("0 0".to_owned(), 1)
    );
    let by_connection = Guest::new().on("proxy_on_new_connection", clear);
    let mut host = by_connection.host();
    host.connection(Connection::new());
    assert_eq!(
        (lines(&mut host).join(" "), host.route_cache_clears()),
        ("0".to_owned(), 0)
    );
    let first = Guest::of("proxy_abi_version_0_1_0").on("proxy_on_request_headers", |code| {
        code.call("proxy_clear_route_cache", &[]);
    });
    let mut host = first.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(
        (lines(&mut host).join(" "), host.route_cache_clears()),
        ("0".to_owned(), 1)
    );
}

#[test]
fn the_tests_functions_come_before_the_proxys_and_nginx_has_none() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        foreign(code, "compress", b"x");
        code.show();
    });
    let mut host = Host::builder(&guest.module())
        .foreign_function("compress", |_| Ok(b"mine".to_vec()))
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host).join(" "), "0 mine");
    let mut host = Host::builder(&guest.module())
        .profile(Profile::Nginx)
        .build()
        .unwrap();
    let outcome = host.request(Request::get("a.test", "/")).outcome;
    assert!(
        matches!(&outcome, Outcome::Failed { reason, .. } if reason.contains("unknown foreign function"))
    );
}
