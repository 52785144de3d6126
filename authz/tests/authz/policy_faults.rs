//! Faults of a policy: all of them, each at its field, with what would be right.

use crate::common::{corp, section};
use scopegate_authz::section::AuthorizationSection;
use scopegate_authz::{Authorizer, PolicyContext, ProviderFacts};
use serde_json::{Value, json};

fn faults_with(value: &Value, providers: &[ProviderFacts]) -> Vec<(&'static str, String)> {
    match Authorizer::compile(&section(value), &providers) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| (fault.code, fault.path)).collect(),
    }
}

fn faults(value: &Value) -> Vec<(&'static str, String)> {
    faults_with(value, &corp())
}

fn providers(names: &[(&str, bool)]) -> Vec<ProviderFacts> {
    let facts = |(name, carries_scopes): &(&str, bool)| ProviderFacts {
        name: (*name).to_owned(),
        carries_scopes: *carries_scopes,
    };
    names.iter().map(facts).collect()
}

/// A policy with one route, of which one part is replaced.
fn with_access(access: &Value) -> Value {
    json!({"scopes": {"orders:read": "r", "orders:write": "w"}, "routes": [{"id": "r", "match": {"path": "/t/{tenant}"}, "access": access}]})
}

fn with_match(matches: &Value) -> Value {
    json!({"routes": [{"id": "r", "match": matches, "access": "public"}]})
}

#[test]
fn a_statement_about_the_upstream_is_remarked_on_where_it_looks_at_less() {
    let remarks = |readings: Value| {
        let section = section(&json!({"path_readings": readings}));
        let found = Authorizer::notices(&section).into_iter();
        found.map(|notice| (notice.code, notice.path)).collect::<Vec<_>>()
    };
    for silent in [
        json!("strict"),
        json!("case_insensitive"),
        json!({"case": "insensitive"}),
        json!({"encoded_slashes": "any", "backslashes": "any", "semicolons": "any", "double_slashes": "any", "dot_segments": "any"}),
    ] {
        assert_eq!(remarks(silent.clone()), vec![], "{silent}");
    }
    for (field, word) in [
        ("encoded_slashes", "kept"),
        ("encoded_slashes", "decoded"),
        ("backslashes", "kept"),
        ("semicolons", "kept"),
        ("double_slashes", "kept"),
        ("double_slashes", "merged"),
        ("dot_segments", "resolved"),
    ] {
        let expected = vec![("path_reading_trusted", format!("path_readings.{field}"))];
        assert_eq!(remarks(json!({field: word})), expected, "{field}: {word}");
    }
    assert_eq!(Authorizer::notices(&section(&json!({}))), vec![]);
    assert_eq!(
        faults(&json!({"path_readings": {}})),
        vec![("empty_value", "path_readings".to_owned())]
    );
}

#[test]
fn all_scopes_of_an_empty_catalogue_are_no_requirement() {
    for list in ["all", "any", "none"] {
        let section = crate::common::section(&json!({"routes": [{
            "id": "a", "match": {"path": "/a"}, "access": {"scopes": {list: ["*"]}},
        }]}));
        let faults = scopegate_authz::Authorizer::compile(&section, &crate::common::corp()).expect_err(list);
        let path = format!("routes[0].access.scopes.{list}[0]");
        assert_eq!(
            (faults[0].code, faults[0].path.as_str()),
            ("unknown_scope", path.as_str())
        );
    }
}

