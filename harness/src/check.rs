//! An answer against what a test expects of it: every difference, with what was expected and what was seen.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::exchange::{Answer, Headers, Outcome, values_of};
use crate::format::{Allow, ExpectSpec, HeaderExpect};

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was looked at: `decision`, `status`, `upstream header x-auth-subject`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub seen: String,
}

impl Mismatch {
    pub(crate) fn new(what: impl Into<String>, expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            expected: expected.into(),
            seen: seen.into(),
        }
    }
}

/// The decision of an answer in one line.
#[must_use]
pub fn describe(answer: &Answer) -> String {
    let code = answer.code.as_deref().unwrap_or("?");
    let route = answer
        .route
        .as_deref()
        .map(|route| format!(", route {route}"))
        .unwrap_or_default();
    if let Some(code) = &answer.would_deny {
        return format!("forwarded, would be refused: {code}{route}");
    }
    match (answer.outcome, &answer.layer) {
        (Outcome::Forward, _) => format!("allowed{route}"),
        (Outcome::Reply, Some(layer)) => {
            format!(
                "refused by {layer}: {code} ({}){route}",
                answer.status.unwrap_or_default()
            )
        }
        (Outcome::Reply, None) => format!("refused: {code} ({}){route}", answer.status.unwrap_or_default()),
    }
}

/// All that is not as `expect` says.
#[must_use]
pub fn check(expect: &ExpectSpec, answer: &Answer) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    mismatches.extend(verdict(expect, answer));
    if let Some(route) = &expect.route {
        mismatches.extend(differ("route", route.as_deref(), answer.route.as_deref()));
    }
    if let Some(layer) = &expect.layer {
        mismatches.extend(differ("layer", Some(layer), answer.layer.as_deref()));
    }
    if let Some(status) = expect.status {
        let seen = answer.status.map(|status| status.to_string());
        mismatches.extend(differ("status", Some(&status.to_string()), seen.as_deref()));
    }
    mismatches.extend(headers("header", &expect.headers, &answer.reply_headers));
    mismatches.extend(
        expect
            .body
            .as_ref()
            .and_then(|body| check_body(body, &answer.reply_body)),
    );
    mismatches.extend(check_upstream(expect, answer));
    mismatches.extend(
        expect
            .audit
            .iter()
            .flatten()
            .filter_map(|record| check_audit(record, &answer.audit)),
    );
    mismatches
}

fn verdict(expect: &ExpectSpec, answer: &Answer) -> Option<Mismatch> {
    let is_forwarded = answer.outcome == Outcome::Forward;
    if let Some(code) = &expect.would_deny {
        let holds = is_forwarded && answer.would_deny.as_ref() == Some(code);
        let mismatch = || {
            Mismatch::new(
                "decision",
                format!("forwarded, would be refused: {code}"),
                describe(answer),
            )
        };
        return (!holds).then(mismatch);
    }
    let is_allowed = is_forwarded && answer.would_deny.is_none();
    let is_refused_with = |code: &String| !is_forwarded && answer.code.as_deref() == Some(code.as_str());
    let (holds, expected) = match (&expect.allow, &expect.deny, &expect.reject) {
        (Some(Allow::Any(_)), _, _) => (is_allowed, "allowed".to_owned()),
        (Some(Allow::Route(route)), _, _) => (
            is_allowed && answer.route.as_ref() == Some(route),
            format!("allowed, route {route}"),
        ),
        (None, Some(code), _) => (is_refused_with(code), format!("refused: {code}")),
        (None, None, Some(code)) => {
            let by_authentication = answer
                .layer
                .as_deref()
                .is_none_or(|layer| layer == "authentication");
            (
                is_refused_with(code) && by_authentication,
                format!("refused by authentication: {code}"),
            )
        }
        (None, None, None) => (false, "the cell to be listed in the matrix".to_owned()),
    };
    (!holds).then(|| Mismatch::new("decision", expected, describe(answer)))
}

fn differ(what: &str, expected: Option<&str>, seen: Option<&str>) -> Option<Mismatch> {
    let show = |value: Option<&str>| value.unwrap_or("none").to_owned();
    (expected != seen).then(|| Mismatch::new(what, show(expected), show(seen)))
}

fn headers(kind: &str, expected: &BTreeMap<String, Option<HeaderExpect>>, seen: &Headers) -> Vec<Mismatch> {
    let one = |(name, expected): (&String, &Option<HeaderExpect>)| {
        let values: Vec<String> = values_of(seen, name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect();
        let (holds, wanted) = match expected {
            None => (values.is_empty(), "absent".to_owned()),
            Some(HeaderExpect::One(value)) => (values == [value.clone()], format!("`{value}`")),
            Some(HeaderExpect::All(all)) => (&values == all, list(all)),
            Some(HeaderExpect::Contains { contains }) => (
                values.iter().any(|value| value.contains(contains)),
                format!("something with `{contains}`"),
            ),
        };
        (!holds).then(|| Mismatch::new(format!("{kind} {name}"), wanted, list(&values)))
    };
    expected.iter().filter_map(one).collect()
}

fn list(values: &[String]) -> String {
    match values {
        [] => "absent".to_owned(),
        values => values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn check_body(expected: &Value, seen: &[u8]) -> Option<Mismatch> {
    let text = String::from_utf8_lossy(seen);
    let holds = match expected {
        Value::String(exact) => *exact == text,
        members @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            serde_json::from_slice(seen).is_ok_and(|seen: Value| includes(&seen, members))
        }
    };
    (!holds).then(|| Mismatch::new("body", plain(expected), text))
}

fn check_upstream(expect: &ExpectSpec, answer: &Answer) -> Vec<Mismatch> {
    let Some(upstream) = &answer.upstream else {
        let is_asked = !expect.upstream.is_empty() || expect.upstream_path.is_some();
        let mismatch = || Mismatch::new("upstream", "to be reached", "never reached");
        return is_asked.then(mismatch).into_iter().collect();
    };
    let mut mismatches = headers("upstream header", &expect.upstream, &upstream.headers);
    if let Some(path) = &expect.upstream_path {
        mismatches.extend(differ(
            "upstream path",
            Some(path),
            Some(&String::from_utf8_lossy(&upstream.path)),
        ));
    }
    mismatches
}

fn check_audit(expected: &Value, records: &[Value]) -> Option<Mismatch> {
    let seen = || {
        records
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let holds = records.iter().any(|record| includes(record, expected));
    (!holds).then(|| Mismatch::new("audit record", expected.to_string(), seen()))
}

/// Whether `value` has at least what `part` has.
fn includes(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => part.iter().all(|(name, part)| match part.is_null() {
            true => value.get(name).is_none_or(Value::is_null),
            false => value.get(name).is_some_and(|value| includes(value, part)),
        }),
        (value, part) => value == part,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;
    use crate::exchange::{Answer, Outcome, Upstream};

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
}
