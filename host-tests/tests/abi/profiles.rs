//! What hosts do differently.

use scopegate_host_tests::{Host, Outcome, Profile, Request, Response};

use crate::guest::Arg::{Num, Out, OutNumber, Pairs, Text};
use crate::guest::{Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";

fn under(profile: Profile, guest: &Guest) -> Host {
    Host::builder(&guest.module()).profile(profile).build().unwrap()
}

#[test]
fn names_of_headers_are_lower_case_in_envoy_and_as_sent_in_nginx() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_header_map_value", &[Num(0), text("x-name"), Out])
            .show();
    });
    for (profile, name) in [
        (Profile::Envoy, "x-name"),
        (Profile::Spec, "x-name"),
        (Profile::Nginx, "X-Name"),
    ] {
        let mut host = under(profile, &guest);
        let exchange = host.request(Request::get("a.test", "/").header("X-Name", "v"));
        assert_eq!(lines(&mut host), ["0", "v"], "{profile:?}");
        let names: Vec<_> = exchange
            .forwarded()
            .unwrap()
            .headers
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        assert!(names.contains(&name.as_bytes().to_vec()), "{profile:?}");
    }
}

#[test]
fn in_nginx_a_removed_header_reaches_the_upstream_and_so_do_the_copies_of_a_replaced_one() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_remove_header_map_value", &[Num(0), text("spoofed")]);
        code.call("proxy_get_header_map_value", &[Num(0), text("spoofed"), Out]);
        code.call(
            "proxy_replace_header_map_value",
            &[Num(0), text("twice"), text("new")],
        );
    });
    let request = Request::get("a.test", "/")
        .header("spoofed", "x")
        .header("twice", "1")
        .header("twice", "2");
    let mut host = under(Profile::Nginx, &guest);
    let exchange = host.request(request.clone());
    assert_eq!(lines(&mut host), ["0", "1", "0"]);
    let forwarded = exchange.forwarded().unwrap();
    assert_eq!(forwarded.header("spoofed"), Some(&b"x"[..]));
    assert_eq!(forwarded.header_values("twice"), [b"new".as_slice(), b"2"]);
    let exchange = under(Profile::Envoy, &guest).request(request);
    assert_eq!(exchange.forwarded().unwrap().header("spoofed"), None);
    assert_eq!(exchange.forwarded().unwrap().header_values("twice"), [b"new"]);
}

#[test]
fn nginx_shows_a_hundred_headers_and_no_trailers_and_no_end() {
    let guest = Guest::new()
        .on(HEADERS, |code| {
            code.param(1).param(2);
        })
        .on("proxy_on_request_trailers", |code| {
            code.say("trailers");
        });
    let many = || {
        let start = Request::get("a.test", "/");
        (0..200).fold(start, |request, number| {
            request.header(format!("x-{number}"), "v")
        })
    };
    let mut host = under(Profile::Nginx, &guest);
    let exchange = host.request(many());
    assert_eq!(lines(&mut host), ["100", "0"]);
    assert_eq!(
        exchange.forwarded().unwrap().headers.len(),
        204,
        "all are forwarded"
    );
    host.request(Request::get("a.test", "/").trailer("t", "1"));
    assert_eq!(lines(&mut host), ["4", "0"]);
    let mut host = under(Profile::Envoy, &guest);
    host.request(many());
    host.request(Request::get("a.test", "/").trailer("t", "1"));
    assert_eq!(lines(&mut host), ["204", "1", "4", "0", "trailers"]);
}

#[test]
fn nginx_writes_properties_as_text_and_takes_only_its_own() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_property", &[text("source\0port"), Out])
            .show();
        code.call("proxy_get_property", &[text("source\0address"), Out])
            .show();
        code.call("proxy_set_property", &[text("mine"), text("v")]);
        code.call("proxy_set_property", &[Text(b"ngx\0pw_up"), text("v")]);
    });
    let mut host = under(Profile::Nginx, &guest);
    let exchange = host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "40000", "0", "127.0.0.1", "1", "0"]);
    assert_eq!(exchange.property("ngx.pw_up"), Some(&b"v"[..]));
}

#[test]
fn nginx_adds_a_line_feed_to_a_reply_and_knows_no_grpc() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call(
            "proxy_send_local_response",
            &[Num(403), text(""), text("no"), Pairs(&[]), Num(7)],
        );
    });
    let request = Request::new("POST", "a.test", "/").header("content-type", "application/grpc");
    let exchange = under(Profile::Nginx, &guest).request(request);
    let reply = exchange.local_reply().unwrap();
    assert_eq!(
        (reply.status, reply.body.as_slice(), reply.grpc_status),
        (403, &b"no\n"[..], None)
    );
}

#[test]
fn some_host_calls_end_the_module_in_nginx() {
    let calls: [(&str, &[crate::guest::Arg<'_>]); 4] = [
        ("proxy_done", &[]),
        ("proxy_close_stream", &[Num(0)]),
        ("proxy_grpc_cancel", &[Num(1)]),
        ("proxy_get_metric", &[Num(4), OutNumber]),
    ];
    for (name, args) in calls {
        let guest = Guest::new().on(HEADERS, |code| {
            code.call(name, args);
        });
        let outcome = |profile| {
            under(profile, &guest)
                .request(Request::get("a.test", "/"))
                .outcome
        };
        assert!(
            matches!(outcome(Profile::Nginx), Outcome::Failed { .. }),
            "{name}"
        );
        assert!(
            !matches!(outcome(Profile::Envoy), Outcome::Failed { .. }),
            "{name}"
        );
    }
}

#[test]
fn in_nginx_a_write_with_no_version_needs_the_key_to_be_new() {
    let guest = Guest::new().on("proxy_on_response_headers", |code| {
        code.call("proxy_set_shared_data", &[text("k"), text("v"), Num(0)]);
    });
    for (profile, second) in [(Profile::Envoy, "0"), (Profile::Nginx, "8")] {
        let mut host = under(profile, &guest);
        host.exchange(Request::get("a.test", "/"), Response::default());
        host.exchange(Request::get("a.test", "/"), Response::default());
        assert_eq!(lines(&mut host), ["0", second], "{profile:?}");
    }
}
