//! What a test learns of a module: the trace of its calls, the functions in which it failed, what differs between
//! proxies, what it costs and what it leaves behind.

use scopegate_host_tests::{Clock, Comparison, Host, Profile, Request};

use crate::guest::Arg::*;
use crate::guest::{Guest, text};

const HEADERS: &str = "proxy_on_request_headers";

fn asking() -> Guest {
    Guest::new().on(HEADERS, |code| {
        code.call(
            "proxy_get_header_map_value",
            &[Num(0), text("authorization"), Out],
        );
        code.call("proxy_get_header_map_value", &[Num(0), text("x-plain"), Out]);
        code.call(
            "proxy_replace_header_map_value",
            &[Num(0), text("x-new"), text("v")],
        );
        code.call(
            "proxy_get_property",
            &[text("request\0headers\0authorization"), Out],
        );
        code.call("proxy_get_header_map_pairs", &[Num(0), Out]);
        code.call("proxy_get_header_map_value", &[Num(0), text("absent"), Out]);
    })
}

fn request() -> Request {
    Request::get("a.test", "/x")
        .header("authorization", "Bearer hidden")
        .header("x-plain", "seen")
}

#[test]
fn a_trace_reads_as_what_was_asked_and_answered_and_shows_no_credential() {
    let mut host = Host::builder(&asking().module()).trace_values().build().unwrap();
    host.trace();
    host.request(request());
    let calls = host.trace();
    let about_headers = calls.iter().filter(|call| call.function != "proxy_log");
    let lines: Vec<String> = about_headers.map(ToString::to_string).collect();
    let here = "[2 proxy_on_request_headers]";
    let all_headers = "[:authority: a.test, :path: /x, :method: GET, :scheme: https, \
        authorization: [13 bytes], x-plain: seen, x-new: v]";
    let expected = [
        format!(r#"{here} proxy_get_header_map_value "authorization" -> 0, [13 bytes]"#),
        format!(r#"{here} proxy_get_header_map_value "x-plain" -> 0, "seen""#),
        format!(r#"{here} proxy_replace_header_map_value "x-new", "v" -> 0"#),
        format!(r#"{here} proxy_get_property "request\x00headers\x00authorization" -> 0, [13 bytes]"#),
        format!("{here} proxy_get_header_map_pairs -> 0, {all_headers}"),
        format!(r#"{here} proxy_get_header_map_value "absent" -> 1"#),
    ];
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(
            line.starts_with(expected.as_str()) || line == expected,
            "{line}\n{expected}"
        );
    }
    assert_eq!(lines.len(), expected.len());
    assert!(!format!("{calls:?}").contains("hidden"));
    let plain = calls.iter().find(|call| call.about == "x-plain").unwrap();
    assert_eq!(plain.given.as_deref(), Some(&b"seen"[..]));
    assert_eq!(
        plain.arguments.first(),
        Some(&0),
        "the map of the request's headers"
    );
    let redacted = plain.redacted().to_string();
    assert!(redacted.ends_with(r#" -> 0, "[4 bytes]""#), "{redacted}");
}

#[test]
fn a_trace_keeps_no_value_unless_it_is_told_to() {
    let mut host = Host::builder(&asking().module()).trace().build().unwrap();
    host.request(request());
    let calls = host.trace();
    assert!(!calls.is_empty());
    assert!(
        calls
            .iter()
            .all(|call| call.taken.is_empty() && call.given.is_none())
    );
    let line = calls
        .iter()
        .find(|call| call.about == "x-plain")
        .unwrap()
        .to_string();
    assert_eq!(
        line,
        r#"[2 proxy_on_request_headers] proxy_get_header_map_value "x-plain" -> 0"#
    );
}

#[test]
fn a_backtrace_names_the_functions_of_the_module_the_innermost_first() {
    let guest = Guest::new()
        .on(HEADERS, |code| {
            code.add("(call $check_token)\n");
        })
        .raw("(func $check_token (call $compare_bytes))\n(func $compare_bytes unreachable)\n");
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    let trap = host.failure().unwrap();
    assert_eq!(trap.function, HEADERS);
    assert_eq!(trap.backtrace.get(..2).unwrap(), ["compare_bytes", "check_token"]);
}

#[test]
fn one_script_under_all_profiles_says_where_they_differ() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out]);
    });
    let compare = |path: &'static str| {
        Comparison::run(
            &guest.module(),
            |host| host.clock(Clock::virtual_at(1_000)),
            |host| host.request(Request::get("a.test", path)).forwarded().is_some(),
        )
    };
    assert_eq!(compare("/plain").differences(), []);
    assert_eq!(
        compare("/plain").to_string(),
        "no difference between the profiles\n"
    );
    let compared = compare("/a%2Fb");
    let [difference] = &compared.differences()[..] else {
        panic!("{compared}")
    };
    assert_eq!(difference.profile, Profile::Nginx);
    assert!(
        compared
            .to_string()
            .contains(r#"- [2 proxy_on_request_headers] proxy_get_header_map_value ":path" -> 0, "/a%2Fb""#),
        "{compared}"
    );
    assert!(
        compared
            .to_string()
            .contains(r#"+ [2 proxy_on_request_headers] proxy_get_header_map_value ":path" -> 0, "/a/b""#),
        "{compared}"
    );
    let one_sided = |result| {
        compared
            .transcripts
            .iter()
            .all(|transcript| transcript.result == result)
    };
    assert!(one_sided("true"));
}

#[test]
fn a_profile_in_which_the_module_fails_shows_how() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_close_stream", &[Num(0)]);
    });
    let compared = Comparison::run(
        &guest.module(),
        |host| host.clock(Clock::virtual_at(1_000)),
        |host| host.request(Request::get("a.test", "/")).outcome,
    );
    let shown = compared.to_string();
    assert!(
        shown.contains("+ the module failed in `proxy_on_request_headers`"),
        "{shown}"
    );
    assert!(shown.contains("- Reset"), "{shown}");
}

