//! Loading and starting: ABI markers, links, initialization, configuration.

use scopegate_host_tests::{
    AbiVersion, Answer, Clock, GrpcAnswer, Host, LoadError, Module, Outcome, Request, StartError,
};

use crate::guest::Arg::{Num, Out, OutNumber, Pairs};
use crate::guest::{Guest, lines, text};

#[test]
fn the_abi_marker_names_the_version() {
    for (marker, version) in [
        ("proxy_abi_version_0_1_0", AbiVersion::V0_1_0),
        ("proxy_abi_version_0_2_0", AbiVersion::V0_2_0),
        ("proxy_abi_version_0_2_1", AbiVersion::V0_2_1),
        ("proxy_abi_version_0_2_100", AbiVersion::V0_2_100),
    ] {
        assert_eq!(Guest::of(marker).module().abi(), version);
    }
    assert!(matches!(
        Guest::of("proxy_abi_version_9_9_9").load(),
        Err(LoadError::NoAbiMarker)
    ));
}

#[test]
fn what_is_no_module_is_refused_with_a_reason() {
    assert!(matches!(
        Module::from_bytes(b"not wasm"),
        Err(LoadError::Invalid(_))
    ));
    let missing = Module::from_file("/nowhere/filter.wasm").unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("cannot read the module `/nowhere/filter.wasm`: "),
        "{missing}"
    );
}

#[test]
fn imports_and_exports_are_listed() {
    let guest = Guest::new().on("proxy_on_tick", |code| {
        code.wasi("sched_yield", &[]);
    });
    let module = guest.module();
    let imports: Vec<_> = module
        .imports()
        .into_iter()
        .map(|i| format!("{}.{}", i.module, i.name))
        .collect();
    assert_eq!(imports, ["env.proxy_log", "wasi_snapshot_preview1.sched_yield"]);
    assert!(
        module
            .exports()
            .iter()
            .any(|export| export.name == "proxy_on_tick" && export.function)
    );
    assert!(
        module
            .exports()
            .iter()
            .any(|export| export.name == "memory" && !export.function)
    );
}

#[test]
fn a_module_gets_the_functions_of_its_own_version_and_no_other() {
    let offers = |abi, name: &str, args: &[crate::guest::Arg<'_>]| {
        let guest = Guest::of(abi).on("proxy_on_tick", |code| {
            code.call(name, args);
        });
        Host::builder(&guest.module()).build().is_ok()
    };
    let (first, second, last) = (
        "proxy_abi_version_0_1_0",
        "proxy_abi_version_0_2_0",
        "proxy_abi_version_0_2_1",
    );
    let level = |abi| offers(abi, "proxy_get_log_level", &[Num(0)]);
    assert_eq!([level(first), level(second), level(last)], [false, false, true]);
    let continue_stream = |abi| offers(abi, "proxy_continue_stream", &[Num(0)]);
    assert_eq!(
        [
            continue_stream(first),
            continue_stream(second),
            continue_stream(last)
        ],
        [false, true, true]
    );
    let continue_request = |abi| offers(abi, "proxy_continue_request", &[]);
    assert_eq!(
        [
            continue_request(first),
            continue_request(second),
            continue_request(last)
        ],
        [true, false, false]
    );
    assert!(!offers(last, "proxy_unheard_of", &[Num(0)]));
    assert!(
        !offers(last, "proxy_done", &[Num(0)]),
        "the wrong number of parameters"
    );
}

#[test]
fn the_further_functions_of_abi_0_2_100_answer_unimplemented() {
    let guest = Guest::of("proxy_abi_version_0_2_100").on("proxy_on_configure", |code| {
        code.call("proxy_redis_init", &[text("r"), Num(0)])
            .call("proxy_get_log_level", &[Num(1000)]);
    });
    assert_eq!(lines(&mut guest.host()), ["12", "0"]);
}

#[test]
fn a_module_without_memory_or_allocator_is_refused() {
    let bare = |exports: &str| {
        let text = format!("(module (func (export \"proxy_abi_version_0_2_1\")) {exports})");
        Host::builder(&Module::from_bytes(&wat::parse_str(text).unwrap()).unwrap()).build()
    };
    let malloc = "(func (export \"malloc\") (param i32) (result i32) (i32.const 1))";
    let memory = "(memory (export \"memory\") 1)";
    assert!(matches!(bare(malloc), Err(StartError::Missing("memory"))));
    assert!(matches!(
        bare(memory),
        Err(StartError::Missing("proxy_on_memory_allocate"))
    ));
    assert!(bare(&[malloc, memory].concat()).is_ok());
}

#[test]
fn initialize_is_run_with_main_after_it_and_start_only_without() {
    let said = |line: &str| {
        let at = 700;
        format!("(data (i32.const {at}) \"{line}\")")
    };
    let main = "(func (export \"main\") (param i32 i32) (result i32)
        (drop (call $proxy_log (i32.const 2) (i32.const 700) (i32.const 4))) (i32.const 0))";
    let guest = Guest::new()
        .on("_initialize", |code| {
            code.say("initialize");
        })
        .on("_start", |code| {
            code.say("start");
        })
        .raw(main)
        .raw(&said("main"));
    assert_eq!(lines(&mut guest.host()), ["initialize", "main"]);
    let guest = Guest::new().on("_start", |code| {
        code.say("start");
    });
    assert_eq!(lines(&mut guest.host()), ["start"]);
}

