//! A request of a test file in words, as a report shows it: its tokens by their names.

use crate::format::{HeadersSpec, OneOrMany, RequestSpec};
use crate::suite::Suite;
use crate::visible;

/// Headers that hold credentials: what a test writes there itself is not shown.
const SECRET: [&str; 6] = [
    "authorization",
    "cookie",
    "dpop",
    "proxy-authorization",
    "x-api-key",
    "x-forwarded-access-token",
];

/// The request in words: its first line, then a line for each thing that a test says of it.
pub(super) fn shown(request: &RequestSpec, suite: &Suite) -> String {
    let method = request.method.as_deref().unwrap_or("GET");
    let path = match (&request.path_hex, &request.path) {
        (Some(hex), _) => format!("(hex) {hex}"),
        (None, path) => path.as_deref().unwrap_or("/").to_owned(),
    };
    let mut lines = vec![format!("{method} {path}")];
    match &request.authority {
        Some(Some(authority)) => lines.push(format!("authority: {authority}")),
        Some(None) => lines.push("no authority".to_owned()),
        None => lines.push(format!("authority: {}", suite.policy.default_authority())),
    }
    lines.extend(headers(&request.headers));
    lines.extend(
        request
            .headers_hex
            .iter()
            .map(|(name, hex)| format!("{name}: (hex) {hex}")),
    );
    let tokens = request.token.iter().flat_map(OneOrMany::as_slice);
    lines.extend(tokens.map(|token| format!("token: {token}")));
    lines.extend(
        request
            .dpop
            .as_ref()
            .map(|proof| format!("DPoP proof by: {}", proof.key)),
    );
    if let Some(peer) = &request.peer {
        let names = peer.uri_sans.iter().chain(&peer.dns_sans).chain(&peer.address);
        let names: Vec<&str> = names.map(String::as_str).collect();
        lines.push(format!("peer: {}", names.join(", ")));
    }
    lines.extend(
        request
            .body
            .as_ref()
            .map(|body| format!("body: {} bytes", body.len())),
    );
    // What a test writes begins no line of its own.
    let lines: Vec<String> = lines.iter().map(|line| visible::line(line)).collect();
    lines.join("\n")
}

fn headers(spec: &HeadersSpec) -> Vec<String> {
    match spec {
        HeadersSpec::Pairs(pairs) => pairs.iter().map(|(name, value)| header(name, value)).collect(),
        HeadersSpec::Mapping(mapping) => {
            let each = mapping
                .iter()
                .flat_map(|(name, values)| values.as_slice().iter().map(move |value| header(name, value)));
            each.collect()
        }
    }
}

fn header(name: &str, value: &str) -> String {
    let is_secret = SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    match is_secret && !value.contains("{{") {
        true => format!("{name}: ({} bytes that the test writes out)", value.len()),
        false => format!("{name}: {value}"),
    }
}
