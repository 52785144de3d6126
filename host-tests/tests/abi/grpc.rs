//! gRPC callouts: calls, streams, their answers, and how they end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scopegate_host_tests::{
    Clock, FailurePolicy, GrpcAnswer, GrpcCallout, GrpcEvent, GrpcKind, Host, Outcome, Profile, Request,
};

use crate::guest::Arg::{Num, Out, OutNumber, OutSecond, Pairs, Param};
use crate::guest::{Code, Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";
const INITIAL: u32 = 4;
const TRAILING: u32 = 5;
const MESSAGE: u32 = 5;

fn call(code: &mut Code<'_>, service: &str, timeout: u32) {
    let args = [
        text(service),
        text("test.Echo"),
        text("Say"),
        Pairs(&[("authorization", "hush")]),
        text("ping"),
        Num(timeout),
        OutNumber,
    ];
    code.call("proxy_grpc_call", &args).number();
}

fn stream(code: &mut Code<'_>, service: &str) {
    let args = [
        text(service),
        text("test.Echo"),
        text("Chat"),
        Pairs(&[]),
        OutNumber,
    ];
    code.call("proxy_grpc_stream", &args).number();
}

fn say_params(code: &mut Code<'_>, name: &str) {
    code.say(name).param(0).param(1).param(2);
}

/// Tells of every callback, with what can be read in it.
fn listening(guest: Guest) -> Guest {
    guest
        .on("proxy_on_grpc_receive_initial_metadata", |code| {
            say_params(code, "initial");
            code.call(
                "proxy_get_header_map_value",
                &[Num(INITIAL), text("content-type"), Out],
            );
        })
        .on("proxy_on_grpc_receive", |code| {
            say_params(code, "message");
            code.call("proxy_get_buffer_bytes", &[Num(MESSAGE), Num(0), Num(99), Out])
                .show();
        })
        .on("proxy_on_grpc_receive_trailing_metadata", |code| {
            say_params(code, "trailing");
            code.call(
                "proxy_get_header_map_value",
                &[Num(TRAILING), text("grpc-status"), Out],
            );
        })
        .on("proxy_on_grpc_close", |code| {
            say_params(code, "close");
            code.call("proxy_get_status", &[OutSecond, Out]).show();
        })
}

fn caller() -> Guest {
    listening(Guest::new().on(HEADERS, |code| call(code, "echo", 0)))
}

fn streamer() -> Guest {
    listening(Guest::new().on(HEADERS, |code| stream(code, "echo")))
}

fn told(guest: &Guest, answer: GrpcAnswer) -> String {
    let mut host = Host::builder(&guest.module())
        .grpc_upstream("echo", move |_| answer.clone())
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    lines(&mut host).join(" ")
}

#[test]
fn a_call_is_told_its_message_or_its_status_and_nothing_else() {
    for (answer, expected) in [
        (GrpcAnswer::reply("pong"), "0 5 message 1 5 4 0 pong"),
        (GrpcAnswer::reply(""), "0 5 message 1 5 0 0 "),
        (GrpcAnswer::status(7, "no"), "0 5 close 1 5 7 0 no{via_upstream}"),
        (
            GrpcAnswer::new().message("half").end(8, ""),
            "0 5 close 1 5 8 0 via_upstream",
        ),
        (GrpcAnswer::status(0, ""), "0 5 close 1 5 13 0 "),
        (GrpcAnswer::new(), "0 5"),
    ] {
        let text = format!("{answer:?}");
        assert_eq!(told(&caller(), answer), expected, "{text}");
    }
}

#[test]
fn a_stream_is_told_everything_in_order() {
    let answer = GrpcAnswer::new()
        .headers([("a", "b")])
        .message("one")
        .message("two")
        .end_with(0, "", [("c", "d")]);
    let expected = "0 6 initial 1 6 3 0 message 1 6 3 0 one message 1 6 3 0 two \
                    trailing 1 6 2 0 close 1 6 0 0 via_upstream";
    assert_eq!(told(&streamer(), answer), expected);
}

#[test]
fn an_end_with_nothing_before_it_comes_in_the_headers() {
    let expected = "0 6 initial 1 6 0 1 trailing 1 6 4 0 close 1 6 5 0 gone{via_upstream}";
    assert_eq!(told(&streamer(), GrpcAnswer::status(5, "gone")), expected);
}

#[test]
fn what_breaks_is_closed_with_a_status_of_the_hosts() {
    let before = told(&streamer(), GrpcAnswer::failure());
    assert!(
        before.contains("trailing 1 6 4 0 close 1 6 14 0 upstream connect error"),
        "{before}"
    );
    let after = told(
        &streamer(),
        GrpcAnswer::new().message("one").step(GrpcEvent::Reset),
    );
    assert!(
        after.contains("trailing 1 6 0 1 close 1 6 13 0 upstream_reset_after"),
        "{after}"
    );
    for (http, status) in [
        (400, 13),
        (401, 16),
        (403, 7),
        (404, 12),
        (429, 14),
        (503, 14),
        (500, 2),
    ] {
        let told = told(&streamer(), GrpcAnswer::new().step(GrpcEvent::Http(http)));
        assert!(told.contains(&format!("close 1 6 {status} 0")), "{http}: {told}");
    }
    let no_grpc = told(&streamer(), GrpcAnswer::new().step(GrpcEvent::Http(200)));
    assert_eq!(
        no_grpc,
        "0 6 initial 1 6 1 1 trailing 1 6 0 1 close 1 6 13 0 via_upstream"
    );
    assert!(told(&caller(), GrpcAnswer::failure()).starts_with("0 5 close 1 5 14 0 upstream connect"));
}

#[test]
fn the_upstream_sees_the_whole_question() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&seen);
    let record = move |callout: &GrpcCallout| {
        store.lock().unwrap().push(callout.clone());
        GrpcAnswer::new()
    };
    let guest = Guest::new().on(HEADERS, |code| call(code, "echo", 250));
    let mut host = Host::builder(&guest.module())
        .grpc_upstream("echo", record)
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    let seen = seen.lock().unwrap().clone();
    let expected = GrpcCallout {
        token: 5,
        kind: GrpcKind::Call,
        upstream: "echo".to_owned(),
        service: "test.Echo".to_owned(),
        method: "Say".to_owned(),
        metadata: vec![(b"authorization".to_vec(), b"hush".to_vec())],
        messages: vec![b"ping".to_vec()],
        ended: true,
        timeout_ms: 250,
    };
    assert_eq!(seen, std::slice::from_ref(&expected));
    assert_eq!(host.grpc_callouts(), [expected]);
    assert!(
        !format!("{seen:?}").contains("hush"),
        "no credential in a debug text"
    );
}

