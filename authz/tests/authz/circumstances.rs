//! What a route asks of the circumstances of a request: the hour, the network, headers, the environment.

use scopegate_authz::{
    Action, Authorizer, Circumstances, Denial, Deny, Permit, PolicyContext, ProviderFacts, Target,
};
use serde_json::{Value, json};

use crate::authorize::permit;
use crate::common::{corp, section};
use crate::tokens::{NOW, caller};

/// A policy with one guarded route, in an environment where `STAGE` is `production`.
fn route(mut access: Value) -> Authorizer {
    access["authenticated"] = json!(true);
    let policy = json!({
        "scopes": {"orders:read": "r", "orders:admin": {"implies": ["orders:read"]}, "ledger:post": "p"},
        "ceilings": [{"provider": "corp", "scopes": ["orders:*"]}],
        "conditions": {"headers": ["X-Region"]},
        "routes": [
            {"id": "x", "match": {"path": "/x"}, "access": access},
            {"id": "t", "match": {"path": "/t/{tenant}/**"}, "access": access},
        ],
    });
    let providers: &[ProviderFacts] = &corp();
    let context = PolicyContext {
        providers,
        environment: &|name| (name == "STAGE").then(|| "production".to_owned()),
        name: Some("orders-api"),
        version: None,
        identity_headers: &[],
        credential_headers: &[],
    };
    Authorizer::compile(&section(&policy), context).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// `allow`, or the code of the denial of a request with these headers, from this address, `later` seconds later.
fn decide(policy: &Authorizer, headers: &[(&str, &str)], source: Option<&str>, later: i64) -> &'static str {
    let answer = ask(policy, ("/x", headers), &json!({}), source, later);
    answer.as_ref().map_or_else(Denial::code, |_| "allow")
}

fn ask<'a>(
    policy: &'a Authorizer,
    (path, headers): (&str, &[(&str, &str)]),
    claims: &Value,
    source: Option<&str>,
    later: i64,
) -> Result<Permit<'a>, Denial> {
    let headers: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let target = Target {
        method: b"GET",
        path: path.as_bytes(),
        authority: Some(b"api.example.com"),
        headers: &headers,
    };
    let asked = Circumstances {
        now: NOW.plus(later),
        target,
        source: source.map(|source| source.parse().expect("an address")),
    };
    match policy.select(target) {
        Ok(Action::Guarded(action)) => permit(action, caller("corp", claims), &asked),
        other => panic!("not guarded: {other:?}"),
    }
}

#[test]
fn a_route_is_open_in_its_hours_alone() {
    // A Sunday, 09:00 in UTC and 10:00 in Berlin.
    let rows = [
        (
            json!([{"days": ["sun"], "from": "09:00", "to": "17:00"}]),
            "allow",
        ),
        (
            json!([{"days": ["mon"], "from": "09:00", "to": "17:00"}]),
            "outside_window",
        ),
        (json!([{"from": "08:00", "to": "09:00"}]), "outside_window"),
        (json!([{"from": "09:01", "to": "09:00"}]), "outside_window"),
        (
            json!([{"from": "10:00", "to": "10:30", "zone": "Europe/Berlin"}]),
            "allow",
        ),
        (
            json!([{"from": "09:00", "to": "10:00", "zone": "Europe/Berlin"}]),
            "outside_window",
        ),
        (
            json!([{"from": "10:30", "to": "11:00"}, {"days": ["sun"]}]),
            "allow",
        ),
        (
            json!([{"days": ["sat"], "from": "22:00", "to": "10:00"}]),
            "allow",
        ),
        (
            json!([{"days": ["sun"], "from": "22:00", "to": "10:00"}]),
            "outside_window",
        ),
    ];
    for (windows, expected) in rows {
        let policy = route(json!({"windows": windows}));
        assert_eq!(decide(&policy, &[], None, 0), expected, "{windows}");
    }
}

#[test]
fn a_route_takes_requests_from_its_networks_alone() {
    let policy = route(json!({"sources": ["10.0.0.0/8", "2001:db8::/32"]}));
    let rows = [
        (Some("10.255.0.1"), "allow"),
        (Some("::ffff:10.0.0.1"), "allow"),
        (Some("2001:db8:1::1"), "allow"),
        (Some("11.0.0.1"), "source_not_allowed"),
        (Some("2001:db9::1"), "source_not_allowed"),
        (None, "source_not_allowed"),
    ];
    for (source, expected) in rows {
        assert_eq!(decide(&policy, &[], source, 0), expected, "{source:?}");
    }
    assert!(policy.reads_source());
    assert!(!route(json!({})).reads_source());
}

