//! Several plugins on one stream: who sees what, in which order, and what one does to the others.

use std::time::Duration;

use scopegate_host_tests::{
    Chain, Clock, Exchange, FailurePolicy, GrpcAnswer, Host, Module, Outcome, Plugin, Request, Response,
    SharedData,
};

use crate::guest::Arg::*;
use crate::guest::{Code, Guest, text};

const HEADERS: &str = "proxy_on_request_headers";
const BODY: &str = "proxy_on_request_body";

/// A module that says each callback of an HTTP stream, and then does this in one of them.
fn saying(callback: &str, code: impl Fn(&mut Code<'_>)) -> Module {
    let all = [
        HEADERS,
        BODY,
        "proxy_on_request_trailers",
        "proxy_on_response_headers",
        "proxy_on_response_body",
        "proxy_on_context_create",
        "proxy_on_log",
        "proxy_on_done",
        "proxy_on_delete",
    ];
    let mut guest = Guest::new();
    for name in all {
        guest = guest.on(name, |body| {
            body.say(name.trim_start_matches("proxy_on_"));
            if name == callback {
                code(body);
            }
        });
    }
    guest.module()
}

fn plain() -> Module {
    saying("", |_| ())
}

fn chain(plugins: impl IntoIterator<Item = Plugin>) -> Chain {
    let clock = Clock::virtual_at(1_000);
    let builder = plugins
        .into_iter()
        .fold(Chain::builder(), |builder, plugin| builder.plugin(plugin));
    let chain = builder
        .machines(move |host| host.clock(clock.clone()))
        .build()
        .unwrap();
    assert!((0..chain.len()).all(|plugin| chain.configured(plugin)));
    chain
}

/// What was logged, each line with the plugin that did.
fn said(chain: &mut Chain) -> Vec<String> {
    let lines = chain.logs().into_iter();
    lines
        .map(|line| format!("{} {}", line.plugin, line.message))
        .collect()
}

fn forwarded(exchange: &Exchange) -> String {
    let message = exchange.forwarded().expect("not forwarded");
    String::from_utf8(message.body.clone()).unwrap()
}

#[test]
fn a_request_passes_from_the_first_to_the_last_and_the_response_back() {
    let module = plain();
    let other = plain();
    let mut chain = chain([Plugin::new("a", &module), Plugin::new("b", &other)]);
    assert_eq!(chain.machines(), 2);
    said(&mut chain);
    let exchange = chain.exchange(
        Request::get("a.test", "/").body("x"),
        Response::new(200).body("y"),
    );
    assert_eq!(
        (forwarded(&exchange), exchange.decided_by),
        ("x".to_owned(), None)
    );
    assert_eq!(exchange.response.unwrap().body, b"y");
    let expected = [
        "a context_create",
        "a request_headers",
        "b context_create",
        "b request_headers",
        "a request_body",
        "b request_body",
        "b response_headers",
        "a response_headers",
        "b response_body",
        "a response_body",
        "a log",
        "b log",
        "a done",
        "a delete",
        "b done",
        "b delete",
    ];
    assert_eq!(said(&mut chain), expected);
}

#[test]
fn what_one_makes_of_headers_body_and_properties_the_next_one_sees() {
    let first = Guest::new()
        .on(HEADERS, |code| {
            code.call(
                "proxy_replace_header_map_value",
                &[Num(0), text("x-by"), text("first")],
            );
            code.call("proxy_set_property", &[text("found"), text("here")]);
        })
        .on(BODY, |code| {
            code.call("proxy_set_buffer_bytes", &[Num(0), Num(0), Num(0), text("1")]);
        })
        .module();
    let second = Guest::new()
        .on(HEADERS, |code| {
            code.call("proxy_get_header_map_value", &[Num(0), text("x-by"), Out])
                .show();
            code.call("proxy_get_property", &[text("found"), Out]).show();
        })
        .on(BODY, |code| {
            code.param(1);
            code.call("proxy_set_buffer_bytes", &[Num(0), Num(0), Num(0), text("2")]);
        })
        .module();
    let mut chain = chain([Plugin::new("a", &first), Plugin::new("b", &second)]);
    let exchange = chain.request(Request::get("a.test", "/").body("x"));
    assert_eq!(forwarded(&exchange), "21x");
    assert_eq!(exchange.forwarded().unwrap().header("x-by"), Some(&b"first"[..]));
    assert_eq!(exchange.property("found"), Some(&b"here"[..]));
    assert_eq!(
        said(&mut chain),
        [
            "a 0", "a 0", "b 0", "b first", "b 0", "b here", "a 0", "b 2", "b 0"
        ]
    );
}

#[test]
fn a_reply_goes_back_through_those_that_have_seen_the_request_and_all_of_them_log() {
    let replying = saying(HEADERS, |code| {
        let reply = [Num(403), text("why"), text("no"), Pairs(&[]), Num(u32::MAX)];
        code.call("proxy_send_local_response", &reply);
    });
    let marking = saying("proxy_on_response_headers", |code| {
        code.call(
            "proxy_add_header_map_value",
            &[Num(2), text("x-marked"), text("yes")],
        );
    });
    let last = plain();
    let mut chain = chain([
        Plugin::new("a", &marking),
        Plugin::new("b", &replying),
        Plugin::new("c", &last),
    ]);
    said(&mut chain);
    let exchange = chain.request(Request::get("a.test", "/").body("x"));
    let reply = exchange.local_reply().unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (403, &b"no"[..]));
    assert_eq!(reply.header("x-marked"), Some(&b"yes"[..]));
    assert_eq!(exchange.decided_by, Some(1));
    let expected = [
        "a context_create",
        "a request_headers",
        "b context_create",
        "b request_headers",
        "b 0",
        "b response_headers",
        "a response_headers",
        "a 0",
        "b response_body",
        "a response_body",
        "a log",
        "b log",
        "c context_create",
        "c log",
        "a done",
        "a delete",
        "b done",
        "b delete",
        "c done",
        "c delete",
    ];
    assert_eq!(said(&mut chain), expected);
}

