//! Host functions on header and trailer maps.

use scopegate_host_tests::{Host, Outcome, Profile, Request, Response};

use crate::guest::Arg::{Num, Out, OutNumber, Pairs};
use crate::guest::{Guest, lines, text};

const REQUEST: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE: u32 = 2;
const RESPONSE_TRAILERS: u32 = 3;
const CALL_RESPONSE: u32 = 6;

const HEADERS: &str = "proxy_on_request_headers";

fn request() -> Request {
    Request::get("a.test", "/p")
        .header("X-Twice", "one")
        .header("x-twice", "two")
        .header("empty", "")
}

#[test]
fn a_value_is_the_first_of_its_name_whatever_the_case() {
    let guest = Guest::new().on(HEADERS, |code| {
        for name in ["x-twice", "X-TWICE", "empty", ":path"] {
            code.call("proxy_get_header_map_value", &[Num(REQUEST), text(name), Out])
                .show();
        }
        code.call("proxy_get_header_map_value", &[Num(REQUEST), text("absent"), Out]);
        code.call("proxy_get_header_map_value", &[Num(99), text("x-twice"), Out]);
        code.call(
            "proxy_get_header_map_value",
            &[Num(RESPONSE), text("x-twice"), Out],
        );
        code.call(
            "proxy_get_header_map_value",
            &[Num(CALL_RESPONSE), text("x-twice"), Out],
        );
        code.call(
            "proxy_get_header_map_value",
            &[Num(REQUEST), Num(u32::MAX), Num(2), Out],
        );
        code.call(
            "proxy_get_header_map_value",
            &[Num(REQUEST), text("x-twice"), Num(u32::MAX), Num(0)],
        );
    });
    let mut host = guest.host();
    host.request(request());
    let expected = [
        "0", "one", "0", "one", "0", "", "0", "/p", "1", "2", "2", "2", "6", "6",
    ];
    assert_eq!(lines(&mut host), expected);
}

#[test]
fn abi_0_1_0_knows_no_missing_value() {
    let guest = Guest::of("proxy_abi_version_0_1_0").on(HEADERS, |code| {
        code.call("proxy_get_header_map_value", &[Num(REQUEST), text("absent"), Out])
            .show();
        code.param(1);
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "", "4"]);
}

#[test]
fn changes_reach_the_upstream_in_lower_case() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call(
            "proxy_add_header_map_value",
            &[Num(REQUEST), text("X-New"), text("1")],
        );
        code.call(
            "proxy_add_header_map_value",
            &[Num(REQUEST), text("x-new"), text("2")],
        );
        code.call(
            "proxy_replace_header_map_value",
            &[Num(REQUEST), text("X-Twice"), text("three")],
        );
        code.call("proxy_remove_header_map_value", &[Num(REQUEST), text("EMPTY")]);
        code.call("proxy_remove_header_map_value", &[Num(REQUEST), text("absent")]);
        code.call(
            "proxy_replace_header_map_value",
            &[Num(REQUEST), text("absent"), text("made")],
        );
    });
    let mut host = guest.host();
    let exchange = host.request(request());
    assert_eq!(lines(&mut host), ["0"; 6]);
    let forwarded = exchange.forwarded().unwrap();
    assert_eq!(forwarded.header_values("x-new"), [b"1", b"2"]);
    assert_eq!(forwarded.header_values("x-twice"), [b"three"]);
    assert_eq!(forwarded.header("empty"), None);
    assert_eq!(forwarded.header("absent"), Some(&b"made"[..]));
    assert!(
        forwarded
            .headers
            .iter()
            .all(|(name, _)| name.to_ascii_lowercase() == *name)
    );
}

#[test]
fn changing_a_map_that_is_not_there_is_a_bad_argument() {
    let guest = Guest::new().on(HEADERS, |code| {
        for map in [
            REQUEST_TRAILERS,
            RESPONSE,
            RESPONSE_TRAILERS,
            4,
            5,
            CALL_RESPONSE,
            7,
            8,
        ] {
            code.call("proxy_add_header_map_value", &[Num(map), text("a"), text("b")]);
            code.call(
                "proxy_replace_header_map_value",
                &[Num(map), text("a"), text("b")],
            );
            code.call("proxy_remove_header_map_value", &[Num(map), text("a")]);
            code.call("proxy_set_header_map_pairs", &[Num(map), Pairs(&[("a", "b")])]);
            code.call("proxy_get_header_map_size", &[Num(map), OutNumber]);
        }
    });
    let mut host = guest.host();
    host.request(request());
    assert_eq!(lines(&mut host), ["2"; 40]);
}

#[test]
fn pairs_are_given_whole_and_an_absent_map_is_an_empty_one() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_header_map_pairs", &[Num(REQUEST), Out])
            .show();
        code.call("proxy_get_header_map_pairs", &[Num(RESPONSE), Out])
            .number()
            .second();
        code.call("proxy_get_header_map_pairs", &[Num(8), Out]);
    });
    let mut host = guest.host();
    host.request(Request {
        headers: vec![(b"A".to_vec(), b"1".to_vec())],
        ..Request::default()
    });
    assert_eq!(
        lines(&mut host),
        [
            "0",
            "\u{1}\0\0\0\u{1}\0\0\0\u{1}\0\0\0a\0\u{31}\0",
            "0",
            "0",
            "0",
            "2"
        ]
    );
}