#[test]
fn a_header_must_be_there_once_with_its_value() {
    let policy = route(json!({"headers": {"X-Env": "prod", "x-tier": "gold"}}));
    let rows: [(&[(&str, &str)], &str); 9] = [
        (&[("x_env", "prod"), ("x-tier", "gold")], "condition_false"),
        (
            &[("x-env", "prod"), ("X_ENV", "test"), ("x-tier", "gold")],
            "condition_false",
        ),
        (&[("x-env", "prod"), ("X-TIER", "gold")], "allow"),
        (&[("x-env", "prod")], "condition_false"),
        (&[("x-env", "Prod"), ("x-tier", "gold")], "condition_false"),
        (&[("x-env", "prod, prod"), ("x-tier", "gold")], "condition_false"),
        (
            &[("x-env", "prod"), ("x-env", "prod"), ("x-tier", "gold")],
            "condition_false",
        ),
        (
            &[("x-env", "prod"), ("x-env", "test"), ("x-tier", "gold")],
            "condition_false",
        ),
        (&[], "condition_false"),
    ];
    for (headers, expected) in rows {
        assert_eq!(decide(&policy, headers, None, 0), expected, "{headers:?}");
    }
}

#[test]
fn an_expression_does_not_take_one_header_for_another() {
    let absent = route(json!({"when": "!('x-region' in request.headers)"}));
    let equal = route(json!({"when": "request.headers['x-region'] == 'eu'"}));
    let rows: [(&[(&str, &str)], &str, &str); 5] = [
        (&[], "allow", "condition_error"),
        (&[("X-Region", "eu")], "condition_false", "allow"),
        (&[("x_region", "eu")], "condition_error", "condition_error"),
        (
            &[("x-region", "eu"), ("X_Region", "us")],
            "condition_error",
            "condition_error",
        ),
        (&[("x.region", "eu")], "allow", "condition_error"),
    ];
    for (headers, of_absent, of_equal) in rows {
        assert_eq!(decide(&absent, headers, None, 0), of_absent, "{headers:?}");
        assert_eq!(decide(&equal, headers, None, 0), of_equal, "{headers:?}");
    }
}

#[test]
fn a_route_is_open_in_its_environment_alone() {
    let rows = [
        (json!({"STAGE": "production"}), "allow"),
        (json!({"STAGE": "test"}), "condition_false"),
        (json!({"STAGE": "production", "REGION": "eu"}), "condition_false"),
        (json!({"REGION": ""}), "condition_false"),
    ];
    for (environment, expected) in rows {
        let policy = route(json!({"environment": environment}));
        assert_eq!(decide(&policy, &[], None, 0), expected, "{environment}");
    }
}

#[test]
fn time_comes_before_the_network_and_the_network_before_conditions() {
    let policy = route(json!({
        "acr": ["mfa"], "windows": [{"days": ["mon"]}], "sources": ["10.0.0.0/8"], "environment": {"STAGE": "test"},
    }));
    assert_eq!(decide(&policy, &[], None, 86_400), "step_up_required");
    let policy = route(json!({
        "windows": [{"days": ["mon"]}], "sources": ["10.0.0.0/8"], "environment": {"STAGE": "test"},
    }));
    assert_eq!(decide(&policy, &[], None, 0), "outside_window");
    assert_eq!(decide(&policy, &[], None, 86_400), "source_not_allowed");
    assert_eq!(decide(&policy, &[], Some("10.0.0.1"), 86_400), "condition_false");
}

