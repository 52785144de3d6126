//! Requests that no route can be about, whatever the policy says; preflights; methods; hosts.

use crate::common::{answer, authorizer, get, select};
use scopegate_authz::{Action, Target};
use serde_json::json;

const HOST: &str = "api.example.com";

#[test]
fn a_request_that_could_be_another_request_is_malformed() {
    let all = crate::common::public(&["/**"]);
    let rows: &[(&str, &str, &[(&str, &str)])] = &[
        ("", HOST, &[]),
        ("G ET", HOST, &[]),
        ("GET\u{e9}", HOST, &[]),
        ("GET/", HOST, &[]),
        ("CONNECT", HOST, &[]),
        ("TRACE", HOST, &[]),
        ("trace", HOST, &[]),
        ("GET", "", &[]),
        ("GET", "user@api.example.com", &[]),
        ("GET", "api.example.com,evil.example", &[]),
        ("GET", "api.example.com:99999", &[]),
        ("GET", "api.example.com/x", &[]),
        ("GET", HOST, &[("Host", HOST), ("host", HOST)]),
        ("GET", HOST, &[("host", "evil.example")]),
        ("GET", HOST, &[("host", "")]),
        ("GET", "api.example.com:80", &[("host", "api.example.com:81")]),
        ("GET", HOST, &[("Upgrade", "h2c")]),
        ("GET", HOST, &[("upgrade", "websocket, H2C")]),
        ("POST", HOST, &[("X-HTTP-Method-Override", "DELETE")]),
        ("POST", HOST, &[("x-http-method", "DELETE")]),
        ("POST", HOST, &[("X-Method-Override", "DELETE")]),
        ("POST", HOST, &[("x_http_method_override", "DELETE")]),
        ("POST", HOST, &[("X_HTTP-Method_Override", "")]),
    ];
    for (method, authority, headers) in rows {
        let seen = select(&all, method, "/x", authority, headers);
        assert_eq!(seen, "malformed_request", "{method} {authority} {headers:?}");
    }
}

#[test]
fn an_ordinary_request_is_not() {
    let all = crate::common::public(&["/**"]);
    let rows: &[(&str, &str, &[(&str, &str)])] = &[
        ("GET", HOST, &[("host", "API.example.com.")]),
        ("GET", "api.example.com", &[("host", "api.example.com:8080")]),
        ("PROPFIND", "127.0.0.1:8080", &[]),
        ("M-SEARCH", "[::1]", &[]),
        (
            "GET",
            HOST,
            &[("upgrade", "websocket"), ("connection", "upgrade")],
        ),
        (
            "GET",
            HOST,
            &[("x-forwarded-host", "other"), ("x-http-method-overridden", "x")],
        ),
    ];
    for (method, authority, headers) in rows {
        assert_eq!(
            select(&all, method, "/x", authority, headers),
            "/**",
            "{method} {authority} {headers:?}"
        );
    }
    let ignoring = authorizer(&json!({
        "method_override": "ignore",
        "routes": [{"id": "all", "match": {"path": "/**"}, "access": "public"}],
    }));
    assert_eq!(
        select(
            &ignoring,
            "POST",
            "/x",
            HOST,
            &[("X-HTTP-Method-Override", "DELETE")]
        ),
        "all"
    );
}

#[test]
fn more_headers_than_are_looked_at_are_refused() {
    let all = crate::common::public(&["/**"]);
    let long = "x".repeat(15_000);
    let paddings = |count: usize| vec![("x-padding", long.as_str()); count];
    assert_eq!(select(&all, "GET", "/", HOST, &paddings(5)), "headers_truncated");
    assert_eq!(select(&all, "GET", "/", HOST, &paddings(4)), "/**");
    // Of one value no more is looked at than a credential may have: a huge token is answered for as such.
    let token = "x".repeat(64 * 1024);
    assert_eq!(
        select(&all, "GET", "/", HOST, &[("authorization", token.as_str())]),
        "/**"
    );
}

