use serde_json::{Value, json};

use super::points::{Point, points};
use super::{Coverage, Reach};
use crate::exchange::{Answer, Outcome};
use crate::observed::Observed;
use crate::run::{CaseReport, SuiteReport, Verdict};

fn policy() -> serde_json::Value {
    json!({
        "authentication": {"providers": [{"name": "corp", "type": "jwt"}, {"name": "keys", "type": "api_key"}]},
        "authorization": {
            "scopes": {
                "a": "", "b": "", "c": "", "d": "", "unused": "",
                "team:all": {"implies": ["a"]}, "other:all": {"implies": ["a"]}, "team:a:all": {"implies": ["a"]},
            },
            "ceilings": [{"provider": "corp", "scopes": ["a", "team:*"]}],
            "routes": [
                {"id": "open", "access": "public"},
                {"id": "shut", "access": {
                    "providers": ["corp"], "tenant": "{t}", "acr": ["mfa"], "max_auth_age": "1m",
                    "scopes": {"all": ["a", {"any": ["b", "c"]}], "none": ["d"]},
                }},
                {"id": "both", "access": {"providers": ["corp", "keys"], "authenticated": true}},
            ],
        },
    })
}

fn coverage() -> Coverage {
    let points = points(&policy()).into_iter();
    Coverage {
        points: points.map(|(point, _)| (point, Reach::default())).collect(),
        requirements: super::requirements(&policy()),
        ..Coverage::default()
    }
}

fn answer(route: &str, code: &str) -> Answer {
    Answer {
        id: json!(null),
        outcome: if code == "allow" {
            Outcome::Forward
        } else {
            Outcome::Reply
        },
        status: None,
        code: Some(code.to_owned()),
        would_deny: None,
        layer: None,
        route: Some(route.to_owned()),
        reply_headers: Vec::new(),
        reply_body: Vec::new(),
        upstream: None,
        audit: Vec::new(),
        observed: Observed::default(),
        elapsed_us: 0,
    }
}

fn reached(answer: Answer, effective: Option<&[&str]>) -> Vec<String> {
    let recorded = match answer.code.as_deref() {
        Some("allow") => json!({"outcome": "allow"}),
        code => json!({"outcome": "deny", "reason": code}),
    };
    reached_with(
        answer,
        effective.map(|scopes| vec![with(recorded, "effective", json!(scopes))]),
    )
}

fn with(mut record: Value, name: &str, value: Value) -> Value {
    record[name] = value;
    record
}

fn reached_with(answer: Answer, records: Option<Vec<Value>>) -> Vec<String> {
    reached_elsewhere(answer, records, &[])
}

fn reached_elsewhere(answer: Answer, records: Option<Vec<Value>>, elsewhere: &[usize]) -> Vec<String> {
    let case = CaseReport {
        name: String::new(),
        line: None,
        place: None,
        verdict: Verdict::Passed,
        requests: Vec::new(),
        answers: vec![answer],
        records: records.into_iter().collect(),
        elsewhere: elsewhere.iter().copied().collect(),
        elapsed_us: 0,
    };
    let mut coverage = coverage();
    coverage.add(&SuiteReport {
        cases: vec![case],
        ..SuiteReport::default()
    });
    let reached = coverage.points.iter().filter(|(_, reach)| reach.reached);
    reached.map(|(point, _)| format!("{point:?}")).collect()
}