#[test]
fn a_module_that_fails_to_initialize_is_refused() {
    let error = Host::builder(
        &Guest::new()
            .on("_initialize", |code| {
                code.trap();
            })
            .module(),
    )
    .build()
    .unwrap_err();
    assert!(error.to_string().contains("`_initialize`"), "{error}");
}

#[test]
fn at_start_only_a_few_host_calls_are_allowed() {
    let guest = Guest::new().on("_initialize", |code| {
        code.wasi("environ_sizes_get", &[Num(1000), Num(1004)])
            .wasi("random_get", &[Num(1000), Num(4)]);
        code.wasi("clock_time_get", &[Num(0), crate::guest::Arg::Wide(0), Num(1000)]);
    });
    let mut host = Host::builder(&guest.module())
        .clock(Clock::virtual_at(1))
        .build()
        .unwrap();
    assert_eq!(lines(&mut host), ["0", "0", "0"]);
    let guest = Guest::new().on("_initialize", |code| {
        code.call("proxy_get_current_time_nanoseconds", &[Num(1000)]);
    });
    let error = Host::builder(&guest.module()).build().unwrap_err();
    assert!(
        error.to_string().contains("proxy_get_current_time_nanoseconds"),
        "{error}"
    );
}

#[test]
fn a_plugin_that_refuses_to_start_or_its_configuration_refuses_every_request() {
    for callback in ["proxy_on_vm_start", "proxy_on_configure"] {
        let guest = Guest::new()
            .on(callback, |code| {
                code.returns(0);
            })
            .on("proxy_on_request_headers", |code| {
                code.say("seen");
            });
        let mut host = guest.host();
        assert!(!host.configured());
        let outcome = host.request(Request::get("a.test", "/")).outcome;
        assert!(
            matches!(
                outcome,
                Outcome::Failed {
                    reply_status: 503,
                    ..
                }
            ),
            "{callback}: {outcome:?}"
        );
        assert_eq!(lines(&mut host), [""; 0], "the module never sees the request");
    }
}

#[test]
fn a_plugin_that_fails_in_its_start_refuses_every_request() {
    for callback in [
        "proxy_on_context_create",
        "proxy_on_vm_start",
        "proxy_on_configure",
    ] {
        let mut host = Guest::new()
            .on(callback, |code| {
                code.trap();
            })
            .host();
        assert!(!host.configured());
        assert_eq!(host.failure().unwrap().function, callback);
        assert!(matches!(
            host.request(Request::get("a.test", "/")).outcome,
            Outcome::Failed { .. }
        ));
        assert!(host.configure("again").is_err());
    }
}

/// Accepts the configuration `good` and no other.
fn choosy() -> Guest {
    Guest::new().on("proxy_on_configure", |code| {
        code.call("proxy_get_buffer_bytes", &[Num(7), Num(0), Num(99), Out])
            .show();
        code.add("(return (i32.eq (i32.load (i32.const 1008)) (i32.const 4)))\n");
    })
}

#[test]
fn a_plugin_is_configured_again_in_the_same_root_context() {
    let mut host = Host::builder(&choosy().module())
        .configuration("bad")
        .build()
        .unwrap();
    assert!(!host.configured());
    assert!(host.configure("good").unwrap());
    assert!(host.configured());
    assert!(!host.configure("no").unwrap());
    assert!(
        host.configured(),
        "what it made of the good configuration still holds"
    );
    assert!(host.request(Request::get("a.test", "/")).forwarded().is_some());
    assert_eq!(lines(&mut host), ["0", "bad", "0", "good", "0", "no"]);
}

#[test]
fn shutting_down_waits_for_a_module_that_wants_to_finish_something() {
    let mut host = Guest::new()
        .on("proxy_on_done", |code| {
            code.say("done").returns(1);
        })
        .on("proxy_on_delete", |code| {
            code.say("delete");
        })
        .host();
    assert!(host.shut_down().unwrap());
    assert_eq!(lines(&mut host), ["done", "delete"]);
    assert!(matches!(
        host.request(Request::get("a.test", "/")).outcome,
        Outcome::Failed { .. }
    ));

    let mut host = Guest::new()
        .on("proxy_on_configure", |code| {
            code.call("proxy_set_tick_period_milliseconds", &[Num(5)]);
        })
        .on("proxy_on_done", |code| {
            code.returns(0);
        })
        .on("proxy_on_tick", |code| {
            code.call("proxy_done", &[]).say("still here");
        })
        .on("proxy_on_delete", |code| {
            code.say("delete");
        })
        .host();
    assert!(host.tick().unwrap());
    assert!(!host.shut_down().unwrap());
    assert!(host.tick().unwrap());
    assert!(host.tick().unwrap());
    assert_eq!(
        lines(&mut host),
        [
            "0",
            "1",
            "still here",
            "0",
            "still here",
            "delete",
            "1",
            "still here"
        ],
        "not found, then done once, then not found again"
    );
}

