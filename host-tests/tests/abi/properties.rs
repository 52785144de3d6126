//! Properties: those of the host, those of the test, those that the module sets.

use scopegate_host_tests::{Clock, Host, Request, Response};

use crate::guest::Arg::{Num, Out};
use crate::guest::{Code, Guest, lines, text};

fn get(code: &mut Code<'_>, path: &str) {
    code.call("proxy_get_property", &[text(&path.replace('.', "\0")), Out])
        .show();
}

fn asked(paths: &'static [&'static str], request: Request) -> Vec<String> {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        for path in paths {
            code.call("proxy_get_property", &[text(&path.replace('.', "\0")), Out]);
            code.add("(if (i32.load (i32.const 1008)) (then\n")
                .show()
                .add("))\n");
            code.add("(i32.store (i32.const 1008) (i32.const 0))\n");
        }
    });
    let module = guest.module();
    let builder = Host::builder(&module)
        .names("plugin", "root", "vm")
        .clock(Clock::virtual_at(1));
    let mut host = builder.build().unwrap();
    host.request(request);
    lines(&mut host)
}

#[test]
fn the_request_the_connection_and_the_plugin_have_properties() {
    let request = Request::get("a.test", "/p?q=1")
        .header("user-agent", "ua")
        .header("x", "1")
        .header("X", "2");
    let paths = &[
        "request.path",
        "request.url_path",
        "request.query",
        "request.host",
        "request.method",
        "request.scheme",
        "request.useragent",
        "request.headers.x",
        "source.address",
        "plugin_name",
        "plugin_root_id",
        "plugin_vm_id",
    ];
    let expected = [
        "/p?q=1",
        "/p",
        "q=1",
        "a.test",
        "GET",
        "https",
        "ua",
        "1,2",
        "127.0.0.1:40000",
        "plugin",
        "root",
        "vm",
    ];
    let told: Vec<_> = asked(paths, request)
        .into_iter()
        .filter(|line| line != "0")
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn the_authority_is_a_header_by_both_of_its_names() {
    let paths = &["request.headers.host", "request.headers.:authority"];
    assert_eq!(
        asked(paths, Request::get("a.test", "/")),
        ["0", "a.test", "0", "a.test"]
    );
}

#[test]
fn what_is_not_there_is_not_found() {
    let paths = &[
        "request.nothing",
        "request.headers.absent",
        "request.referer",
        "nothing.at.all",
    ];
    assert_eq!(asked(paths, Request::get("a.test", "/")), ["1"; 4]);
}

#[test]
fn what_is_no_value_is_not_written_out() {
    let paths = &[
        "",
        "request",
        "response",
        "connection",
        "upstream",
        "source",
        "destination",
    ];
    assert_eq!(asked(paths, Request::get("a.test", "/")), ["3"; 7]);
}

#[test]
fn numbers_are_eight_bytes_and_booleans_one() {
    let lines = asked(
        &["source.port", "request.time", "connection.mtls"],
        Request::get("a.test", "/"),
    );
    assert_eq!(
        lines[0..2],
        ["0", &String::from_utf8_lossy(&40_000_u64.to_le_bytes())]
    );
    assert_eq!(
        lines[2..4],
        ["0", &String::from_utf8_lossy(&1_000_000_000_u64.to_le_bytes())]
    );
    assert_eq!(lines[4..], ["0", "\0"]);
}

#[test]
fn the_tests_own_properties_come_first() {
    let request = Request::get("a.test", "/")
        .property("source.address", "192.0.2.1:1")
        .property("connection.uri_san_peer_certificate", "spiffe://x");
    let lines = asked(
        &["source.address", "connection.uri_san_peer_certificate"],
        request,
    );
    assert_eq!(lines, ["0", "192.0.2.1:1", "0", "spiffe://x"]);
}

#[test]
fn a_property_that_the_module_sets_is_one_key_and_is_told_to_the_test() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        code.call("proxy_set_property", &[text("my.key"), text("value")]);
        code.call("proxy_get_property", &[text("my.key"), Out]).show();
        code.call("proxy_set_property", &[text("two\0parts"), text("deep")]);
        code.call("proxy_get_property", &[text("two\0parts"), Out]);
        code.call("proxy_set_property", &[text("my.key"), text("again")]);
    });
    let mut host = guest.host();
    let exchange = host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "0", "value", "0", "1", "0"]);
    assert_eq!(exchange.property("my.key"), Some(&b"again"[..]));
    assert_eq!(exchange.property("two.parts"), Some(&b"deep"[..]));
    assert_eq!(exchange.property("none"), None);
}

#[test]
fn a_root_context_has_no_request_and_sets_no_property() {
    let guest = Guest::new().on("proxy_on_configure", |code| {
        code.call("proxy_get_property", &[text("request\0path"), Out]);
        code.call("proxy_set_property", &[text("k"), text("v")]);
        get(code, "plugin_root_id");
    });
    let mut host = Host::builder(&guest.module())
        .names("p", "root", "v")
        .build()
        .unwrap();
    assert_eq!(lines(&mut host), ["1", "1", "0", "root"]);
}

#[test]
fn the_response_has_properties_when_it_is_there() {
    let guest = Guest::new()
        .on("proxy_on_request_headers", |code| {
            code.call("proxy_get_property", &[text("response\0code"), Out]);
        })
        .on("proxy_on_response_headers", |code| {
            code.call(
                "proxy_get_property",
                &[text("response\0code"), Num(1000), Num(1008)],
            );
            code.add("(call $print (i64.load (i32.load (i32.const 1000))))\n");
            get(code, "response.headers.server");
        });
    let mut host = guest.host();
    host.exchange(
        Request::get("a.test", "/"),
        Response::new(404).header("server", "s"),
    );
    assert_eq!(lines(&mut host), ["1", "0", "404", "0", "s"]);
}