#[test]
fn numbers_tell_calls_streams_and_http_apart() {
    let guest = Guest::new().on(HEADERS, |code| {
        call(code, "echo", 0);
        stream(code, "echo");
        call(code, "echo", 0);
        stream(code, "echo");
    });
    assert_eq!(told(&guest, GrpcAnswer::new()), "0 5 0 6 0 9 0 10");
}

#[test]
fn an_unknown_upstream_is_a_parse_failure_by_name_and_an_end_by_message() {
    let by_name = listening(Guest::new().on(HEADERS, |code| {
        call(code, "nobody", 0);
        stream(code, "nobody");
    }));
    assert_eq!(told(&by_name, GrpcAnswer::new()), "4 0 4 0");
    let by_message = listening(Guest::new().on(HEADERS, |code| {
        call(code, "\x0a\x08\x0a\x06nobody", 0);
        code.call("proxy_grpc_cancel", &[Num(5)]);
    }));
    assert_eq!(
        told(&by_message, GrpcAnswer::new()),
        "10 0 1 close 1 5 14 0 Cluster not available"
    );
}

#[test]
fn a_service_may_be_a_message_and_must_name_a_target_then() {
    let guest = listening(Guest::new().on(HEADERS, |code| call(code, "\x0a\x06\x0a\x04echo", 0)));
    assert_eq!(
        told(&guest, GrpcAnswer::reply("pong")),
        "0 5 message 1 5 4 0 pong"
    );
    let guest = Guest::new().on(HEADERS, |code| call(code, "", 0));
    let outcome = guest.host().request(Request::get("a.test", "/")).outcome;
    assert!(matches!(&outcome, Outcome::Failed { reason, .. } if reason.contains("names no target")));
}

#[test]
fn what_is_sent_on_a_stream_is_answered_as_it_comes() {
    let guest = listening(Guest::new().on(HEADERS, |code| {
        stream(code, "echo");
        code.call("proxy_grpc_send", &[Num(6), text("one"), Num(0)]);
        code.call("proxy_grpc_send", &[Num(6), text("two"), Num(1)]);
        code.call("proxy_grpc_send", &[Num(10), text("x"), Num(0)]);
        code.call("proxy_grpc_send", &[Num(5), text("x"), Num(0)]);
        code.call("proxy_grpc_send", &[Num(6), Num(u32::MAX), Num(1), Num(0)]);
    }));
    let echo = |callout: &GrpcCallout| match (callout.messages.last(), callout.ended) {
        (None, _) => GrpcAnswer::new(),
        (Some(message), false) => GrpcAnswer::new().message(message),
        (Some(message), true) => GrpcAnswer::new().message(message).end(0, ""),
    };
    let mut host = Host::builder(&guest.module())
        .grpc_upstream("echo", echo)
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    assert_eq!(
        lines(&mut host).join(" "),
        "0 6 0 0 1 2 6 initial 1 6 2 0 message 1 6 3 0 one message 1 6 3 0 two trailing 1 6 1 0 close 1 6 0 0 \
         via_upstream"
    );
}

