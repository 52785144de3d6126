use std::path::Path;

use serde_json::{Value, json};

use super::{Imported, plugin_tester};

const SUITE: &str = r#"
# A suite of the shape that the tester has.
env { time_secs: 1795338000 log_level: TRACE wasm_path: "plugin.wasm" }
test {
  name: "LetsIn"
  benchmark: true
  properties { path: "source.address" value: "192.0.2.1:4711" }
  properties { path: "request.id" value: "x" }
  request_headers {
    input {
      header { key: ":method" value: "GET" }
      header { key: ":path" value: "/orders?x=1" }
      header { key: ":authority" value: "api.example.com" }
      header { key: "x-a" value: "1" }
      header { key: "x-a" value: "\377" }
    }
    result {
      has_header { key: "x-b" value: "2" }
      no_header { key: "x-c" }
      headers { exact: "x-d: 3" }
      headers { regex: "x-e: .*" }
      log { regex: ".*" }
    }
  }
}
test {
  name: "Refuses"
  request_headers {
    input { content: "POST /orders HTTP/1.1\r\nHost: api.example.com\r\nX-F: g\r\n" }
    result {
      immediate { http_status: 403 details: "why" }
      body { exact: "no" }
      has_header { key: "x-h" value: "i" }
    }
  }
  request_body { input { content: "one " } }
  request_body { input { content: "two" } result { body { exact: "one two" } } }
}
test { name: "Refuses" request_headers { input { header { key: ":path" value: "/" } } } }
test { name: "Nothing" response_headers { input { header { key: ":status" value: "200" } } } }
"#;

fn imported(source: &str) -> Imported {
    plugin_tester("tests.textpb", source, "policy.yaml", Path::new("")).unwrap()
}

#[test]
fn a_suite_becomes_tests_that_say_the_same() {
    let found = imported(SUITE);
    let read: Value = serde_saphyr::from_str(&found.text).unwrap();
    let expected = json!({
        "policy": "policy.yaml",
        "now": "2026-11-22T09:00:00Z",
        "tests": [
            {
                "name": "LetsIn",
                "request": {
                    "method": "GET", "path": "/orders?x=1", "authority": "api.example.com",
                    "headers": [["x-a", "1"]], "headers_hex": [["x-a", "ff"]], "peer": {"address": "192.0.2.1:4711"},
                },
                "expect": {"allow": true, "upstream": {"x-b": "2", "x-c": null, "x-d": "3"}},
            },
            {
                "name": "Refuses",
                "request": {
                    "method": "POST", "path": "/orders", "authority": "api.example.com",
                    "headers": [["x-f", "g"]], "body": "one two",
                },
                "expect": {"allow": false, "status": 403, "headers": {"x-h": "i"}, "body": "no"},
            },
            {"name": "Refuses (2)", "request": {"path": "/"}, "expect": {"allow": true}},
        ],
    });
    assert_eq!(read, expected, "{}", found.text);
    assert_eq!(found.tests, 3);
}

#[test]
fn what_has_no_counterpart_is_told_with_its_line() {
    let found = imported(SUITE);
    let lost: Vec<(Option<usize>, &str)> = found
        .lost
        .iter()
        .map(|lost| (lost.line, lost.what.split([':', ' ']).next().unwrap()))
        .collect();
    let expected = [
        (Some(3), "`log_level`"),
        (Some(3), "`wasm_path`"),
        (Some(6), "`benchmark`"),
        (Some(7), "the"),
        (Some(20), "`headers`"),
        (Some(21), "`log`"),
        (Some(30), "`details`"),
        (Some(36), "`request_body.result`"),
        (Some(39), "the"),
        (Some(39), "`response_headers`"),
    ];
    for (line, what) in expected {
        assert!(
            lost.iter().any(|(_, found)| *found == what),
            "{what} (line {line:?}) is lost in silence: {lost:?}"
        );
    }
    assert!(found.lost.iter().all(|lost| lost.line.is_some()), "{lost:?}");
}

