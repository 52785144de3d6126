//! What hosts do differently.

use scopegate_host_tests::{Answer, Host, LocalUpstreams, Outcome, Profile, Request, Response};

use crate::guest::Arg::{Num, Out, OutNumber, Pairs, Text, Wide};
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
    assert_eq!(lines(&mut host), ["201", "0"]);
    assert_eq!(
        exchange.forwarded().unwrap().headers.len(),
        205,
        "all are forwarded"
    );
    host.request(Request::get("a.test", "/").trailer("t", "1"));
    assert_eq!(lines(&mut host), ["1", "0"]);
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
        for path in [
            &b"mine"[..],
            b"mine\0own",
            b"wasmx\0own",
            b"ngx\0pw_up",
            b"ngx.other",
        ] {
            code.call("proxy_set_property", &[Text(path), text("v")]);
        }
        for path in [&b"wasmx.own"[..], b"ngx\0pw_up"] {
            code.call("proxy_get_property", &[Text(path), Out]).show();
        }
    });
    let mut host = Host::builder(&guest.module())
        .profile(Profile::Nginx)
        .variables(["pw_up"])
        .build()
        .unwrap();
    let exchange = host.request(Request::get("a.test", "/"));
    let expected = [
        "0",
        "40000",
        "0",
        "127.0.0.1",
        "1",
        "1",
        "0",
        "0",
        "1",
        "0",
        "v",
        "0",
        "v",
    ];
    assert_eq!(lines(&mut host), expected);
    assert_eq!(exchange.property("ngx.pw_up"), Some(&b"v"[..]));
}

#[test]
fn in_nginx_a_request_is_shown_decoded_and_forwarded_as_it_came() {
    let guest = Guest::new().on(HEADERS, |code| {
        for name in [":path", ":authority", "host"] {
            code.call("proxy_get_header_map_value", &[Num(0), text(name), Out])
                .show();
        }
        for path in ["request\0path", "request\0host", "ngx\0host", "request\0query"] {
            code.call("proxy_get_property", &[text(path), Out]).show();
        }
        code.call(
            "proxy_replace_header_map_value",
            &[Num(0), text(":path"), text("/other")],
        );
    });
    let request = Request::get("A.test:80", "/a%2Fb//c?d=%20");
    let mut host = under(Profile::Nginx, &guest);
    let exchange = host.request(request);
    let shown: Vec<String> = lines(&mut host).chunks(2).map(|pair| pair.join(" ")).collect();
    assert_eq!(
        shown,
        [
            "0 /a/b/c?d=%20",
            "0 server.test:8080",
            "0 A.test:80",
            "0 /a%2Fb//c?d=%20",
            "0 machine.test",
            "0 a.test",
            "0 d=%20",
            "0"
        ]
    );
    assert_eq!(
        exchange.forwarded().unwrap().header(":path"),
        Some(&b"/a%2Fb//c?d=%20"[..])
    );
}

#[test]
fn in_nginx_there_is_no_property_of_a_request_outside_of_one() {
    let guest = Guest::new().on("proxy_on_configure", |code| {
        code.call("proxy_get_property", &[text("wasmx\0own"), Out]);
        code.call("proxy_set_property", &[text("wasmx\0own"), text("v")]);
        code.call("proxy_get_property", &[text("unknown"), Out]);
        code.returns(1);
    });
    for (profile, expected) in [
        (Profile::Nginx, ["10", "10", "1"]),
        (Profile::Envoy, ["1", "1", "1"]),
    ] {
        assert_eq!(lines(&mut under(profile, &guest)), expected, "{profile:?}");
    }
}

#[test]
fn in_nginx_a_reply_is_given_once_and_has_one_header_of_a_name() {
    let reply = |code: &mut crate::guest::Code<'_>| {
        let headers: &[(&str, &str)] = &[("www-authenticate", "A"), ("www-authenticate", "B")];
        let args = [Num(401), text(""), text(""), Pairs(headers), Num(u32::MAX)];
        code.call("proxy_send_local_response", &args);
    };
    let once = Guest::new().on(HEADERS, reply);
    let twice = Guest::new().on(HEADERS, |code| {
        reply(code);
        reply(code);
    });
    for (profile, challenges) in [(Profile::Envoy, 2), (Profile::Nginx, 1)] {
        let exchange = under(profile, &once).request(Request::get("a.test", "/"));
        let headers = &exchange.local_reply().unwrap().headers;
        let named = headers.iter().filter(|(name, _)| name == b"www-authenticate");
        assert_eq!(named.count(), challenges, "{profile:?}");
        let exchange = under(profile, &twice).request(Request::get("a.test", "/"));
        let has_failed = matches!(exchange.outcome, Outcome::Failed { .. });
        assert_eq!(has_failed, profile == Profile::Nginx, "{profile:?}");
    }
}

