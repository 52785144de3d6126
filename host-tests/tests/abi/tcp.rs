//! TCP connections: every callback, what is held, let go and changed, and how a connection ends.

use std::collections::BTreeMap;
use std::time::Duration;

use scopegate_host_tests::{
    Answer, Clock, CloseType, Connection, FailurePolicy, Host, Profile, TcpOutcome, TcpStep,
};

use crate::guest::Arg::{Num, Out, OutNumber, Pairs};
use crate::guest::{Code, Guest, lines, text};

const NEW: &str = "proxy_on_new_connection";
const DOWNSTREAM: &str = "proxy_on_downstream_data";
const UPSTREAM: &str = "proxy_on_upstream_data";
const DOWNSTREAM_BUFFER: u32 = 2;
const UPSTREAM_BUFFER: u32 = 3;
const DOWNSTREAM_STREAM: u32 = 2;
const UPSTREAM_STREAM: u32 = 3;

fn none() -> BTreeMap<Vec<u8>, Vec<u8>> {
    BTreeMap::new()
}

fn say(code: &mut Code<'_>, name: &str, params: usize) {
    code.say(name);
    for position in 0..params {
        code.param(position);
    }
}

fn buffer(code: &mut Code<'_>, buffer: u32) {
    code.call("proxy_get_buffer_bytes", &[Num(buffer), Num(0), Num(99), Out])
        .show();
}

/// Tells of every callback, and of what can be read in it.
fn listening() -> Guest {
    Guest::new()
        .on("proxy_on_context_create", |code| say(code, "create", 2))
        .on(NEW, |code| say(code, "new", 1))
        .on(DOWNSTREAM, |code| {
            say(code, "down", 3);
            buffer(code, DOWNSTREAM_BUFFER);
            buffer(code, UPSTREAM_BUFFER);
        })
        .on(UPSTREAM, |code| {
            say(code, "up", 3);
            buffer(code, UPSTREAM_BUFFER);
            buffer(code, DOWNSTREAM_BUFFER);
        })
        .on("proxy_on_downstream_connection_close", |code| {
            say(code, "down-close", 2)
        })
        .on("proxy_on_upstream_connection_close", |code| {
            say(code, "up-close", 2)
        })
        .on("proxy_on_done", |code| say(code, "done", 1))
        .on("proxy_on_log", |code| say(code, "log", 1))
        .on("proxy_on_delete", |code| say(code, "delete", 1))
}

#[test]
fn a_connection_is_told_from_its_first_to_its_last_callback() {
    let mut host = listening().host();
    lines(&mut host);
    let connection = Connection::new()
        .client("ping")
        .upstream("pong")
        .client_ends()
        .upstream_ends();
    let exchange = host.connection(connection);
    assert_eq!(
        lines(&mut host).join(" "),
        "create 2 1 new 2 down 2 4 0 0 ping 0  up 2 4 0 0 pong 0  down 2 0 1 0  0  up 2 0 1 0  0  up-close 2 0 \
         down-close 2 2 done 2 log 2 delete 2"
    );
    assert_eq!(exchange.outcome, TcpOutcome::Ended);
    assert_eq!(
        (&exchange.passed.upstream[..], &exchange.passed.downstream[..]),
        (&b"ping"[..], &b"pong"[..])
    );
    assert_eq!(host.open_streams(), 0);
    assert!(exchange.host_calls > 10 && exchange.fuel > 0);
}

#[test]
fn a_module_without_callbacks_lets_everything_through() {
    let mut host = Guest::new().host();
    let exchange = host.connection(Connection::new().client("a").upstream("b").client("c"));
    assert_eq!(
        (&exchange.passed.upstream[..], &exchange.passed.downstream[..]),
        (&b"ac"[..], &b"b"[..])
    );
}

