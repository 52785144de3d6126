//! What holds of every answer, said or not: the status that belongs to a code, the request target that goes on
//! as it came, no word of the client about who it is, no credential. Written from the documentation of the
//! policy language, and not from the engine: it is the second opinion.

use std::borrow::Cow;

use serde_json::Value;

use crate::check::Mismatch;
use crate::exchange::{Answer, Headers, Request, Upstream, value_of, values_of};
use crate::format::ExpectSpec;
use crate::issuer::{Issuer, Location};

/// What a policy says about headers and credentials.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The names of identity headers: lower case, with `-` for `_`.
    identity_headers: Vec<String>,
    /// Where credentials stand that must not go on.
    removed: Vec<Location>,
}

impl Facts {
    /// The facts of a policy document.
    pub(crate) fn of(policy: &Value) -> Self {
        let named = policy
            .pointer("/authentication/identity_headers")
            .and_then(Value::as_object);
        let named = named.into_iter().flat_map(|named| named.values());
        let identity_headers = named
            .filter_map(Value::as_str)
            .map(|name| same_name(name.as_bytes()))
            .collect();
        let issuers = Issuer::all(policy);
        let (kept, mut removed): (Vec<_>, Vec<_>) =
            issuers.into_iter().partition(|it| keeps(policy, &it.name));
        removed.retain(|issuer| !kept.iter().any(|kept| kept.location == issuer.location));
        Self {
            identity_headers,
            removed: removed.into_iter().map(|issuer| issuer.location).collect(),
        }
    }

    /// All that is not as it must be, apart from what `expect` says itself.
    pub(crate) fn check(&self, expect: &ExpectSpec, request: &Request, answer: &Answer) -> Vec<Mismatch> {
        let mut mismatches = Vec::new();
        mismatches.extend(check_status(expect, request, answer));
        if let Some(upstream) = &answer.upstream {
            let is_forwarded = expect.allow.is_some() || expect.would_deny.is_some();
            if is_forwarded && expect.upstream_path.is_none() {
                mismatches.extend(self.check_path(request, upstream));
            }
            mismatches.extend(self.check_identity(request, upstream));
            if expect.would_deny.is_some() {
                mismatches.extend(self.check_anonymous(upstream));
            }
            mismatches.extend(
                self.removed
                    .iter()
                    .filter_map(|it| check_credential(it, upstream)),
            );
        }
        mismatches
    }

    /// The request target goes on as it came; only a credential in the query is cut out of it.
    fn check_path(&self, request: &Request, upstream: &Upstream) -> Option<Mismatch> {
        let is_cut = |location: &Location| match location {
            Location::Query(name) => has_parameter(&request.path, name),
            Location::Header { .. } | Location::Cookie(_) => false,
        };
        let holds = match self.removed.iter().any(is_cut) {
            true => without_query(&request.path) == without_query(&upstream.path),
            false => request.path == upstream.path,
        };
        let show = |path: &[u8]| path.escape_ascii().to_string();
        (!holds).then(|| Mismatch::new("upstream path", show(&request.path), show(&upstream.path)))
    }

    /// What a dry run lets pass says nothing of who is calling.
    fn check_anonymous(&self, upstream: &Upstream) -> Vec<Mismatch> {
        let is_identity = |name: &[u8]| self.identity_headers.contains(&same_name(name));
        let named = upstream.headers.iter().filter(|(name, _)| is_identity(name));
        let mismatch = |(name, value): &(Vec<u8>, Vec<u8>)| {
            let what = format!("upstream header {}", String::from_utf8_lossy(name));
            let seen = format!("`{}`", value.escape_ascii());
            Mismatch::new(what, "absent from what would be refused", seen)
        };
        named.map(mismatch).collect()
    }

    /// Under the name of an identity header, in any spelling, nothing goes on that the client sent under one.
    fn check_identity(&self, request: &Request, upstream: &Upstream) -> Vec<Mismatch> {
        let is_identity = |name: &[u8]| self.identity_headers.contains(&same_name(name));
        let of_identity = |headers: &Headers| -> Headers {
            let chosen = headers.iter().filter(|(name, _)| is_identity(name));
            chosen.cloned().collect()
        };
        let sent = of_identity(&request.headers);
        let is_sent = |value: &[u8]| sent.iter().any(|(_, sent)| !sent.is_empty() && sent == value);
        let holds_sent = |value: &[u8]| {
            is_sent(value)
                || value
                    .split(|byte| *byte == b',')
                    .any(|part| is_sent(part.trim_ascii()))
        };
        let spoofed = of_identity(&upstream.headers).into_iter();
        let spoofed = spoofed.filter(|(_, value)| holds_sent(value));
        let mismatch = |(name, value): (Vec<u8>, Vec<u8>)| {
            let what = format!("upstream header {}", String::from_utf8_lossy(&name));
            let seen = format!("`{}`", value.escape_ascii());
            Mismatch::new(what, "nothing that the client said about itself", seen)
        };
        spoofed.map(mismatch).collect()
    }
}

/// Whether the provider called `name` lets its credentials go on.
fn keeps(policy: &Value, name: &str) -> bool {
    let providers = policy
        .pointer("/authentication/providers")
        .and_then(Value::as_array);
    let mut providers = providers.into_iter().flatten();
    providers.any(|provider| {
        provider.get("name").and_then(Value::as_str) == Some(name)
            && provider.get("forward_credential").and_then(Value::as_bool) == Some(true)
    })
}