#[test]
fn what_one_holds_those_before_it_go_on_with_and_those_after_it_wait_for() {
    let holding = Guest::new()
        .on("proxy_on_vm_start", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(100)]);
        })
        .on(HEADERS, |code| {
            code.say("headers").returns(1);
        })
        .on(BODY, |code| {
            code.say("body");
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_set_effective_context", &[Num(2)]);
            code.call("proxy_continue_stream", &[Num(0)]);
        })
        .module();
    let (first, last) = (plain(), plain());
    let mut chain = chain([
        Plugin::new("a", &first),
        Plugin::new("b", &holding),
        Plugin::new("c", &last),
    ]);
    said(&mut chain);
    let exchange = chain.request(Request::get("a.test", "/").body("x"));
    assert_eq!(
        (exchange.outcome, exchange.decided_by),
        (Outcome::Paused, Some(1))
    );
    let seen = [
        "a context_create",
        "a request_headers",
        "b headers",
        "a request_body",
    ];
    assert_eq!(said(&mut chain), seen);
    chain.advance(Duration::from_millis(100)).unwrap();
    let exchange = chain.resume(exchange.stream);
    assert_eq!(forwarded(&exchange), "x");
    let seen: Vec<String> = said(&mut chain).into_iter().skip(2).take(4).collect();
    assert_eq!(
        seen,
        [
            "c context_create",
            "c request_headers",
            "b body",
            "c request_body"
        ]
    );
}

#[test]
fn a_plugin_that_waits_for_the_whole_body_is_shown_the_trailers_too() {
    let waiting = saying(BODY, |code| {
        code.returns(1);
    });
    let after = plain();
    let request = Request::get("a.test", "/").body("x").trailer("t", "1");
    let mut host = Host::builder(&waiting).build().unwrap();
    assert_eq!(
        forwarded(&host.request(request.clone())),
        "x",
        "let go with the trailers"
    );
    let mut chain = chain([Plugin::new("a", &waiting), Plugin::new("b", &after)]);
    assert_eq!(forwarded(&chain.request(request)), "x");
    let seen = said(&mut chain);
    let position = |line: &str| seen.iter().position(|seen| seen == line).unwrap();
    assert!(position("a request_trailers") < position("b request_body"));
    assert!(position("b request_body") < position("b request_trailers"));
}