#[test]
fn pairs_replace_the_whole_map_and_malformed_ones_empty_it() {
    let set = |pairs: crate::guest::Arg<'_>| {
        Guest::new().on(HEADERS, |code| {
            code.call("proxy_set_header_map_pairs", &[Num(REQUEST), pairs]);
        })
    };
    let mut host = set(Pairs(&[("B", "2"), ("b", "3")])).host();
    let exchange = host.request(request());
    let expected = vec![(b"b".to_vec(), b"2".to_vec()), (b"b".to_vec(), b"3".to_vec())];
    assert_eq!(exchange.forwarded().unwrap().headers, expected);
    let exchange = set(text("no pairs at all")).host().request(request());
    assert_eq!(exchange.forwarded().unwrap().headers, []);
}

#[test]
fn the_size_of_a_map_is_the_bytes_of_its_names_and_values() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_header_map_size", &[Num(REQUEST), OutNumber])
            .number();
    });
    let mut host = guest.host();
    host.request(Request {
        headers: vec![(b"ab".to_vec(), b"cde".to_vec())],
        ..Request::default()
    });
    assert_eq!(lines(&mut host), ["0", "5"]);
}

#[test]
fn bytes_that_are_not_utf_8_pass_unharmed() {
    let odd: Vec<u8> = (0x80..=0xff).chain(1..0x20).collect();
    let guest = Guest::new().on(HEADERS, |code| {
        code.call(
            "proxy_replace_header_map_value",
            &[Num(REQUEST), text("copy"), crate::guest::Arg::Text(&odd)],
        );
    });
    let exchange = guest
        .host()
        .request(Request::get("a.test", "/").header("x", &odd));
    let forwarded = exchange.forwarded().unwrap();
    assert_eq!(forwarded.header("x"), Some(odd.as_slice()));
    assert_eq!(forwarded.header("copy"), Some(odd.as_slice()));
}

#[test]
fn trailers_are_shown_in_their_own_callback_and_may_be_made_at_the_end_of_a_body() {
    let guest = Guest::new()
        .on("proxy_on_request_body", |code| {
            code.call(
                "proxy_add_header_map_value",
                &[Num(REQUEST_TRAILERS), text("made"), text("here")],
            );
        })
        .on("proxy_on_request_trailers", |code| {
            code.param(1);
            code.call(
                "proxy_get_header_map_value",
                &[Num(REQUEST_TRAILERS), text("sum"), Out],
            )
            .show();
            code.call(
                "proxy_remove_header_map_value",
                &[Num(REQUEST_TRAILERS), text("Spoof")],
            );
        });
    let mut host = guest.host();
    let exchange = host.request(Request::get("a.test", "/").body("x"));
    assert_eq!(lines(&mut host), ["0"]);
    assert_eq!(
        exchange.forwarded().unwrap().trailers,
        [(b"made".to_vec(), b"here".to_vec())]
    );
    let exchange = host.request(
        Request::get("a.test", "/")
            .body("x")
            .trailer("sum", "1")
            .trailer("spoof", "y"),
    );
    assert_eq!(
        lines(&mut host),
        ["2", "2", "0", "1", "0"],
        "the body was not the end, so no trailers to make yet"
    );
    assert_eq!(
        exchange.forwarded().unwrap().trailers,
        [(b"sum".to_vec(), b"1".to_vec())]
    );
}

#[test]
fn once_let_go_the_request_headers_are_out_of_reach() {
    let guest = Guest::new()
        .on(HEADERS, |_| {})
        .on("proxy_on_request_body", |code| {
            code.call("proxy_get_header_map_value", &[Num(REQUEST), text(":path"), Out]);
            code.call("proxy_get_header_map_pairs", &[Num(REQUEST), Out])
                .second();
        });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/").body("x"));
    assert_eq!(lines(&mut host), ["2", "0", "0"]);
}

#[test]
fn in_the_log_phase_headers_are_read_only_and_what_is_missing_is_not_found() {
    let guest = Guest::new().on("proxy_on_log", |code| {
        code.call("proxy_get_header_map_value", &[Num(REQUEST), text(":path"), Out])
            .show();
        code.call(
            "proxy_get_header_map_value",
            &[Num(RESPONSE), text(":status"), Out],
        )
        .show();
        code.call(
            "proxy_get_header_map_value",
            &[Num(REQUEST_TRAILERS), text("a"), Out],
        );
        code.call(
            "proxy_get_header_map_value",
            &[Num(RESPONSE_TRAILERS), text("a"), Out],
        );
        code.call(
            "proxy_add_header_map_value",
            &[Num(REQUEST), text("a"), text("b")],
        );
    });
    let mut host = guest.host();
    host.exchange(Request::get("a.test", "/p"), Response::new(418));
    assert_eq!(lines(&mut host), ["0", "/p", "0", "418", "1", "1", "2"]);
}

