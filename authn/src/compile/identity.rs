//! The names of identity headers: none that means something else, none twice, none that holds a credential.

use std::collections::BTreeMap;

use crate::claim_path::ClaimPath;
use crate::credential::CredentialLocation;
use crate::identity::{IdentityHeader, IdentitySource};

use super::Faults;
use super::location::is_token;

/// Headers with a meaning of their own (the registry of RFC 9110 section 16.3.1, and what proxies agree on).
const STANDARD: &[&str] = &[
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "cookie2",
    "date",
    "depth",
    "destination",
    "dnt",
    "dpop",
    "early-data",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "mime-version",
    "origin",
    "overwrite",
    "pragma",
    "prefer",
    "priority",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "signature",
    "signature-input",
    "te",
    "timeout",
    "trailer",
    "traceparent",
    "tracestate",
    "baggage",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-real-ip",
    "x-request-id",
];

/// Families of such headers.
const STANDARD_PREFIXES: &[&str] = &[
    "accept",
    "access-control-",
    "content-",
    "grpc-",
    "if-",
    "proxy-",
    "sec-",
    "x-envoy-",
    "x-forwarded-",
];

/// Compiles `identity_headers`.
pub(crate) fn compile(
    faults: &mut Faults,
    section: Option<&BTreeMap<String, String>>,
    locations: &[CredentialLocation],
) -> Vec<IdentityHeader> {
    let mut headers: Vec<IdentityHeader> = Vec::new();
    for (key, name) in section.into_iter().flatten() {
        let path = format!("identity_headers.{key}");
        let name = name.to_ascii_lowercase();
        match (fault_of(&name, locations, &headers), source(key)) {
            (Some((message, help)), _) => faults.invalid(path, message, help),
            (None, None) => {
                let message = format!("`{}` is no claim name", key.escape_debug());
                faults.invalid(
                    path,
                    message,
                    "write a dotted path, or a JSON Pointer that begins with `/`",
                );
            }
            (None, Some(source)) => headers.push(IdentityHeader { source, name }),
        }
    }
    headers
}

fn source(key: &str) -> Option<IdentitySource> {
    Some(match key {
        "subject" => IdentitySource::Subject,
        "client" => IdentitySource::Client,
        "scopes" => IdentitySource::Scopes,
        "tenant" => IdentitySource::Tenant,
        "provider" => IdentitySource::Provider,
        claim => IdentitySource::Claim(ClaimPath::parse(claim)?),
    })
}

/// What is wrong with the name of an identity header, and what would be right.
fn fault_of(
    name: &str,
    locations: &[CredentialLocation],
    earlier: &[IdentityHeader],
) -> Option<(String, &'static str)> {
    const HELP: &str = "use a header of your own, as in `x-auth-subject`";
    let folded = fold(name);
    let is_credential = |location: &CredentialLocation| match location {
        CredentialLocation::Header { name, .. } => fold(name) == folded,
        CredentialLocation::Cookie { .. } | CredentialLocation::Query { .. } => false,
    };
    let name_shown = name.escape_debug();
    if !is_token(name) {
        Some((format!("`{name_shown}` is no header name"), HELP))
    } else if STANDARD.contains(&folded.as_str()) || STANDARD_PREFIXES.iter().any(|it| folded.starts_with(it))
    {
        Some((
            format!("`{name_shown}` is a standard header with a meaning of its own"),
            HELP,
        ))
    } else if locations.iter().any(is_credential) {
        Some((format!("`{name_shown}` holds the credential of a provider"), HELP))
    } else if earlier.iter().any(|header| fold(&header.name) == folded) {
        Some((
            format!("`{name_shown}` is used twice; `_` and `-` are the same here"),
            "give each fact its own header",
        ))
    } else {
        None
    }
}

/// Names are compared as the strictest upstream would: without case, `_` and `-` alike.
fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