#[test]
fn a_plugin_takes_its_callouts_with_it() {
    let headers = [(":method", "GET"), (":path", "/"), (":authority", "idp.test")];
    let guest = Guest::new()
        .on("proxy_on_configure", |code| {
            let args = [
                text("idp"),
                Pairs(&headers),
                text(""),
                Pairs(&[]),
                Num(0),
                OutNumber,
            ];
            code.call("proxy_http_call", &args);
            let args = [text("echo"), text("S"), text("M"), Pairs(&[]), OutNumber];
            code.call("proxy_grpc_stream", &args);
        })
        .on("proxy_on_http_call_response", |code| {
            code.say("answered");
        })
        .on("proxy_on_grpc_receive", |code| {
            code.say("received");
        });
    let mut host = Host::builder(&guest.module())
        .upstream("idp", |_| Answer::Later)
        .grpc_upstream("echo", |_| GrpcAnswer::new())
        .build()
        .unwrap();
    let (http, grpc) = (host.callouts()[0].token, host.grpc_callouts()[0].token);
    assert_eq!(lines(&mut host), ["0", "0"]);
    assert!(host.shut_down().unwrap());
    assert_eq!((host.callouts().len(), host.grpc_callouts().len()), (0, 0));
    host.answer(http, Answer::status(200)).unwrap();
    host.answer_grpc(grpc, GrpcAnswer::reply("late")).unwrap();
    assert_eq!(lines(&mut host), [] as [&str; 0]);
}

#[test]
fn a_function_that_a_proxy_calls_must_have_the_type_that_it_is_called_with() {
    let load = |abi: &str, function: &str| {
        let text = format!(
            "(module (memory (export \"memory\") 1) (func (export \"{abi}\"))
             (func (export \"malloc\") (param i32) (result i32) (i32.const 16)) {function})"
        );
        Module::from_bytes(&wat::parse_str(text).unwrap())
    };
    let (first, last) = ("proxy_abi_version_0_1_0", "proxy_abi_version_0_2_1");
    let wrong = [
        ("proxy_on_vm_start", "(param i32 i32)", "(i32, i32) -> i32"),
        (
            "proxy_on_configure",
            "(param i32 i32) (result i64) (i64.const 1)",
            "(i32, i32) -> i32",
        ),
        (
            "proxy_on_configure",
            "(param i32 i32) (result i32 i32) (i32.const 1) (i32.const 1)",
            "(i32, i32) -> i32",
        ),
        (
            "proxy_on_request_headers",
            "(param i32 i32 i32)",
            "(i32, i32, i32) -> i32",
        ),
        (
            "proxy_on_request_headers",
            "(param i32 i32 i32) (result i64) (i64.const 1)",
            "(i32, i32, i32) -> i32",
        ),
        (
            "proxy_on_request_body",
            "(param i32 i32) (result i32) (i32.const 1)",
            "(i32, i32, i32) -> i32",
        ),
        ("proxy_on_done", "(param i32)", "(i32) -> i32"),
        ("proxy_on_log", "(param i64)", "(i32)"),
        (
            "proxy_on_memory_allocate",
            "(param i64) (result i64) (i64.const 1)",
            "(i32) -> i32",
        ),
    ];
    for (name, function, expected) in wrong {
        let error = load(last, &format!("(func (export \"{name}\") {function})")).unwrap_err();
        let said =
            format!("the module exports `{name}` with a wrong signature: a proxy calls it as {expected}");
        assert_eq!(error.to_string(), said);
    }
    let headers = |count| {
        let params = "i32 ".repeat(count);
        format!("(func (export \"proxy_on_response_headers\") (param {params}) (result i32) (i32.const 0))")
    };
    let loads = |abi, count| load(abi, &headers(count)).is_ok();
    assert_eq!([loads(first, 2), loads(first, 3)], [true, false]);
    assert_eq!([loads(last, 2), loads(last, 3)], [false, true]);
    assert!(load(last, "(func (export \"proxy_on_nothing_known\"))").is_ok());
}

#[test]
fn a_module_of_another_kind_is_refused() {
    let malloc = "(func (export \"malloc\") (param i32) (result i32) (i32.const 16))";
    let marker = "(func (export \"proxy_abi_version_0_2_1\"))";
    let load = |text: String| Module::from_bytes(&wat::parse_str(text).unwrap());
    let wide = load(format!(
        "(module (memory (export \"memory\") i64 1) {marker} {malloc})"
    ));
    assert!(
        matches!(wide, Err(LoadError::Invalid(_))),
        "pointers have 32 bits"
    );
    let global = "(global (export \"proxy_abi_version_0_2_1\") i32 (i32.const 0))";
    let marked = load(format!(
        "(module (memory (export \"memory\") 1) {global} {malloc})"
    ));
    assert!(
        matches!(marked, Err(LoadError::NoAbiMarker)),
        "the marker is a function"
    );
}
