//! The tables by which Envoy and Istio test their normalisation of paths: a path that is let through selects
//! the route of what they make of it.

use std::path::PathBuf;

use crate::common::{get, public};
use serde_json::Value;

/// The folder of foreign vectors, where there is one.
fn vectors() -> Option<Value> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("SCOPEGATE_VECTORS").map_or(beside, PathBuf::from);
    let text = std::fs::read(folder.join("host_normalization.json")).ok()?;
    Some(serde_json::from_slice(&text).expect("vectors in JSON"))
}

fn pairs<'v>(vectors: &'v Value, pointer: &str) -> Vec<(&'v str, &'v str)> {
    let rows = vectors.pointer(pointer).and_then(Value::as_array).expect(pointer);
    let pair = |row: &'v Value| Some((row.get(0)?.as_str()?, row.get(1)?.as_str()?));
    rows.iter().map(|row| pair(row).expect("a pair")).collect()
}

#[test]
fn an_allowed_path_selects_the_route_of_what_envoy_and_istio_make_of_it() {
    let Some(vectors) = vectors() else {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "skipped: host_normalization.json"
        );
        eprintln!("skipped: host_normalization.json is not at hand; set SCOPEGATE_VECTORS to its folder");
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
