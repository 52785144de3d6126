//! Host functions on buffers.

use scopegate_host_tests::{Host, Request, Response};

use crate::guest::Arg::{Num, Out, OutNumber, OutSecond, Text};
use crate::guest::{Code, Guest, lines, text};

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const CALL_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

const BODY: &str = "proxy_on_request_body";

fn get(code: &mut Code<'_>, buffer: u32, start: u32, len: u32) {
    code.call(
        "proxy_get_buffer_bytes",
        &[Num(buffer), Num(start), Num(len), Out],
    )
    .show();
}

#[test]
fn a_body_is_read_in_parts_and_reading_past_its_end_stops_there() {
    let guest = Guest::new().on(BODY, |code| {
        code.param(1).param(2);
        for (start, len) in [
            (0, 5),
            (1, 2),
            (3, u32::MAX),
            (5, 1),
            (9, 1),
            (u32::MAX, u32::MAX),
        ] {
            get(code, REQUEST_BODY, start, len);
        }
        code.call(
            "proxy_get_buffer_status",
            &[Num(REQUEST_BODY), OutNumber, OutSecond],
        )
        .number()
        .second();
        code.call("proxy_get_buffer_bytes", &[Num(9), Num(0), Num(1), Out]);
        code.call("proxy_get_buffer_status", &[Num(9), OutNumber, OutSecond]);
    });
    let mut host = guest.host();
    host.request(Request::new("POST", "a.test", "/").body("hello"));
    let expected = [
        "5", "1", "0", "hello", "0", "el", "0", "lo", "0", "", "0", "", "0", "", "0", "5", "0", "2", "2",
    ];
    assert_eq!(lines(&mut host), expected);
}

#[test]
fn a_body_is_changed_at_its_beginning_or_its_end_and_nowhere_else() {
    let cases: [(u32, u32, &str, &str, &str); 7] = [
        (0, 0, "A", "0", "Ahello"),
        (0, 5, "new", "0", "new"),
        (0, u32::MAX, "", "0", ""),
        (5, 0, "!", "0", "hello!"),
        (99, 7, "!", "0", "hello!"),
        (0, 4, "x", "0", "xo"),
        (2, 1, "x", "2", "hello"),
    ];
    for (start, len, data, status, expected) in cases {
        let guest = Guest::new().on(BODY, |code| {
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(REQUEST_BODY), Num(start), Num(len), text(data)],
            );
        });
        let mut host = guest.host();
        let exchange = host.request(Request::new("POST", "a.test", "/").body("hello"));
        assert_eq!(lines(&mut host), [status], "set {start} {len} {data}");
        assert_eq!(
            exchange.forwarded().unwrap().body,
            expected.as_bytes(),
            "set {start} {len} {data}"
        );
    }
}

#[test]
fn a_response_body_is_changed_on_its_way_to_the_client() {
    let guest = Guest::new().on("proxy_on_response_body", |code| {
        code.call(
            "proxy_set_buffer_bytes",
            &[Num(RESPONSE_BODY), Num(0), Num(99), Text(&[0xff, 0, 0xfe])],
        );
    });
    let exchange = guest
        .host()
        .exchange(Request::get("a.test", "/"), Response::new(200).body("plain"));
    assert_eq!(exchange.response.unwrap().body, [0xff, 0, 0xfe]);
}

#[test]
fn a_body_that_is_not_there_is_empty_and_cannot_be_set() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        get(code, REQUEST_BODY, 0, 10);
        code.call(
            "proxy_set_buffer_bytes",
            &[Num(REQUEST_BODY), Num(0), Num(0), text("x")],
        );
        code.call("proxy_get_buffer_bytes", &[Num(CALL_BODY), Num(0), Num(1), Out]);
        code.call(
            "proxy_set_buffer_bytes",
            &[Num(CALL_BODY), Num(0), Num(0), text("x")],
        );
        code.call(
            "proxy_set_buffer_bytes",
            &[Num(VM_CONFIGURATION), Num(0), Num(0), text("x")],
        );
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "", "2", "1", "1", "2"]);
}

#[test]
fn the_plugin_configuration_is_readable_while_the_plugin_is_configured_and_never_else() {
    let read = |code: &mut Code<'_>| {
        code.call(
            "proxy_get_buffer_bytes",
            &[Num(PLUGIN_CONFIGURATION), Num(0), Num(99), Out],
        );
    };
    let guest = Guest::new()
        .on("proxy_on_vm_start", |code| {
            read(code);
            get(code, VM_CONFIGURATION, 0, 99);
        })
        .on("proxy_on_configure", |code| {
            code.param(1);
            get(code, PLUGIN_CONFIGURATION, 0, 99);
            code.call(
                "proxy_set_buffer_bytes",
                &[Num(PLUGIN_CONFIGURATION), Num(0), Num(0), text("x")],
            );
        })
        .on("proxy_on_request_headers", |code| {
            read(code);
            get(code, VM_CONFIGURATION, 0, 99);
        });
    let module = guest.module();
    let mut host = Host::builder(&module)
        .vm_configuration("machine")
        .configuration("plugin")
        .build()
        .unwrap();
    assert_eq!(lines(&mut host), ["1", "0", "machine", "6", "0", "plugin", "2"]);
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["1", "0", "machine"]);
}

#[test]
fn a_megabyte_of_configuration_arrives_whole() {
    let guest = Guest::new().on("proxy_on_configure", |code| {
        code.call(
            "proxy_get_buffer_bytes",
            &[Num(PLUGIN_CONFIGURATION), Num(0), Num(u32::MAX), Out],
        )
        .second();
    });
    let megabyte = vec![b'x'; 1024 * 1024];
    let mut host = Host::builder(&guest.module())
        .configuration(megabyte)
        .build()
        .unwrap();
    assert_eq!(lines(&mut host), ["0", "1048576"]);
}

#[test]
fn abi_0_1_0_reads_its_configuration_with_a_function_of_its_own() {
    let guest = Guest::of("proxy_abi_version_0_1_0")
        .on("proxy_on_configure", |code| {
            code.call("proxy_get_configuration", &[Out]).show();
        })
        .on("proxy_on_vm_start", |code| {
            code.call("proxy_get_configuration", &[Out]).show();
        });
    let mut host = Host::builder(&guest.module())
        .vm_configuration("machine")
        .configuration("plugin")
        .build()
        .unwrap();
    assert_eq!(lines(&mut host), ["0", "machine", "0", "plugin"]);
}
