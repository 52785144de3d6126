//! What is left of a module, and what goes with a callback that is dropped.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use scopegate_trim::{Cut, Proxies, trim};
use wasmparser::{Parser, Payload};

/// Two callbacks with a function of their own each, one function that both call, and one that a table holds.
const MODULE: &str = r#"(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_done" (func $done (result i32)))
  (memory (export "memory") 1)
  (table 1 funcref)
  (elem (i32.const 0) $held)
  (data (i32.const 8) "kept")
  (func $held (result i32) (i32.const 7))
  (func $shared (result i32) (call_indirect (result i32) (i32.const 0)))
  (func $of_headers (result i32) (drop (call $log (i32.const 0) (i32.const 8) (i32.const 4))) (call $shared))
  (func $of_log (drop (call $done)) (drop (call $shared)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "scopegate_describe"))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $of_headers))
  (func (export "proxy_on_log") (param i32) (call $of_log))
  (func (export "proxy_on_queue_ready") (param i32 i32) (call $of_log)))"#;

/// The names of the exports, of the imports, and the number of functions with code.
fn looked_into(module: &[u8]) -> (BTreeSet<String>, BTreeSet<String>, usize) {
    let (mut exports, mut imports, mut functions) = (BTreeSet::new(), BTreeSet::new(), 0);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.unwrap();
        if let Payload::ExportSection(reader) = &payload {
            exports.extend(
                reader
                    .clone()
                    .into_iter()
                    .map(|export| export.unwrap().name.to_owned()),
            );
        } else if let Payload::ImportSection(reader) = &payload {
            let all = reader.clone().into_imports();
            imports.extend(all.map(|import| import.unwrap().name.to_owned()));
        } else if let Payload::CodeSectionEntry(_) = &payload {
            functions += 1;
        }
    }
    (exports, imports, functions)
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_only_a_dropped_callback_reaches_goes_with_it() {
    let module = wat::parse_str(MODULE).unwrap();
    let (exports, imports, functions) = looked_into(&trim(&module, Proxies::Envoy).unwrap());
    assert_eq!(
        exports,
        names(&[
            "memory",
            "proxy_abi_version_0_2_1",
            "proxy_on_request_headers",
            "scopegate_describe"
        ])
    );
    assert_eq!((imports, functions), (names(&["proxy_log"]), 6));
}

#[test]
fn a_module_for_any_proxy_keeps_what_nginx_calls_unasked() {
    let module = wat::parse_str(MODULE).unwrap();
    let (exports, imports, functions) = looked_into(&trim(&module, Proxies::Any).unwrap());
    assert!(
        exports.contains("proxy_on_log") && !exports.contains("proxy_on_queue_ready"),
        "{exports:?}"
    );
    assert_eq!((imports, functions), (names(&["proxy_log", "proxy_done"]), 8));
}

#[test]
fn the_same_module_gives_the_same_bytes_and_nothing_is_left_to_trim_twice() {
    let module = wat::parse_str(MODULE).unwrap();
    for proxies in [Proxies::Any, Proxies::Envoy] {
        let trimmed = trim(&module, proxies).unwrap();
        assert_eq!(trim(&module, proxies).unwrap(), trimmed);
        assert_eq!(trim(&trimmed, proxies).unwrap(), trimmed);
    }
}

/// A callback that calls a function for which another can stand, in a table too.
const REPLACEABLE: &str = r#"(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table 1 funcref)
  (elem (i32.const 0) $long)
  (func $deep (result i32) (call $log (i32.const 0) (i32.const 0) (i32.const 0)))
  (func $long (export "long") (param i32) (result i32) (call $deep))
  (func $short (export "short") (param i32) (result i32) (i32.const 7))
  (func (export "other") (result i32) (i32.const 7))
  (func (export "scopegate_describe") (drop (call $long (i32.const 1)))))"#;

#[test]
fn what_is_replaced_goes_with_all_that_only_it_reaches() {
    let module = wat::parse_str(REPLACEABLE).unwrap();
    let cut = |closed: &'static [&str], replaced| {
        let cut = Cut {
            closed,
            replaced,
            ..Cut::default()
        };
        looked_into(&cut.apply(&module).unwrap())
    };
    let kept = ["memory", "other", "scopegate_describe"];
    let closed = &["long", "short"];
    assert_eq!(cut(closed, None), (names(&kept), names(&["proxy_log"]), 4));
    let replaced = Some(("long", "short"));
    assert_eq!(cut(closed, replaced), (names(&kept), names(&[]), 3));
}

#[test]
fn what_cannot_be_replaced_is_refused() {
    let module = wat::parse_str(REPLACEABLE).unwrap();
    for (old, new, expected) in [
        (
            "long",
            "other",
            "`other` cannot take the place of `long`: it is called in another way",
        ),
        ("absent", "short", "no function is exported as `absent`"),
        ("long", "memory", "no function is exported as `memory`"),
    ] {
        let cut = Cut {
            replaced: Some((old, new)),
            ..Cut::default()
        };
        assert_eq!(
            cut.apply(&module).unwrap_err().to_string(),
            format!("the module cannot be trimmed: {expected}")
        );
    }
}

#[test]
fn what_is_no_module_is_refused() {
    for bytes in [&b"policy: v1"[..], b"\0asm\x01\0\0", b"\0asm\x01\0\0\0\x01"] {
        let refused = trim(bytes, Proxies::Any).unwrap_err().to_string();
        assert!(refused.starts_with("the module cannot be read: "), "{refused}");
    }
}