#[test]
fn every_fault_of_access_is_found_at_its_field() {
    let rows: Vec<(Value, Vec<(&str, &str)>)> = vec![
        (json!("public"), vec![]),
        (json!("authenticated"), vec![]),
        (json!({"authenticated": true}), vec![]),
        (json!({"scopes": {"all": ["orders:read"]}}), vec![]),
        (json!({"scopes": {"none": ["orders:read"]}}), vec![]),
        (
            json!({"scopes": {"any": ["orders:*"]}, "tenant": "{tenant}", "providers": ["corp"]}),
            vec![],
        ),
        (json!({}), vec![("access_empty", "access")]),
        (json!({"providers": ["corp"]}), vec![("access_empty", "access")]),
        (json!({"authenticated": false}), vec![("access_empty", "access")]),
        (
            json!({"authenticated": false, "scopes": {"all": ["orders:read"]}}),
            vec![("invalid_value", "access.authenticated")],
        ),
        (json!({"scopes": {}}), vec![("empty_list", "access.scopes")]),
        (
            json!({"scopes": {"all": []}}),
            vec![("empty_list", "access.scopes.all")],
        ),
        (
            json!({"scopes": {"any": ["orders:reed"]}}),
            vec![("unknown_scope", "access.scopes.any[0]")],
        ),
        (
            json!({"scopes": {"all": ["orders:read", {"any": ["x", {"none": []}]}]}}),
            vec![
                ("unknown_scope", "access.scopes.all[1].any[0]"),
                ("empty_list", "access.scopes.all[1].any[1].none"),
            ],
        ),
        (
            json!({"scopes": {"all": ["orders*"]}}),
            vec![("invalid_scope", "access.scopes.all[0]")],
        ),
        (
            json!({"scopes": {"all": ["ledger:*"]}}),
            vec![("unknown_scope", "access.scopes.all[0]")],
        ),
        (
            json!({"providers": [], "authenticated": true}),
            vec![("empty_list", "access.providers")],
        ),
        (
            json!({"providers": ["crop"], "authenticated": true}),
            vec![("unknown_provider", "access.providers[0]")],
        ),
        (
            json!({"authenticated": true, "tenant": "{id}"}),
            vec![("unknown_parameter", "access.tenant")],
        ),
        (
            json!({"authenticated": true, "tenant": "tenant"}),
            vec![("unknown_parameter", "access.tenant")],
        ),
        (
            json!({"authenticated": true, "tenant": "acme"}),
            vec![("unknown_parameter", "access.tenant")],
        ),
        (
            json!({"authenticated": true, "acr": ["mfa"], "amr": {"all": ["pwd"]}, "max_auth_age": "10m",
                   "clients": ["web"], "actors": {"allow": ["gateway"]}}),
            vec![],
        ),
        (
            json!({"authenticated": true, "acr": [], "amr": {}}),
            vec![("empty_list", "access.acr"), ("empty_value", "access.amr")],
        ),
        (
            json!({"authenticated": true, "acr": ["m f a", ""], "amr": {"all": [], "any": [""]}}),
            vec![
                ("empty_value", "access.acr[1]"),
                ("invalid_value", "access.acr[0]"),
                ("empty_list", "access.amr.all"),
                ("empty_value", "access.amr.any[0]"),
            ],
        ),
        (
            json!({"authenticated": true, "clients": []}),
            vec![("empty_list", "access.clients")],
        ),
        (
            json!({"authenticated": true, "clients": ["", {"provider": "crop", "client": "web"}]}),
            vec![
                ("empty_value", "access.clients[0]"),
                ("unknown_provider", "access.clients[1].provider"),
            ],
        ),
        (
            json!({"authenticated": true, "actors": {"allow": [], "max_depth": 0}}),
            vec![
                ("empty_list", "access.actors.allow"),
                ("out_of_range", "access.actors.max_depth"),
            ],
        ),
        (
            json!({"authenticated": true, "actors": {"allow": [{"provider": "crop", "subject": "a"}], "max_depth": 9}}),
            vec![
                ("unknown_provider", "access.actors.allow[0].provider"),
                ("out_of_range", "access.actors.max_depth"),
            ],
        ),
        (
            json!({"authenticated": true, "when": "request.metod == 'GET'", "query": {}, "windows": [], "sources": ["10.0.0.1/8"]}),
            vec![
                ("empty_list", "access.windows"),
                ("invalid_source", "access.sources[0]"),
                ("empty_mapping", "access.query"),
                ("invalid_condition", "access.when"),
            ],
        ),
    ];
    for (access, expected) in rows {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(code, path)| (code, format!("routes[0].{path}")))
            .collect();
        assert_eq!(faults(&with_access(&access)), expected, "{access}");
    }
}

