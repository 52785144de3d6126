//! The costliest requests that a policy can meet, in instructions of the module: bounds, and not times. Each is warm: the
//! token was proved before, and what is measured is the decision.

use scopegate_host_tests::{Host, Request};
use serde_json::{Value, json};

use crate::common::{NOW, builder, policy, refused, signed};

/// Instructions that no decision takes more than: some milliseconds where the module is compiled, as it is in proxies.
const MOST: u64 = 20_000_000;

fn started(policy: &Value) -> Host {
    let mut host = builder().configuration(policy.to_string()).build().unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    host
}

fn bearer(path: &str, claims: &Value) -> Request {
    let mut all = json!({
        "iss": "https://idp.example.com", "aud": "https://api.example.com", "sub": "anna", "scope": "orders:read",
        "iat": NOW - 10, "exp": NOW + 600,
    });
    for (name, value) in claims.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    let token = signed(&json!({"alg": "HS256", "kid": "k1"}), &all);
    Request::get("api.example.com", path).header("authorization", format!("Bearer {token}"))
}

/// The instructions of a request that was asked before, and what became of it: `allow`, or the code.
fn warm(host: &mut Host, request: &Request) -> (u64, String) {
    host.request(request.clone());
    let exchange = host.request(request.clone());
    let became = match exchange.property("scopegate.code") {
        Some(b"allow") => "allow".to_owned(),
        _ => refused(&exchange).1,
    };
    (exchange.fuel, became)
}

fn with_routes(routes: Vec<Value>) -> Value {
    let mut policy = policy();
    policy["authorization"]["routes"] = json!(routes);
    policy["audit"] = json!({"authentication": "failures", "authorization": "denials"});
    policy
}

fn guarded(id: &str, path: &str, access: Value) -> Value {
    json!({"id": id, "match": {"path": path}, "access": access})
}

#[test]
fn a_long_path_costs_no_more_than_its_length() {
    let routes = vec![
        guarded("deep", "/a/{b}/{c}/**", json!("authenticated")),
        guarded("literal", "/a/a/a/a/a/a/a/a/x", json!("authenticated")),
        guarded("mixed", "/a/{b}/a/{d}/a/{f}/a/{h}/y", json!("authenticated")),
    ];
    let mut host = started(&with_routes(routes));
    let segments = |count: usize| format!("/{}", vec!["a"; count].join("/"));
    let rows = [
        ("200 segments", segments(200), "allow"),
        ("8 KiB of segments", segments(4_096), "allow"),
        (
            "8 KiB of one segment",
            format!("/a/a/a/{}", "x".repeat(8_180)),
            "allow",
        ),
        (
            "8 KiB of escapes",
            format!("/a/a/a/{}", "%C3%A9".repeat(1_360)),
            "allow",
        ),
        (
            "8 KiB of dots",
            format!("/a{}", "/..".repeat(2_700)),
            "ambiguous_path",
        ),
        (
            "8 KiB of slashes",
            format!("/a{}", "//".repeat(4_090)),
            "ambiguous_path",
        ),
        (
            "8 KiB of encoded slashes",
            format!("/a/a/a/{}", "%2F..".repeat(1_600)),
            "ambiguous_path",
        ),
        (
            "8 KiB of semicolons",
            format!("/a/a/a/{}", ";a".repeat(4_090)),
            "allow",
        ),
    ];
    for (name, path, expected) in rows {
        let (fuel, became) = warm(&mut host, &bearer(&path, &json!({})));
        println!("{name}: {fuel} instructions, {became}");
        assert_eq!(became, expected, "{name}");
        assert!(fuel < MOST, "{name}: {fuel}");
    }
}

#[test]
fn a_token_full_of_scopes_is_decided_on_in_bounds() {
    let names: Vec<String> = (0..1_000).map(|number| format!("s:{number}")).collect();
    let mut policy = with_routes(vec![
        guarded("last", "/last", json!({"scopes": {"all": ["s:999"]}})),
        guarded("all", "/all", json!({"scopes": {"all": ["s:*"]}})),
        guarded(
            "none",
            "/none",
            json!({"scopes": {"all": ["s:1"], "none": ["s:999"]}}),
        ),
        guarded(
            "other",
            "/other",
            json!({"scopes": {"any": [{"all": ["s:*", "other"]}, {"all": ["other"]}]}}),
        ),
    ]);
    let other = "other".to_owned();
    let described = names
        .iter()
        .chain([&other])
        .map(|name| (name.clone(), json!("x")));
    policy["authorization"]["scopes"] = Value::Object(described.collect());
    policy["authentication"]["identity_headers"] = json!({"subject": "x-auth-subject"});
    let mut host = started(&policy);
    let claims = json!({"scope": names.join(" ")});
    for (path, expected) in [
        ("/last", "allow"),
        ("/all", "allow"),
        ("/none", "scope_forbidden"),
        ("/other", "scope_missing"),
    ] {
        let (fuel, became) = warm(&mut host, &bearer(path, &claims));
        println!("1,000 scopes, {path}: {fuel} instructions, {became}");
        assert_eq!(became, expected);
        assert!(fuel < MOST, "{path}: {fuel}");
    }
}

#[test]
fn a_condition_at_its_bound_is_an_error_and_not_a_long_wait() {
    let within = "caller.roles.all(role, role != 'x' && role.size() > 0)";
    let nested = "caller.roles.all(one, caller.roles.exists(other, other == one + 'x' || other != one))";
    let worst = "caller.roles.all(one, !caller.roles.exists(other, other + 'x' == one))";
    let mut policy = with_routes(vec![
        guarded(
            "within",
            "/within",
            json!({"authenticated": true, "when": within}),
        ),
        guarded(
            "nested",
            "/nested",
            json!({"authenticated": true, "when": nested}),
        ),
        guarded("worst", "/worst", json!({"authenticated": true, "when": worst})),
    ]);
    policy["authentication"]["providers"][0]["claims"] = json!({"roles": ["roles"]});
    let mut host = started(&policy);
    let roles: Vec<String> = (0..1_000).map(|number| format!("r{number}")).collect();
    for (path, expected) in [
        ("/within", "allow"),
        ("/nested", "allow"),
        ("/worst", "condition_error"),
    ] {
        let (fuel, became) = warm(&mut host, &bearer(path, &json!({"roles": roles})));
        println!("{path}: {fuel} instructions, {became}");
        assert_eq!(became, expected);
        assert!(fuel < MOST, "{path}: {fuel}");
    }
}