#[test]
fn plugins_of_one_machine_have_root_contexts_and_configurations_of_their_own_and_die_together() {
    let module = Guest::new()
        .on("proxy_on_configure", |code| {
            code.param(0);
            code.call("proxy_get_buffer_bytes", &[Num(7), Num(0), Num(100), Out])
                .show();
            code.call("proxy_get_property", &[text("plugin_root_id"), Out])
                .show();
        })
        .on(HEADERS, |code| {
            code.add("(i32.store (i32.const 1008) (i32.const 0))\n");
            code.call("proxy_get_header_map_value", &[Num(0), text("bomb"), Out]);
            code.add("(if (i32.gt_u (i32.load (i32.const 1008)) (i32.const 0)) (then unreachable))\n");
        })
        .module();
    let plugin = |name| {
        Plugin::new(name, &module)
            .configuration(name)
            .root_id(&format!("root of {name}"))
    };
    let mut shared = chain([plugin("a"), plugin("b").failure_policy(FailurePolicy::Open)]);
    assert_eq!(shared.machines(), 1);
    let expected = [
        "a 1",
        "a 0",
        "a a",
        "a 0",
        "a root of a",
        "b 2",
        "b 0",
        "b b",
        "b 0",
        "b root of b",
    ];
    assert_eq!(said(&mut shared), expected);
    let bomb = || Request::get("a.test", "/").header("bomb", "x");
    let good = || Request::get("a.test", "/");
    let failed_by = |exchange: &Exchange| {
        let is_failed = matches!(
            exchange.outcome,
            Outcome::Failed {
                reply_status: 503,
                ..
            }
        );
        exchange.decided_by.filter(|_| is_failed)
    };
    assert_eq!(failed_by(&shared.request(bomb())), Some(0));
    assert_eq!(
        failed_by(&shared.request(good())),
        Some(0),
        "in the machine of both"
    );

    let apart = [
        plugin("a").failure_policy(FailurePolicy::Open).vm_id("1"),
        plugin("b").vm_id("2"),
    ];
    let mut apart = chain(apart);
    assert_eq!(apart.machines(), 2);
    assert_eq!(failed_by(&apart.request(bomb())), Some(0));
    assert!(apart.machine(0).unwrap().failure().is_some());
    assert!(
        apart.machine(1).unwrap().failure().is_none(),
        "it was not reached"
    );
    assert!(apart.request(good()).forwarded().is_some());
    assert_eq!(
        failed_by(&apart.request(bomb())),
        Some(1),
        "the first is as if it were not there"
    );
}

#[test]
fn a_plugin_that_is_reloaded_gets_its_configuration_again_and_others_keep_theirs() {
    let module = Guest::new()
        .on(HEADERS, |code| {
            code.call("proxy_get_header_map_value", &[Num(0), text("bomb"), Out]);
            code.add("(if (i32.gt_u (i32.load (i32.const 1008)) (i32.const 0)) (then unreachable))\n");
        })
        .on("proxy_on_configure", |code| {
            code.say("configured");
        })
        .module();
    let other = plain();
    let mut chain = chain([
        Plugin::new("a", &other),
        Plugin::new("b", &module).failure_policy(FailurePolicy::Reload),
    ]);
    said(&mut chain);
    assert_eq!(
        chain
            .request(Request::get("a.test", "/").header("bomb", "x"))
            .decided_by,
        Some(1)
    );
    chain.advance(Duration::from_millis(1_500)).unwrap_err();
    said(&mut chain);
    assert!(chain.request(Request::get("a.test", "/")).forwarded().is_some());
    assert_eq!(said(&mut chain).first().unwrap(), "b configured");
}

#[test]
fn a_failure_goes_back_to_the_client_through_those_that_saw_the_request() {
    let failing = saying(HEADERS, |code| {
        code.trap();
    });
    let first = plain();
    let mut chain = chain([Plugin::new("a", &first), Plugin::new("b", &failing)]);
    let exchange = chain.request(Request::get("a.test", "/"));
    assert!(matches!(
        exchange.outcome,
        Outcome::Failed {
            reply_status: 503,
            ..
        }
    ));
    assert_eq!(exchange.decided_by, Some(1));
    let seen = said(&mut chain);
    assert!(seen.contains(&"a response_headers".to_owned()), "{seen:?}");
    assert!(!seen.contains(&"b response_headers".to_owned()), "{seen:?}");
    assert!(seen.contains(&"a log".to_owned()), "{seen:?}");
}

