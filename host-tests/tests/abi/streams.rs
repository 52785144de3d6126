//! The life of a stream: callbacks and their order, pausing, buffering, failures and what follows from them.

use std::collections::BTreeMap;
use std::time::Duration;

use scopegate_host_tests::{Clock, FailurePolicy, Host, Limits, Outcome, Request, Response, Step};

use crate::guest::Arg::{Num, Out, Pairs};
use crate::guest::{Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";

#[test]
fn callbacks_come_in_order_with_their_arguments() {
    let mut guest = Guest::new();
    for (callback, params) in [
        ("proxy_on_context_create", 2),
        ("proxy_on_request_headers", 3),
        ("proxy_on_request_body", 3),
        ("proxy_on_request_trailers", 2),
        ("proxy_on_response_headers", 3),
        ("proxy_on_response_body", 3),
        ("proxy_on_response_trailers", 2),
        ("proxy_on_log", 1),
        ("proxy_on_done", 1),
        ("proxy_on_delete", 1),
    ] {
        guest = guest.on(callback, |code| {
            code.say(callback.strip_prefix("proxy_on_").unwrap());
            for position in 0..params {
                code.param(position);
            }
        });
    }
    let mut host = guest.host();
    assert_eq!(lines(&mut host).join(" "), "context_create 1 0");
    let request = Request::new("POST", "a.test", "/").body("abc").trailer("t", "1");
    host.exchange(
        request,
        Response::new(200).body("de").trailer("t", "1").trailer("u", "2"),
    );
    let expected = "context_create 2 1 request_headers 2 4 0 request_body 2 3 0 request_trailers 2 1 \
                    response_headers 2 1 0 response_body 2 2 0 response_trailers 2 2 log 2 done 2 delete 2";
    assert_eq!(lines(&mut host).join(" "), expected);
    host.request(Request::get("a.test", "/"));
    let expected = "context_create 3 1 request_headers 3 4 1 response_headers 3 1 1 log 3 done 3 delete 3";
    assert_eq!(lines(&mut host).join(" "), expected);
    assert_eq!(host.open_streams(), 0);
}

#[test]
fn a_module_that_exports_nothing_lets_everything_pass() {
    let exchange = Guest::new()
        .host()
        .request(Request::get("a.test", "/p").body("b"));
    assert_eq!(exchange.forwarded().unwrap().body, b"b");
    assert_eq!(exchange.response.unwrap().header(":status"), Some(&b"200"[..]));
}

#[test]
fn headers_go_on_with_0_and_2_and_wait_with_anything_else() {
    for (returned, goes_on) in [
        (0, true),
        (2, true),
        (1, false),
        (3, false),
        (4, false),
        (5, false),
        (900, false),
    ] {
        let guest = Guest::new().on(HEADERS, |code| {
            code.returns(returned);
        });
        let mut host = guest.host();
        let outcome = host.request(Request::get("a.test", "/")).outcome;
        assert_eq!(
            matches!(outcome, Outcome::Forwarded(_)),
            goes_on,
            "returned {returned}: {outcome:?}"
        );
        assert_eq!(
            matches!(outcome, Outcome::Paused),
            !goes_on,
            "returned {returned}: {outcome:?}"
        );
        assert_eq!(host.open_streams(), usize::from(!goes_on));
    }
}

#[test]
fn a_paused_stream_waits_until_the_module_lets_it_go() {
    let guest = Guest::new()
        .on(HEADERS, |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(100)])
                .returns(1);
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_set_effective_context", &[Num(2)]);
            code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out])
                .show();
            code.call("proxy_add_header_map_value", &[Num(0), text("late"), text("yes")]);
            code.call("proxy_continue_stream", &[Num(0)]);
            code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out]);
        });
    let mut host = guest.host();
    let paused = host.request(Request::new("POST", "a.test", "/p").body("kept"));
    assert_eq!(paused.outcome, Outcome::Paused);
    assert_eq!(
        host.resume(paused.stream).outcome,
        Outcome::Paused,
        "nothing has happened yet"
    );
    assert!(host.tick().unwrap());
    let exchange = host.resume(paused.stream);
    let forwarded = exchange.forwarded().unwrap();
    assert_eq!(forwarded.header("late"), Some(&b"yes"[..]));
    assert_eq!(forwarded.body, b"kept");
    assert_eq!(lines(&mut host), ["0", "0", "0", "/p", "0", "0", "2"]);
    assert_eq!(
        host.resume(paused.stream).outcome,
        Outcome::Reset,
        "the stream is gone"
    );
}