#[test]
fn what_is_held_is_shown_again_with_what_came_since() {
    // Holds until there are four bytes.
    let until_four = "(if (i32.lt_u (local.get 1) (i32.const 4)) (then (return (i32.const 1))))";
    for (callback, side) in [(DOWNSTREAM, DOWNSTREAM_BUFFER), (UPSTREAM, UPSTREAM_BUFFER)] {
        let guest = Guest::new().on(callback, |code| {
            code.param(1);
            buffer(code, side);
            code.add(until_four);
        });
        let mut host = guest.host();
        let (id, _) = host.open_connection(none());
        let mut give = |data: &[u8]| match side {
            DOWNSTREAM_BUFFER => host.downstream_data(id, data, false),
            _ => host.upstream_data(id, data, false),
        };
        assert_eq!([give(b"ab"), give(b"c")], [TcpStep::Paused, TcpStep::Paused]);
        assert_eq!([give(b"de"), give(b"f")], [TcpStep::Continue, TcpStep::Paused]);
        let passed = host.passed(id);
        let (whole, other) = match side {
            DOWNSTREAM_BUFFER => (passed.upstream, passed.downstream),
            _ => (passed.downstream, passed.upstream),
        };
        assert_eq!((whole, other), (b"abcde".to_vec(), Vec::new()), "{callback}");
        assert_eq!(lines(&mut host).join(" "), "2 0 ab 3 0 abc 5 0 abcde 1 0 f");
    }
}

#[test]
fn a_held_client_is_let_go_by_name_and_an_upstream_cannot_be() {
    let guest = Guest::new()
        .on("proxy_on_configure", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(100)]);
        })
        .on(NEW, |code| {
            code.returns(1);
        })
        .on(DOWNSTREAM, |code| {
            code.returns(1);
        })
        .on(UPSTREAM, |code| {
            code.returns(1);
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_set_effective_context", &[Num(2)]);
            code.call("proxy_continue_stream", &[Num(UPSTREAM_STREAM)]);
            code.call("proxy_continue_stream", &[Num(DOWNSTREAM_STREAM)]);
            buffer(code, DOWNSTREAM_BUFFER);
        });
    let mut host = guest.host();
    let (id, step) = host.open_connection(none());
    assert_eq!(step, TcpStep::Paused);
    assert_eq!(host.poll_connection(id), TcpStep::Paused);
    assert_eq!(host.downstream_data(id, b"ab", false), TcpStep::Paused);
    assert_eq!(host.upstream_data(id, b"xy", false), TcpStep::Paused);
    assert_eq!(host.passed(id).upstream, b"");
    lines(&mut host);
    host.tick().unwrap();
    assert_eq!(lines(&mut host).join(" "), "0 12 0 0 ab");
    assert_eq!(host.poll_connection(id), TcpStep::Continue);
    let passed = host.passed(id);
    assert_eq!(
        (&passed.upstream[..], &passed.downstream[..]),
        (&b"ab"[..], &b""[..])
    );
    assert_eq!(
        host.downstream_data(id, b"c", false),
        TcpStep::Paused,
        "what is new is held anew"
    );
}

#[test]
fn a_connection_waits_for_a_callout_and_goes_on_with_its_answer() {
    let guest = Guest::new()
        .on(NEW, |code| {
            let headers = [(":method", "GET"), (":path", "/"), (":authority", "idp.test")];
            let args = [
                text("idp"),
                Pairs(&headers),
                text(""),
                Pairs(&[]),
                Num(1000),
                OutNumber,
            ];
            code.call("proxy_http_call", &args).returns(1);
        })
        .on(DOWNSTREAM, |code| {
            code.returns(1);
        })
        .on("proxy_on_http_call_response", |code| {
            code.call("proxy_set_effective_context", &[Num(2)]);
            code.call("proxy_continue_stream", &[Num(DOWNSTREAM_STREAM)]);
        });
    let host = |answer: Answer| {
        Host::builder(&guest.module())
            .clock(Clock::virtual_at(7))
            .upstream("idp", move |_| answer.clone())
            .build()
            .unwrap()
    };
    let outcome = host(Answer::status(200)).connection(Connection::new()).outcome;
    assert_eq!(outcome, TcpOutcome::Ended);
    let mut host = host(Answer::status(200).after(Duration::from_millis(5)));
    let paused = host.connection(Connection::new().client("early"));
    assert_eq!((paused.outcome, host.open_streams()), (TcpOutcome::Paused, 1));
    assert_eq!(host.resume_connection(paused.stream).outcome, TcpOutcome::Paused);
    host.advance(Duration::from_millis(5)).unwrap();
    let resumed = host.resume_connection(paused.stream);
    assert_eq!(
        (resumed.outcome, &resumed.passed.upstream[..]),
        (TcpOutcome::Ended, &b"early"[..])
    );
    assert_eq!(host.open_streams(), 0);
}