#[test]
fn a_host_is_needed_where_a_route_names_one() {
    let without_authority = |value| {
        let authorizer = authorizer(&value);
        let target = Target {
            method: b"GET",
            path: b"/",
            authority: None,
            headers: &[],
        };
        answer(authorizer.select(target))
    };
    let route = |hosts: Option<&str>| {
        let mut matches = json!({"path": "/"});
        if let Some(host) = hosts {
            matches["hosts"] = json!([host]);
        }
        json!({"id": "r", "match": matches, "access": "public"})
    };
    assert_eq!(without_authority(json!({"routes": [route(None)]})), "r");
    assert_eq!(
        without_authority(json!({"routes": [route(Some("a.example"))]})),
        "malformed_request"
    );
    let named = authorizer(&json!({"routes": [route(Some("a.example"))]}));
    let target = Target {
        method: b"GET",
        path: b"/",
        authority: None,
        headers: &[(b"Host", b"a.example")],
    };
    assert_eq!(answer(named.select(target)), "r");
}

#[test]
fn the_most_specific_host_and_pattern_select_and_the_method_never_widens() {
    let routes = authorizer(&json!({"routes": [
        {"id": "any", "match": {"path": "/**"}, "access": "public"},
        {"id": "suffix", "match": {"hosts": ["*.example.com"], "path": "/x/{p}"}, "access": "public"},
        {"id": "longer", "match": {"hosts": ["*.eu.example.com"], "path": "/x/{p}"}, "access": "public"},
        {"id": "exact", "match": {"hosts": ["api.eu.example.com"], "path": "/x/y", "methods": ["GET"]}, "access": "public"},
        {"id": "port", "match": {"hosts": ["api.eu.example.com:8443"], "path": "/x/y"}, "access": "public"},
        {"id": "admin", "match": {"path": "/admin/**", "methods": ["GET"]}, "access": "public"},
        {"id": "list", "match": {"path": "/things", "methods": ["GET"]}, "access": "public"},
        {"id": "head", "match": {"path": "/things", "methods": ["HEAD"]}, "access": "public"},
        {"id": "other", "match": {"path": "/things"}, "access": "public"},
        {"id": "options", "match": {"path": "/open", "methods": ["OPTIONS", "POST"]}, "access": "public"},
    ]}));
    let rows = [
        ("GET", "/x/y", "api.eu.example.com", "exact"),
        ("GET", "/x/y", "API.EU.example.com.:9000", "exact"),
        ("GET", "/x/y", "api.eu.example.com:8443", "port"),
        ("POST", "/x/y", "api.eu.example.com:8443", "port"),
        ("POST", "/x/y", "api.eu.example.com", "no_route"),
        ("GET", "/x/z", "api.eu.example.com", "longer"),
        ("GET", "/x/y", "a.b.eu.example.com", "longer"),
        ("GET", "/x/y", "eu.example.com", "suffix"),
        ("GET", "/x/y", "example.com", "any"),
        ("GET", "/x/y", "notexample.com", "any"),
        ("GET", "/x/y/z", "api.eu.example.com", "any"),
        ("GET", "/admin", HOST, "admin"),
        ("GET", "/admin/x", HOST, "admin"),
        ("HEAD", "/admin/x", HOST, "admin"),
        ("POST", "/admin/x", HOST, "no_route"),
        ("get", "/admin/x", HOST, "no_route"),
        ("GET", "/administrator", HOST, "any"),
        ("GET", "/things", HOST, "list"),
        ("HEAD", "/things", HOST, "head"),
        ("PUT", "/things", HOST, "other"),
        ("OPTIONS", "/things", HOST, "no_route"),
        ("OPTIONS", "/anything", HOST, "no_route"),
        ("OPTIONS", "/open", HOST, "options"),
        ("OPTIONS", "*", HOST, "no_route"),
        ("GET", "/open", HOST, "no_route"),
    ];
    for (method, path, host, route) in rows {
        assert_eq!(
            select(&routes, method, path, host, &[]),
            route,
            "{method} {host} {path}"
        );
    }
}

#[test]
fn a_default_port_is_the_port_that_is_not_written() {
    let routes = authorizer(&json!({"routes": [
        {"id": "guarded", "match": {"hosts": ["a.example:443"], "path": "/**"}, "access": "public"},
        {"id": "any", "match": {"path": "/**"}, "access": "public"},
    ]}));
    assert_eq!(select(&routes, "GET", "/", "a.example", &[]), "guarded");
    assert_eq!(select(&routes, "GET", "/", "a.example:443", &[]), "guarded");
    assert_eq!(select(&routes, "GET", "/", "a.example:8443", &[]), "any");
}

