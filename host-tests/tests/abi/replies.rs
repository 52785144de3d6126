//! Local replies: when they are sent, and what they look like.

use scopegate_host_tests::{LocalReply, Outcome, Request, Response};

use crate::guest::Arg::{Num, Out, Pairs};
use crate::guest::{Code, Guest, lines, text};

const NO_GRPC: u32 = u32::MAX;

fn send(code: &mut Code<'_>, status: u32, body: &str, headers: &[(&str, &str)], grpc: u32) {
    let args = [
        Num(status),
        text("my details"),
        text(body),
        Pairs(headers),
        Num(grpc),
    ];
    code.call("proxy_send_local_response", &args);
}

fn reply(guest: &Guest, request: Request) -> LocalReply {
    let exchange = guest.host().request(request);
    exchange
        .local_reply()
        .unwrap_or_else(|| panic!("{:?}", exchange.outcome))
        .clone()
}

#[test]
fn a_reply_stops_the_request_whatever_the_module_returns() {
    for returned in [0, 1, 2, 3, 4, 77] {
        let guest = Guest::new().on("proxy_on_request_headers", |code| {
            send(
                code,
                403,
                "no",
                &[("X-Why", "because"), ("x-why", "twice")],
                NO_GRPC,
            );
            code.returns(returned);
        });
        let reply = reply(&guest, Request::get("a.test", "/"));
        assert_eq!(
            (reply.status, reply.body.as_slice()),
            (403, &b"no"[..]),
            "returned {returned}"
        );
        assert_eq!(reply.details, "my_details");
        assert_eq!(
            reply.headers.iter().filter(|(name, _)| name == b"x-why").count(),
            2
        );
        assert_eq!(reply.header("content-type"), Some(&b"text/plain"[..]));
        assert_eq!(reply.header("content-length"), Some(&b"2"[..]));
    }
}

#[test]
fn the_first_of_several_replies_counts() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        send(code, 401, "", &[], NO_GRPC);
        send(code, 200, "", &[], NO_GRPC);
    });
    assert_eq!(reply(&guest, Request::get("a.test", "/")).status, 401);
}

#[test]
fn a_reply_runs_through_the_response_callbacks_of_its_own_module() {
    let guest = Guest::new()
        .on("proxy_on_request_headers", |code| {
            send(code, 403, "no", &[], NO_GRPC)
        })
        .on("proxy_on_response_headers", |code| {
            code.call("proxy_get_header_map_value", &[Num(2), text(":status"), Out])
                .show();
            code.call(
                "proxy_add_header_map_value",
                &[Num(2), text("added"), text("later")],
            );
        })
        .on("proxy_on_response_body", |code| {
            code.param(1).param(2);
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(1), Num(0), Num(9), text("changed")],
            );
        });
    let mut host = guest.host();
    let exchange = host.request(Request::get("a.test", "/"));
    let reply = exchange.local_reply().unwrap();
    assert_eq!(reply.header("added"), Some(&b"later"[..]));
    assert_eq!(reply.body, b"changed");
    assert_eq!(lines(&mut host), ["0", "0", "403", "0", "2", "1", "0"]);
}

#[test]
fn a_grpc_request_is_answered_in_trailers_only() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        send(
            code,
            403,
            "not you, 100%",
            &[("content-type", "application/problem+json")],
            7,
        );
    });
    let grpc = Request::new("POST", "a.test", "/s.S/M").header("content-type", "application/grpc+proto");
    let reply = reply(&guest, grpc);
    assert_eq!(
        (reply.status, reply.grpc_status, reply.body.as_slice()),
        (200, Some(7), &b""[..])
    );
    assert_eq!(reply.header("content-type"), Some(&b"application/grpc"[..]));
    assert_eq!(reply.header("grpc-message"), Some(&b"not you, 100%25"[..]));
    assert_eq!(
        (reply.asked_status, reply.asked_body.as_slice()),
        (403, &b"not you, 100%"[..])
    );
}

#[test]
fn a_reply_may_be_given_at_any_part_of_a_request() {
    for callback in [
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_request_trailers",
    ] {
        let guest = Guest::new().on(callback, |code| send(code, 429, "", &[], NO_GRPC));
        let request = Request::new("POST", "a.test", "/").body("b").trailer("t", "1");
        assert_eq!(reply(&guest, request).status, 429, "{callback}");
    }
}

#[test]
fn a_reply_takes_the_place_of_response_headers_and_ends_a_response_that_has_begun() {
    let in_headers = Guest::new().on("proxy_on_response_headers", |code| {
        send(code, 502, "", &[], NO_GRPC)
    });
    assert_eq!(reply(&in_headers, Request::get("a.test", "/")).status, 502);
    let in_body = Guest::new().on("proxy_on_response_body", |code| send(code, 502, "", &[], NO_GRPC));
    let exchange = in_body
        .host()
        .exchange(Request::get("a.test", "/"), Response::new(200).body("b"));
    assert_eq!(exchange.outcome, Outcome::Reset);
}

#[test]
fn a_reply_with_a_bad_pointer_is_refused_and_the_request_goes_on() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        let nowhere = [Num(u32::MAX), Num(4)];
        let args = [
            [Num(403), text("d")].as_slice(),
            &nowhere,
            &[Pairs(&[]), Num(NO_GRPC)],
        ]
        .concat();
        code.call("proxy_send_local_response", &args);
    });
    let mut host = guest.host();
    let exchange = host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["6"]);
    assert!(exchange.forwarded().is_some());
}

#[test]
fn a_trap_after_a_reply_is_a_failure_and_not_the_reply() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        send(code, 200, "welcome", &[], NO_GRPC);
        code.trap();
    });
    let outcome = guest.host().request(Request::get("a.test", "/")).outcome;
    assert!(
        matches!(
            outcome,
            Outcome::Failed {
                reply_status: 503,
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[test]
fn a_root_context_has_no_stream_to_reply_on() {
    let guest = Guest::new().on("proxy_on_configure", |code| send(code, 403, "", &[], NO_GRPC));
    let mut host = guest.host();
    assert_eq!(lines(&mut host), ["0"]);
    assert!(host.request(Request::get("a.test", "/")).forwarded().is_some());
}