#[test]
fn in_nginx_a_plugin_that_fails_lets_others_go_that_wait_for_a_callout() {
    let guest = Guest::new().on(HEADERS, |code| {
        call_out(code, "later.test:8080", WHOLE);
        code.returns(1);
    });
    let trapping = guest
        .on("proxy_on_configure", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(100)]);
            code.returns(1);
        })
        .on("proxy_on_tick", |code| {
            code.trap();
        });
    for profile in [Profile::Envoy, Profile::Nginx] {
        let upstreams = LocalUpstreams::default();
        upstreams.on("later.test:8080", "/jwks", Answer::Later);
        let builder = Host::builder(&trapping.module()).profile(profile);
        let mut host = builder.upstreams(&upstreams).build().unwrap();
        let held = host.request(Request::get("a.test", "/"));
        assert_eq!(held.outcome, Outcome::Paused);
        let _ = host.tick();
        assert!(host.failure().is_some());
        let is_forwarded = host.resume(held.stream).forwarded().is_some();
        assert_eq!(is_forwarded, profile == Profile::Nginx, "{profile:?}");
    }
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
    let calls: [(&str, &[crate::guest::Arg<'_>]); 9] = [
        ("proxy_get_status", &[OutNumber, Out]),
        ("proxy_get_log_level", &[OutNumber]),
        ("proxy_get_buffer_status", &[Num(0), Out]),
        ("proxy_get_header_map_size", &[Num(0), OutNumber]),
        ("proxy_get_buffer_bytes", &[Num(1), Num(0), Num(9), Out]),
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

const WHOLE: &[(&str, &str)] = &[(":method", "GET"), (":path", "/jwks"), (":authority", "idp.test")];

fn call_out(code: &mut crate::guest::Code<'_>, upstream: &str, headers: &[(&str, &str)]) {
    let args = [
        text(upstream),
        Pairs(headers),
        text(""),
        Pairs(&[]),
        Num(1_000),
        OutNumber,
    ];
    code.call("proxy_http_call", &args);
}

const CALL_RESPONSE: &str = "proxy_on_http_call_response";

/// Calls out from a request, holds it, and does with the answer what `answered` says.
fn holding(answered: impl FnOnce(&mut crate::guest::Code<'_>)) -> Guest {
    Guest::new()
        .on(HEADERS, |code| {
            call_out(code, "idp.test:8080", WHOLE);
            code.returns(1);
        })
        .on(CALL_RESPONSE, answered)
}

fn asking(profile: Profile, guest: &Guest, answer: Answer) -> Host {
    let upstreams = LocalUpstreams::default();
    upstreams.on("idp.test:8080", "/jwks", answer);
    let builder = Host::builder(&guest.module())
        .profile(profile)
        .upstreams(&upstreams);
    builder.build().unwrap()
}

#[test]
fn in_nginx_a_request_goes_on_after_the_last_of_its_callouts_whatever_the_plugin_did() {
    let silent = holding(|_| {});
    let replying = holding(|code| {
        code.call(
            "proxy_send_local_response",
            &[Num(401), text(""), text("no"), Pairs(&[]), Num(u32::MAX)],
        );
    });
    let trapping = holding(|code| {
        code.trap();
    });
    let asking_again = Guest::new()
        .on(HEADERS, |code| {
            call_out(code, "idp.test:8080", WHOLE);
            call_out(code, "later.test:8080", WHOLE);
            code.returns(1);
        })
        .on(CALL_RESPONSE, |code| {
            code.call("proxy_continue_stream", &[Num(0)]);
        });
    let outcome = |profile, guest: &Guest| {
        let mut host = asking(profile, guest, Answer::status(200));
        host.request(Request::get("a.test", "/")).outcome
    };
    assert_eq!(outcome(Profile::Envoy, &silent), Outcome::Paused);
    assert!(matches!(outcome(Profile::Nginx, &silent), Outcome::Forwarded(_)));
    assert!(matches!(
        outcome(Profile::Nginx, &replying),
        Outcome::LocalReply(_)
    ));
    assert_eq!(
        outcome(Profile::Envoy, &trapping),
        Outcome::Paused,
        "nobody ends what is held"
    );
    assert!(
        matches!(outcome(Profile::Nginx, &trapping), Outcome::Forwarded(_)),
        "a plugin that fails in an answer lets the request pass"
    );
    let mut host = asking(Profile::Nginx, &asking_again, Answer::Later);
    let held = host.request(Request::get("a.test", "/"));
    let first = host.callouts()[0].token;
    assert_eq!(held.outcome, Outcome::Paused, "an answer is still to come");
    host.answer(first, Answer::status(200)).unwrap();
    assert!(host.resume(held.stream).forwarded().is_some());
}

#[test]
fn in_nginx_an_answer_says_how_the_callout_went() {
    let told = holding(|code| {
        for position in 2..5 {
            code.param(position);
        }
        code.call(
            "proxy_get_header_map_value",
            &[Num(6), text(":dispatch_status"), Out],
        )
        .show();
        code.call("proxy_get_header_map_value", &[Num(6), text(":status"), Out]);
        code.call("proxy_get_buffer_bytes", &[Num(4), Num(0), Num(99), Out]);
    });
    let long = Response::new(500).header("x", "v".repeat(40_000)).body("{}");
    let cases: [(Answer, &[&str]); 4] = [
        (Answer::json(200, "{}"), &["1", "2", "0", "0", "ok", "0", "0"]),
        (
            Answer::Failure,
            &["0", "0", "0", "0", "broken connection", "1", "2"],
        ),
        (
            Answer::Truncated(Response::new(200).body("{\"ke")),
            &["0", "0", "0", "0", "ok", "0", "2"],
        ),
        (
            Answer::Response(long),
            &["0", "0", "0", "0", "reader failure", "0", "1"],
        ),
    ];
    for (answer, expected) in cases {
        let mut host = asking(Profile::Nginx, &told, answer.clone());
        host.request(Request::get("a.test", "/"));
        assert_eq!(lines(&mut host)[1..], *expected, "{answer:?}");
    }
    let mut host = asking(
        Profile::Envoy,
        &told,
        Answer::Truncated(Response::new(200).body("{\"ke")),
    );
    host.request(Request::get("a.test", "/"));
    let logged = lines(&mut host);
    assert_eq!(logged[1..5], ["0", "0", "0", "2"], "in Envoy it is a failure");
}

#[test]
fn in_nginx_upstreams_are_hosts_and_an_unknown_one_fails_after_the_call() {
    let guest = |upstream: &'static str, headers: &'static [(&'static str, &'static str)]| {
        Guest::new()
            .on(HEADERS, move |code| {
                call_out(code, upstream, headers);
                code.returns(1);
            })
            .on(CALL_RESPONSE, |code| {
                code.param(2);
                code.call(
                    "proxy_get_header_map_value",
                    &[Num(6), text(":dispatch_status"), Out],
                )
                .show();
            })
    };
    const SECURE: &[(&str, &str)] = &[(":method", "GET"), (":path", "/jwks"), (":scheme", "https")];
    let upstreams = LocalUpstreams::default();
    for name in ["plain.test:80", "secure.test:443"] {
        upstreams.on(name, "/jwks", Answer::status(200));
    }
    for (upstream, headers, expected) in [
        ("plain.test", WHOLE, ["0", "0", "0", "ok"]),
        ("plain.test:80", WHOLE, ["0", "0", "0", "ok"]),
        ("secure.test", SECURE, ["0", "0", "0", "ok"]),
        ("secure.test", WHOLE, ["0", "0", "0", "resolver failure"]),
        ("nowhere.test", WHOLE, ["0", "0", "0", "resolver failure"]),
    ] {
        let module = guest(upstream, headers).module();
        let builder = Host::builder(&module).profile(Profile::Nginx);
        let mut host = builder.upstreams(&upstreams).build().unwrap();
        host.request(Request::get("a.test", "/"));
        assert_eq!(lines(&mut host), expected, "{upstream}");
    }
    assert_eq!(upstreams.asked().len(), 3);
}

#[test]
fn in_nginx_callouts_from_the_wrong_place_or_without_a_path_or_without_a_pause_end_the_worker() {
    let pathless: &[(&str, &str)] = &[(":method", "GET"), (":authority", "idp.test")];
    let on = |callback: &str, headers, returns| {
        Guest::new().on(callback, |code| {
            call_out(code, "idp.test:8080", headers);
            code.returns(returns);
        })
    };
    for (guest, why) in [
        (on("proxy_on_configure", WHOLE, 1), "in on_configure"),
        (
            on("proxy_on_response_headers", WHOLE, 1),
            "in on_response_headers",
        ),
        (on(HEADERS, pathless, 1), "without a path"),
        (on(HEADERS, WHOLE, 0), "and let the request go on"),
    ] {
        let ask = |profile| {
            let mut host = asking(profile, &guest, Answer::Later);
            host.request(Request::get("a.test", "/"));
            host.failure().is_some()
        };
        assert!(ask(Profile::Nginx), "{why}");
        assert!(!ask(Profile::Envoy), "{why}");
    }
}

#[test]
fn in_nginx_a_tick_is_asked_for_once_and_by_the_root() {
    let tick = |code: &mut crate::guest::Code<'_>, period| {
        code.call("proxy_set_tick_period_milliseconds", &[Num(period)]);
    };
    let twice = Guest::new().on("proxy_on_configure", |code| {
        tick(code, 100);
        tick(code, 200);
    });
    let stopped_between = Guest::new().on("proxy_on_configure", |code| {
        tick(code, 100);
        tick(code, 0);
        tick(code, 200);
    });
    let by_stream = Guest::new().on(HEADERS, |code| tick(code, 100));
    for (guest, nginx_fails) in [(&twice, true), (&stopped_between, false), (&by_stream, true)] {
        for profile in [Profile::Envoy, Profile::Nginx] {
            let mut host = under(profile, guest);
            host.request(Request::get("a.test", "/"));
            assert_eq!(
                host.failure().is_some(),
                nginx_fails && profile == Profile::Nginx,
                "{profile:?}"
            );
        }
    }
}

#[test]
fn in_nginx_shared_data_needs_the_exact_version_and_forgets_a_value_without_a_pointer() {
    let guest = Guest::new().on(HEADERS, |code| {
        let mut set = |key, value, version| {
            code.call("proxy_set_shared_data", &[text(key), value, Num(version)]);
        };
        set("plumless", text("one"), 7);
        set("plumless", text("one"), 0);
        set("plumless", text("two"), 0);
        set("plumless", text("two"), 1);
        set("buckeroo", text("mine"), 0);
        code.call("proxy_get_shared_data", &[text("buckeroo"), Out, Num(1016)])
            .show();
        code.call(
            "proxy_set_shared_data",
            &[text("plumless"), Num(0), Num(0), Num(2)],
        );
        code.call("proxy_get_shared_data", &[text("plumless"), Out, Num(1016)]);
    });
    let mut host = under(Profile::Nginx, &guest);
    host.request(Request::get("a.test", "/"));
    let expected = ["8", "0", "8", "0", "8", "0", "two", "0", "1"];
    assert_eq!(lines(&mut host), expected, "two keys of one hash are one key");
    let mut host = under(Profile::Envoy, &guest);
    host.request(Request::get("a.test", "/"));
    let expected = ["0", "0", "0", "8", "0", "0", "mine", "8", "0"];
    assert_eq!(lines(&mut host), expected);
}

#[test]
fn in_nginx_bodies_and_headers_are_out_of_reach_but_for_their_own_callbacks() {
    type Calling = fn(&mut crate::guest::Code<'_>);
    let get_request: Calling = |code| {
        code.call("proxy_get_buffer_bytes", &[Num(0), Num(0), Num(9), Out]);
    };
    let get_response: Calling = |code| {
        code.call("proxy_get_buffer_bytes", &[Num(1), Num(0), Num(9), Out]);
    };
    let get_answer: Calling = |code| {
        code.call("proxy_get_buffer_bytes", &[Num(4), Num(0), Num(9), Out]);
    };
    let set_request: Calling = |code| {
        code.call("proxy_set_buffer_bytes", &[Num(0), Num(0), Num(9), text("x")]);
    };
    let set_response: Calling = |code| {
        code.call("proxy_set_buffer_bytes", &[Num(1), Num(0), Num(9), text("x")]);
    };
    let add_request: Calling = |code| {
        code.call("proxy_add_header_map_value", &[Num(0), text("a"), text("b")]);
    };
    let add_response: Calling = |code| {
        code.call("proxy_replace_header_map_value", &[Num(2), text("a"), text("b")]);
    };
    let remove_response: Calling = |code| {
        code.call("proxy_remove_header_map_value", &[Num(2), text("a")]);
    };
    let set_all: Calling = |code| {
        code.call("proxy_set_header_map_pairs", &[Num(0), Pairs(&[])]);
    };
    let cases: [(&str, Calling, bool); 17] = [
        (HEADERS, get_request, true),
        ("proxy_on_request_body", get_request, true),
        ("proxy_on_response_headers", get_request, false),
        ("proxy_on_response_body", get_request, false),
        ("proxy_on_response_body", get_response, true),
        ("proxy_on_response_headers", get_response, false),
        (HEADERS, get_answer, false),
        ("proxy_on_request_body", set_request, true),
        ("proxy_on_response_body", set_request, false),
        ("proxy_on_response_body", set_response, true),
        (HEADERS, set_response, false),
        (HEADERS, add_request, true),
        ("proxy_on_response_headers", add_request, false),
        ("proxy_on_response_headers", add_response, true),
        ("proxy_on_response_body", add_response, false),
        ("proxy_on_response_body", remove_response, false),
        ("proxy_on_response_headers", set_all, false),
    ];
    for (number, (callback, calling, lives)) in cases.into_iter().enumerate() {
        let guest = Guest::new().on(callback, calling);
        let mut host = under(Profile::Nginx, &guest);
        host.exchange(
            Request::get("a.test", "/").body("body"),
            Response::new(200).body("body"),
        );
        assert_eq!(
            host.failure().is_none(),
            lives,
            "case {number}: {callback} {:?}",
            host.failure()
        );
        let mut host = under(Profile::Envoy, &guest);
        host.exchange(
            Request::get("a.test", "/").body("body"),
            Response::new(200).body("body"),
        );
        assert_eq!(host.failure(), None, "case {number}: {callback}");
    }
}

#[test]
fn in_nginx_no_body_is_none_and_a_part_of_one_is_read_from_its_beginning() {
    let guest = Guest::new()
        .on("proxy_on_configure", |code| {
            code.call("proxy_get_buffer_bytes", &[Num(7), Num(0), Num(9), Out])
                .show();
        })
        .on(HEADERS, |code| {
            code.call("proxy_get_buffer_bytes", &[Num(0), Num(0), Num(9), Out]);
            code.call("proxy_get_buffer_bytes", &[Num(7), Num(0), Num(9), Out])
                .show();
        })
        .on("proxy_on_request_body", |code| {
            code.call("proxy_get_buffer_bytes", &[Num(0), Num(2), Num(3), Out])
                .show();
        });
    let seen = |profile| {
        let mut host = Host::builder(&guest.module())
            .profile(profile)
            .configuration("conf")
            .build()
            .unwrap();
        host.request(Request::get("a.test", "/").body("abcdef"));
        lines(&mut host).join(" ")
    };
    assert_eq!(seen(Profile::Nginx), "0 conf 1 0 conf 0 abc");
    assert_eq!(seen(Profile::Envoy), "0 conf 0 1  0 cde");
}

#[test]
fn in_nginx_a_gauge_is_set_only() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_define_metric", &[Num(1), text("gauge"), OutNumber])
            .number();
        code.call("proxy_record_metric", &[Num(5), Wide(7)]);
        code.call("proxy_increment_metric", &[Num(5), Wide(1)]);
    });
    let failed = |profile| {
        let mut host = under(profile, &guest);
        host.request(Request::get("a.test", "/"));
        host.failure().map(|trap| trap.reason.clone())
    };
    assert_eq!(
        failed(Profile::Nginx).as_deref(),
        Some("could not increment metric: it is a gauge")
    );
    assert_eq!(failed(Profile::Envoy), None);
}