#[test]
fn the_reply_to_a_failure_is_changed_and_held_by_those_before_it() {
    let failing = saying(BODY, |code| {
        code.trap();
    });
    let changing = saying("proxy_on_response_headers", |code| {
        code.call("proxy_get_header_map_value", &[Num(2), text(":status"), Out])
            .show();
        code.call(
            "proxy_replace_header_map_value",
            &[Num(2), text(":status"), text("599")],
        );
    });
    let mut chain = self::chain([Plugin::new("a", &changing), Plugin::new("b", &failing)]);
    let exchange = chain.request(Request::new("POST", "a.test", "/").body("x"));
    assert!(
        matches!(
            exchange.outcome,
            Outcome::Failed {
                reply_status: 599,
                ..
            }
        ),
        "{:?}",
        exchange.outcome
    );
    assert!(said(&mut chain).contains(&"a 503".to_owned()));

    let failing = saying(HEADERS, |code| {
        code.trap();
    });
    let holding = saying("proxy_on_response_headers", |code| {
        code.returns(1);
    });
    let mut chain = self::chain([Plugin::new("a", &holding), Plugin::new("b", &failing)]);
    let held = chain.request(Request::get("a.test", "/"));
    assert_eq!((held.outcome, held.decided_by), (Outcome::Paused, Some(1)));
    assert_eq!(chain.resume(held.stream).outcome, Outcome::Paused);
}

/// Fills a queue of another worker at each request, and says what it is told of.
fn queueing() -> Module {
    Guest::new()
        .on("proxy_on_vm_start", |code| {
            code.call("proxy_register_shared_queue", &[text("news"), OutNumber]);
        })
        .on(HEADERS, |code| {
            code.call("proxy_resolve_shared_queue", &[text("there"), text("news"), OutNumber]);
            code.add("(drop (call $proxy_enqueue_shared_queue (i32.load (i32.const 1000)) (i32.const 8192) (i32.const 4)))");
        })
        .on("proxy_on_queue_ready", |code| {
            code.param(0);
            code.param(1);
            code.add("(call $print (i64.extend_i32_s (call $proxy_dequeue_shared_queue (local.get 1) (i32.const 1000) (i32.const 1008))))\n");
            code.show();
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_enqueue_shared_queue", &[Num(9), text("x")]);
            code.call("proxy_dequeue_shared_queue", &[Num(9), Out]);
        })
        .module()
}

