//! HTTP callouts and their answers.

use std::time::Duration;

use scopegate_host_tests::{
    Answer, Callout, Clock, FailurePolicy, Host, LocalUpstreams, Outcome, Profile, Request, Response, Step,
};

use crate::guest::Arg::{Num, Out, OutNumber, Pairs};
use crate::guest::{Code, Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";
const WHOLE: &[(&str, &str)] = &[(":method", "GET"), (":path", "/jwks"), (":authority", "idp.test")];

fn http_call(code: &mut Code<'_>, upstream: &str, headers: &[(&str, &str)], timeout: u32) {
    let args = [
        text(upstream),
        Pairs(headers),
        text("body"),
        Pairs(&[]),
        Num(timeout),
        OutNumber,
    ];
    code.call("proxy_http_call", &args).number();
}

/// Calls out, holds the request, and lets it go with the answer.
fn caller() -> Guest {
    Guest::new()
        .on(HEADERS, |code| {
            http_call(code, "idp", WHOLE, 1000);
            code.returns(1);
        })
        .on("proxy_on_http_call_response", |code| {
            for position in 0..5 {
                code.param(position);
            }
            code.call("proxy_get_header_map_value", &[Num(6), text(":status"), Out])
                .show();
            code.call("proxy_get_buffer_bytes", &[Num(4), Num(0), Num(99), Out])
                .show();
            code.call("proxy_get_header_map_value", &[Num(7), text("sum"), Out]);
            code.call("proxy_set_effective_context", &[Num(2)])
                .call("proxy_continue_stream", &[Num(0)]);
        })
}

#[test]
fn an_answer_arrives_at_the_root_context_and_lets_the_request_go() {
    let answer = |callout: &Callout| {
        assert_eq!((callout.upstream.as_str(), callout.timeout_ms), ("idp", 1000));
        assert_eq!(
            (callout.headers.len(), callout.header("content-length")),
            (4, Some(&b"4"[..]))
        );
        Answer::Response(Response::new(200).body("{}").trailer("sum", "1"))
    };
    let mut host = Host::builder(&caller().module())
        .upstream("idp", answer)
        .build()
        .unwrap();
    let exchange = host.request(Request::get("a.test", "/"));
    assert!(exchange.forwarded().is_some(), "{:?}", exchange.outcome);
    let expected = [
        "0", "4", "1", "4", "1", "2", "1", "0", "200", "0", "{}", "0", "0", "0",
    ];
    assert_eq!(lines(&mut host), expected);
    assert_eq!(host.callouts(), []);
}

/// Tells what can be seen of an answer.
fn onlooker() -> Guest {
    Guest::new()
        .on(HEADERS, |code| http_call(code, "idp", WHOLE, 500))
        .on("proxy_on_http_call_response", |code| {
            code.param(2).param(3).param(4);
            code.call("proxy_get_header_map_value", &[Num(6), text(":status"), Out])
                .show();
            code.call("proxy_get_header_map_value", &[Num(6), text("content-type"), Out]);
            code.call("proxy_get_buffer_bytes", &[Num(4), Num(0), Num(99), Out])
                .show();
            code.call("proxy_get_status", &[Num(1016), Out]).show();
        })
}

fn seen(answer: Answer, profile: Profile) -> String {
    let mut host = Host::builder(&onlooker().module())
        .clock(Clock::virtual_at(7))
        .profile(profile)
        .upstream("idp", move |_| answer.clone())
        .build()
        .unwrap();
    let stream = host.request(Request::get("a.test", "/")).stream;
    host.advance(Duration::from_secs(1)).unwrap();
    host.abort(stream);
    lines(&mut host)[2..].join(" ")
}

#[test]
fn envoy_answers_for_an_upstream_that_does_not() {
    const NO_HEADERS: &str = "upstream connect error or disconnect/reset before headers. reset reason:";
    let mut many = Response::new(200);
    for number in 0..100 {
        many = many.header(format!("x-{number}"), "a");
    }
    let too_many = many.clone().header("x-last", "a");
    for (answer, expected) in [
        (
            Answer::Failure,
            format!("3 95 0 0 503 0 0 {NO_HEADERS} connection termination 0 "),
        ),
        (
            Answer::Later,
            "3 24 0 0 504 0 0 upstream request timeout 0 ".to_owned(),
        ),
        (
            Answer::Response(too_many),
            format!("3 87 0 0 502 0 0 {NO_HEADERS} protocol error 0 "),
        ),
        (Answer::Response(many), "101 0 0 0 200 1 0  0 ".to_owned()),
    ] {
        assert_eq!(seen(answer, Profile::Envoy), expected);
    }
}

#[test]
fn a_callout_that_breaks_off_has_no_headers_and_a_status() {
    let cut = || Answer::Truncated(Response::new(200).body("half"));
    // What was shown before stays where it was: there is nothing to show.
    for (answer, profile) in [
        (cut(), Profile::Envoy),
        (cut(), Profile::Spec),
        (Answer::Failure, Profile::Spec),
        (Answer::Later, Profile::Spec),
    ] {
        let seen = seen(answer, profile);
        assert!(
            seen.starts_with("0 0 0 2 ") && seen.ends_with(" 0 reset"),
            "{profile:?}: {seen}"
        );
    }
}

#[test]
fn an_answer_may_come_later_and_only_once() {
    let mut host = Host::builder(&caller().module())
        .upstream("idp", |_| Answer::Later)
        .build()
        .unwrap();
    let paused = host.request(Request::get("a.test", "/"));
    assert_eq!(paused.outcome, Outcome::Paused);
    let token = host.callouts()[0].token;
    host.answer(token + 1, Answer::Failure).unwrap();
    assert_eq!(
        host.resume(paused.stream).outcome,
        Outcome::Paused,
        "an unknown callout"
    );
    host.answer(token, Answer::Response(Response::new(200))).unwrap();
    host.answer(token, Answer::Failure).unwrap();
    assert!(host.resume(paused.stream).forwarded().is_some());
    assert_eq!(lines(&mut host).iter().filter(|line| *line == "200").count(), 1);
}

#[test]
fn an_answer_outlives_the_stream() {
    let guest = Guest::new()
        .on(HEADERS, |code| http_call(code, "idp", WHOLE, 0))
        .on("proxy_on_http_call_response", |code| {
            code.say("answered");
        });
    let mut host = Host::builder(&guest.module())
        .upstream("idp", |_| Answer::Later)
        .build()
        .unwrap();
    assert!(host.request(Request::get("a.test", "/")).forwarded().is_some());
    let token = host.callouts()[0].token;
    host.answer(token, Answer::Failure).unwrap();
    assert_eq!(lines(&mut host), ["0", "4", "answered"]);
}

#[test]
fn a_callout_needs_a_known_upstream_three_headers_and_a_time_that_is_not_negative() {
    let guest = Guest::new().on(HEADERS, |code| {
        http_call(code, "nowhere", WHOLE, 0);
        for left_out in 0..3 {
            let mut headers = WHOLE.to_vec();
            headers.remove(left_out);
            http_call(code, "idp", &headers, 0);
        }
        http_call(code, "idp", WHOLE, u32::MAX);
    });
    let mut host = Host::builder(&guest.module())
        .upstream("idp", |_| Answer::Later)
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["2", "0"].repeat(5));
    assert_eq!(host.callouts(), []);
}

