//! An answer against what a test expects of it: every difference, with what was expected and what was seen.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use scopegate_engine::source::Location;

use crate::exchange::{Answer, Headers, Outcome, values_of};
use crate::format::{Allow, ExpectSpec, HeaderExpect, Part};

mod observed;

pub use observed::unseen;

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was looked at: `decision`, `status`, `upstream header x-auth-subject`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub seen: String,
    /// The field of the expectation that says so: `status`, `upstream.x-auth-subject`; empty where none does.
    pub field: String,
    /// Where that stands in the test file.
    pub place: Option<Location>,
    /// Which answer of the case it is about, from 0.
    pub answer: Option<usize>,
}

impl Mismatch {
    pub(crate) fn new(what: impl Into<String>, expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            expected: expected.into(),
            seen: seen.into(),
            field: String::new(),
            place: None,
            answer: None,
        }
    }

    /// The same, said by this field of the expectation.
    fn by(self, field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            ..self
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
        mismatches.extend(differ(
            "route",
            "route",
            route.as_deref(),
            answer.route.as_deref(),
        ));
    }
    if let Some(layer) = &expect.layer {
        mismatches.extend(differ("layer", "layer", Some(layer), answer.layer.as_deref()));
    }
    if let Some(status) = expect.status {
        let seen = answer.status.map(|status| status.to_string());
        mismatches.extend(differ(
            "status",
            "status",
            Some(&status.to_string()),
            seen.as_deref(),
        ));
    }
    mismatches.extend(headers(
        ("header", "headers"),
        &expect.headers,
        &answer.reply_headers,
    ));
    mismatches.extend(
        expect
            .body
            .as_ref()
            .and_then(|body| check_body(body, &answer.reply_body)),
    );
    mismatches.extend(check_upstream(expect, answer));
    if let Some(expected) = &expect.audit {
        mismatches.extend(check_audits(expected, &answer.audit));
    }
    mismatches.extend(observed::check(expect, &answer.observed));
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
            .by("would_deny")
        };
        return (!holds).then(mismatch);
    }
    let is_allowed = is_forwarded && answer.would_deny.is_none();
    let is_refused_with = |code: &String| !is_forwarded && answer.code.as_deref() == Some(code.as_str());
    let (holds, expected, field) = match (&expect.allow, &expect.deny, &expect.reject) {
        (Some(Allow::Any(false)), _, _) => (!is_forwarded, "refused".to_owned(), "allow"),
        (Some(Allow::Any(true)), _, _) => (is_allowed, "allowed".to_owned(), "allow"),
        (Some(Allow::Route(route)), _, _) => (
            is_allowed && answer.route.as_ref() == Some(route),
            format!("allowed, route {route}"),
            "allow",
        ),
        (None, Some(code), _) => (is_refused_with(code), format!("refused: {code}"), "deny"),
        (None, None, Some(code)) => {
            let by_authentication = answer
                .layer
                .as_deref()
                .is_none_or(|layer| layer == "authentication");
            (
                is_refused_with(code) && by_authentication,
                format!("refused by authentication: {code}"),
                "reject",
            )
        }
        (None, None, None) => (false, "the cell to be listed in the matrix".to_owned(), ""),
    };
    (!holds).then(|| Mismatch::new("decision", expected, describe(answer)).by(field))
}

fn differ(what: &str, field: &str, expected: Option<&str>, seen: Option<&str>) -> Option<Mismatch> {
    let show = |value: Option<&str>| value.unwrap_or("none").to_owned();
    (expected != seen).then(|| Mismatch::new(what, show(expected), show(seen)).by(field))
}