/// A host whose module opens a call and a stream, and then does something in each tick.
fn ticking(tick: impl FnOnce(&mut Code<'_>), answer: GrpcAnswer) -> Host {
    let guest = listening(
        Guest::new()
            .on("proxy_on_configure", |code| {
                call(code, "echo", 0);
                stream(code, "echo");
                code.call("proxy_set_tick_period_milliseconds", &[Num(1000)]);
            })
            .on("proxy_on_tick", tick),
    );
    Host::builder(&guest.module())
        .clock(Clock::virtual_at(7))
        .grpc_upstream("echo", move |_| answer.clone())
        .build()
        .unwrap()
}

#[test]
fn what_was_cancelled_is_not_heard_of_again() {
    let cancel = |code: &mut Code<'_>| {
        for token in [5, 6, 5, 6, 4, 7] {
            code.call("proxy_grpc_cancel", &[Num(token)]);
        }
        code.call("proxy_grpc_send", &[Num(6), text("x"), Num(0)]);
    };
    let mut host = ticking(
        cancel,
        GrpcAnswer::new()
            .after(Duration::from_secs(2))
            .message("m")
            .end(0, ""),
    );
    assert_eq!(host.grpc_callouts().len(), 2);
    lines(&mut host);
    host.tick().unwrap();
    assert_eq!(lines(&mut host).join(" "), "0 0 1 1 2 2 1");
    assert_eq!(host.grpc_callouts(), []);
    host.answer_grpc(5, GrpcAnswer::reply("late")).unwrap();
    host.answer_grpc(6, GrpcAnswer::reply("late")).unwrap();
    assert_eq!(lines(&mut host), Vec::<String>::new());
}

#[test]
fn a_call_that_is_closed_is_cancelled_and_a_stream_goes_on_until_the_other_side_ends() {
    let close = |code: &mut Code<'_>| {
        for token in [5, 6, 5, 6, 4] {
            code.call("proxy_grpc_close", &[Num(token)]);
        }
    };
    let mut host = ticking(close, GrpcAnswer::new());
    lines(&mut host);
    host.tick().unwrap();
    assert_eq!(lines(&mut host).join(" "), "0 0 1 0 2");
    let open = host.grpc_callouts();
    assert_eq!((open.len(), open[0].token, open[0].ended), (1, 6, true));
    host.answer_grpc(6, GrpcAnswer::reply("still")).unwrap();
    assert!(lines(&mut host).join(" ").contains("message 1 6 5 0 still"));
    assert_eq!(host.grpc_callouts(), [], "both sides have closed");
}

#[test]
fn a_stream_that_the_upstream_ended_is_known_until_the_module_closes_it() {
    let send_and_close = |code: &mut Code<'_>| {
        code.call("proxy_grpc_send", &[Num(6), text("x"), Num(0)]);
        code.call("proxy_grpc_close", &[Num(6)]);
        code.call("proxy_grpc_close", &[Num(6)]);
    };
    let mut host = ticking(send_and_close, GrpcAnswer::new());
    host.answer_grpc(6, GrpcAnswer::reply("m")).unwrap();
    lines(&mut host);
    host.answer_grpc(6, GrpcAnswer::reply("after the end")).unwrap();
    assert_eq!(lines(&mut host), Vec::<String>::new());
    host.tick().unwrap();
    assert_eq!(lines(&mut host).join(" "), "0 0 1");
}

#[test]
fn late_answers_and_time_outs_come_at_their_instants() {
    let guest = listening(
        Guest::new()
            .on("proxy_on_configure", |code| {
                call(code, "slow", 1500);
                call(code, "slow", 5000);
                call(code, "slow", 0);
            })
            .on(HEADERS, |code| {
                code.param(0);
            }),
    );
    let mut host = Host::builder(&guest.module())
        .clock(Clock::virtual_at(7))
        .grpc_upstream("slow", |_| {
            GrpcAnswer::new()
                .after(Duration::from_secs(2))
                .message("late")
                .end(0, "")
        })
        .build()
        .unwrap();
    assert_eq!(lines(&mut host).join(" "), "0 5 0 9 0 13");
    host.advance(Duration::from_millis(1_499)).unwrap();
    assert_eq!(lines(&mut host), Vec::<String>::new());
    host.advance(Duration::from_millis(1)).unwrap();
    let timed_out = lines(&mut host).join(" ");
    assert!(
        timed_out.starts_with("close 1 5 14 0 upstream request timeout"),
        "{timed_out}"
    );
    host.advance(Duration::from_millis(500)).unwrap();
    assert_eq!(
        lines(&mut host).join(" "),
        "message 1 9 4 0 late message 1 13 4 0 late"
    );
    assert_eq!(host.grpc_callouts(), []);
}