#[test]
fn an_expression_sees_the_request_the_caller_and_the_policy() {
    let claims = json!({
        "sub": "anna", "client_id": "web", "tid": "acme", "scope": "orders:admin ledger:post", "roles": ["clerk"],
        "act": {"sub": "gateway", "act": {"sub": "phone"}}, "iat": NOW.0 - 5, "auth_time": NOW.0 - 60, "plan": {"tier": 3},
    });
    let rows = [
        (
            "request.method == 'GET' && request.host == 'api.example.com'",
            "allow",
        ),
        ("request.path == '/t/acme/orders'", "allow"),
        ("request.query['dry_run'] == 'true'", "allow"),
        ("request.headers['x-region'] == 'eu'", "allow"),
        (
            "request.source == '10.0.0.1' && request.hour_utc == 9 && request.weekday_utc == 'sun'",
            "allow",
        ),
        ("request.time == timestamp('2026-11-22T09:00:00Z')", "allow"),
        (
            "caller.provider == 'corp' && caller.subject == 'anna' && caller.client == 'web' && caller.tenant == 'acme'",
            "allow",
        ),
        // The effective scopes, and not those that the token carries.
        ("caller.scopes == ['orders:admin', 'orders:read']", "allow"),
        ("'ledger:post' in caller.scopes", "condition_false"),
        (
            "caller.roles == ['clerk'] && caller.actors == ['gateway', 'phone']",
            "allow",
        ),
        ("request.time - caller.authenticated_at < duration('2m')", "allow"),
        (
            "caller.issued_at < request.time && caller.expires_at > request.time",
            "allow",
        ),
        ("caller.claims.plan.tier > 2", "allow"),
        ("policy.name == 'orders-api'", "allow"),
        ("request.method == 'POST'", "condition_false"),
        // What is absent is an error, and an error is a denial, whatever stands beside it.
        ("policy.version == '1'", "condition_error"),
        ("caller.claims.missing == 1", "condition_error"),
        ("!(caller.claims.missing == 1)", "condition_error"),
        ("has(caller.claims.missing) || true", "allow"),
        ("caller.claims.missing == 1 || true", "condition_error"),
        ("1 / (caller.claims.plan.tier - 3) == 0", "condition_error"),
    ];
    for (when, expected) in rows {
        let policy = route(json!({"when": when, "actors": {"allow": ["gateway"], "max_depth": 2}}));
        let request = ("/t/acme/orders?dry_run=true", &[("X-Region", "eu")][..]);
        let answer = ask(&policy, request, &claims, Some("10.0.0.1"), 0);
        assert_eq!(
            answer.as_ref().map_or_else(Denial::code, |_| "allow"),
            expected,
            "{when}"
        );
    }
}

#[test]
fn parameters_of_the_path_are_read_by_name() {
    let access = json!({"authenticated": true, "when": "request.params.tenant == caller.tenant"});
    let section =
        section(&json!({"routes": [{"id": "t", "match": {"path": "/t/{tenant}/**"}, "access": access}]}));
    let policy = Authorizer::compile(&section, &corp()).expect("a policy");
    for (path, expected) in [
        ("/t/acme/x", "allow"),
        ("/t/%61cme", "allow"),
        ("/t/other/x", "condition_false"),
    ] {
        let answer = ask(&policy, (path, &[]), &json!({"tid": "acme"}), None, 0);
        assert_eq!(
            answer.as_ref().map_or_else(Denial::code, |_| "allow"),
            expected,
            "{path}"
        );
    }
}

#[test]
fn what_can_be_read_in_several_ways_is_no_fact() {
    let by_path = route(json!({"when": "!request.path.startsWith('/t/acme/admin')"}));
    let by_query = route(json!({"when": "request.query['dry_run'] == 'true'"}));
    let rows = [
        (&by_path, "/t/acme/orders", "allow"),
        (&by_path, "/t/acme/%61dmin", "condition_false"),
        (&by_path, "/t/acme//admin", "condition_error"),
        (&by_path, "/t/acme/x/..;/admin", "condition_error"),
        (&by_path, "/t/acme/x%2f..%2fadmin", "condition_error"),
        (&by_query, "/t/acme?dry_run=true", "allow"),
        (&by_query, "/t/acme?dry_run=true&dry_run=false", "condition_error"),
        (&by_query, "/t/acme?x=1;dry_run=true", "condition_error"),
        (&by_query, "/t/acme?dry_run=%zz", "condition_error"),
    ];
    for (policy, path, expected) in rows {
        let answer = ask(policy, (path, &[]), &json!({}), None, 0);
        assert_eq!(
            answer.as_ref().map_or_else(Denial::code, |_| "allow"),
            expected,
            "{path}"
        );
    }
}

#[test]
fn an_error_says_where_it_is_and_nothing_of_the_request() {
    let policy = route(json!({"when": "request.method == 'GET' &&\n  caller.claims.secret > 7"}));
    let denial = ask(&policy, ("/x", &[]), &json!({"secret": "hunter2"}), None, 0).expect_err("a denial");
    let Deny::ConditionError { detail } = denial.deny else {
        panic!("{denial:?}")
    };
    assert!(detail.contains("line 2, character"), "{detail}");
    assert!(!detail.contains("hunter2"), "{detail}");
}

#[test]
fn an_address_is_read_for_an_expression_that_names_it() {
    assert!(route(json!({"when": "request.source == '10.0.0.1'"})).reads_source());
    assert!(!route(json!({"when": "request.method == 'GET'"})).reads_source());
}