#[test]
fn data_is_changed_before_it_goes_on() {
    let guest = Guest::new()
        .on(DOWNSTREAM, |code| {
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(DOWNSTREAM_BUFFER), Num(0), Num(0), text("<")],
            );
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(DOWNSTREAM_BUFFER), Num(99), Num(0), text(">")],
            );
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(DOWNSTREAM_BUFFER), Num(1), Num(1), text("x")],
            );
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(UPSTREAM_BUFFER), Num(0), Num(0), text("x")],
            );
            code.call("proxy_get_buffer_status", &[Num(DOWNSTREAM_BUFFER), Out])
                .number();
        })
        .on(UPSTREAM, |code| {
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(UPSTREAM_BUFFER), Num(0), Num(99), text("all")],
            );
        })
        .on("proxy_on_log", |code| {
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(DOWNSTREAM_BUFFER), Num(0), Num(0), text("late")],
            );
        });
    let mut host = guest.host();
    let exchange = host.connection(Connection::new().client("ping").upstream("pong"));
    assert_eq!(
        (&exchange.passed.upstream[..], &exchange.passed.downstream[..]),
        (&b"<ping>"[..], &b"all"[..])
    );
    assert_eq!(lines(&mut host).join(" "), "0 0 2 2 0 6 0 2");
}

#[test]
fn closing_either_side_closes_the_connection_by_the_proxy() {
    for stream in [DOWNSTREAM_STREAM, UPSTREAM_STREAM] {
        let guest = Guest::new()
            .on(DOWNSTREAM, |code| {
                code.call("proxy_close_stream", &[Num(stream)]);
                code.say("still here");
            })
            .on("proxy_on_downstream_connection_close", |code| {
                say(code, "close", 2)
            })
            .on("proxy_on_done", |code| say(code, "done", 1))
            .on("proxy_on_log", |code| say(code, "log", 1))
            .on("proxy_on_delete", |code| say(code, "delete", 1));
        let mut host = guest.host();
        let exchange = host.connection(Connection::new().client("ping").client("more"));
        assert_eq!(exchange.outcome, TcpOutcome::Closed);
        assert_eq!(
            lines(&mut host).join(" "),
            "0 still here close 2 1 done 2 log 2 delete 2",
            "nothing after the end"
        );
        assert_eq!(
            exchange.passed.upstream, b"",
            "what was shown when it closed is lost"
        );
    }
}

#[test]
fn what_is_for_requests_has_no_effect_on_a_connection() {
    let guest = Guest::new().on(NEW, |code| {
        for stream in [0, 1] {
            code.call("proxy_close_stream", &[Num(stream)]);
            code.call("proxy_continue_stream", &[Num(stream)]);
        }
        code.call(
            "proxy_send_local_response",
            &[Num(403), text(""), text("no"), Pairs(&[]), Num(u32::MAX)],
        );
        code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out]);
        code.call("proxy_close_stream", &[Num(4)]);
        code.call("proxy_continue_stream", &[Num(4)]);
    });
    let mut host = guest.host();
    let exchange = host.connection(Connection::new().client("ping"));
    assert_eq!(
        (exchange.outcome, &exchange.passed.upstream[..]),
        (TcpOutcome::Ended, &b"ping"[..])
    );
    assert_eq!(lines(&mut host).join(" "), "0 0 0 0 0 2 2 2");
}

