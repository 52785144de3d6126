//! What it costs to find a route, counted in fuel (about one unit for each instruction): by the path, never by the
//! number of routes, and bounded for whatever a stranger sends.

use scopegate_host_tests::{Exchange, Host, Request};
use serde_json::{Value, json};

use crate::common::{builder, policy};

/// The most that a request may cost before anybody has proved anything: some milliseconds, however it is made. The
/// worst that is known here costs two thirds of it.
const MOST_FUEL: u64 = 20_000_000;

fn host(routes: Vec<Value>) -> Host {
    let mut policy = policy();
    policy["authorization"]["routes"] = json!(routes);
    let mut host = builder().configuration(policy.to_string()).build().unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    host
}

fn route(id: &str, matches: Value) -> Value {
    json!({"id": id, "match": matches, "access": "public"})
}

fn get(host: &mut Host, path: &str) -> Exchange {
    host.request(Request::get("api.example.com", path))
}

/// The fuel of a request like others before it, which set everything up: the median, for now and then one of them pays
/// for the allocator's tidying up.
fn fuel(host: &mut Host, path: &str) -> u64 {
    let cost = host.cost(9, |_| Request::get("api.example.com", path));
    cost.median_fuel()
}

#[test]
fn ten_thousand_routes_cost_a_request_no_more_than_ten() {
    let routes = |count: usize| {
        let route = |index: usize| {
            route(
                &format!("r{index:05}"),
                json!({"path": format!("/v1/r{index:05}/{{id}}/x")}),
            )
        };
        (0..count).map(route).collect()
    };
    let few = fuel(&mut host(routes(10)), "/v1/r00007/7/x");
    let many = fuel(&mut host(routes(10_000)), "/v1/r00007/7/x");
    assert!(many < few + few / 10, "{many} with 10,000 routes, {few} with 10");
}

#[test]
fn what_a_route_does_not_look_at_costs_nothing() {
    let path = "/r?a=1&b=2&c=%20";
    // Where things lie in memory decides how much the allocator has to do: the least of several is the request's own.
    let least = |other: Value| {
        let host = |length: usize| {
            host(vec![
                route("r", json!({"path": "/r"})),
                route(&"s".repeat(length), other.clone()),
            ])
        };
        let all = [1, 6, 11].map(|length| fuel(&mut host(length), path));
        all.into_iter().min().unwrap_or_default()
    };
    let without = least(json!({"path": "/s"}));
    let with = least(json!({"path": "/s", "headers": {"x-v": "2"}, "query": {"a": "1"}}));
    assert!(
        with < without + without / 20,
        "{with} beside a route that matches more, {without} beside one that does not"
    );
}

/// Patterns that part at a literal and a parameter in nine places: as entangled as a policy may be.
fn web() -> Vec<Value> {
    let segment = |pattern: u32, place: u32| match pattern >> place & 1 {
        0 => "/a".to_owned(),
        _ => format!("/{{x{place}}}"),
    };
    let path = |pattern: u32| (0..9).map(|place| segment(pattern, place)).collect::<String>();
    (0..1 << 9)
        .map(|pattern| route(&format!("r{pattern}"), json!({"path": path(pattern)})))
        .collect()
}

#[test]
fn the_worst_that_a_stranger_can_ask_for_is_bounded() {
    let headers: Value = (0..16)
        .map(|index| (format!("x-{index:02}"), json!("1")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let mut routes = web();
    routes.push(route("rest", json!({"path": "/**"})));
    routes.push(route(
        "matched",
        json!({"path": "/m/**", "headers": headers, "query": headers}),
    ));
    routes.push(route("other", json!({"path": "/m/**"})));
    let mut host = host(routes);
    let paths = [
        ("200 segments", "/a".repeat(200)),
        ("8 KiB of segments", "/a".repeat(4_096)),
        ("8 KiB of one segment", format!("/{}", "a".repeat(8_190))),
        ("dots all the way", "/a/..".repeat(1_600)),
        ("slashes all the way", format!("/a{}", "//".repeat(4_000))),
        (
            "every step that there is",
            "/%2F..;%5C\\%3B/.%2e//a%3F%23;x/".repeat(250),
        ),
        (
            "readings through a web",
            format!("{}/%2F;%5C//x/../b", "/a".repeat(9)),
        ),
        (
            "more readings through a web",
            format!("{};%2F..%5C//x/../b%3F", "/a//a/./a;".repeat(3)),
        ),
        (
            "readings of a route that looks at headers",
            format!("/m/{}", "a%2Fb;c//d/../e/".repeat(20)),
        ),
        ("a query of many parameters", format!("/m/x?{}", "a&".repeat(990))),
        ("a query of too many", format!("/m/x?{}", "x-00=1&".repeat(1_100))),
        ("a query of escapes", format!("/m/x?x-00={}", "%61".repeat(2_500))),
        (
            "readings and a query",
            format!("/m/{}?{}", "a%2Fb;c//d/../e/".repeat(20), "x-0%30=1&".repeat(400)),
        ),
    ];
    for (what, path) in paths {
        let exchange = get(&mut host, &path);
        assert!(exchange.fuel < MOST_FUEL, "{what}: {}", exchange.fuel);
    }
}
