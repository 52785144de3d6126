//! Each version of the ABI: exactly its functions link, with exactly their signatures, and each of them answers.

use std::fmt::Write as _;

use scopegate_host_tests::{Host, Module, Outcome, Request, StartError};

const FIRST: &str = "proxy_abi_version_0_1_0";
const SECOND: &str = "proxy_abi_version_0_2_0";
const LAST: &str = "proxy_abi_version_0_2_1";
const BEYOND: &str = "proxy_abi_version_0_2_100";

/// Which versions have a function.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Has {
    All,
    First,
    SinceSecond,
    SinceLast,
}

use Has::{All, First, SinceLast, SinceSecond};

/// In place of a status: the proxy ends.
const CRASH: i32 = -1;

/// A function: its name, its parameters (`i` for 32 bits, `I` for 64), who has it, and what it answers in
/// `proxy_on_request_headers` where every argument is 0 and those before it were called.
const FUNCTIONS: [(&str, &str, Has, i32); 43] = [
    ("proxy_log", "iii", All, 0),
    ("proxy_get_log_level", "i", SinceLast, 0),
    ("proxy_get_current_time_nanoseconds", "i", All, 0),
    ("proxy_set_tick_period_milliseconds", "i", All, 0),
    ("proxy_set_effective_context", "i", All, 0),
    ("proxy_done", "", All, 1),
    ("proxy_get_status", "iii", All, 0),
    ("proxy_get_configuration", "ii", First, 0),
    ("proxy_get_buffer_bytes", "iiiii", All, 0),
    ("proxy_get_buffer_status", "iii", All, 0),
    ("proxy_set_buffer_bytes", "iiiii", All, 2),
    ("proxy_get_header_map_size", "ii", All, 0),
    ("proxy_get_header_map_pairs", "iii", All, 0),
    ("proxy_get_header_map_value", "iiiii", All, 1),
    ("proxy_add_header_map_value", "iiiii", All, 0),
    ("proxy_replace_header_map_value", "iiiii", All, 0),
    ("proxy_remove_header_map_value", "iii", All, 0),
    ("proxy_set_header_map_pairs", "iii", All, 0),
    ("proxy_continue_request", "", First, 0),
    ("proxy_continue_response", "", First, 0),
    ("proxy_clear_route_cache", "", First, 0),
    ("proxy_continue_stream", "i", SinceSecond, 0),
    ("proxy_close_stream", "i", SinceSecond, 0),
    ("proxy_send_local_response", "iiiiiiii", All, 0),
    ("proxy_http_call", "iiiiiiiiii", All, 2),
    ("proxy_grpc_send", "iiii", All, 2),
    ("proxy_grpc_cancel", "i", All, 2),
    ("proxy_grpc_close", "i", All, 2),
    ("proxy_get_shared_data", "iiiii", All, 1),
    ("proxy_set_shared_data", "iiiii", All, 0),
    ("proxy_resolve_shared_queue", "iiiii", All, 1),
    ("proxy_register_shared_queue", "iii", All, 0),
    ("proxy_enqueue_shared_queue", "iii", All, 1),
    ("proxy_dequeue_shared_queue", "iii", All, 1),
    ("proxy_define_metric", "iiii", All, 0),
    ("proxy_increment_metric", "iI", All, 1),
    ("proxy_record_metric", "iI", All, 1),
    ("proxy_get_metric", "ii", All, 1),
    ("proxy_get_property", "iiii", All, 3),
    ("proxy_set_property", "iiii", All, 0),
    ("proxy_call_foreign_function", "iiiiii", All, 1),
    // With no service at all these two take the proxy down.
    ("proxy_grpc_call", "iiiiiiiiiiii", All, CRASH),
    ("proxy_grpc_stream", "iiiiiiiii", All, CRASH),
];

fn has(abi: &str, has: Has) -> bool {
    match has {
        All => true,
        First => abi == FIRST,
        SinceSecond => abi != FIRST,
        SinceLast => abi == LAST || abi == BEYOND,
    }
}

fn types(params: &str) -> String {
    params
        .chars()
        .map(|kind| if kind == 'I' { "i64 " } else { "i32 " })
        .collect()
}