/// The status that belongs to the code that is expected, where a test states none.
fn check_status(expect: &ExpectSpec, request: &Request, answer: &Answer) -> Option<Mismatch> {
    let code = expect.deny.as_deref().or(expect.reject.as_deref())?;
    // Another code than the expected one is told already.
    if expect.status.is_some() || answer.code.as_deref() != Some(code) || answer.upstream.is_some() {
        return None;
    }
    let expected = match is_grpc(request) {
        true => Some(200),
        false => status_of(code),
    };
    let show = |status: Option<u16>| status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    let mismatch = || Mismatch::new(format!("status of {code}"), show(expected), show(answer.status));
    (expected != answer.status || expected.is_none()).then(mismatch)
}

/// The statuses of refusals, each with the codes that are answered with it.
const STATUSES: &[(u16, &[&str])] = &[
    (
        400,
        &[
            "ambiguous_path",
            "malformed_request",
            "identity_header_refused",
            "credential_multiple",
        ],
    ),
    (
        401,
        &[
            "credential_missing",
            "token_malformed",
            "token_too_large",
            "critical_header",
            "algorithm_not_allowed",
            "issuer_unknown",
            "type_mismatch",
            "audience_mismatch",
            "token_expired",
            "token_not_yet_valid",
            "lifetime_too_long",
            "claim_missing",
            "claim_mismatch",
            "key_not_found",
            "signature_invalid",
            "token_revoked",
            "key_revoked",
            "api_key_unknown",
            "api_key_expired",
            "peer_unidentified",
            "token_inactive",
            "binding_mismatch",
            "proof_missing",
            "proof_invalid",
            "proof_replayed",
            "proof_nonce",
            "step_up_required",
        ],
    ),
    (
        403,
        &[
            "no_route",
            "provider_not_allowed",
            "client_not_allowed",
            "source_not_allowed",
            "actor_not_allowed",
            "tenant_mismatch",
            "scope_missing",
            "scope_forbidden",
            "outside_window",
            "condition_false",
            "condition_error",
        ],
    ),
    (431, &["headers_truncated"]),
    (
        503,
        &[
            "keys_unavailable",
            "introspection_unavailable",
            "revocation_unavailable",
            "replay_unavailable",
            "clock_unavailable",
            "not_configured",
        ],
    ),
];

/// Every code of a refusal.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    STATUSES.iter().flat_map(|(_, codes)| codes.iter().copied())
}

/// The layer that a code belongs to: no two layers share one.
#[must_use]
pub(crate) fn layer_of(code: &str) -> &'static str {
    match code {
        "ambiguous_path" | "malformed_request" | "identity_header_refused" | "headers_truncated" => "request",
        "credential_multiple" => "authentication",
        "step_up_required" => "authorization",
        code if matches!(status_of(code), Some(401 | 503)) => "authentication",
        _ => "authorization",
    }
}

/// The status that each code is answered with.
fn status_of(code: &str) -> Option<u16> {
    let mut statuses = STATUSES.iter();
    statuses
        .find(|(_, codes)| codes.contains(&code))
        .map(|(status, _)| *status)
}

fn is_grpc(request: &Request) -> bool {
    let kind = value_of(&request.headers, "content-type");
    let rest = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Nothing of a credential goes on from the place where its provider reads it.
fn check_credential(location: &Location, upstream: &Upstream) -> Option<Mismatch> {
    let (is_there, place) = match location {
        Location::Header { name, scheme } => {
            let is_one = |value: &[u8]| scheme.as_ref().is_none_or(|scheme| has_scheme(value, scheme));
            let mut values = values_of(&upstream.headers, name).filter(|value| !value.is_empty());
            (values.any(is_one), format!("header {name}"))
        }
        Location::Cookie(name) => {
            let mut pairs = values_of(&upstream.headers, "cookie")
                .flat_map(|cookies| cookies.split(|byte| *byte == b';'));
            (
                pairs.any(|pair| name_of(pair.trim_ascii()) == name.as_bytes()),
                format!("cookie {name}"),
            )
        }
        Location::Query(name) => (has_parameter(&upstream.path, name), format!("query {name}")),
    };
    is_there.then(|| Mismatch::new(format!("upstream {place}"), "no credential", "one"))
}

/// Whether a value is a credential of this scheme, or a list with one.
fn has_scheme(value: &[u8], scheme: &str) -> bool {
    let mut parts = value.split(|byte| *byte == b',');
    parts.any(|part| {
        let mut words = part.trim_ascii().split(|byte| matches!(byte, b' ' | b'\t'));
        words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes()))
    })
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|byte| *byte == b'=').next().unwrap_or_default()
}

fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'?').next().unwrap_or_default()
}

/// Whether the query of `path` has a parameter of this name, however it is escaped.
fn has_parameter(path: &[u8], name: &str) -> bool {
    let query = path.splitn(2, |byte| *byte == b'?').nth(1).unwrap_or_default();
    let mut pairs = query.split(|byte| *byte == b'&');
    pairs.any(|pair| *unescaped(name_of(pair)) == *name.as_bytes())
}

fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') && !text.contains(&b'+') {
        return Cow::Borrowed(text);
    }
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut plain = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => digit(high).zip(digit(low)),
            _ => None,
        };
        (rest, plain) = match (escaped, first) {
            (Some((high, low)), _) => (after.get(2..).unwrap_or_default(), with(plain, (high << 4) | low)),
            (None, b'+') => (after, with(plain, b' ')),
            (None, byte) => (after, with(plain, *byte)),
        };
    }
    Cow::Owned(plain)
}

fn with(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

/// In the names of identity headers case does not count, and `_` is `-`.
fn same_name(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .to_ascii_lowercase()
        .replace('_', "-")
}

#[cfg(test)]
mod tests;
