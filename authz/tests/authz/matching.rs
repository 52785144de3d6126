//! Headers, query parameters and content types that select among the routes of one path.

use crate::common::{authorizer, get, select};
use scopegate_authz::Authorizer;
use serde_json::{Value, json};

const HOST: &str = "api.example.com";

/// Routes of `/r`, each by its id and what it matches beyond the path.
fn routes(matches: &[(&str, Value)]) -> Authorizer {
    let route = |(id, matches): &(&str, Value)| {
        let mut matches = matches.clone();
        matches["path"] = json!("/r");
        json!({"id": id, "match": matches, "access": "public"})
    };
    authorizer(&json!({"cors_preflight": "pass", "routes": matches.iter().map(route).collect::<Vec<_>>()}))
}

#[test]
fn the_most_specific_route_that_fits_is_selected() {
    let table = routes(&[
        ("any", json!({})),
        ("get", json!({"methods": ["GET"]})),
        ("v2", json!({"headers": {"x-v": "2"}})),
        ("get.v2", json!({"methods": ["GET"], "headers": {"x-v": "2"}})),
        (
            "get.v2.beta",
            json!({"methods": ["GET"], "headers": {"x-v": "2", "x-beta": {"present": true}}}),
        ),
        ("get.csv", json!({"methods": ["GET"], "query": {"format": "csv"}})),
        (
            "get.csv.v2",
            json!({"methods": ["GET"], "headers": {"x-v": "2"}, "query": {"format": "csv"}}),
        ),
        (
            "post.json",
            json!({"methods": ["POST"], "content_type": ["application/json"]}),
        ),
        (
            "post.text",
            json!({"methods": ["POST"], "content_type": ["text/*", "application/xml"]}),
        ),
        (
            "delete",
            json!({"methods": ["DELETE"], "query": {"force": {"present": false}}}),
        ),
        (
            "delete.forced",
            json!({"methods": ["DELETE"], "query": {"force": {"any": ["1", "true"]}}}),
        ),
    ]);
    let (v2, beta) = (("X-V", "2"), ("x-beta", ""));
    let rows: &[(&str, &str, &[(&str, &str)], &str)] = &[
        ("PUT", "/r", &[], "any"),
        ("PUT", "/r", &[v2], "v2"),
        ("PUT", "/r", &[("x-v", "3")], "any"),
        ("GET", "/r", &[], "get"),
        ("GET", "/r", &[v2], "get.v2"),
        ("HEAD", "/r", &[v2], "get.v2"),
        ("GET", "/r", &[v2, beta], "get.v2.beta"),
        ("GET", "/r", &[beta], "get"),
        ("GET", "/r?format=csv", &[], "get.csv"),
        ("GET", "/r?format=csv", &[v2], "get.csv.v2"),
        // More headers over more query parameters.
        ("GET", "/r?format=csv", &[v2, beta], "get.v2.beta"),
        ("GET", "/r?format=json", &[v2], "get.v2"),
        ("GET", "/r?Format=csv", &[], "get"),
        ("GET", "/r?format=CSV", &[], "get"),
        ("GET", "/r?fo%72mat=c%73v", &[], "get.csv"),
        ("GET", "/r?q=a+b&format=csv", &[], "get.csv"),
        ("POST", "/r", &[], "any"),
        (
            "POST",
            "/r",
            &[("content-type", "application/json; charset=utf-8")],
            "post.json",
        ),
        ("POST", "/r", &[("content-type", "TEXT/csv")], "post.text"),
        ("POST", "/r", &[("content-type", "application/xml")], "post.text"),
        ("POST", "/r", &[("content-type", "image/png")], "any"),
        // A method that is named wins over a header that is.
        (
            "POST",
            "/r",
            &[v2, ("content-type", "application/json")],
            "post.json",
        ),
        ("POST", "/r", &[v2], "v2"),
        ("DELETE", "/r", &[], "delete"),
        ("DELETE", "/r?force=true", &[], "delete.forced"),
        ("DELETE", "/r?force=no", &[], "any"),
        ("DELETE", "/r?force", &[], "any"),
        ("OPTIONS", "/r", &[v2], "no_route"),
    ];
    for (method, path, headers, expected) in rows {
        let seen = select(&table, method, path, HOST, headers);
        assert_eq!(seen, *expected, "{method} {path} {headers:?}");
    }
}