#[test]
fn who_registered_a_queue_last_is_told_of_what_another_worker_puts_into_it() {
    let module = queueing();
    let shared = SharedData::default();
    let worker = |vm_id: &str| {
        let host = Host::builder(&module)
            .names("", "", vm_id)
            .shared_data(shared.clone());
        host.build().unwrap()
    };
    let (mut here, mut early, mut late) = (worker("here"), worker("there"), worker("there"));
    for host in [&mut here, &mut early, &mut late] {
        host.logs();
    }
    here.request(Request::get("a.test", "/"));
    for host in [&mut early, &mut late, &mut here] {
        host.catch_up();
    }
    let told = |host: &mut Host| {
        host.logs()
            .into_iter()
            .map(|line| line.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(&mut early),
        Vec::<String>::new(),
        "another registered it after this one"
    );
    assert_eq!(told(&mut late), ["1", "2", "0", "news"]);
    assert_eq!(told(&mut here), ["0"], "found by the id of the other machine");
    late.catch_up();
    assert_eq!(told(&mut late), Vec::<String>::new(), "once");
    here.request(Request::get("a.test", "/"));
    drop(late);
    early.catch_up();
    assert_eq!(
        told(&mut early),
        Vec::<String>::new(),
        "what a worker takes with it is lost"
    );
}

#[test]
fn a_body_in_pieces_is_shown_as_it_comes_and_as_a_whole_to_who_waits_for_its_end() {
    // What is held stays in the buffer: each piece is shown with those before it.
    let waiting = Guest::new()
        .on(BODY, |code| {
            code.param(1).param(2);
            code.add("(if (i32.eqz (local.get 2)) (then (return (i32.const 1))))\n");
            code.call("proxy_get_buffer_bytes", &[Num(0), Num(0), Num(100), Out])
                .show();
        })
        .module();
    let passing = Guest::new()
        .on(BODY, |code| {
            code.param(1).param(2);
        })
        .module();
    let clock = Clock::virtual_at(1_000);
    let pieces = |plugins: [Plugin; 2]| {
        let clock = clock.clone();
        let builder = plugins
            .into_iter()
            .fold(Chain::builder(), |builder, plugin| builder.plugin(plugin));
        builder
            .machines(move |host| host.clock(clock.clone()).body_pieces(2))
            .build()
            .unwrap()
    };
    let mut chain = pieces([Plugin::new("a", &passing), Plugin::new("b", &waiting)]);
    assert_eq!(
        forwarded(&chain.request(Request::get("a.test", "/").body("12345"))),
        "12345"
    );
    let expected = [
        "a 2", "a 0", "b 2", "b 0", "a 2", "a 0", "b 4", "b 0", "a 1", "a 1", "b 5", "b 1", "b 0", "b 12345",
    ];
    assert_eq!(said(&mut chain), expected);
    let mut chain = pieces([Plugin::new("a", &waiting), Plugin::new("b", &passing)]);
    assert_eq!(
        forwarded(&chain.request(Request::get("a.test", "/").body("12345"))),
        "12345"
    );
    let after: Vec<String> = said(&mut chain)
        .into_iter()
        .filter(|line| line.starts_with('b'))
        .collect();
    assert_eq!(after, ["b 5", "b 1"], "let go as one");
}

#[test]
fn headers_are_held_alone_only_where_that_is_allowed() {
    let module = Guest::new()
        .on(HEADERS, |code| {
            code.returns(1);
        })
        .on(BODY, |code| {
            code.call(
                "proxy_add_header_map_value",
                &[Num(0), text("x-late"), text("yes")],
            );
        })
        .module();
    let request = || Request::get("a.test", "/").body("x");
    let host = |allowed| {
        let builder = Host::builder(&module).allow_headers_stop_iteration(allowed);
        builder.build().unwrap()
    };
    let exchange = host(true).request(request());
    assert_eq!(exchange.forwarded().unwrap().header("x-late"), Some(&b"yes"[..]));
    assert_eq!(forwarded(&exchange), "x");
    let mut held = host(false);
    assert_eq!(held.request(request()).outcome, Outcome::Paused);
    assert_eq!(held.logs().len(), 0, "the body is not shown");
}

#[test]
fn workers_run_in_threads_of_their_own() {
    let module = Guest::new()
        .on(HEADERS, |code| {
            code.call("proxy_register_shared_queue", &[text("all"), OutNumber]);
            code.call("proxy_resolve_shared_queue", &[text(""), text("all"), OutNumber]);
            code.add("(drop (call $proxy_enqueue_shared_queue (i32.load (i32.const 1000)) (i32.const 0) (i32.const 4)))\n");
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_enqueue_shared_queue", &[Num(1), text("x")]);
        })
        .on("proxy_on_queue_ready", |code| {
            code.say("told");
        })
        .module();
    let shared = SharedData::default();
    let workers = (0..4).map(|_| {
        let (module, shared) = (module.clone(), shared.clone());
        std::thread::spawn(move || {
            let mut host = Host::builder(&module).shared_data(shared).build().unwrap();
            (0..50).for_each(|_| drop(host.request(Request::get("a.test", "/"))));
            host
        })
    });
    let hosts: Vec<Host> = workers
        .collect::<Vec<_>>()
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .collect();
    let told = hosts.into_iter().map(|mut host| {
        host.catch_up();
        host.logs().iter().filter(|line| line.message == "told").count()
    });
    assert_eq!(
        told.sum::<usize>(),
        200,
        "each item is told of once, to one worker"
    );
}

#[test]
fn a_failure_in_the_body_of_a_response_leaves_the_client_with_half_of_it() {
    for (callback, is_reset) in [
        ("proxy_on_response_headers", false),
        ("proxy_on_response_body", true),
    ] {
        let failing = saying(callback, |code| {
            code.trap();
        });
        let mut host = Host::builder(&failing).build().unwrap();
        let exchange = host.exchange(Request::get("a.test", "/"), Response::new(200).body("x"));
        assert_eq!(
            exchange.outcome == Outcome::Reset,
            is_reset,
            "{callback}: {:?}",
            exchange.outcome
        );
        assert!(host.failure().is_some());
    }
}

/// Holds responses until its second tick.
fn slow() -> Module {
    Guest::new()
        .on("proxy_on_vm_start", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(100)]);
        })
        .on("proxy_on_response_headers", |code| {
            code.say("held").returns(1);
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_set_effective_context", &[Num(2)]);
            code.call("proxy_continue_stream", &[Num(1)]);
        })
        .module()
}

