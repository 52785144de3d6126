//! The tables by which Envoy and Istio test their normalisation of paths: a path that is let through selects
//! the route of what they make of it.

use std::io::Write as _;
use std::path::PathBuf;

use crate::common::{get, public};
use serde_json::Value;

/// The vectors; nothing, loudly, where their folder is absent.
fn vectors(test: &str) -> Option<Value> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("SCOPEGATE_VECTORS").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read(folder.join("host_normalization.json")) else {
        skip(
            test,
            &format!(
                "no host_normalization.json in {}; set SCOPEGATE_VECTORS",
                folder.display()
            ),
        );
        return None;
    };
    Some(serde_json::from_slice(&text).expect("vectors in JSON"))
}

/// Says past the capture of the test harness that `test` cannot run here, and adds it to the file of skips that
/// `SCOPEGATE_SKIPS` names. Where `CI` is set, nothing may be skipped.
fn skip(test: &str, reason: &str) {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!ci, "`{test}` may not be skipped in CI: {reason}");
    let line = format!("SKIPPED {test}: {reason}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error takes a line");
    if let Some(file) = std::env::var_os("SCOPEGATE_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the file of skips takes a line");
    }
}

fn pairs<'v>(vectors: &'v Value, pointer: &str) -> Vec<(&'v str, &'v str)> {
    let rows = vectors.pointer(pointer).and_then(Value::as_array).expect(pointer);
    let pair = |row: &'v Value| Some((row.get(0)?.as_str()?, row.get(1)?.as_str()?));
    rows.iter().map(|row| pair(row).expect("a pair")).collect()
}

#[test]
fn an_allowed_path_selects_the_route_of_what_envoy_and_istio_make_of_it() {
    let Some(vectors) = vectors("an_allowed_path_selects_the_route_of_what_envoy_and_istio_make_of_it")
    else {
        return;
    };
    let tables = [
        "/envoy/normalize_path",
        "/envoy/merge_slashes",
        "/envoy/remove_query_and_fragment",
    ];
    let istio = [
        "/istio/NONE",
        "/istio/BASE",
        "/istio/MERGE_SLASHES",
        "/istio/DECODE_AND_MERGE_SLASHES",
    ];
    // Routes for the parts of every path of the tables, so that each normalisation leads somewhere else.
    let routes = public(&[
        "/",
        "/**",
        "/app",
        "/app/**",
        "/app/admin",
        "/admin",
        "/admin/**",
        "/admin/{x}",
        "/xyz0../**",
        "/a",
        "/a/**",
        "/a/b",
        "/a/b/c",
        "/a/c",
        "/c",
        "/abc",
        "/x/y/{z}",
        "/A/B/C",
        "/.../admin",
        "/admin0",
        "/admina",
        "/adminA",
        "/admin-",
        "/admin.",
        "/admin_",
        "/admin~",
    ]);
    let mut allowed = 0;
    for table in tables.into_iter().chain(istio) {
        for (path, normalised) in pairs(&vectors, table) {
            let selected = get(&routes, path);
            if selected == "malformed_request" || selected == "ambiguous_path" {
                continue;
            }
            allowed += 1;
            assert_eq!(
                selected,
                get(&routes, normalised),
                "{table}: {path} is {normalised}"
            );
        }
    }
    assert!(allowed > 100, "only {allowed} rows are let through");
    for pointer in ["/envoy/normalize_rejects", "/istio/rejects_400"] {
        for path in vectors.pointer(pointer).and_then(Value::as_array).expect(pointer) {
            assert_eq!(
                get(&routes, path.as_str().expect("a path")),
                "malformed_request",
                "{path}"
            );
        }
    }
}