#[test]
fn every_fault_of_a_match_is_found_at_its_field() {
    let rows: Vec<(Value, Vec<(&str, &str)>)> = vec![
        (
            json!({"path": "/a", "methods": ["GET", "PROPFIND"], "hosts": ["a.example", "*.b.example:8443"]}),
            vec![],
        ),
        (json!({"grpc": "a.B/C"}), vec![]),
        (json!({}), vec![("missing_path", "match")]),
        (json!({"path": "a"}), vec![("invalid_pattern", "match.path")]),
        (json!({"path": "/a/*"}), vec![("invalid_pattern", "match.path")]),
        (json!({"path": "/a%2Fb"}), vec![("invalid_pattern", "match.path")]),
        (
            json!({"grpc": "a.B/{c}"}),
            vec![("invalid_pattern", "match.grpc")],
        ),
        (json!({"grpc": "/a.B/C"}), vec![("invalid_pattern", "match.grpc")]),
        (json!({"grpc": "C"}), vec![("invalid_pattern", "match.grpc")]),
        (
            json!({"grpc": "a.B/C", "methods": ["POST"]}),
            vec![("invalid_match", "match.methods")],
        ),
        (
            json!({"grpc": "a.B/C", "path": "/a.B/C"}),
            vec![("invalid_match", "match.grpc")],
        ),
        (
            json!({"path": "/a", "methods": []}),
            vec![("empty_list", "match.methods")],
        ),
        (
            json!({"path": "/a", "methods": ["GET", "get"]}),
            vec![("invalid_method", "match.methods[1]")],
        ),
        (
            json!({"path": "/a", "methods": ["CONNECT"]}),
            vec![("invalid_method", "match.methods[0]")],
        ),
        (
            json!({"path": "/a", "methods": ["G T"]}),
            vec![("invalid_method", "match.methods[0]")],
        ),
        (
            json!({"path": "/a", "hosts": []}),
            vec![("empty_list", "match.hosts")],
        ),
        (
            json!({"path": "/a", "hosts": ["A.example"]}),
            vec![("invalid_host", "match.hosts[0]")],
        ),
        (
            json!({"path": "/a", "hosts": ["a.example", "*"]}),
            vec![("invalid_host", "match.hosts[1]")],
        ),
        (
            json!({"path": "/a", "hosts": ["a.example:80", "a.example:443"]}),
            vec![("invalid_host", "match.hosts")],
        ),
        (
            json!({"path": "/a", "headers": {"x": "y"}, "query": {"a": {"any": ["b", ""]}}, "content_type": ["application/json", "text/*"]}),
            vec![],
        ),
        (
            json!({"path": "/a", "headers": {"x": {"present": true}}, "query": {"a b": {"present": false}}}),
            vec![],
        ),
        (
            json!({"path": "/a", "headers": {}, "query": {}, "content_type": []}),
            vec![
                ("empty_list", "match.headers"),
                ("empty_list", "match.query"),
                ("empty_list", "match.content_type"),
            ],
        ),
        (
            json!({"path": "/a", "headers": {"x": {}, "y": {"any": []}, "z": {"any": ["a"], "present": true}}}),
            vec![
                ("empty_list", "match.headers.x"),
                ("empty_list", "match.headers.y.any"),
                ("invalid_match", "match.headers.z"),
            ],
        ),
        (
            json!({"path": "/a", "headers": {"x y": "1", ":path": "1", "": "1"}}),
            vec![
                ("invalid_match", "match.headers."),
                ("invalid_match", "match.headers.:path"),
                ("invalid_match", "match.headers.x y"),
            ],
        ),
        (
            json!({"path": "/a", "headers": {"Host": "a", "content-type": "a/b", "Authorization": {"present": true}, "cookie": "a"}}),
            vec![
                ("invalid_match", "match.headers.Authorization"),
                ("invalid_match", "match.headers.Host"),
                ("invalid_match", "match.headers.content-type"),
                ("invalid_match", "match.headers.cookie"),
            ],
        ),
        (
            json!({"path": "/a", "headers": {"x-a": "1", "X-A": "1"}}),
            vec![("invalid_match", "match.headers")],
        ),
        (
            json!({"path": "/a", "headers": {"x-a": "1", "x_a": "1"}}),
            vec![("invalid_match", "match.headers")],
        ),
        (
            json!({"path": "/a", "headers": {"x": " 1", "y": {"any": ["a", "a\nb"]}}}),
            vec![
                ("invalid_match", "match.headers.x"),
                ("invalid_match", "match.headers.y.any[1]"),
            ],
        ),
        (
            json!({"path": "/a", "query": {"": "1", "a[]": "1", "a+b": "1", "a;b": "1", "ok": "\u{0}"}}),
            vec![
                ("invalid_match", "match.query."),
                ("invalid_match", "match.query.a+b"),
                ("invalid_match", "match.query.a;b"),
                ("invalid_match", "match.query.a[]"),
                ("invalid_match", "match.query.ok"),
            ],
        ),
        (
            json!({"path": "/a", "content_type": ["*/*", "application/json; charset=utf-8", "json", "a/b"]}),
            vec![
                ("invalid_match", "match.content_type[0]"),
                ("invalid_match", "match.content_type[1]"),
                ("invalid_match", "match.content_type[2]"),
            ],
        ),
    ];
    for (matches, expected) in rows {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(code, path)| (code, format!("routes[0].{path}")))
            .collect();
        assert_eq!(faults(&with_match(&matches)), expected, "{matches}");
    }
}

