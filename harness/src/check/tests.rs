use serde_json::{Value, json};

use super::{check, unseen};
use crate::exchange::{Answer, Outcome, Upstream};
use crate::observed::{Asked, Observed};

fn refusal() -> Answer {
    Answer {
        id: Value::Null,
        outcome: Outcome::Reply,
        status: Some(403),
        code: Some("scope_missing".to_owned()),
        layer: Some("authorization".to_owned()),
        would_deny: None,
        route: Some("orders".to_owned()),
        reply_headers: vec![(b"WWW-Authenticate".to_vec(), b"Bearer error=x".to_vec())],
        reply_body: br#"{"code":"scope_missing","status":403}"#.to_vec(),
        upstream: None,
        audit: vec![json!({"event": "authorization", "outcome": "deny"})],
        observed: Observed::default(),
        elapsed_us: 1,
    }
}

fn permission() -> Answer {
    let headers = vec![(b"x-auth-subject".to_vec(), b"anna".to_vec())];
    Answer {
        outcome: Outcome::Forward,
        status: None,
        code: Some("allow".to_owned()),
        upstream: Some(Upstream {
            path: b"/orders".to_vec(),
            headers,
        }),
        ..refusal()
    }
}

fn mismatches(expect: &Value, answer: &Answer) -> Vec<String> {
    let expect = serde_json::from_value(expect.clone()).unwrap();
    check(&expect, answer)
        .into_iter()
        .map(|mismatch| mismatch.what)
        .collect()
}

#[test]
fn what_is_expected_and_seen_passes() {
    for expect in [
        json!({"deny": "scope_missing", "status": 403, "route": "orders", "layer": "authorization"}),
        json!({"deny": "scope_missing", "headers": {"www-authenticate": {"contains": "error"}, "x": null}}),
        json!({"deny": "scope_missing", "body": {"code": "scope_missing"}}),
        json!({"deny": "scope_missing", "audit": [{"outcome": "deny", "subject": null}]}),
    ] {
        assert_eq!(mismatches(&expect, &refusal()), Vec::<String>::new(), "{expect}");
    }
    for expect in [
        json!({"allow": true}),
        json!({"allow": "orders", "upstream": {"X-Auth-Subject": "anna", "authorization": null}}),
        json!({"allow": "orders", "upstream_path": "/orders"}),
    ] {
        assert_eq!(
            mismatches(&expect, &permission()),
            Vec::<String>::new(),
            "{expect}"
        );
    }
}

#[test]
fn what_differs_is_named() {
    for (expect, what) in [
        (json!({"allow": true}), "decision"),
        (json!({"deny": "no_route"}), "decision"),
        (json!({"reject": "scope_missing"}), "decision"),
        (json!({}), "decision"),
        (json!({"deny": "scope_missing", "status": 401}), "status"),
        (json!({"deny": "scope_missing", "route": null}), "route"),
        (json!({"deny": "scope_missing", "layer": "request"}), "layer"),
        (
            json!({"deny": "scope_missing", "headers": {"www-authenticate": null}}),
            "header www-authenticate",
        ),
        (json!({"deny": "scope_missing", "body": {"code": "x"}}), "body"),
        (json!({"deny": "scope_missing", "body": "x"}), "body"),
        (
            json!({"deny": "scope_missing", "audit": [{"outcome": "allow"}]}),
            "audit record",
        ),
        (
            json!({"deny": "scope_missing", "upstream": {"x": null}}),
            "upstream",
        ),
    ] {
        assert_eq!(mismatches(&expect, &refusal()), [what], "{expect}");
    }
    for (expect, what) in [
        (json!({"deny": "allow"}), "decision"),
        (json!({"allow": "other"}), "decision"),
        (
            json!({"allow": true, "upstream": {"x-auth-subject": "root"}}),
            "upstream header x-auth-subject",
        ),
        (
            json!({"allow": true, "upstream": {"x-auth-subject": ["anna", "anna"]}}),
            "upstream header x-auth-subject",
        ),
        (json!({"allow": true, "upstream_path": "/"}), "upstream path"),
    ] {
        assert_eq!(mismatches(&expect, &permission()), [what], "{expect}");
    }
}

fn seen_beside() -> Answer {
    let asked = |path: &str| Asked {
        upstream: "idp".to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
    };
    let text = |text: &str| text.to_owned();
    let observed = Observed {
        callouts: Some(vec![asked("/jwks"), asked("/jwks")]),
        metrics: Some([(text("hits"), 2)].into()),
        properties: Some([(text("scopegate.code"), text("scope_missing"))].into()),
        fuel: None,
    };
    Answer {
        observed,
        ..refusal()
    }
}