#[test]
fn where_none_fits_no_broader_pattern_does() {
    let table = authorizer(&json!({"routes": [
        {"id": "rest", "match": {"path": "/**"}, "access": "public"},
        {"id": "v2", "match": {"path": "/r/{x}", "headers": {"x-v": "2"}}, "access": "public"},
    ]}));
    assert_eq!(select(&table, "GET", "/r/1", HOST, &[("x-v", "2")]), "v2");
    assert_eq!(select(&table, "GET", "/r/1", HOST, &[]), "no_route");
    assert_eq!(select(&table, "GET", "/r/1", HOST, &[("x-v", "1")]), "no_route");
    assert_eq!(get(&table, "/r/1/2"), "rest");
}

#[test]
fn what_an_upstream_could_read_otherwise_is_refused_where_it_matters_and_only_there() {
    let table = authorizer(&json!({"routes": [
        {"id": "v2", "match": {"path": "/r", "headers": {"x-v": "2"}}, "access": "public"},
        {"id": "csv", "match": {"path": "/r", "query": {"format": "csv"}}, "access": "public"},
        {"id": "json", "match": {"path": "/r", "content_type": ["application/json"]}, "access": "public"},
        {"id": "r", "match": {"path": "/r"}, "access": "public"},
        {"id": "rest", "match": {"path": "/**"}, "access": "public"},
    ]}));
    let rows: &[(&str, &[(&str, &str)])] = &[
        ("/r", &[("x-v", "1"), ("x-v", "2")]),
        ("/r", &[("x-v", "2"), ("X-V", "")]),
        ("/r", &[("x_v", "2")]),
        (
            "/r",
            &[
                ("content-type", "text/plain"),
                ("content-type", "application/json"),
            ],
        ),
        ("/r", &[("content-type", "application/json, text/plain")]),
        ("/r", &[("content-type", "json")]),
        ("/r?format=csv&format=json", &[]),
        ("/r?format=c+v", &[]),
        ("/r?format=%", &[]),
        ("/r?format=csv;x=1", &[]),
        ("/r?x=1;format=csv", &[]),
        ("/r?format[]=csv", &[]),
        ("/r?format=csv%00", &[]),
        ("/r?format=%ff", &[]),
    ];
    for (path, headers) in rows {
        assert_eq!(
            select(&table, "GET", path, HOST, headers),
            "malformed_request",
            "{path} {headers:?}"
        );
        let elsewhere = path.replacen("/r", "/other", 1);
        assert_eq!(
            select(&table, "GET", &elsewhere, HOST, headers),
            "rest",
            "{elsewhere} {headers:?}"
        );
    }
    let fine: &[(&str, &[(&str, &str)], &str)] = &[
        ("/r", &[("x-v", "2"), ("x-v", "2")], "v2"),
        ("/r?format=csv&format=csv", &[], "csv"),
        ("/r?q=a+b;c&p=100%", &[], "r"),
        ("/r", &[("x-other", "1"), ("x-other", "2")], "r"),
        ("/r?Format=csv", &[], "r"),
    ];
    for (path, headers, expected) in fine {
        assert_eq!(
            select(&table, "GET", path, HOST, headers),
            *expected,
            "{path} {headers:?}"
        );
    }
}

#[test]
fn a_query_that_could_begin_elsewhere_is_refused_where_it_matters() {
    let table = authorizer(&json!({"routes": [
        {"id": "csv", "match": {"path": "/files/**", "query": {"format": "csv"}}, "access": "public"},
        {"id": "files", "match": {"path": "/files/**"}, "access": "public"},
        {"id": "plain", "match": {"path": "/plain/**"}, "access": "public"},
    ]}));
    assert_eq!(get(&table, "/files/a?format=csv"), "csv");
    assert_eq!(get(&table, "/files/a%3Fformat=csv"), "malformed_request");
    assert_eq!(get(&table, "/files/a%23b?format=csv"), "malformed_request");
    assert_eq!(get(&table, "/plain/a%3Fformat=csv"), "plain");
    // All readings of a path lead to one group, and it is asked once.
    assert_eq!(get(&table, "/files/a//b/../c;d%2Fe?format=csv"), "csv");
    assert_eq!(get(&table, "/files/a//b/../c;d%2Fe"), "files");
}