#[test]
fn every_rule_and_every_scope_is_a_point() {
    let all: Vec<String> = points(&policy())
        .into_iter()
        .filter(|(point, _)| !matches!(point, Point::Code(_)))
        .map(|(point, path)| format!("{} <{point}>", path.unwrap_or_default()))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn an_answer_reaches_its_route_its_rule_and_the_scopes_of_its_caller() {
    assert_eq!(
        reached(answer("shut", "allow"), Some(&["a", "b"])),
        [r#"Allowed("shut")"#, r#"Granted("a")"#, r#"Granted("b")"#]
    );
    // Of whom nothing is recorded this much is sure.
    assert_eq!(
        reached(answer("shut", "allow"), None),
        [r#"Allowed("shut")"#, r#"Granted("a")"#]
    );
    assert_eq!(
        reached(answer("shut", "scope_missing"), Some(&["b"])),
        [
            r#"Refused("shut")"#,
            r#"Rule { route: "shut", rule: "scopes", code: "scope_missing" }"#,
            r#"Lacking("a")"#,
            r#"Lacking("c")"#,
            r#"Code("scope_missing")"#,
        ]
    );
    assert_eq!(
        reached(answer("shut", "step_up_required"), None),
        [
            r#"Refused("shut")"#,
            r#"Rule { route: "shut", rule: "acr`, `max_auth_age", code: "step_up_required" }"#,
            r#"Code("step_up_required")"#,
        ]
    );
    let shadowed = Answer {
        outcome: Outcome::Forward,
        would_deny: Some("tenant_mismatch".to_owned()),
        ..answer("shut", "allow")
    };
    assert_eq!(
        reached(shadowed, None),
        [
            r#"Refused("shut")"#,
            r#"Rule { route: "shut", rule: "tenant", code: "tenant_mismatch" }"#,
            r#"Code("tenant_mismatch")"#,
        ]
    );
}

#[test]
fn records_of_another_decision_are_not_counted() {
    let otherwise = json!({"event": "authentication", "outcome": "failure", "reason": "proof_nonce"});
    let own =
        json!({"event": "authorization", "outcome": "deny", "reason": "scope_missing", "effective": ["b"]});
    let lacking = Answer {
        audit: vec![own],
        ..answer("shut", "scope_missing")
    };
    let reached = reached_with(lacking, Some(vec![otherwise]));
    assert!(reached.contains(&r#"Lacking("a")"#.to_owned()), "{reached:?}");
}

#[test]
fn answers_of_another_policy_reach_nothing() {
    assert!(reached_elsewhere(answer("open", "allow"), None, &[0]).is_empty());
    assert!(!reached_elsewhere(answer("open", "allow"), None, &[]).is_empty());
}

#[test]
fn a_share_is_never_rounded_up() {
    let mut coverage = coverage();
    let last = coverage.points.len() - 1;
    for (at, reach) in coverage.points.values_mut().enumerate() {
        reach.reached = at != last;
    }
    assert!(coverage.percent() < 100);
    assert_eq!(coverage.missing().count(), 1);
    assert_eq!(Coverage::default().percent(), 100);
}

#[test]
fn every_point_has_a_hint_of_its_own() {
    for (point, _) in points(&policy()) {
        let hint = super::hint::hint(&point);
        assert!(!hint.starts_with("send a request that is refused so"), "{point}");
    }
}

#[test]
fn each_field_that_refuses_makes_its_code_reachable() {
    let guarded = json!([{"id": "a", "access": {"authenticated": true}}]);
    let jwt = |more: Value| {
        let mut provider = json!({"name": "corp", "type": "jwt"});
        for (name, value) in more.as_object().unwrap() {
            provider[name] = value.clone();
        }
        json!({"providers": [provider]})
    };
    let when = |condition: &str| json!([{"id": "a", "access": {"authenticated": true, "when": condition}}]);
    let revoked = |what: Value| json!({"revocation": what});
    for (code, authentication, routes) in [
        ("issuer_unknown", jwt(json!({"issuer": "i"})), guarded.clone()),
        (
            "audience_mismatch",
            jwt(json!({"audiences": ["a"]})),
            guarded.clone(),
        ),
        (
            "algorithm_not_allowed",
            jwt(json!({"algorithms": ["ES256"]})),
            guarded.clone(),
        ),
        (
            "type_mismatch",
            jwt(json!({"profile": "rfc9068"})),
            guarded.clone(),
        ),
        (
            "lifetime_too_long",
            jwt(json!({"max_lifetime": "1h"})),
            guarded.clone(),
        ),
        (
            "claim_mismatch",
            jwt(json!({"require": {"claims": {"a": ["b"]}}})),
            guarded.clone(),
        ),
        (
            "keys_unavailable",
            jwt(json!({"keys": {"discovery": "u"}})),
            guarded.clone(),
        ),
        (
            "proof_nonce",
            jwt(json!({"binding": "dpop", "dpop": {"nonce": "required"}})),
            guarded.clone(),
        ),
        (
            "binding_mismatch",
            jwt(json!({"binding": "dpop"})),
            guarded.clone(),
        ),
        (
            "token_revoked",
            revoked(json!({"subjects": [{}]})),
            guarded.clone(),
        ),
        ("token_revoked", revoked(json!({"feed": {}})), guarded.clone()),
        (
            "revocation_unavailable",
            revoked(json!({"status_lists": [{}]})),
            guarded.clone(),
        ),
        ("key_revoked", revoked(json!({"keys": [{}]})), guarded.clone()),
        ("condition_error", json!({}), when("caller.claims.level >= 2")),
        (
            "introspection_unavailable",
            json!({"providers": [{"type": "introspection"}]}),
            guarded,
        ),
    ] {
        let codes = |authentication: &Value, routes: &Value| {
            let policy = json!({"authentication": authentication, "authorization": {"routes": routes}});
            let codes = super::codes::reachable(&policy).into_iter();
            codes.map(|(code, _)| code).collect::<Vec<_>>()
        };
        assert!(
            codes(&authentication, &routes).contains(&code),
            "{code}: {authentication} {routes}"
        );
        let plain = json!([{"id": "a", "access": "public"}]);
        assert!(
            !codes(&authentication, &plain).contains(&code),
            "{code} on a public route"
        );
    }
    let asks =
        json!({"authorization": {"routes": when("has(caller.claims.level) && caller.claims.level == 2")}});
    assert!(
        !super::codes::reachable(&asks)
            .iter()
            .any(|(code, _)| *code == "condition_error")
    );
}
