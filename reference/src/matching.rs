//! What a route matches beside its host and path: method, headers, query, content type.

use std::cmp::Reverse;

use serde_json::Value;

use crate::query;
use crate::target::{Understood, is_token};
use crate::value::{list, members, strings, text, texts};
use crate::{Reference, Request, Wrong};

/// How a route's method, headers, query and content type fit: "method (named over none), then more header matches
/// over fewer, then more query matches, then content_type named over none".
pub(crate) type Rank = (u8, usize, usize, bool);

/// The same for a preflight; of what it does not show, less is better.
pub(crate) type PreflightRank = (u8, usize, Reverse<(usize, bool, String)>);

/// The `match` of a route.
pub(crate) fn of(route: &Value) -> &Value {
    route.get("match").unwrap_or(&Value::Null)
}

/// The pattern: that of `path`, or `/package.Service/Method` of `grpc`.
pub(crate) fn pattern(route: &Value) -> String {
    let path = text(of(route), "path").map(str::to_owned);
    let grpc = text(of(route), "grpc").map(|name| format!("/{name}"));
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
) -> Option<Rank> {
    let method = method_rank(reference, methods(route).as_deref(), &understood.method)?;
    let headers = members(of(route), "headers");
    let types = texts(of(route), "content_type");
    let all = headers
        .iter()
        .all(|(name, wanted)| fits(wanted, &header(request, name)))
        && types
            .as_deref()
            .is_none_or(|types| has_type(types, &header(request, "content-type")))
        && query_fits(route, understood);
    let counted = match reference.wrong {
        Some(Wrong::FewerHeadersWin) => usize::MAX.saturating_sub(headers.len()),
        _ => headers.len(),
    };
    all.then_some((
        method,
        counted,
        members(of(route), "query").len(),
        types.is_some(),
    ))
}

/// How well a route fits a preflight that asks about it. It shows neither the headers nor the body of the request to
/// come: of routes that differ in those, the one that asks least, "and of several the first by id".
pub(crate) fn preflight_rank(
    reference: &Reference<'_>,
    route: &Value,
    understood: &Understood,
    asked: &str,
) -> Option<PreflightRank> {
    let method = method_rank(reference, methods(route).as_deref(), asked)?;
    let headers = members(of(route), "headers").len();
    let typed = of(route).get("content_type").is_some();
    let id = text(route, "id").unwrap_or_default().to_owned();
    let query = members(of(route), "query").len();
    query_fits(route, understood).then_some((method, query, Reverse((headers, typed, id))))
}

fn query_fits(route: &Value, understood: &Understood) -> bool {
    members(of(route), "query").iter().all(|(name, wanted)| {
        let values = query::values(understood, name).unwrap_or_default();
        fits(wanted, &values.iter().map(String::as_str).collect::<Vec<&str>>())
    })
}

/// The values of a header, without the blanks around them.
fn header<'r>(request: &'r Request, name: &str) -> Vec<&'r str> {
    request
        .values(name)
        .into_iter()
        .map(|value| value.trim_matches([' ', '\t']))
        .collect()
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

/// "A matched header or query parameter that a request has several times with different values, so that what an
/// upstream would read is open: 400 `malformed_request` (only for names that routes of that group match on). A query
/// that upstreams read in different ways there ...: 400 likewise." Of a preflight, only the query counts.
pub(crate) fn is_open(
    group: &[&Value],
    request: &Request,
    understood: &Understood,
    is_preflight: bool,
) -> bool {
    let differ = |values: &[&str]| values.iter().any(|value| Some(value) != values.first());
    group.iter().any(|route| {
        let mut headers: Vec<&str> = members(of(route), "headers")
            .iter()
            .map(|(name, _)| *name)
            .collect();
        let mut types = Vec::new();
        if of(route).get("content_type").is_some() {
            headers.push("content-type");
            types = header(request, "content-type");
        }
        let open_header = |name: &&str| differ(&header(request, name)) || has_alias(request, name);
        let open_parameter = |(name, _): &(&str, &Value)| match query::values(understood, name) {
            None => true,
            Some(values) => differ(&values.iter().map(String::as_str).collect::<Vec<&str>>()),
        };
        let open_headers = headers.iter().any(open_header) || !types.iter().all(|value| is_media_type(value));
        members(of(route), "query").iter().any(open_parameter) || (open_headers && !is_preflight)
    })
}

/// Whether there is a header that an upstream could take for the one that is asked for: `_` and `-` are the same to
/// some.
fn has_alias(request: &Request, name: &str) -> bool {
    let dashed = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let mut names = request.headers.iter().map(|(found, _)| found);
    names.any(|found| dashed(found) == dashed(name) && !found.eq_ignore_ascii_case(name))
}

/// RFC 9110 section 8.3.1: a type and a subtype, and no list.
fn is_media_type(value: &str) -> bool {
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let parts = essence.trim_matches([' ', '\t']).split_once('/');
    parts.is_some_and(|(main, subtype)| is_token(main) && is_token(subtype)) && !parameters.contains(',')
}