#[test]
fn a_held_request_whose_machine_fails_waits_until_it_is_idle_for_too_long() {
    let guest = Guest::new()
        .on("proxy_on_configure", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(1_000_000_000)]);
        })
        .on(HEADERS, |code| {
            code.call("proxy_get_header_map_value", &[Num(0), text("bomb"), Out]);
            code.add("(if (i32.gt_u (i32.load (i32.const 1008)) (i32.const 0)) (then unreachable))\n");
            http_call(code, "idp", WHOLE, 400_000);
            code.returns(1);
        })
        .on("proxy_on_tick", |code| {
            code.trap();
        })
        .on("proxy_on_http_call_response", |code| {
            code.trap();
        });
    type End = fn(&mut Host);
    let ends: [(&str, End); 3] = [
        ("an answer", |host| {
            let token = host.callouts()[0].token;
            host.answer(token, Answer::Failure).unwrap_err();
        }),
        ("a tick", |host| {
            host.tick().unwrap_err();
        }),
        ("another request", |host| {
            host.request(Request::get("a.test", "/").header("bomb", "x"));
        }),
    ];
    for policy in [FailurePolicy::Closed, FailurePolicy::Open, FailurePolicy::Reload] {
        for (name, end) in ends {
            for (idle, timeout) in [(300, None), (7, Some(Duration::from_secs(7)))] {
                let builder = Host::builder(&guest.module())
                    .failure_policy(policy)
                    .clock(Clock::virtual_at(1_000))
                    .upstream("idp", |_| Answer::Later);
                let builder = timeout
                    .into_iter()
                    .fold(builder, |builder, timeout| builder.stream_idle_timeout(timeout));
                let mut host = builder.build().unwrap();
                let held = host.request(Request::get("a.test", "/"));
                assert_eq!(held.outcome, Outcome::Paused);
                end(&mut host);
                assert!(host.failure().is_some(), "{policy:?} {name}");
                assert_eq!(
                    host.resume(held.stream).outcome,
                    Outcome::Paused,
                    "{policy:?} {name}"
                );
                let _ = host.advance(Duration::from_secs(idle - 1));
                // Where the policy says so, this makes a new machine, which knows nothing of the other.
                let other = host.request(Request::get("a.test", "/"));
                assert_ne!(other.stream, held.stream);
                assert_eq!(host.failure().is_none(), policy == FailurePolicy::Reload);
                assert_eq!(host.poll(held.stream), Step::Paused, "{policy:?} {name}");
                assert_eq!(
                    host.resume(held.stream).outcome,
                    Outcome::Paused,
                    "{policy:?} {name}"
                );
                let ended = host.wait(held.stream, Duration::from_secs(2));
                assert!(
                    matches!(
                        ended.outcome,
                        Outcome::Failed {
                            reply_status: 503,
                            ..
                        }
                    ),
                    "{policy:?} {name}: {:?}",
                    ended.outcome
                );
                host.abort(other.stream);
                assert_eq!(host.open_streams(), 0, "{policy:?} {name}");
            }
        }
    }
}