#[test]
fn a_module_that_continues_in_the_same_callback_is_not_held() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_continue_stream", &[Num(0)]).returns(1);
    });
    assert!(
        guest
            .host()
            .request(Request::get("a.test", "/"))
            .forwarded()
            .is_some()
    );
}

#[test]
fn continue_knows_four_directions() {
    let guest = Guest::new().on(HEADERS, |code| {
        for direction in [2, 3, 4, u32::MAX] {
            code.call("proxy_continue_stream", &[Num(direction)]);
        }
        for direction in [2, 3, 4] {
            code.call("proxy_close_stream", &[Num(direction)]);
        }
    });
    let mut host = guest.host();
    assert!(host.request(Request::get("a.test", "/")).forwarded().is_some());
    assert_eq!(lines(&mut host), ["0", "12", "2", "2", "0", "0", "2"]);
}

#[test]
fn abi_0_1_0_continues_with_functions_of_its_own() {
    let guest = Guest::of("proxy_abi_version_0_1_0")
        .on(HEADERS, |code| {
            code.call("proxy_clear_route_cache", &[])
                .call("proxy_continue_request", &[])
                .returns(1);
        })
        .on("proxy_on_response_headers", |code| {
            code.call("proxy_continue_response", &[]).returns(1);
        });
    let mut host = guest.host();
    let exchange = host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "0", "0"]);
    assert!(exchange.response.is_some());
}

#[test]
fn a_closed_stream_has_no_answer() {
    for direction in [0, 1] {
        let guest = Guest::new().on(HEADERS, |code| {
            code.call("proxy_close_stream", &[Num(direction)]);
        });
        assert_eq!(
            guest.host().request(Request::get("a.test", "/")).outcome,
            Outcome::Reset
        );
    }
}

/// Reads the request's body in pieces and says what the module was shown and what went on.
fn pieces(returned: u32) -> (Vec<String>, Vec<u8>) {
    let guest = Guest::new().on("proxy_on_request_body", |code| {
        code.call("proxy_get_buffer_bytes", &[Num(0), Num(0), Num(99), Out])
            .show();
        // The end of the stream lets go; what comes before it is answered as the test asks.
        code.add(&format!(
            "(if (i32.eqz (local.get 2)) (then (return (i32.const {returned}))))\n"
        ));
    });
    let mut host = guest.host();
    let id = host.open_stream(BTreeMap::new());
    assert_eq!(
        host.request_headers(id, Request::get("a.test", "/").headers, false),
        Step::Continue
    );
    let first = host.request_body(id, b"one", false);
    assert_eq!(first == Step::Paused, returned != 0);
    assert_eq!(host.request_body(id, b"two", true), Step::Continue);
    let body = host.forwarded_request(id).body;
    host.finish(id);
    let shown = lines(&mut host).into_iter().filter(|line| line != "0").collect();
    (shown, body)
}

#[test]
fn a_body_is_buffered_as_the_module_asks() {
    let shown = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        pieces(0),
        (shown(&["one", "two"]), b"onetwo".to_vec()),
        "0 lets each piece go"
    );
    assert_eq!(
        pieces(1),
        (shown(&["one", "onetwo"]), b"onetwo".to_vec()),
        "1 keeps them for the module"
    );
    assert_eq!(
        pieces(2),
        (shown(&["one", "two"]), b"onetwo".to_vec()),
        "2 keeps them in the host"
    );
    assert_eq!(
        pieces(3),
        (shown(&["one", "two"]), b"two".to_vec()),
        "3 drops what it was shown"
    );
}