#[test]
fn readings_that_lead_to_groups_with_other_matches_are_ambiguous() {
    let table = authorizer(&json!({"routes": [
        {"id": "a", "match": {"path": "/a", "headers": {"x": "1"}}, "access": "public"},
        {"id": "b", "match": {"path": "/a/b", "headers": {"x": "2"}}, "access": "public"},
    ]}));
    let ask = |x: &'static str| select(&table, "GET", "/a;/b", HOST, &[("x", x)]);
    assert_eq!(ask("1"), "ambiguous_path");
    assert_eq!(ask("2"), "ambiguous_path");
    // Neither route fits: whatever is read, it is denied.
    assert_eq!(ask("3"), "no_route");
    let both = [("x", "1"), ("x", "2")];
    assert_eq!(select(&table, "GET", "/a", HOST, &both), "malformed_request");
    assert_eq!(select(&table, "GET", "/a;/b", HOST, &both), "ambiguous_path");
}

#[test]
fn a_preflight_asks_about_the_route_that_asks_least() {
    let table = routes(&[
        ("put.2", json!({"methods": ["PUT"], "headers": {"x-v": "2"}})),
        ("put.1", json!({"methods": ["PUT"], "headers": {"x-v": "1"}})),
        (
            "put.1.beta",
            json!({"methods": ["PUT"], "headers": {"x-v": "1", "x-beta": {"present": true}}}),
        ),
        ("put.csv", json!({"methods": ["PUT"], "query": {"format": "csv"}})),
        (
            "post",
            json!({"methods": ["POST"], "content_type": ["application/json"]}),
        ),
        ("patch", json!({"methods": ["PATCH"]})),
        (
            "patch.v",
            json!({"methods": ["PATCH"], "headers": {"x-v": {"present": true}}}),
        ),
        (
            "delete",
            json!({"methods": ["DELETE"], "query": {"force": {"present": true}}}),
        ),
    ]);
    let ask = |path: &str, method: &str| {
        let headers = [
            ("origin", "https://app.example"),
            ("access-control-request-method", method),
        ];
        select(&table, "OPTIONS", path, HOST, &headers)
    };
    for (path, method, expected) in [
        ("/r", "PUT", "put.1"),
        ("/r?format=csv", "PUT", "put.csv"),
        ("/r", "POST", "post"),
        ("/r", "PATCH", "patch"),
        ("/r", "DELETE", "no_route"),
        ("/r?force", "DELETE", "delete"),
        ("/r", "GET", "no_route"),
        ("/r?force=1&force=2", "DELETE", "malformed_request"),
    ] {
        assert_eq!(ask(path, method), expected, "{path} {method}");
    }
}

#[test]
fn a_request_made_to_be_looked_through_for_long_is_answered() {
    let names = |kind: char| {
        (0..16)
            .map(|index| (format!("{kind}{index}"), json!("1")))
            .collect::<serde_json::Map<_, _>>()
    };
    let table = routes(&[
        ("one", json!({"headers": names('a'), "query": names('a')})),
        ("two", json!({"headers": names('b')})),
        ("three", json!({"query": names('b')})),
        ("rest", json!({})),
    ]);
    let many: Vec<(&str, &str)> = vec![("a", "b"); 30_000];
    assert_eq!(select(&table, "GET", "/r", HOST, &many), "rest");
    assert_eq!(
        get(&table, format!("/r?{}", "a&".repeat(30_000))),
        "malformed_request"
    );
    for (part, most, expected) in [
        ("a", 16_384, "rest"),
        ("a", 16_385, "malformed_request"),
        ("%61", 5_461, "rest"),
        ("a+;", 999, "rest"),
        ("a+;", 1_000, "malformed_request"),
    ] {
        let path = format!("/r?{}", part.repeat(most));
        assert_eq!(get(&table, path), expected, "{part} {most}");
    }
}