fn headers(
    (kind, field): (&str, &str),
    expected: &BTreeMap<String, Option<HeaderExpect>>,
    seen: &Headers,
) -> Vec<Mismatch> {
    let one = |(name, expected): (&String, &Option<HeaderExpect>)| {
        let values: Vec<String> = values_of(seen, name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect();
        let (holds, wanted) = match expected {
            None => (values.is_empty(), "absent".to_owned()),
            Some(HeaderExpect::One(value)) => (values == [value.clone()], format!("`{value}`")),
            Some(HeaderExpect::All(all)) => (&values == all, list(all)),
            Some(HeaderExpect::Contains(Part { contains })) => (
                values.iter().any(|value| value.contains(contains)),
                format!("something with `{contains}`"),
            ),
        };
        (!holds).then(|| {
            Mismatch::new(format!("{kind} {name}"), wanted, list(&values)).by(format!("{field}.{name}"))
        })
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
    (!holds).then(|| Mismatch::new("body", plain(expected), text).by("body"))
}

fn check_upstream(expect: &ExpectSpec, answer: &Answer) -> Vec<Mismatch> {
    let Some(upstream) = &answer.upstream else {
        let is_asked = !expect.upstream.is_empty() || expect.upstream_path.is_some();
        let field = if expect.upstream.is_empty() {
            "upstream_path"
        } else {
            "upstream"
        };
        let mismatch = || Mismatch::new("upstream", "to be reached", "never reached").by(field);
        return is_asked.then(mismatch).into_iter().collect();
    };
    let mut mismatches = headers(
        ("upstream header", "upstream"),
        &expect.upstream,
        &upstream.headers,
    );
    if let Some(path) = &expect.upstream_path {
        mismatches.extend(differ(
            "upstream path",
            "upstream_path",
            Some(path),
            Some(&String::from_utf8_lossy(&upstream.path)),
        ));
    }
    mismatches
}

fn check_audits(expected: &[Value], records: &[Value]) -> Vec<Mismatch> {
    if expected.is_empty() && !records.is_empty() {
        let seen = Value::from(records.to_vec()).to_string();
        return vec![Mismatch::new("audit records", "none", seen).by("audit")];
    }
    let fits = |at: usize, record: usize| {
        let pair = expected.get(at).zip(records.get(record));
        pair.is_some_and(|(part, record)| includes(record, part))
    };
    let mut owners = vec![None; records.len()];
    let numbered = expected.iter().enumerate();
    let unmatched = numbered.filter(|(at, _)| !assign(*at, &fits, &mut owners, &mut BTreeSet::new()));
    let mismatch = |(at, record): (usize, &Value)| {
        let is_taken = records.iter().any(|known| includes(known, record));
        let seen = match is_taken {
            true => "no further record like it".to_owned(),
            false => nearest(record, records).unwrap_or_else(|| "no record was written".to_owned()),
        };
        Mismatch::new("audit record", record.to_string(), seen).by(format!("audit[{at}]"))
    };
    unmatched.map(mismatch).collect()
}

/// Gives the expectation at `at` a record of its own, moving others where that helps (augmenting paths).
fn assign(
    at: usize,
    fits: &dyn Fn(usize, usize) -> bool,
    owners: &mut Vec<Option<usize>>,
    seen: &mut BTreeSet<usize>,
) -> bool {
    for record in 0..owners.len() {
        if !fits(at, record) || !seen.insert(record) {
            continue;
        }
        let owner = owners.get(record).copied().flatten();
        if owner.is_none_or(|owner| assign(owner, fits, owners, seen)) {
            if let Some(owner) = owners.get_mut(record) {
                *owner = Some(at);
            }
            return true;
        }
    }
    false
}

/// The record that has most of what is expected: of its members those that are.
fn nearest(expected: &Value, records: &[Value]) -> Option<String> {
    let members = expected.as_object()?;
    let fits = |record: &&Value| {
        let same = members
            .iter()
            .filter(|(name, value)| record.get(name) == Some(value));
        same.count()
    };
    // Of several that fit alike, the first.
    let record = records.iter().rev().max_by_key(fits)?;
    let shown = members
        .keys()
        .filter_map(|name| Some((name.clone(), record.get(name)?.clone())));
    let shown: serde_json::Map<String, Value> = shown.collect();
    // Where it has none of them, all of it.
    Some(match shown.is_empty() {
        true => record.to_string(),
        false => Value::Object(shown).to_string(),
    })
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
mod tests;