#[test]
fn upstreams_on_loan_are_changed_while_the_host_runs_and_count_what_they_are_asked() {
    let guest = Guest::new()
        .on(HEADERS, |code| http_call(code, "idp", WHOLE, 0))
        .on("proxy_on_http_call_response", |code| {
            code.call("proxy_get_header_map_value", &[Num(6), text(":status"), Out])
                .show();
        });
    let upstreams = LocalUpstreams::default();
    let mut host = Host::builder(&guest.module())
        .upstreams(&upstreams)
        .build()
        .unwrap();
    let mut ask = || {
        host.request(Request::get("a.test", "/"));
        lines(&mut host)
    };
    assert_eq!(ask()[0], "2", "no such upstream yet");
    upstreams.on("idp", "/other", Answer::status(200));
    assert_eq!(ask()[2..], ["0", "404"]);
    upstreams.document("idp", "/jwks", "{}", "one");
    assert_eq!(ask()[2..], ["0", "200"]);
    upstreams.set_down("idp", true);
    assert_eq!(ask()[2..], ["0", "503"], "the proxy's own answer");
    upstreams.set_down("idp", false);
    assert_eq!(ask()[2..], ["0", "200"]);
    assert_eq!(
        (upstreams.count("idp", "/jwks"), upstreams.count("idp", "/other")),
        (4, 0)
    );
    assert_eq!(
        upstreams.asked_at("idp", "/jwks")[0].header(":authority"),
        Some(&b"idp.test"[..])
    );
}

#[test]
fn a_document_on_loan_is_not_modified_for_those_who_have_it() {
    let conditional = [WHOLE, &[("if-none-match", "\"one\"")]].concat();
    let guest = Guest::new()
        .on(HEADERS, |code| http_call(code, "idp", &conditional, 0))
        .on("proxy_on_http_call_response", |code| {
            for name in [":status", "etag"] {
                code.call("proxy_get_header_map_value", &[Num(6), text(name), Out])
                    .show();
            }
        });
    let upstreams = LocalUpstreams::default();
    let mut host = Host::builder(&guest.module())
        .upstreams(&upstreams)
        .build()
        .unwrap();
    for (etag, status) in [("one", "304"), ("two", "200")] {
        upstreams.document("idp", "/jwks", "{}", etag);
        host.request(Request::get("a.test", "/"));
        let tag = format!("\"{etag}\"");
        assert_eq!(lines(&mut host)[2..], ["0", status, "0", &tag]);
    }
}

#[test]
fn a_callout_goes_out_with_its_headers_in_lower_case_and_joined() {
    let guest = Guest::new().on(HEADERS, |code| {
        let headers = [
            (":method", "GET"),
            ("Host", "idp.test"),
            ("Accept", "a"),
            ("accept", "b"),
            ("X-Two", "a"),
            (":path", ""),
        ];
        http_call(code, "idp", &headers, 0);
    });
    let mut host = Host::builder(&guest.module())
        .upstream("idp", |_| Answer::Later)
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "4"]);
    let sent = host.callouts().remove(0).headers;
    let shown: Vec<_> = sent
        .iter()
        .map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()))
        .collect();
    let expected = [
        ":method=GET",
        ":authority=idp.test",
        ":path=",
        "accept=a,b",
        "x-two=a",
        "content-length=4",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn an_answer_without_trailers_has_no_map_of_them() {
    let guest = Guest::new()
        .on(HEADERS, |code| http_call(code, "idp", WHOLE, 0))
        .on("proxy_on_http_call_response", |code| {
            code.param(4);
            code.call("proxy_get_header_map_value", &[Num(7), text("sum"), Out]);
            code.call("proxy_get_header_map_pairs", &[Num(7), Out]);
            code.call("proxy_get_header_map_value", &[Num(6), text("sum"), Out]);
            code.call("proxy_add_header_map_value", &[Num(6), text("a"), text("b")]);
            code.call("proxy_get_header_map_size", &[Num(6), OutNumber]);
        });
    let mut host = Host::builder(&guest.module())
        .upstream("idp", |_| Answer::status(200))
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "4", "0", "2", "0", "1", "2", "2"]);
}

#[test]
fn the_text_of_a_broken_answer_is_gone_after_the_answer() {
    let status = |code: &mut Code<'_>| {
        code.call("proxy_get_status", &[Num(1016), Out]).show();
    };
    let guest = caller()
        .on("proxy_on_configure", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(1_000)]);
        })
        .on("proxy_on_tick", status);
    let mut host = Host::builder(&guest.module())
        .profile(Profile::Spec)
        .upstream("idp", |_| Answer::Failure)
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    lines(&mut host);
    host.tick().unwrap();
    assert_eq!(lines(&mut host), ["0", ""]);
}
