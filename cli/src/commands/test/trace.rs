//! How a request was decided, in lines a person can follow: the route, then each layer with what it went by.

use serde_json::Value;

use scopegate_harness::exchange::Answer;
use scopegate_harness::run::explain::code_of;
use scopegate_harness::visible;

/// The trace of an answer, from the records that are made where everything is recorded, or else from those that the
/// policy asks for.
pub(super) fn trace(answer: &Answer, records: &[Value]) -> String {
    let all = if records.is_empty() {
        &answer.audit
    } else {
        records
    };
    let of = |event: &str| all.iter().find(|record| text(record, "event") == Some(event));
    let mut lines = Vec::new();
    let authorization = of("authorization");
    lines.push(route(answer, authorization));
    lines.extend(of("authentication").map(authentication));
    lines.extend(authorization.map(authorization_line));
    lines.extend(contradiction(answer, records));
    let lines: Vec<String> = lines.iter().map(|line| visible::line(line)).collect();
    lines.join("\n")
}

fn route(answer: &Answer, record: Option<&Value>) -> String {
    match (&answer.route, record.and_then(|record| text(record, "path"))) {
        (Some(route), Some(pattern)) => format!("route: {route}, which matches {pattern}"),
        (Some(route), None) => format!("route: {route}"),
        (None, Some(path)) => format!("route: none matches {path}"),
        (None, None) => "route: none was looked for".to_owned(),
    }
}

fn authentication(record: &Value) -> String {
    let mut parts = vec![text(record, "outcome").unwrap_or("unknown").to_owned()];
    for (name, word) in [
        ("reason", ""),
        ("provider", "by "),
        ("subject", "subject "),
        ("client", "client "),
        ("tenant", "tenant "),
    ] {
        parts.extend(text(record, name).map(|value| format!("{word}{value}")));
    }
    let credential = record.get("credential");
    for (name, word) in [("kind", ""), ("alg", ""), ("kid", "key ")] {
        let value = credential.and_then(|credential| text(credential, name));
        parts.extend(value.map(|value| format!("{word}{value}")));
    }
    format!("authentication: {}", parts.join(", "))
}

fn authorization_line(record: &Value) -> String {
    let mut parts = vec![text(record, "outcome").unwrap_or("unknown").to_owned()];
    parts.extend(text(record, "reason").map(str::to_owned));
    if let Some(required) = record.get("required") {
        parts.push(format!("needs {}", requirement(required)));
    }
    if let Some(effective) = record.get("effective").and_then(Value::as_array) {
        let scopes: Vec<String> = effective
            .iter()
            .filter_map(Value::as_str)
            .map(|scope| with_origin(scope, record))
            .collect();
        parts.push(match scopes.is_empty() {
            true => "has no scope".to_owned(),
            false => format!("has {}", scopes.join(", ")),
        });
    }
    if let Some(missing) = record.get("missing").and_then(Value::as_array) {
        let missing: Vec<&str> = missing.iter().filter_map(Value::as_str).collect();
        parts.push(format!("lacks {}", missing.join(", ")));
    }
    parts.extend(text(record, "condition").map(|detail| format!("the condition: {detail}")));
    format!("authorization: {}", parts.join("; "))
}

/// A requirement in words: `all of a, b`.
fn requirement(required: &Value) -> String {
    match required {
        Value::String(scope) => scope.clone(),
        Value::Object(kinds) => {
            let kind = |(kind, of): (&String, &Value)| format!("{kind} of {}", requirement(of));
            kinds.iter().map(kind).collect::<Vec<_>>().join(" and ")
        }
        Value::Array(parts) => {
            let part = |part: &Value| match part {
                Value::Object(_) => format!("({})", requirement(part)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    requirement(part)
                }
            };
            parts.iter().map(part).collect::<Vec<_>>().join(", ")
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.to_string(),
    }
}

/// A scope, and what it came from where that is not the token.
fn with_origin(scope: &str, record: &Value) -> String {
    let origin = record
        .get("granted_by")
        .and_then(|origins| text(origins, scope))
        .filter(|origin| *origin != "token");
    match origin {
        Some(origin) => format!("{scope} (by {origin})"),
        None => scope.to_owned(),
    }
}

/// Where the native engine decided otherwise than what was tested, that is the first thing to know.
fn contradiction(answer: &Answer, records: &[Value]) -> Option<String> {
    let natively = code_of(records)?;
    let code = answer.code.as_deref()?;
    let differs = answer.would_deny.is_none() && code != natively;
    differs.then(|| format!("the native engine decides otherwise: {natively}"))
}

fn text<'v>(record: &'v Value, name: &str) -> Option<&'v str> {
    record.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::requirement;

    #[test]
    fn a_requirement_reads_as_words() {
        for (required, words) in [
            (json!({"all": ["a"]}), "all of a"),
            (
                json!({"all": ["a", {"any": ["b", "c"]}]}),
                "all of a, (any of b, c)",
            ),
            (json!({"any": ["a"], "none": ["b"]}), "any of a and none of b"),
        ] {
            assert_eq!(requirement(&required), words);
        }
    }
}