#[test]
fn what_is_seen_beside_an_answer_is_held_against_what_is_expected() {
    for (expect, wrong) in [
        (json!({"callouts": [{"upstream": "idp", "times": 2}]}), None),
        (
            json!({"callouts": [{"upstream": "idp", "method": "GET", "path": "/jwks", "times": 2}]}),
            None,
        ),
        (json!({"callouts": []}), Some("callouts")),
        (json!({"callouts": [{"upstream": "idp"}]}), Some("callouts")),
        (
            json!({"callouts": [{"upstream": "idp", "path": "/other", "times": 2}]}),
            Some("callouts"),
        ),
        (
            json!({"callouts": [{"upstream": "idp", "times": 2}, {"upstream": "other", "times": 1}]}),
            Some("callouts"),
        ),
        // Each callout is one expectation's: two that say less than each other do not both have it.
        (
            json!({"callouts": [{"upstream": "idp"}, {"upstream": "idp", "path": "/jwks"}]}),
            None,
        ),
        (
            json!({"callouts": [{"upstream": "idp"}, {"upstream": "idp"}, {"upstream": "idp", "path": "/jwks"}]}),
            Some("callouts"),
        ),
        (
            json!({"callouts": [{"upstream": "idp", "times": 2}, {"upstream": "idp", "path": "/jwks", "times": 2}]}),
            Some("callouts"),
        ),
        (
            json!({"callouts": [{"upstream": "idp", "times": 2}, {"upstream": "idp", "path": "/jwks", "times": 0}]}),
            Some("callouts"),
        ),
        (
            json!({"callouts": [{"upstream": "idp", "times": 2}, {"upstream": "idp", "path": "/token", "times": 0}]}),
            None,
        ),
        (json!({"metrics": {"hits": 2, "misses": 0}}), None),
        (json!({"metrics": {"hits": 1}}), Some("metric hits")),
        (json!({"metrics": {"misses": 1}}), Some("metric misses")),
        (
            json!({"properties": {"scopegate.code": "scope_missing", "scopegate.route": null}}),
            None,
        ),
        (
            json!({"properties": {"scopegate.code": null}}),
            Some("property scopegate.code"),
        ),
        (
            json!({"properties": {"scopegate.route": "orders"}}),
            Some("property scopegate.route"),
        ),
    ] {
        let mut expect = expect;
        expect["deny"] = json!("scope_missing");
        let wrong: Vec<&str> = wrong.into_iter().collect();
        assert_eq!(mismatches(&expect, &seen_beside()), wrong, "{expect}");
        // What nobody shows is neither right nor wrong.
        assert_eq!(mismatches(&expect, &refusal()), Vec::<String>::new(), "{expect}");
        let expect = serde_json::from_value(expect).unwrap();
        assert_eq!(unseen(&expect, &refusal().observed).len(), 1);
        assert_eq!(unseen(&expect, &seen_beside().observed), Vec::<&str>::new());
    }
}

#[test]
fn of_records_the_nearest_is_shown_with_what_was_expected_of_it() {
    let record = |event: &str, outcome: &str| json!({"event": event, "outcome": outcome, "time": "now"});
    let answer = Answer {
        audit: vec![
            record("authentication", "success"),
            record("authorization", "deny"),
        ],
        ..refusal()
    };
    let expect = json!({"deny": "scope_missing", "audit": [{"event": "authorization", "outcome": "allow"}]});
    let expect = serde_json::from_value(expect).unwrap();
    let seen: Vec<String> = check(&expect, &answer).into_iter().map(|it| it.seen).collect();
    assert_eq!(seen, [r#"{"event":"authorization","outcome":"deny"}"#]);
    let silent = Answer {
        audit: Vec::new(),
        ..answer
    };
    let seen: Vec<String> = check(&expect, &silent).into_iter().map(|it| it.seen).collect();
    assert_eq!(seen, ["no record was written"]);
}

#[test]
fn an_empty_list_of_audit_records_says_that_none_was_written() {
    let expect = json!({"deny": "scope_missing", "audit": []});
    assert_eq!(mismatches(&expect, &refusal()), ["audit records"]);
    let silent = Answer {
        audit: Vec::new(),
        ..refusal()
    };
    assert_eq!(mismatches(&expect, &silent), Vec::<String>::new());
}

#[test]
fn each_audit_record_is_counted_once() {
    let mut answer = refusal();
    let one = json!({"deny": "scope_missing", "audit": [{}, {}]});
    assert_eq!(mismatches(&one, &answer), ["audit record"]);
    answer
        .audit
        .push(json!({"event": "authentication", "outcome": "success"}));
    assert_eq!(mismatches(&one, &answer), Vec::<String>::new());
    // The first may be either record, the second only one of them.
    for audit in [
        json!([{}, {"outcome": "deny"}]),
        json!([{}, {"outcome": "success"}]),
    ] {
        let expect = json!({"deny": "scope_missing", "audit": audit});
        assert_eq!(mismatches(&expect, &answer), Vec::<String>::new(), "{expect}");
    }
    let twice = json!({"deny": "scope_missing", "audit": [{"outcome": "deny"}, {"outcome": "deny"}]});
    assert_eq!(mismatches(&twice, &answer), ["audit record"]);
}