#[test]
fn response_headers_and_trailers_are_shown_and_changed() {
    let guest = Guest::new()
        .on("proxy_on_response_headers", |code| {
            code.param(1).param(2);
            code.call(
                "proxy_replace_header_map_value",
                &[Num(RESPONSE), text("server"), text("mine")],
            );
        })
        .on("proxy_on_response_trailers", |code| {
            code.call(
                "proxy_add_header_map_value",
                &[Num(RESPONSE_TRAILERS), text("t"), text("v")],
            );
        });
    let mut host = guest.host();
    let response = Response::new(200)
        .header("server", "theirs")
        .body("b")
        .trailer("a", "1");
    let exchange = host.exchange(Request::get("a.test", "/"), response);
    assert_eq!(lines(&mut host), ["2", "0", "0", "0"]);
    let seen = exchange.response.unwrap();
    assert_eq!(seen.header("server"), Some(&b"mine"[..]));
    assert_eq!((seen.body.as_slice(), seen.trailers.len()), (&b"b"[..], 2));
    assert!(matches!(exchange.outcome, Outcome::Forwarded(_)));
}

#[test]
fn repeated_headers_are_joined_where_envoy_has_one_slot_for_them() {
    let guest = Guest::new()
        .on(HEADERS, |code| {
            code.param(1);
            for name in ["authorization", "accept", "cookie", "x-other"] {
                code.call("proxy_get_header_map_value", &[Num(REQUEST), text(name), Out])
                    .show();
            }
            code.call(
                "proxy_add_header_map_value",
                &[Num(REQUEST), text("User-Agent"), text("second")],
            );
            code.call(
                "proxy_get_header_map_value",
                &[Num(REQUEST), text("user-agent"), Out],
            )
            .show();
        })
        .on("proxy_on_response_headers", |code| {
            code.param(1);
            for name in ["vary", "set-cookie", "accept"] {
                code.call("proxy_get_header_map_value", &[Num(RESPONSE), text(name), Out])
                    .show();
            }
        });
    let request = || {
        Request::get("a.test", "/")
            .header("Authorization", "Bearer a")
            .header("authorization", "Bearer b")
            .header("accept", "")
            .header("accept", "x")
            .header("accept", "")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-other", "1")
            .header("x-other", "2")
            .header("user-agent", "first")
    };
    let response = || {
        Response::new(200)
            .header("vary", "a")
            .header("vary", "b")
            .header("set-cookie", "a")
            .header("set-cookie", "b")
            .header("accept", "a")
            .header("accept", "b")
    };
    for profile in [Profile::Envoy, Profile::Spec] {
        let mut host = Host::builder(&guest.module()).profile(profile).build().unwrap();
        let exchange = host.exchange(request(), response());
        let expected = "11 0 Bearer a,Bearer b 0 x 0 a=1 0 1 0 0 first,second 6 0 a,b 0 a 0 a";
        assert_eq!(lines(&mut host).join(" "), expected);
        let forwarded = exchange.forwarded().unwrap();
        assert_eq!(forwarded.header_values("authorization"), [b"Bearer a,Bearer b"]);
        assert_eq!(forwarded.header_values("cookie"), [b"a=1", b"b=2"]);
    }
    let mut host = Host::builder(&guest.module())
        .profile(Profile::Nginx)
        .build()
        .unwrap();
    let exchange = host.exchange(request(), response());
    let forwarded = exchange.forwarded().unwrap();
    assert_eq!(
        forwarded.header_values("authorization"),
        [b"Bearer a", b"Bearer b"]
    );
}

#[test]
fn host_is_another_name_of_the_authority_of_a_request() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.param(1);
        code.call("proxy_get_header_map_value", &[Num(REQUEST), text("Host"), Out])
            .show();
        code.call(
            "proxy_replace_header_map_value",
            &[Num(REQUEST), text("host"), text("b.test")],
        );
        code.call(
            "proxy_add_header_map_value",
            &[Num(REQUEST), text("host"), text("c.test")],
        );
        code.call(
            "proxy_get_header_map_value",
            &[Num(REQUEST), text(":authority"), Out],
        )
        .show();
        code.call("proxy_remove_header_map_value", &[Num(REQUEST), text("host")]);
        code.call(
            "proxy_get_header_map_value",
            &[Num(REQUEST), text(":authority"), Out],
        );
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host).join(" "), "4 0 a.test 0 0 0 b.test,c.test 0 1");
}

#[test]
fn pseudo_headers_stand_before_all_others() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call(
            "proxy_add_header_map_value",
            &[Num(REQUEST), text(":new"), text("1")],
        );
        code.call(
            "proxy_replace_header_map_value",
            &[Num(REQUEST), text(":path"), text("/b")],
        );
    });
    let exchange = guest
        .host()
        .request(Request::get("a.test", "/a").header("x", "y"));
    let names: Vec<_> = exchange
        .forwarded()
        .unwrap()
        .headers
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let expected: [&[u8]; 6] = [b":authority", b":method", b":scheme", b":new", b":path", b"x"];
    assert_eq!(names, expected);
}