#[test]
fn a_trap_fails_the_machine_for_good_and_every_request_gets_503() {
    for callback in [
        "proxy_on_context_create",
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_request_trailers",
        "proxy_on_response_headers",
        "proxy_on_response_body",
        "proxy_on_response_trailers",
    ] {
        let guest = Guest::new().on(callback, |code| {
            // The root context is let through; the first stream is not.
            code.add("(if (i32.eq (local.get 0) (i32.const 2)) (then unreachable))\n");
        });
        let mut host = guest.host();
        let request = || Request::new("POST", "a.test", "/").body("b").trailer("t", "1");
        let response = || Response::new(200).body("b").trailer("t", "1");
        for attempt in 1..=2 {
            let outcome = host.exchange(request(), response()).outcome;
            let is_late = matches!(callback, "proxy_on_response_body" | "proxy_on_response_trailers");
            if attempt == 1 && is_late {
                assert_eq!(outcome, Outcome::Reset, "{callback}: the client has the headers");
                continue;
            }
            let Outcome::Failed {
                reason,
                reply_status: 503,
            } = outcome
            else {
                panic!("{callback}: {outcome:?}")
            };
            assert!(
                reason.contains(callback) && reason.contains("unreachable"),
                "{attempt}: {reason}"
            );
        }
        assert_eq!(host.failure().unwrap().function, callback);
        assert!(!host.configured());
    }
}

#[test]
fn a_trap_after_the_exchange_fails_the_next_one() {
    for callback in ["proxy_on_log", "proxy_on_done", "proxy_on_delete"] {
        let mut host = Guest::new()
            .on(callback, |code| {
                code.trap();
            })
            .host();
        assert!(
            host.request(Request::get("a.test", "/")).forwarded().is_some(),
            "{callback}"
        );
        let outcome = host.request(Request::get("a.test", "/")).outcome;
        assert!(
            matches!(outcome, Outcome::Failed { .. }),
            "{callback}: {outcome:?}"
        );
    }
}

#[test]
fn a_request_that_was_refused_before_the_trap_is_not_let_through_by_a_module_that_fails_open() {
    let guest = Guest::new().on(HEADERS, |code| {
        let reply = [Num(403), text(""), text("no"), Pairs(&[]), Num(u32::MAX)];
        code.call("proxy_send_local_response", &reply).trap();
    });
    let mut host = Host::builder(&guest.module())
        .failure_policy(FailurePolicy::Open)
        .build()
        .unwrap();
    let refused = host.request(Request::get("a.test", "/")).outcome;
    assert!(
        matches!(
            refused,
            Outcome::Failed {
                reply_status: 503,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(host.request(Request::get("a.test", "/")).forwarded().is_some());
}

#[test]
fn a_trap_while_the_headers_of_the_response_are_held_is_still_told_to_the_client() {
    let guest = Guest::new()
        .on("proxy_on_response_headers", |code| {
            code.returns(1);
        })
        .on("proxy_on_response_body", |code| {
            code.trap();
        });
    let mut host = Host::builder(&guest.module())
        .allow_headers_stop_iteration(true)
        .build()
        .unwrap();
    let exchange = host.exchange(Request::get("a.test", "/"), Response::new(200).body("b"));
    assert!(
        matches!(
            exchange.outcome,
            Outcome::Failed {
                reply_status: 503,
                ..
            }
        ),
        "{:?}",
        exchange.outcome
    );
}

fn failing(policy: FailurePolicy) -> Host {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_header_map_value", &[Num(0), text("bomb"), Out]);
        code.add("(if (i32.gt_u (i32.load (i32.const 1008)) (i32.const 0)) (then unreachable))\n");
    });
    Host::builder(&guest.module())
        .failure_policy(policy)
        .clock(Clock::virtual_at(1_000))
        .build()
        .unwrap()
}

#[test]
fn the_failure_policy_decides_what_follows_a_trap() {
    let bomb = || Request::get("a.test", "/").header("bomb", "x").body("b");
    let good = || Request::get("a.test", "/").body("b");
    let closed = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Failed {
                reply_status: 503,
                ..
            }
        )
    };

    let mut host = failing(FailurePolicy::Closed);
    assert!(closed(&host.request(bomb()).outcome));
    assert!(closed(&host.request(good()).outcome));

    let mut host = failing(FailurePolicy::Open);
    let known = host.open_stream(BTreeMap::new());
    assert!(closed(&host.request(bomb()).outcome), "the one that took it down");
    assert_eq!(
        host.request(good()).forwarded().unwrap().body,
        b"b",
        "those after it go past"
    );
    let step = host.request_headers(known, good().headers, true);
    assert!(
        matches!(step, Step::Failed { .. }),
        "the module knew of it: {step:?}"
    );

    let mut host = failing(FailurePolicy::Reload);
    assert!(closed(&host.request(bomb()).outcome));
    assert!(closed(&host.request(good()).outcome), "too early");
    host.advance(Duration::from_millis(999)).unwrap_err();
    assert!(closed(&host.request(good()).outcome), "still");
    host.advance(Duration::from_millis(501)).unwrap_err();
    assert!(host.request(good()).forwarded().is_some(), "a new machine");
    assert!(closed(&host.request(bomb()).outcome));
    assert!(closed(&host.request(good()).outcome), "it was made just now");
}