#[test]
fn grpc_is_post_of_its_path() {
    let routes = authorizer(&json!({"routes": [
        {"id": "ledger", "match": {"grpc": "ledger.v1.Ledger/Post"}, "access": "public"},
    ]}));
    assert_eq!(
        select(&routes, "POST", "/ledger.v1.Ledger/Post", HOST, &[]),
        "ledger"
    );
    assert_eq!(
        select(&routes, "GET", "/ledger.v1.Ledger/Post", HOST, &[]),
        "no_route"
    );
    assert_eq!(
        select(&routes, "POST", "/ledger.v1.Ledger/post", HOST, &[]),
        "no_route"
    );
}

#[test]
fn only_a_real_preflight_of_a_route_that_exists_passes() {
    let route = json!([
        {"id": "orders", "match": {"path": "/orders/{id}", "methods": ["PUT"]}, "access": {"authenticated": true}},
        {"id": "listed", "match": {"path": "/listed", "methods": ["OPTIONS"]}, "access": {"authenticated": true}},
    ]);
    let pass = authorizer(&json!({"cors_preflight": "pass", "routes": route}));
    let deny = authorizer(&json!({"routes": route}));
    let origin = ("Origin", "https://app.example");
    let asks = |method| ("Access-Control-Request-Method", method);
    let rows: &[(&str, &str, &[(&str, &str)], &str)] = &[
        ("OPTIONS", "/orders/1", &[origin, asks("PUT")], "orders"),
        ("OPTIONS", "/orders/1", &[origin, asks("DELETE")], "no_route"),
        ("OPTIONS", "/orders/1", &[origin, asks("put")], "no_route"),
        ("OPTIONS", "/orders/1", &[origin, asks("TRACE")], "no_route"),
        ("OPTIONS", "/orders/1", &[origin], "no_route"),
        ("OPTIONS", "/orders/1", &[asks("PUT")], "no_route"),
        ("OPTIONS", "/orders/1", &[origin, origin, asks("PUT")], "no_route"),
        ("OPTIONS", "/orders/1", &[("origin", ""), asks("PUT")], "no_route"),
        (
            "OPTIONS",
            "/orders/1",
            &[("origin", "\t"), asks("PUT")],
            "no_route",
        ),
        (
            "OPTIONS",
            "/orders/1",
            &[("origin", "https://a.example,https://b.example"), asks("PUT")],
            "no_route",
        ),
        (
            "OPTIONS",
            "/orders/1",
            &[origin, asks("PUT"), asks("GET")],
            "no_route",
        ),
        ("OPTIONS", "/elsewhere", &[origin, asks("PUT")], "no_route"),
        (
            "OPTIONS",
            "/x/../orders/1",
            &[origin, asks("PUT")],
            "ambiguous_path",
        ),
    ];
    for (method, path, headers, expected) in rows {
        assert_eq!(
            select(&pass, method, path, HOST, headers),
            *expected,
            "{path} {headers:?}"
        );
    }
    assert_eq!(
        select(&deny, "OPTIONS", "/orders/1", HOST, &[origin, asks("PUT")]),
        "no_route"
    );

    let headers: &[(&[u8], &[u8])] = &[
        (b"origin", b"https://app.example"),
        (b"access-control-request-method", b"PUT"),
    ];
    let target = |path| Target {
        method: b"OPTIONS",
        path,
        authority: Some(b"a"),
        headers,
    };
    let Ok(Action::Public(preflight)) = pass.select(target(b"/orders/1")) else {
        panic!("a preflight is public")
    };
    assert!(preflight.is_preflight() && preflight.permit().effective().next().is_none());
    assert!(preflight.route().providers.is_empty() && preflight.route().requirement.is_none());
    assert!(
        matches!(pass.select(target(b"/listed")), Ok(Action::Guarded(_))),
        "a listed OPTIONS is a request like any other"
    );
    assert!(matches!(
        pass.select(Target {
            method: b"PUT",
            ..target(b"/orders/1")
        }),
        Ok(Action::Guarded(_))
    ));
}

#[test]
fn nothing_matches_where_there_are_no_routes() {
    assert_eq!(get(&authorizer(&json!({})), "/"), "no_route");
}