#[test]
fn a_response_that_one_holds_those_before_it_wait_for() {
    let (first, holding) = (plain(), slow());
    let mut chain = chain([Plugin::new("a", &first), Plugin::new("b", &holding)]);
    said(&mut chain);
    let held = chain.exchange(Request::get("a.test", "/"), Response::new(200).body("y"));
    assert_eq!((held.outcome, held.decided_by), (Outcome::Paused, Some(1)));
    let seen = said(&mut chain);
    assert_eq!(seen, ["a context_create", "a request_headers", "b held"]);
    let exchange = chain.wait(held.stream, Duration::from_millis(50));
    assert_eq!(exchange.outcome, Outcome::Paused, "not yet");
    let exchange = chain.wait(held.stream, Duration::from_secs(1));
    assert_eq!(exchange.response.unwrap().body, b"y");
    let seen = said(&mut chain);
    let of_first: Vec<&str> = seen
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with('a'))
        .collect();
    assert_eq!(
        of_first,
        [
            "a response_headers",
            "a response_body",
            "a log",
            "a done",
            "a delete"
        ]
    );
}

#[test]
fn a_client_that_leaves_ends_a_stream_in_all_machines() {
    let (first, holding) = (plain(), slow());
    let mut chain = chain([Plugin::new("a", &first), Plugin::new("b", &holding)]);
    let held = chain.request(Request::get("a.test", "/"));
    assert_eq!(chain.abort(held.stream).outcome, Outcome::Reset);
    for plugin in 0..2 {
        assert_eq!(chain.machine(plugin).unwrap().open_streams(), 0);
    }
    assert_eq!(
        chain.resume(held.stream).outcome,
        Outcome::Reset,
        "it is not there any more"
    );
}

#[test]
fn a_reply_to_a_response_goes_to_the_client_past_the_others() {
    let replying = saying("proxy_on_response_headers", |code| {
        let reply = [Num(502), text("why"), text("no"), Pairs(&[]), Num(u32::MAX)];
        code.call("proxy_send_local_response", &reply);
    });
    let first = plain();
    let mut chain = chain([Plugin::new("a", &first), Plugin::new("b", &replying)]);
    said(&mut chain);
    let exchange = chain.exchange(Request::get("a.test", "/"), Response::new(200).body("y"));
    assert_eq!(
        (exchange.local_reply().unwrap().status, exchange.decided_by),
        (502, Some(1))
    );
    assert!(!said(&mut chain).contains(&"a response_headers".to_owned()));
}

#[test]
fn a_plugin_that_fails_open_is_not_there_for_later_requests() {
    let failing = saying("proxy_on_configure", |_| ());
    let trapping = saying(HEADERS, |code| {
        code.trap();
    });
    let mut chain = chain([
        Plugin::new("a", &trapping).failure_policy(FailurePolicy::Open),
        Plugin::new("b", &failing),
    ]);
    let first = chain.request(Request::get("a.test", "/"));
    assert!(matches!(first.outcome, Outcome::Failed { .. }));
    said(&mut chain);
    assert!(chain.request(Request::get("a.test", "/")).forwarded().is_some());
    let seen = said(&mut chain);
    assert!(seen.iter().all(|line| line.starts_with('b')), "{seen:?}");
    assert!(!seen.is_empty());
}

#[test]
fn a_grpc_callout_is_known_to_the_plugin_that_opened_it_alone() {
    let module = Guest::new()
        .on("proxy_on_configure", |code| {
            let args = [text("echo"), text("S"), text("M"), Pairs(&[]), OutNumber];
            code.call("proxy_grpc_stream", &args).number();
        })
        .on(HEADERS, |code| {
            for token in [6, 10] {
                code.call("proxy_grpc_send", &[Num(token), text("x"), Num(0)]);
                code.call("proxy_grpc_close", &[Num(token)]);
                code.call("proxy_grpc_cancel", &[Num(token)]);
            }
        })
        .module();
    let mut chain = Chain::builder()
        .plugin(Plugin::new("a", &module))
        .plugin(Plugin::new("b", &module).configuration("other"))
        .machines(|host| host.grpc_upstream("echo", |_| GrpcAnswer::new()))
        .build()
        .unwrap();
    assert_eq!(chain.machines(), 1);
    assert_eq!(said(&mut chain), ["a 0", "a 6", "b 0", "b 10"]);
    chain.request(Request::get("a.test", "/"));
    let told = said(&mut chain);
    let of = |plugin: &str| -> Vec<_> {
        told.iter()
            .filter_map(|line| line.strip_prefix(plugin))
            .map(str::trim)
            .collect()
    };
    assert_eq!(of("a"), ["0", "0", "0", "1", "1", "1"]);
    assert_eq!(of("b"), ["1", "1", "1", "0", "0", "0"]);
}