/// A module that imports these functions, and calls some of them with nothing but zeros.
fn module(abi: &str, functions: &[(&str, String, &str)], called: &[(&str, &str)]) -> Module {
    let mut text = String::from("(module\n");
    for (index, (name, params, result)) in functions.iter().enumerate() {
        writeln!(
            text,
            "(import \"env\" \"{name}\" (func $f{index} (param {params}) {result}))"
        )
        .unwrap();
    }
    let params = if abi == FIRST { "i32 i32" } else { "i32 i32 i32" };
    write!(
        text,
        "(memory (export \"memory\") 2)
         (func (export \"{abi}\"))
         (func (export \"malloc\") (param i32) (result i32) (i32.const 1024))
         (func (export \"proxy_on_request_headers\") (param {params}) (result i32)\n"
    )
    .unwrap();
    for (name, params) in called {
        let index = functions.iter().position(|(known, ..)| known == name).unwrap();
        let types = types(params);
        let zeros: String = types
            .split_whitespace()
            .map(|kind| format!("({kind}.const 0) "))
            .collect();
        writeln!(text, "(drop (call $f{index} {zeros}))").unwrap();
    }
    text.push_str("(i32.const 0)))");
    Module::from_bytes(&wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))).unwrap()
}

fn all_of(abi: &str) -> Vec<(&'static str, String, &'static str)> {
    FUNCTIONS
        .into_iter()
        .filter(|(_, _, of, _)| has(abi, *of))
        .map(|(name, params, ..)| (name, types(params), "(result i32)"))
        .collect()
}

fn links(abi: &str, functions: &[(&str, String, &str)]) -> bool {
    match Host::builder(&module(abi, functions, &[])).build() {
        Ok(_) => true,
        Err(StartError::Link(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn each_version_has_its_number_of_functions_and_all_of_them_link() {
    for (abi, count) in [(FIRST, 40), (SECOND, 38), (LAST, 39), (BEYOND, 39)] {
        let functions = all_of(abi);
        assert_eq!(functions.len(), count, "{abi}");
        assert!(links(abi, &functions), "{abi}");
        let twice = [functions.clone(), functions].concat();
        assert!(links(abi, &twice), "{abi}: every function imported twice");
    }
}

#[test]
fn no_version_has_a_function_of_another() {
    for abi in [FIRST, SECOND, LAST] {
        for (name, params, of, _) in FUNCTIONS.into_iter().filter(|(_, _, of, _)| !has(abi, *of)) {
            assert!(
                !links(abi, &[(name, types(params), "(result i32)")]),
                "{abi} {name} {}",
                of as u8
            );
        }
    }
    assert!(!links(
        LAST,
        &[("proxy_new_in_another_world", "i32".to_owned(), "(result i32)")]
    ));
    assert!(links(
        BEYOND,
        &[("proxy_new_in_another_world", "i32".to_owned(), "(result i32)")]
    ));
}

#[test]
fn a_function_links_with_its_own_signature_alone() {
    for (name, params, of, _) in FUNCTIONS {
        let abi = if of == First { FIRST } else { LAST };
        let more = types(&format!("{params}i"));
        assert!(
            !links(abi, &[(name, more, "(result i32)")]),
            "{name}: one more parameter"
        );
        assert!(!links(abi, &[(name, types(params), "")]), "{name}: no result");
        let other = params.replace('I', "x").replace('i', "I").replace('x', "i");
        if !params.is_empty() {
            assert!(
                !links(abi, &[(name, types(&other), "(result i32)")]),
                "{name}: other widths"
            );
        }
    }
}

#[test]
fn each_function_of_each_version_answers_to_zeros() {
    for abi in [FIRST, SECOND, LAST, BEYOND] {
        let called: Vec<_> = FUNCTIONS
            .into_iter()
            .filter(|(_, _, of, status)| has(abi, *of) && *status != CRASH)
            .collect();
        let calls: Vec<_> = called.iter().map(|(name, params, ..)| (*name, *params)).collect();
        let mut host = Host::builder(&module(abi, &all_of(abi), &calls))
            .trace()
            .build()
            .unwrap();
        host.request(Request::get("a.test", "/"));
        let answered: Vec<_> = host
            .trace()
            .into_iter()
            .map(|call| (call.function, call.status))
            .collect();
        // ABI 0.1.0 knows no missing value, only an empty one.
        let is_lenient = |name| abi == FIRST && name == "proxy_get_header_map_value";
        let expected: Vec<_> = called
            .into_iter()
            .map(|(name, _, _, status)| (name, Some(if is_lenient(name) { 0 } else { status })))
            .collect();
        assert_eq!(answered, expected, "{abi}");
    }
}

#[test]
fn a_grpc_service_of_no_bytes_takes_the_proxy_down() {
    for (name, params, ..) in FUNCTIONS.into_iter().filter(|(.., status)| *status == CRASH) {
        let functions = [(name, types(params), "(result i32)")];
        let mut host = Host::builder(&module(LAST, &functions, &[(name, params)]))
            .build()
            .unwrap();
        let outcome = host.request(Request::get("a.test", "/")).outcome;
        assert!(
            matches!(&outcome, Outcome::Failed { reason, .. } if reason.contains("the proxy crashed")),
            "{name}: {outcome:?}"
        );
    }
}
