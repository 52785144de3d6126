//! What a route matches beside its host and path: method, headers, query, content type.

use serde_json::Value;

use crate::query::{self, Parameters};
use crate::target::Understood;
use crate::value::{list, members, strings, texts};
use crate::{Reference, Request, Wrong};

/// How a route's method, headers, query and content type fit: "method (named over none), then more header matches
/// over fewer, then more query matches, then content_type named over none".
pub(crate) type Rank = (u8, usize, usize, bool);

/// The `match` of a route.
pub(crate) fn of(route: &Value) -> &Value {
    route.get("match").unwrap_or(&Value::Null)
}

/// The pattern: that of `path`, or `/package.Service/Method` of `grpc`.
pub(crate) fn pattern(route: &Value) -> String {
    let path = crate::value::text(of(route), "path").map(str::to_owned);
    let grpc = crate::value::text(of(route), "grpc").map(|name| format!("/{name}"));
    path.or(grpc).unwrap_or_default()
}

/// The methods that a route names; "grpc: = POST".
pub(crate) fn methods(route: &Value) -> Option<Vec<String>> {
    let grpc = of(route).get("grpc").map(|_| vec!["POST".to_owned()]);
    texts(of(route), "methods").or(grpc)
}

/// How well a route fits, where it does.
pub(crate) fn rank(
    reference: &Reference<'_>,
    route: &Value,
    request: &Request,
    understood: &Understood,
    method: &str,
) -> Option<Rank> {
    let method = method_rank(reference, methods(route).as_deref(), method)?;
    let headers = members(of(route), "headers");
    let parameters = members(of(route), "query");
    let types = texts(of(route), "content_type");
    let query = query::read(understood.query.as_deref()).unwrap_or_default();
    let fits = headers
        .iter()
        .all(|(name, wanted)| fits(wanted, &request.values(name)))
        && parameters
            .iter()
            .all(|(name, wanted)| fits(wanted, &query::values(&query, name)))
        && types
            .as_deref()
            .is_none_or(|types| has_type(types, &request.values("content-type")));
    fits.then_some((method, headers.len(), parameters.len(), types.is_some()))
}

/// "Methods are case-sensitive. HEAD uses GET's route unless one names HEAD; OPTIONS must be listed."
fn method_rank(reference: &Reference<'_>, named: Option<&[String]>, asked: &str) -> Option<u8> {
    let names = |method: &str| named.is_some_and(|methods| methods.iter().any(|found| found == method));
    match named {
        None => (asked != "OPTIONS").then_some(0),
        Some(_) if names(asked) => Some(2),
        Some(_) if asked == "HEAD" && names("GET") && reference.wrong != Some(Wrong::HeadIsNotGet) => Some(1),
        Some(_) => None,
    }
}

/// "a text = exactly equal; a mapping = `{any: [..]}` or `{present: true|false}`".
pub(crate) fn fits(wanted: &Value, found: &[&str]) -> bool {
    match wanted.get("present").and_then(Value::as_bool) {
        Some(present) => present != found.is_empty(),
        None => found
            .first()
            .is_some_and(|value| accepted(wanted).iter().any(|one| one == value)),
    }
}

/// The values that fit, where the form names values.
pub(crate) fn accepted(wanted: &Value) -> Vec<String> {
    match wanted.as_str() {
        Some(text) => vec![text.to_owned()],
        None => strings(list(wanted, "any")),
    }
}

/// "the media type, parameters ignored, case-insensitive; ... `application/*` is allowed."
fn has_type(types: &[String], found: &[&str]) -> bool {
    let Some(value) = found.first() else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    types
        .iter()
        .any(|wanted| covers(&wanted.to_ascii_lowercase(), &essence))
}

/// Whether a media range covers a media type.
pub(crate) fn covers(range: &str, essence: &str) -> bool {
    match range.strip_suffix("/*") {
        Some(kind) => essence.split_once('/').is_some_and(|(found, _)| found == kind),
        None => range == essence,
    }
}

/// "A matched header or query parameter that a request has several times with different values ...: 400
/// `malformed_request` (only for names that routes of that group match on). A query that upstreams read in different
/// ways there ...: 400 likewise."
pub(crate) fn is_open(group: &[&Value], request: &Request, understood: &Understood) -> bool {
    group.iter().any(|route| {
        let differ = |values: &[&str]| values.iter().any(|value| Some(value) != values.first());
        let mut headers: Vec<&str> = members(of(route), "headers")
            .iter()
            .map(|(name, _)| *name)
            .collect();
        if of(route).get("content_type").is_some() {
            headers.push("content-type");
        }
        let names: Vec<&str> = members(of(route), "query")
            .iter()
            .map(|(name, _)| *name)
            .collect();
        let query: Option<Parameters> = query::read(understood.query.as_deref());
        let query_is_open = !names.is_empty()
            && query.is_none_or(|query| names.iter().any(|name| differ(&query::values(&query, name))));
        query_is_open || headers.iter().any(|name| differ(&request.values(name)))
    })
}
