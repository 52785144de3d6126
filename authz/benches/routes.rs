//! What a large policy costs: the time to compile it, and the time to select one of its routes.
//!
//! A figure for people, never a test: `cargo bench -p scopegate-authz --bench routes`. That work is bounded is tested
//! in counted steps, in `router/tests.rs`.

#![expect(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench measures time, and has nothing to catch"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use scopegate_authz::section::AuthorizationSection;
use scopegate_authz::{Authorizer, ProviderFacts, Target};
use serde_json::{Value, json};

const ROUNDS: u32 = 5;
const REQUESTS: u32 = 20_000;

/// Makes the route of one index.
type Shape = fn(usize) -> Value;

fn main() {
    println!("| policy | routes | compile, ms | select, ns |");
    println!("|---|---:|---:|---:|");
    let shapes: [(&str, Shape); 3] = [
        ("literals and a parameter", plain),
        ("guarded, with a tenant", guarded),
        ("four versions by header", versioned),
    ];
    for (name, route) in shapes {
        for count in [10, 1_000, 10_000] {
            let section = section(count, route);
            let (compiled, authorizer) = median(|| compile(&section));
            let (selected, ()) = median(|| select(&authorizer, count));
            let each = selected.as_nanos() / u128::from(REQUESTS);
            println!(
                "| {name} | {count} | {:.1} | {each} |",
                compiled.as_secs_f64() * 1e3
            );
        }
    }
}

fn plain(index: usize) -> Value {
    json!({"id": format!("r{index}"), "match": {"methods": ["GET"], "path": format!("/v1/r{index}/{{id}}/parts")}, "access": "public"})
}

fn guarded(index: usize) -> Value {
    json!({
        "id": format!("r{index}"),
        "match": {"methods": ["GET"], "path": format!("/v1/r{index}/{{id}}/parts")},
        "access": {"scopes": {"all": ["read", {"any": ["write", "list"]}]}, "tenant": "{id}"},
    })
}

fn versioned(index: usize) -> Value {
    let (path, version) = (index / 4, (index % 4).to_string());
    json!({
        "id": format!("r{index}"),
        "match": {"methods": ["GET"], "path": format!("/v1/r{path}/{{id}}/parts"), "headers": {"x-version": version}},
        "access": "public",
    })
}

fn section(count: usize, route: Shape) -> AuthorizationSection {
    let routes: Vec<Value> = (0..count).map(route).collect();
    let section = json!({"scopes": {"read": "r", "write": "w", "list": "l"}, "routes": routes});
    serde_json::from_value(section).unwrap_or_else(|error| panic!("{error}"))
}

fn compile(section: &AuthorizationSection) -> Authorizer {
    let corp = ProviderFacts {
        name: "corp".to_owned(),
        carries_scopes: true,
    };
    Authorizer::compile(section, &[corp]).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn select(authorizer: &Authorizer, count: usize) {
    for request in 0..REQUESTS {
        let index = usize::try_from(request).unwrap_or_default() * 7_919 % count.div_ceil(4);
        let path = format!("/v1/r{index}/7/parts");
        let target = Target {
            method: b"GET",
            path: path.as_bytes(),
            authority: Some(b"api.example.com"),
            headers: &[(b"x-version", b"1"), (b"accept", b"*/*")],
        };
        assert!(black_box(authorizer.select(target)).is_ok(), "{path}");
    }
}

/// The median time of some rounds, and what the last of them made.
fn median<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut last = timed(&mut work);
    let mut times = vec![last.0];
    for _ in 1..ROUNDS {
        last = timed(&mut work);
        times.push(last.0);
    }
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied();
    (middle.unwrap_or(last.0), last.1)
}

fn timed<T>(work: &mut impl FnMut() -> T) -> (Duration, T) {
    let start = Instant::now();
    let made = work();
    (start.elapsed(), made)
}