#[test]
fn what_was_read_of_a_callout_is_gone_after_the_callback() {
    let guest = Guest::new()
        .on(HEADERS, |code| stream(code, "echo"))
        .on("proxy_on_grpc_receive_initial_metadata", |code| {
            code.call("proxy_get_header_map_value", &[Num(TRAILING), text("a"), Out]);
            code.call(
                "proxy_add_header_map_value",
                &[Num(INITIAL), text("a"), text("b")],
            );
            code.call("proxy_get_header_map_size", &[Num(INITIAL), OutNumber]);
            code.call("proxy_get_buffer_status", &[Num(MESSAGE), Out])
                .number();
        })
        .on("proxy_on_grpc_close", |code| {
            code.call("proxy_get_header_map_value", &[Num(INITIAL), text("a"), Out]);
            code.call("proxy_get_header_map_value", &[Num(TRAILING), text("a"), Out]);
            code.call("proxy_get_buffer_bytes", &[Num(MESSAGE), Num(0), Num(9), Out])
                .second();
            code.call("proxy_get_header_map_pairs", &[Num(INITIAL), Out])
                .second();
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_get_status", &[OutNumber, OutSecond, Num(1016)])
                .number();
        });
    assert_eq!(told(&guest, GrpcAnswer::reply("m")), "0 6 2 2 2 0 0 2 2 0 0 0 0");
}

#[test]
fn the_status_of_the_last_end_stays_without_its_text() {
    let guest = listening(
        Guest::new()
            .on("proxy_on_configure", |code| {
                call(code, "echo", 0);
                code.call("proxy_set_tick_period_milliseconds", &[Num(1000)]);
            })
            .on("proxy_on_tick", |code| {
                code.call("proxy_get_status", &[Num(1016), Out]).second();
                code.add("(call $print (i64.extend_i32_u (i32.load (i32.const 1016))))\n");
            }),
    );
    let mut host = Host::builder(&guest.module())
        .grpc_upstream("echo", |_| GrpcAnswer::status(9, "text"))
        .build()
        .unwrap();
    host.tick().unwrap();
    let told = lines(&mut host).join(" ");
    assert!(told.ends_with("0 0 0 close 1 5 9 0 text{via_upstream}"), "{told}");
    host.tick().unwrap();
    assert_eq!(lines(&mut host).join(" "), "0 0 9");
}

#[test]
fn a_module_may_cancel_a_callout_from_within_its_own_answer() {
    let guest = Guest::new()
        .on(HEADERS, |code| stream(code, "echo"))
        .on("proxy_on_grpc_receive", |code| {
            code.say("message").call("proxy_grpc_cancel", &[Param(1)]);
        })
        .on("proxy_on_grpc_close", |code| {
            code.say("close");
        });
    let answer = GrpcAnswer::new().message("one").message("two").end(0, "");
    assert_eq!(told(&guest, answer), "0 6 message 0");
}

#[test]
fn nginx_has_no_grpc() {
    let nginx = |guest: &Guest| {
        let mut host = Host::builder(&guest.module())
            .profile(Profile::Nginx)
            .build()
            .unwrap();
        host.request(Request::get("a.test", "/")).outcome
    };
    let send = Guest::new().on(HEADERS, |code| {
        code.call("proxy_grpc_send", &[Num(6), text("x"), Num(0)]);
    });
    let cancel = Guest::new().on(HEADERS, |code| {
        code.call("proxy_grpc_cancel", &[Num(5)]);
    });
    let close = Guest::new().on(HEADERS, |code| {
        code.call("proxy_grpc_close", &[Num(5)]);
    });
    for guest in [caller(), streamer(), send, cancel, close] {
        assert!(matches!(nginx(&guest), Outcome::Failed { .. }));
    }
}

#[test]
fn a_new_machine_hears_nothing_of_what_the_old_one_asked() {
    let guest = listening(Guest::new().on(HEADERS, |code| stream(code, "echo")).on(
        "proxy_on_request_body",
        |code| {
            code.trap();
        },
    ));
    let mut host = Host::builder(&guest.module())
        .failure_policy(FailurePolicy::Reload)
        .clock(Clock::virtual_at(7))
        .grpc_upstream("echo", |_| GrpcAnswer::new())
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/").body("trap"));
    assert!(host.failure().is_some());
    let old = host.grpc_callouts()[0].token;
    // The new machine comes after a while.
    host.clock().advance(60);
    host.request(Request::get("a.test", "/"));
    assert_eq!(host.failure(), None);
    assert_eq!(host.grpc_callouts().len(), 1, "that of the new machine");
    lines(&mut host);
    host.answer_grpc(old, GrpcAnswer::reply("late")).unwrap();
    assert_eq!(lines(&mut host), Vec::<String>::new());
}