#[test]
fn a_stream_of_the_old_machine_is_not_shown_to_the_new_one() {
    let mut host = failing(FailurePolicy::Reload);
    let old = host.open_stream(BTreeMap::new());
    host.request(Request::get("a.test", "/").header("bomb", "x"));
    host.advance(Duration::from_millis(1_500)).unwrap_err();
    assert!(host.request(Request::get("a.test", "/")).forwarded().is_some());
    assert_eq!(
        host.request_headers(old, Request::get("a.test", "/").headers, true),
        Step::Reset
    );
}

#[test]
fn fuel_ends_a_module_that_never_returns_and_measures_one_that_does() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.add("(loop $forever (br $forever))\n");
    });
    let limits = Limits {
        fuel: Some(100_000),
        ..Limits::default()
    };
    let mut host = Host::builder(&guest.module()).limits(limits).build().unwrap();
    let outcome = host.request(Request::get("a.test", "/")).outcome;
    assert!(
        matches!(&outcome, Outcome::Failed { reason, .. } if reason.contains("fuel")),
        "{outcome:?}"
    );

    let mut host = Guest::new()
        .on(HEADERS, |code| {
            code.say("x");
        })
        .host();
    let first = host.request(Request::get("a.test", "/"));
    let second = host.request(Request::get("a.test", "/"));
    assert!(first.fuel > 0);
    assert_eq!((first.fuel, first.host_calls), (second.fuel, 1));
}

#[test]
fn memory_ends_where_the_limit_says() {
    let grow = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))\n";
    let guest = Guest::new().on(HEADERS, |code| {
        code.add(grow);
    });
    let limits = Limits {
        memory: 100 * 64 * 1024,
        ..Limits::default()
    };
    let mut host = Host::builder(&guest.module()).limits(limits).build().unwrap();
    assert!(matches!(
        host.request(Request::get("a.test", "/")).outcome,
        Outcome::Failed { .. }
    ));
    let mut host = guest.host();
    assert!(host.request(Request::get("a.test", "/")).forwarded().is_some());
    assert_eq!(host.memory_bytes(), 140 * 64 * 1024);
}

#[test]
fn two_streams_of_one_machine_are_kept_apart() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out])
            .show()
            .returns(1);
    });
    let mut host = guest.host();
    let first = host.open_stream(BTreeMap::new());
    let second = host.open_stream(BTreeMap::new());
    assert_eq!(
        host.request_headers(second, Request::get("a.test", "/second").headers, true),
        Step::Paused
    );
    assert_eq!(
        host.request_headers(first, Request::get("a.test", "/first").headers, true),
        Step::Paused
    );
    assert_eq!(lines(&mut host), ["0", "/second", "0", "/first"]);
    assert_eq!(
        host.forwarded_request(second).header(":path"),
        Some(&b"/second"[..])
    );
    host.finish(first);
    assert_eq!(host.poll(second), Step::Paused);
}
