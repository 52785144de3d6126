//! Grants: authority that the policy gives, for some routes, and for a time.

use scopegate_document::UnixTime;
use serde_json::{Value, json};

use crate::authorize::{ask, granted_by, outcome};
use crate::common::authorizer;
use crate::tokens::NOW;

fn policy(grants: &Value) -> Value {
    json!({
        "scopes": {"orders:read": "r", "orders:write": "w", "orders:admin": {"implies": ["orders:read", "orders:write"]}},
        "grants": grants,
        "routes": [
            {"id": "orders.read", "match": {"path": "/read"}, "access": {"scopes": {"all": ["orders:read"]}}},
            {"id": "orders.write", "match": {"path": "/write"}, "access": {"scopes": {"all": ["orders:write"]}}},
            {"id": "orders.unless", "match": {"path": "/unless"}, "access": {"authenticated": true, "scopes": {"none": ["orders:write"]}}},
        ],
    })
}

fn elevation(scope: &str, until: UnixTime, routes: Option<&[&str]>) -> Value {
    let mut grant = json!({
        "caller": {"provider": "corp", "subject": "ops"}, "scopes": [scope],
        "until": until.to_string(), "reason": "INC-4711",
    });
    if let Some(routes) = routes {
        grant["routes"] = json!(routes);
    }
    grant
}

#[test]
fn an_elevation_ends_to_the_second_without_a_reload() {
    let policy = authorizer(&policy(&json!([elevation("orders:write", NOW, None)])));
    let at = |now: UnixTime| outcome(&ask(&policy, "/write", "corp", &json!({"sub": "ops"}), now));
    assert_eq!(at(NOW.minus(1)), "allow");
    assert_eq!(at(NOW), "scope_missing");
    assert_eq!(at(NOW.plus(1)), "scope_missing");
    // A clock that steps back brings the time of the elevation back, and nothing else.
    assert_eq!(at(NOW.minus(1)), "allow");
}

#[test]
fn an_elevation_is_named_in_what_it_granted() {
    let policy = authorizer(&policy(&json!([elevation("orders:admin", NOW.plus(60), None)])));
    let permit = ask(
        &policy,
        "/write",
        "corp",
        &json!({"sub": "ops", "scope": "orders:read"}),
        NOW,
    );
    assert_eq!(
        granted_by(&permit.expect("a permit")),
        ["orders:write=grant:INC-4711"]
    );
}

#[test]
fn a_grant_for_some_routes_is_worth_nothing_on_others() {
    let grant = elevation("orders:admin", NOW.plus(60), Some(&["orders.write"]));
    let policy = authorizer(&policy(&json!([grant])));
    let rows = [
        ("/write", "allow"),
        ("/read", "scope_missing"),
        // What it would carry elsewhere does not count against the caller there either.
        ("/unless", "allow"),
    ];
    for (path, expected) in rows {
        let answer = ask(&policy, path, "corp", &json!({"sub": "ops"}), NOW);
        assert_eq!(outcome(&answer), expected, "{path}");
        let others = ask(&policy, path, "corp", &json!({"sub": "anna"}), NOW);
        assert_eq!(outcome(&others) == "allow", path == "/unless", "{path}");
    }
}

#[test]
fn a_route_that_is_denied_shows_the_scopes_that_count_there() {
    let grant = elevation("orders:admin", NOW.plus(60), Some(&["orders.write"]));
    let policy = authorizer(&policy(&json!([grant])));
    let denial = ask(&policy, "/read", "corp", &json!({"sub": "ops"}), NOW).expect_err("a denial");
    assert_eq!(denial.effective, Vec::<String>::new());
}

#[test]
fn a_grant_counts_in_its_hours_only() {
    // NOW is a Sunday, 09:00 in UTC and 10:00 in Berlin.
    let mut grant = elevation("orders:write", NOW.plus(86_400 * 8), None);
    grant["windows"] = json!([{"days": ["sun"], "from": "10:00", "to": "10:01", "zone": "Europe/Berlin"}]);
    let policy = authorizer(&policy(&json!([grant])));
    let at = |now: UnixTime| outcome(&ask(&policy, "/write", "corp", &json!({"sub": "ops"}), now));
    assert_eq!(at(NOW.minus(1)), "scope_missing");
    assert_eq!(at(NOW), "allow");
    assert_eq!(at(NOW.plus(59)), "allow");
    assert_eq!(at(NOW.plus(60)), "scope_missing");
    assert_eq!(at(NOW.plus(86_400)), "scope_missing");
    assert_eq!(at(NOW.plus(86_400 * 7)), "allow");
}