#[test]
fn who_closed_is_told_and_a_client_may_stay() {
    for (by, expected, outcome) in [
        (CloseType::Unknown, "down-close 2 0", TcpOutcome::Ended),
        (CloseType::Local, "down-close 2 1", TcpOutcome::Closed),
        (CloseType::Remote, "down-close 2 2", TcpOutcome::Ended),
    ] {
        let mut host = listening().host();
        let exchange = host.connection(Connection::new().closed(by).client("never said"));
        assert_eq!(exchange.outcome, outcome);
        let told = lines(&mut host).join(" ");
        assert!(told.contains(expected) && !told.contains("never said"), "{told}");
    }
    let mut host = listening().host();
    let exchange = host.connection(Connection::new().stays_open());
    assert_eq!((exchange.outcome, host.open_streams()), (TcpOutcome::Open, 1));
    host.close_upstream(exchange.stream, CloseType::Remote);
    lines(&mut host);
    host.finish(exchange.stream);
    assert_eq!(lines(&mut host).join(" "), "down-close 2 2 done 2 log 2 delete 2");
    assert_eq!(
        host.downstream_data(exchange.stream, b"x", false),
        TcpStep::Closed
    );
    assert_eq!(host.poll_connection(exchange.stream), TcpStep::Closed);
}

#[test]
fn properties_are_those_of_a_connection() {
    let guest = Guest::new().on(NEW, |code| {
        code.call("proxy_get_property", &[text("source\0address"), Out])
            .show();
        code.call("proxy_get_property", &[text("destination\0address"), Out])
            .show();
        code.call("proxy_get_property", &[text("request\0path"), Out]);
        code.call("proxy_set_property", &[text("mine"), text("set")]);
    });
    let mut host = guest.host();
    let exchange = host.connection(Connection::new().property("destination.address", "10.0.0.1:5432"));
    assert_eq!(
        lines(&mut host).join(" "),
        "0 127.0.0.1:40000 0 10.0.0.1:5432 1 0"
    );
    assert_eq!(exchange.properties.get(&b"mine"[..]), Some(&b"set".to_vec()));
}

#[test]
fn a_module_that_fails_closes_the_connection_or_lets_it_through() {
    let guest = Guest::new().on(DOWNSTREAM, |code| {
        code.trap();
    });
    let run = |policy| {
        let mut host = Host::builder(&guest.module())
            .failure_policy(policy)
            .clock(Clock::virtual_at(1_000))
            .build()
            .unwrap();
        let first = host.connection(Connection::new().client("ping").client("pong"));
        // Long enough for a new machine.
        let _ = host.advance(Duration::from_secs(2));
        (first, host.connection(Connection::new()).outcome)
    };
    let (first, second) = run(FailurePolicy::Closed);
    assert!(matches!(first.outcome, TcpOutcome::Failed { .. }));
    assert!(matches!(second, TcpOutcome::Failed { .. }), "the machine is gone");
    assert_eq!(first.passed.upstream, b"");
    let (first, second) = run(FailurePolicy::Open);
    assert!(matches!(first.outcome, TcpOutcome::Failed { .. }));
    assert_eq!(first.passed.upstream, b"");
    assert_eq!(second, TcpOutcome::Ended, "a later one goes past it");
    let (first, second) = run(FailurePolicy::Reload);
    assert!(matches!(first.outcome, TcpOutcome::Failed { .. }));
    assert_eq!(second, TcpOutcome::Ended, "a new machine");
}

#[test]
fn nginx_shows_no_connections() {
    let mut host = Host::builder(&listening().module())
        .profile(Profile::Nginx)
        .build()
        .unwrap();
    lines(&mut host);
    let exchange = host.connection(Connection::new().client("ping").upstream("pong"));
    assert_eq!(
        (exchange.outcome, &exchange.passed.downstream[..]),
        (TcpOutcome::Ended, &b"pong"[..])
    );
    assert_eq!(lines(&mut host), Vec::<String>::new());
}

#[test]
fn an_extension_of_the_proxy_calls_back_with_an_argument() {
    let guest = |abi| {
        Guest::of(abi).on("proxy_on_foreign_function", |code| {
            code.param(0).param(1).param(2);
            code.call("proxy_get_buffer_bytes", &[Num(8), Num(0), Num(99), Out])
                .show();
            code.call("proxy_set_buffer_bytes", &[Num(8), Num(0), Num(0), text("x")]);
        })
    };
    let mut host = guest("proxy_abi_version_0_2_1").host();
    host.call_foreign(7, "argument").unwrap();
    assert_eq!(lines(&mut host).join(" "), "1 7 8 0 argument 2");
    let mut host = guest("proxy_abi_version_0_1_0").host();
    host.call_foreign(7, "argument").unwrap();
    assert_eq!(lines(&mut host), Vec::<String>::new());
}