#[test]
fn faults_of_scopes_roles_ceilings_and_grants_are_found_together() {
    let policy = json!({
        "scopes": {
            "a": {"implies": ["b"]}, "b": {"implies": ["a"]}, "self": {"implies": ["self"]},
            "bad scope": "x", "all:*": "x", "none": {"implies": []}, "lost": {"implies": ["gone"]},
        },
        "roles": {"viewer": [], "clerk": ["gone"]},
        "ceilings": [{"provider": "crop", "scopes": ["a"]}, {"provider": "corp", "client": "", "scopes": []}],
        "grants": [
            {"caller": {"provider": "nobody", "subject": ""}, "scopes": ["gone"], "reason": " "},
            {"caller": {"provider": "corp", "subject": "x"}, "scopes": ["a"], "reason": "line\nbreak"},
            {"caller": {"provider": "corp", "subject": "y"}, "scopes": ["a"], "until": "2027-01-31T00:00:00Z"},
            {"caller": {"provider": "corp", "subject": "y"}, "scopes": ["a"], "routes": []},
            {"caller": {"provider": "corp", "subject": "y"}, "scopes": ["a"], "routes": ["same", "sane"]},
        ],
        "routes": [
            {"id": "x y", "match": {"path": "/a"}, "access": "public", "mode": {"shadow": {"until": "2027-01-31T00:00:00Z"}}},
            {"id": "same", "match": {"path": "/b"}, "access": "public"},
            {"id": "same", "match": {"path": "/c"}, "access": "public"},
        ],
    });
    let found = faults(&policy);
    let expected = [
        ("invalid_scope", "scopes.bad scope"),
        ("invalid_scope", "scopes.all:*"),
        ("empty_list", "scopes.none.implies"),
        ("unknown_scope", "scopes.lost.implies[0]"),
        ("implies_cycle", "scopes.a.implies"),
        ("implies_cycle", "scopes.b.implies"),
        ("implies_cycle", "scopes.self.implies"),
        ("empty_list", "roles.viewer"),
        ("unknown_scope", "roles.clerk[0]"),
        ("unknown_provider", "ceilings[0].provider"),
        ("empty_value", "ceilings[1].client"),
        ("empty_list", "ceilings[1].scopes"),
        ("unknown_provider", "grants[0].caller.provider"),
        ("empty_value", "grants[0].caller.subject"),
        ("unknown_scope", "grants[0].scopes[0]"),
        ("invalid_reason", "grants[0].reason"),
        ("invalid_reason", "grants[1].reason"),
        ("reason_missing", "grants[2]"),
        ("empty_list", "grants[3].routes"),
        ("unknown_route", "grants[4].routes[1]"),
        ("invalid_id", "routes[0].id"),
        ("invalid_value", "routes[0].mode"),
        ("duplicate_id", "routes[2].id"),
    ];
    for (code, path) in expected {
        assert!(
            found.contains(&(code, path.to_owned())),
            "{code} at {path} in {found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn routes_that_match_one_request_with_equal_rank_name_each_other() {
    let route = |id: &str, matches: Value| json!({"id": id, "match": matches, "access": "public"});
    let conflicts = |one: Value, other: Value, readings: &str| {
        let policy = json!({"path_readings": readings, "routes": [route("one", one), route("other", other)]});
        match Authorizer::compile(&section(&policy), &corp()) {
            Ok(_) => false,
            Err(faults) => {
                let [fault] = faults.as_slice() else {
                    panic!("{faults:#?}")
                };
                assert_eq!(
                    (fault.code, fault.path.as_str()),
                    ("route_conflict", "routes[1].match")
                );
                assert!(
                    fault.message.contains("`one`") && fault.message.contains("`other`"),
                    "{fault}"
                );
                true
            }
        }
    };
    assert!(conflicts(
        json!({"path": "/a/{x}"}),
        json!({"path": "/a/{y}"}),
        "strict"
    ));
    assert!(conflicts(
        json!({"path": "/**", "methods": ["GET", "PUT"]}),
        json!({"path": "/**", "methods": ["PUT"]}),
        "strict"
    ));
    assert!(conflicts(
        json!({"grpc": "a.B/C"}),
        json!({"path": "/a.B/C", "methods": ["POST"]}),
        "strict"
    ));
    assert!(conflicts(
        json!({"path": "/a", "hosts": ["a.example", "b.example"]}),
        json!({"path": "/a", "hosts": ["c.example", "b.example."]}),
        "strict"
    ));
    assert!(conflicts(
        json!({"path": "/Orders"}),
        json!({"path": "/orders"}),
        "case_insensitive"
    ));
    assert!(!conflicts(
        json!({"path": "/Orders"}),
        json!({"path": "/orders"}),
        "strict"
    ));
    assert!(!conflicts(
        json!({"path": "/a"}),
        json!({"path": "/a/**"}),
        "strict"
    ));
    assert!(!conflicts(
        json!({"path": "/a", "methods": ["GET"]}),
        json!({"path": "/a"}),
        "strict"
    ));
    assert!(!conflicts(
        json!({"path": "/a", "methods": ["GET"]}),
        json!({"path": "/a", "methods": ["HEAD"]}),
        "strict"
    ));
    let beyond = |one: Value, other: Value| {
        let with = |mut matches: Value| {
            matches["path"] = json!("/a");
            matches
        };
        conflicts(with(one), with(other), "strict")
    };
    // Nothing tells them apart, or one request can have both.
    for (one, other) in [
        (json!({"headers": {"x": "1"}}), json!({"headers": {"X": "1"}})),
        (json!({"headers": {"x": "1"}}), json!({"headers": {"y": "1"}})),
        (
            json!({"headers": {"x": "1"}}),
            json!({"headers": {"x": {"present": true}}}),
        ),
        (
            json!({"headers": {"x": {"any": ["1", "2"]}}}),
            json!({"headers": {"x": {"any": ["2", "3"]}}}),
        ),
        (json!({"query": {"x": "1"}}), json!({"query": {"X": "1"}})),
        (
            json!({"content_type": ["a/b"]}),
            json!({"content_type": ["c/d", "A/*"]}),
        ),
        (
            json!({"methods": ["GET", "PUT"], "query": {"x": "1"}}),
            json!({"methods": ["PUT", "POST"], "query": {"y": "1"}}),
        ),
    ] {
        assert!(beyond(one.clone(), other.clone()), "{one} {other}");
    }
    // One is more specific, or no request has both.
    for (one, other) in [
        (json!({"headers": {"x": "1"}}), json!({})),
        (json!({"headers": {"x": "1"}}), json!({"headers": {"x": "2"}})),
        (
            json!({"headers": {"x": "1"}}),
            json!({"headers": {"x": "1", "y": "1"}}),
        ),
        (json!({"headers": {"x": "1"}}), json!({"query": {"x": "1"}})),
        (
            json!({"headers": {"x": {"present": false}}}),
            json!({"headers": {"x": {"any": ["1"]}}}),
        ),
        (
            json!({"query": {"x": {"present": false}}}),
            json!({"query": {"x": {"present": true}}}),
        ),
        (json!({"content_type": ["a/b"]}), json!({"content_type": ["a/c"]})),
        (json!({"content_type": ["a/b"]}), json!({})),
        (
            json!({"methods": ["GET"], "headers": {"x": "1"}}),
            json!({"headers": {"x": "1"}}),
        ),
        (
            json!({"methods": ["GET"], "headers": {"x": "1"}}),
            json!({"methods": ["POST"], "headers": {"x": "1"}}),
        ),
    ] {
        assert!(!beyond(one.clone(), other.clone()), "{one} {other}");
    }
    assert!(!conflicts(
        json!({"path": "/a", "hosts": ["a.example"]}),
        json!({"path": "/a", "hosts": ["a.example:8443"]}),
        "strict"
    ));
}

#[test]
fn providers_are_named_unless_there_is_one_and_each_has_a_ceiling_where_there_are_several() {
    let one = providers(&[("corp", true)]);
    let with_keys = providers(&[("corp", true), ("partners", false)]);
    let two = providers(&[("corp", true), ("other", true)]);
    let open = with_access(&json!("authenticated"));
    assert_eq!(faults_with(&open, &one), vec![]);
    assert_eq!(
        faults_with(&open, &with_keys),
        vec![("providers_required", "routes[0].access".to_owned())]
    );
    assert_eq!(
        faults_with(&open, &[]),
        vec![("providers_required", "routes[0].access".to_owned())]
    );
    assert_eq!(faults_with(&with_match(&json!({"path": "/"})), &[]), vec![]);

    let bounded = |ceilings: Value| json!({"scopes": {"a": "x"}, "ceilings": ceilings});
    let missing = |count: usize| vec![("ceiling_missing", "ceilings".to_owned()); count];
    let of = |provider: &str| json!({"provider": provider, "scopes": ["*"]});
    assert_eq!(faults_with(&bounded(json!([])), &with_keys), missing(0));
    assert_eq!(faults_with(&bounded(json!([])), &two), missing(2));
    assert_eq!(faults_with(&bounded(json!([of("corp")])), &two), missing(1));
    assert_eq!(
        faults_with(&bounded(json!([of("corp"), of("other")])), &two),
        missing(0)
    );
    let of_client = json!({"provider": "other", "client": "kiosk", "scopes": ["a"]});
    assert_eq!(
        faults_with(&bounded(json!([of("corp"), of_client])), &two),
        missing(1)
    );
}

#[test]
fn a_name_that_is_nearly_right_is_recognised() {
    let faults = Authorizer::compile(
        &section(&with_access(&json!({"scopes": {"all": ["order:read"]}}))),
        &corp(),
    );
    let faults = faults.map(|_| ()).expect_err("an unknown scope");
    assert!(
        faults[0].help.contains("did you mean `orders:read`?"),
        "{}",
        faults[0]
    );
}

#[test]
fn sizes_are_bounded() {
    let route = |index: usize| json!({"id": format!("r{index}"), "match": {"path": format!("/r/{index}")}, "access": "public"});
    let routes = |count: usize| json!({"routes": (0..count).map(route).collect::<Vec<_>>()});
    assert_eq!(faults(&routes(10_000)), vec![]);
    assert_eq!(
        faults(&routes(10_001)),
        vec![("too_many_routes", "routes".to_owned())]
    );

    // Patterns that part at a literal and a parameter in ten places, and go on alike.
    let way = |pattern: u32, place: u32| match pattern >> place & 1 {
        0 => "/a".to_owned(),
        _ => format!("/{{x{place}}}"),
    };
    let web = |depth: u32| {
        let route = |pattern: u32| {
            let path = (0..depth).map(|place| way(pattern, place)).collect::<String>();
            json!({"id": format!("r{pattern}"), "match": {"path": path}, "access": "public"})
        };
        json!({"routes": (0..1 << depth).map(route).collect::<Vec<_>>()})
    };
    assert_eq!(faults(&web(9)), vec![]);
    assert_eq!(
        faults(&web(10)),
        vec![("patterns_entangled", "routes".to_owned())]
    );

    let versions = |count: usize| {
        let route = |version: usize| json!({"id": format!("r{version:04}"), "match": {"path": "/", "headers": {"x-v": version.to_string()}}, "access": "public"});
        json!({"routes": (0..count).map(route).collect::<Vec<_>>()})
    };
    assert_eq!(faults(&versions(128)), vec![]);
    assert_eq!(
        faults(&versions(129)),
        vec![("too_many_matches", "routes[0].match".to_owned())]
    );
    let names = |count: usize| {
        let name = |index: usize| (format!("x{index}"), json!("1"));
        json!({"path": "/", "query": (0..count).map(name).collect::<serde_json::Map<_, _>>()})
    };
    assert_eq!(faults(&with_match(&names(16))), vec![]);
    assert_eq!(
        faults(&with_match(&names(17))),
        vec![("too_many_matches", "routes[0].match.query".to_owned())]
    );

    let scopes: serde_json::Map<String, Value> =
        (0..32).map(|index| (format!("s{index}"), json!("x"))).collect();
    let any = |index: usize| json!({"any": [format!("s{}", 2 * index), format!("s{}", 2 * index + 1)]});
    let product = |count: usize| {
        json!({"scopes": scopes, "routes": [
            {"id": "r", "match": {"path": "/"}, "access": {"scopes": {"all": (0..count).map(any).collect::<Vec<_>>()}}},
        ]})
    };
    assert_eq!(faults(&product(8)), vec![]);
    assert_eq!(
        faults(&product(9)),
        vec![(
            "requirement_too_complex",
            "routes[0].access.scopes.all".to_owned()
        )]
    );
}

#[test]
fn a_document_of_the_wrong_form_is_refused_in_words_for_people() {
    let rows = [
        (
            json!({"routes": [{"id": "r", "match": {"path": "/"}, "access": "pubic"}]}),
            "`pubic` is none of the words here",
        ),
        (
            json!({"routes": [{"id": "r", "match": {"path": "/"}, "access": true}]}),
            "expected `public`, `authenticated`, or a mapping",
        ),
        (
            json!({"routes": [{"id": "r", "match": {"path": "/"}, "access": {"scope": {}}}]}),
            "unknown field `scope`",
        ),
        (
            json!({"routes": [{"id": "r", "match": {"paths": "/"}, "access": "public"}]}),
            "unknown field `paths`",
        ),
        (
            json!({"routes": [{"id": "r", "access": "public"}]}),
            "missing field `match`",
        ),
        (json!({"routes": {"r": 1}}), "expected a sequence"),
        (
            json!({"scopes": {"a": 1}}),
            "expected a description, or a mapping",
        ),
        (
            json!({"scopes": {"a": {"implied": []}}}),
            "unknown field `implied`",
        ),
        (
            json!({"grants": [{"caller": {"subject": "x"}, "scopes": []}]}),
            "missing field `provider`",
        ),
        (
            json!({"grants": [{"caller": {"provider": "corp"}, "scopes": [], "until": "2026"}]}),
            "RFC 3339",
        ),
        (
            json!({"ceilings": ["corp"]}),
            "expected a mapping with `provider` and `scopes`",
        ),
        (json!({"cors_preflight": "allow"}), "`pass` or `deny`"),
        (
            json!({"routes": [{"id": "r", "match": {"path": "/", "headers": {"x": 2}}, "access": "public"}]}),
            "expected a text, or a mapping with `any` or `present`",
        ),
        (
            json!({"routes": [{"id": "r", "match": {"path": "/", "query": {"x": {"all": []}}}, "access": "public"}]}),
            "unknown field `all`",
        ),
        (
            json!({"path_readings": "loose"}),
            "`strict`, `case_insensitive`, or a mapping",
        ),
        (
            json!({"path_readings": {"slashes": "kept"}}),
            "unknown field `slashes`",
        ),
        (
            json!({"path_readings": {"encoded_slashes": "merged"}}),
            "`any`, `kept` or `decoded`",
        ),
        (
            json!({"path_readings": {"backslashes": "decoded"}}),
            "`any` or `kept`",
        ),
        (
            json!({"path_readings": {"dot_segments": "kept"}}),
            "`any` or `resolved`",
        ),
        (json!({"routing": []}), "unknown field `routing`"),
    ];
    for (value, expected) in rows {
        let error = serde_json::from_value::<AuthorizationSection>(value.clone())
            .map(|_| ())
            .expect_err("a wrong form");
        assert!(error.to_string().contains(expected), "{value}: {error}");
        for name in ["struct", "Access", "Rules", "variant", "enum"] {
            assert!(!error.to_string().contains(name), "{value}: {error}");
        }
    }
}

#[test]
fn a_field_that_is_left_empty_is_refused_and_bounds_nothing_less() {
    let route =
        |matches: Value, access: Value| json!({"routes": [{"id": "r", "match": matches, "access": access}]});
    let rows = [
        route(json!({"path": "/", "hosts": null}), json!("public")),
        route(json!({"path": "/", "methods": null}), json!("public")),
        route(json!({"path": "/"}), json!(null)),
        route(
            json!({"path": "/{t}"}),
            json!({"authenticated": true, "tenant": null}),
        ),
        route(
            json!({"path": "/"}),
            json!({"authenticated": true, "scopes": null}),
        ),
        route(
            json!({"path": "/"}),
            json!({"authenticated": true, "providers": null}),
        ),
        route(json!({"path": "/"}), json!({"authenticated": true, "when": null})),
        json!({"grants": [{"caller": {"provider": "corp"}, "scopes": ["a"], "until": null}]}),
        json!({"grants": [{"caller": {"provider": "corp", "subject": null}, "scopes": ["a"]}]}),
        json!({"ceilings": [{"provider": "corp", "client": null, "scopes": ["a"]}]}),
        json!({"ceilings": null}),
        json!({"path_readings": null}),
        json!({"path_readings": {"case": null}}),
        route(json!({"path": "/", "headers": null}), json!("public")),
        route(
            json!({"path": "/", "query": {"a": {"present": null}}}),
            json!("public"),
        ),
        route(json!({"path": "/", "content_type": null}), json!("public")),
    ];
    for value in rows {
        assert!(
            serde_json::from_value::<AuthorizationSection>(value.clone()).is_err(),
            "{value}"
        );
    }
}

#[test]
fn the_section_is_written_as_it_was_read() {
    let value = json!({
        "scopes": {"a": "x", "b": {"description": "y", "implies": ["a"]}},
        "routes": [
            {"id": "p", "match": {"path": "/p"}, "access": "public"},
            {"id": "r", "match": {"path": "/r"}, "access": {"scopes": {"all": ["a", {"any": ["b"]}]}}},
        ],
        "path_readings": "case_insensitive",
    });
    assert_eq!(serde_json::to_value(section(&value)).ok(), Some(value));
    let matching = json!({
        "routes": [{"id": "p", "access": "public", "match": {
            "path": "/p", "headers": {"x": "1"}, "query": {"a": {"any": ["1", "2"]}, "b": {"present": false}}, "content_type": ["a/b"],
        }}],
        "path_readings": {"case": "sensitive", "encoded_slashes": "kept", "double_slashes": "merged", "dot_segments": "resolved"},
    });
    assert_eq!(serde_json::to_value(section(&matching)).ok(), Some(matching));
}

#[test]
fn the_schema_knows_the_words_and_the_fields() {
    let schema = serde_json::to_string(&schemars::schema_for!(AuthorizationSection)).expect("a schema");
    for part in [
        "\"public\"",
        "\"authenticated\"",
        "max_auth_age",
        "case_insensitive",
        "additionalProperties\":false",
        "\"match\"",
    ] {
        assert!(schema.contains(part), "{part} in {schema}");
    }
}

#[test]
fn a_policy_goes_by_no_header_that_says_who_the_caller_is() {
    let providers = corp();
    let context = PolicyContext {
        identity_headers: &["x-auth-tenant".to_owned()],
        credential_headers: &["X-Api-Key".to_owned()],
        ..PolicyContext::from(&providers)
    };
    for (name, is_refused) in [
        ("x-auth-tenant", true),
        ("X_Auth-Tenant", true),
        ("x-api-key", true),
        ("x_api_key", true),
        ("authorization", true),
        ("Proxy_Authorization", true),
        ("cookie", true),
        ("host", true),
        ("Content_Type", true),
        (":path", true),
        ("x y", true),
        ("", true),
        ("x-auth-tenant2", false),
        ("x-region", false),
    ] {
        let written = json!({name: "a"});
        let route = |matches: Value, access: Value| json!({"routes": [{"id": "r", "match": matches, "access": access}]});
        let readable = json!({"conditions": {"headers": [name]}, "routes": []});
        let matched = route(json!({"path": "/", "headers": written}), json!("public"));
        let asked = route(
            json!({"path": "/"}),
            json!({"authenticated": true, "headers": written}),
        );
        for (policy, field) in [
            (readable, "conditions.headers[0]".to_owned()),
            (matched, format!("routes[0].match.headers.{name}")),
            (asked, format!("routes[0].access.headers.{name}")),
        ] {
            let found = Authorizer::compile(&section(&policy), context)
                .err()
                .unwrap_or_default();
            let has_it = found.iter().any(|fault| fault.path == field);
            assert_eq!(
                (has_it, found.is_empty()),
                (is_refused, !is_refused),
                "{policy}: {found:?}"
            );
        }
    }
}

#[test]
fn a_header_that_expressions_may_read_is_listed_once() {
    for (names, expected) in [
        (json!(["x-a", "x-b"]), vec![]),
        (json!(["x-a", "x-a"]), vec!["duplicate_name"]),
        (json!(["x-a", "X_A"]), vec!["duplicate_name"]),
    ] {
        let found = faults(&json!({"conditions": {"headers": names}, "routes": []}));
        let expected: Vec<_> = expected
            .into_iter()
            .map(|code| (code, "conditions.headers".to_owned()))
            .collect();
        assert_eq!(found, expected, "{names}");
    }
}
