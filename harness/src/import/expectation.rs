//! What the plugin tester expects, as an expectation of a test file.

use prost_reflect::DynamicMessage;
use serde_json::{Map, Value, json};

use super::Losses;
use super::message::{bytes, flag, has, many, number, one, text};

/// The expectation of a test: an immediate reply is a refusal, everything else goes on to the upstream.
pub(super) fn of(result: Option<&DynamicMessage>, losses: &mut Losses<'_>) -> Value {
    let Some(result) = result else {
        return json!({"allow": true});
    };
    let immediate = one(result, "immediate");
    let mut expect = Map::new();
    expect.insert("allow".to_owned(), json!(immediate.is_none()));
    if let Some(immediate) = &immediate {
        reply(immediate, &mut expect, losses);
    }
    let mut headers = Map::new();
    for header in many(result, "has_header") {
        let value = bytes(&header, "value").unwrap_or_default();
        let name = text(&header, "key").unwrap_or_default();
        match String::from_utf8(value) {
            Ok(value) => add(&mut headers, &name, value, &mut expect, losses),
            Err(_) => losses.add(
                "has_header",
                format!("`has_header` of `{name}`: its bytes are no text"),
            ),
        }
    }
    for header in many(result, "no_header") {
        let name = text(&header, "key").unwrap_or_default();
        if bytes(&header, "value").is_some_and(|value| !value.is_empty()) {
            losses.add(
                "no_header",
                format!("`no_header` of `{name}`: its value; the header is expected to be absent, whatever its value"),
            );
        }
        match headers.contains_key(&name) {
            true => losses.add(
                "no_header",
                format!("`no_header` of `{name}`: it is expected to be there, too"),
            ),
            false => drop(headers.insert(name, Value::Null)),
        }
    }
    for matcher in many(result, "headers") {
        let exact = bytes(&matcher, "exact").and_then(|line| String::from_utf8(line).ok());
        match exact.as_deref().and_then(|line| line.split_once(": ")) {
            Some((name, value)) if !flag(&matcher, "invert") => {
                add(&mut headers, name, value.to_owned(), &mut expect, losses);
            }
            _ => losses.add(
                "headers",
                format!("`headers`: {} has no counterpart", words(&matcher)),
            ),
        }
    }
    let place = if immediate.is_some() {
        "headers"
    } else {
        "upstream"
    };
    if !headers.is_empty() {
        expect.insert(place.to_owned(), Value::Object(headers));
    }
    body(result, immediate.is_some(), &mut expect, losses);
    if !many(result, "log").is_empty() {
        losses.add(
            "log",
            "`log`: what the plugin logs is no promise; expect `audit` records",
        );
    }
    Value::Object(expect)
}

/// A header, or the part of the request that a pseudo-header stands for.
fn add(
    headers: &mut Map<String, Value>,
    name: &str,
    value: String,
    expect: &mut Map<String, Value>,
    losses: &mut Losses<'_>,
) {
    match name {
        ":path" => {
            if expect.insert("upstream_path".to_owned(), json!(value)).is_some() {
                losses.add("has_header", "`:path` is expected twice: the last one counts");
            }
        }
        ":status" if expect.get("allow") == Some(&Value::Bool(true)) => losses.add(
            "has_header",
            format!(
                "`:status` of `{value}`: the upstream answers a request that is let through, not the policy"
            ),
        ),
        ":status" => match value.parse::<u16>() {
            Ok(status) => drop(expect.insert("status".to_owned(), json!(status))),
            Err(_) => losses.add("has_header", format!("`{value}` is no status")),
        },
        name if name.starts_with(':') => {
            losses.add("has_header", format!("`{name}` cannot be expected here"))
        }
        name => match headers.get_mut(name) {
            // Several of one name are a list.
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(Value::Null) => losses.add(
                "headers",
                format!("`headers` of `{name}`: it is expected to be absent, too"),
            ),
            Some(first) => *first = json!([first.clone(), value]),
            None => drop(headers.insert(name.to_owned(), json!(value))),
        },
    }
}

fn reply(immediate: &DynamicMessage, expect: &mut Map<String, Value>, losses: &mut Losses<'_>) {
    // Whatever code refuses it: the status is what the original says.
    let status = number(immediate, "http_status").unwrap_or(403);
    expect.insert("status".to_owned(), json!(status));
    if let Some(status) = number(immediate, "grpc_status") {
        losses.add(
            "grpc_status",
            format!(
                "`grpc_status: {status}`: expect it as a header, `headers: {{grpc-status: \"{status}\"}}`"
            ),
        );
    }
    if text(immediate, "details").is_some_and(|details| !details.is_empty()) {
        losses.add(
            "details",
            "`details`: the reason of a refusal is its code; expect `deny: CODE`",
        );
    }
}

fn body(result: &DynamicMessage, is_reply: bool, expect: &mut Map<String, Value>, losses: &mut Losses<'_>) {
    for matcher in many(result, "body") {
        let exact = bytes(&matcher, "exact").and_then(|body| String::from_utf8(body).ok());
        match exact {
            Some(body) if is_reply && !flag(&matcher, "invert") && !expect.contains_key("body") => {
                expect.insert("body".to_owned(), json!(body));
            }
            _ => losses.add("body", format!("`body`: {} has no counterpart", words(&matcher))),
        }
    }
}

/// A matcher in words.
fn words(matcher: &DynamicMessage) -> String {
    let kind = ["exact", "regex", "file"]
        .into_iter()
        .find(|kind| has(matcher, kind));
    let kind = match kind {
        Some("regex") => "a regular expression",
        Some("file") => "another file",
        _ => "this text",
    };
    match flag(matcher, "invert") {
        true => format!("`invert` with {kind}"),
        false => kind.to_owned(),
    }
}