#[test]
fn a_text_that_is_no_suite_is_told_where_it_is_wrong() {
    for (source, line, column) in [
        ("test {\n  nme: \"x\"\n}", 2, 3),
        ("test {", 1, 7),
        ("test: \"", 1, 7),
    ] {
        let fault = plugin_tester("a.textpb", source, "p", Path::new("")).unwrap_err();
        let place = fault.diagnostics[0].location;
        assert!(
            place.is_none_or(|place| (place.line, place.column) == (line, column)),
            "{source}: {place:?}"
        );
        assert!(!fault.diagnostics[0].message.is_empty());
    }
}

/// A suite of one test, with these headers sent, this result, and more.
fn one(name: &str, headers: &str, result: &str, more: &str) -> String {
    format!(
        "test {{\n name: \"{name}\"\n request_headers {{\n input {{ {headers} }}\n result {{ {result} }} }}\n {more} }}\n"
    )
}

#[test]
fn nothing_is_lost_in_silence() {
    let path = r#"header { key: ":path" value: "/" }"#;
    let twice = format!(r#"{path} header {{ key: ":path" value: "/b" }}"#);
    let refuses = r#"request_body { input { content: "x" } result { immediate { http_status: 413 } } }"#;
    let template = r#"request_body { input { content: "{{x}}" } }"#;
    for (source, said, at, expected) in [
        (
            one(
                "A",
                path,
                r#"has_header { key: "x-b" value: "2" } no_header { key: "x-b" }"#,
                "",
            ),
            "`no_header` of `x-b`",
            "/expect/upstream",
            json!({"x-b": "2"}),
        ),
        (
            one("A", path, r#"no_header { key: "x-c" value: "only this" }"#, ""),
            "`no_header` of `x-c`: its value",
            "/expect/upstream",
            json!({"x-c": null}),
        ),
        (
            one("A", &twice, "", ""),
            "`:path` is sent twice",
            "/request/path",
            json!("/b"),
        ),
        (
            one("A", path, "", refuses),
            "`request_body.result",
            "/expect",
            json!({"allow": false, "status": 413}),
        ),
        (
            one("A", path, "", template),
            "`request_body`",
            "/request",
            json!({"path": "/"}),
        ),
        (
            format!(
                "env {{ time_secs: 18446744073709551615 }}\n{}",
                one("A", path, "", "")
            ),
            "`time_secs",
            "/name",
            json!("A"),
        ),
    ] {
        let found = imported(&source);
        assert!(
            found.lost.iter().any(|lost| lost.what.starts_with(said)),
            "{said}: {:?}",
            found.lost
        );
        let read: Value = serde_saphyr::from_str(&found.text).unwrap();
        assert_eq!(read["tests"][0].pointer(at), Some(&expected), "{}", found.text);
        assert_eq!(read.get("now"), None);
    }
    let empty = imported("");
    assert!(
        empty.lost[0].what.contains("holds no request"),
        "{:?}",
        empty.lost
    );
}

#[test]
fn names_stay_apart_and_braces_stay_braces() {
    let braces = r#"header { key: ":path" value: "/{{a}}" } header { key: "x-a" value: "{{b}}" }"#;
    let source = ["A", "A (2)", "A"].map(|name| one(name, braces, "", "")).concat();
    let found = imported(&source);
    let read: Value = serde_saphyr::from_str(&found.text).unwrap();
    let names: Vec<&str> = read["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| test["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["A", "A (2)", "A (3)"]);
    let expected = json!({"path_hex": "2f7b7b617d7d", "headers_hex": [["x-a", "7b7b627d7d"]]});
    assert_eq!(read["tests"][0]["request"], expected);
}

#[test]
fn the_status_of_a_request_that_is_let_through_is_nothing_to_expect() {
    let source = r#"test { name: "In" request_headers {
        input { header { key: ":path" value: "/" } }
        result { has_header { key: ":status" value: "200" } }
    } }"#;
    let found = imported(source);
    let read: Value = serde_saphyr::from_str(&found.text).unwrap();
    assert_eq!(read["tests"][0]["expect"], json!({"allow": true}));
    assert!(
        found
            .lost
            .iter()
            .any(|lost| lost.what.contains("`:status` of `200`")),
        "{:?}",
        found.lost
    );
}