#[test]
fn a_request_costs_the_same_in_each_run() {
    let cost = || {
        let mut host = Host::builder(&asking().module())
            .clock(Clock::virtual_at(1_000))
            .build()
            .unwrap();
        host.cost(5, |_| request())
    };
    let (first, second) = (cost(), cost());
    assert_eq!(first, second);
    assert_eq!(first.fuel.first(), first.fuel.last(), "each like the others");
    assert!(first.median_fuel() > 0);
    assert_eq!(first.host_calls, [12; 5], "six calls, and a line for each");
    assert!(
        first.to_string().ends_with("12 host calls, 5 requests"),
        "{first}"
    );
}

#[test]
fn a_module_that_keeps_what_streams_leave_is_found_out() {
    let tidy = Guest::new().on(HEADERS, |_| ());
    let leaks = tidy
        .host()
        .leaks(50, |host, _| drop(host.request(Request::get("a.test", "/"))));
    assert!(leaks.is_none(), "{leaks}");

    let growing = Guest::new().on("proxy_on_log", |code| {
        code.add("(drop (memory.grow (i32.const 1)))\n");
    });
    let leaks = growing
        .host()
        .leaks(50, |host, _| drop(host.request(Request::get("a.test", "/"))));
    assert!(!leaks.is_none());
    assert_eq!(leaks.after.memory_bytes - leaks.before.memory_bytes, 50 * 65_536);
    assert!(leaks.to_string().contains("bytes of memory") && leaks.to_string().contains("grew"));

    let holding = Guest::new().on(HEADERS, |code| {
        code.returns(1);
    });
    let leaks = holding
        .host()
        .leaks(10, |host, _| drop(host.request(Request::get("a.test", "/"))));
    assert_eq!((leaks.before.streams, leaks.after.streams), (10, 20));

    let sharing = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_header_map_value", &[Num(0), text("key"), Out]);
        code.add("(drop (call $proxy_set_shared_data (i32.load (i32.const 1000)) (i32.load (i32.const 1008)) (i32.const 0) (i32.const 0) (i32.const 0)))\n");
    }).on("proxy_on_tick", |code| {
        code.call("proxy_set_shared_data", &[text("k"), text("v"), Num(0)]);
    });
    let leaks = sharing.host().leaks(10, |host, number| {
        host.request(Request::get("a.test", "/").header("key", number.to_string()));
    });
    assert_eq!(leaks.after.shared_keys - leaks.before.shared_keys, 10);
}
