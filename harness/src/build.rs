//! Requests of test files as bytes: defaults filled in, tokens put where their providers read them.

use std::collections::BTreeMap;

use scopegate_document::UnixTime;
use serde_json::json;

use crate::exchange::{Headers, Peer, Request, decode_hex};
use crate::executor::ExecutorError;
use crate::format::{HeadersSpec, OneOrMany, PeerSpec, RequestSpec};
use crate::issuer::Location;
use crate::proofs::{Client, Occasion};
use crate::suite::{NOBODY, Suite};

/// Makes the bytes of `spec`, with the tokens that were made for this run.
pub(crate) fn request(
    spec: &RequestSpec,
    suite: &Suite,
    tokens: &BTreeMap<String, String>,
    id: &str,
    (client, now): (&mut Client, UnixTime),
) -> Result<Request, ExecutorError> {
    let fill = |text: &str| fill(text, tokens).into_bytes();
    let mut request = Request {
        id: json!(id),
        method: spec
            .method
            .clone()
            .unwrap_or_else(|| "GET".to_owned())
            .into_bytes(),
        path: match &spec.path_hex {
            Some(hex) => from_hex(hex)?,
            None => fill(spec.path.as_deref().unwrap_or("/")),
        },
        authority: match &spec.authority {
            Some(authority) => authority.clone().map(String::into_bytes),
            None => Some(suite.policy.default_authority().into_bytes()),
        },
        scheme: spec
            .scheme
            .clone()
            .unwrap_or_else(|| "https".to_owned())
            .into_bytes(),
        headers: headers(&spec.headers, fill),
        body: spec.body.as_deref().map(fill).unwrap_or_default(),
        peer: spec.peer.clone().map(Peer::from),
    };
    for (name, hex) in &spec.headers_hex {
        request.headers.push((name.clone().into_bytes(), from_hex(hex)?));
    }
    for name in spec
        .token
        .iter()
        .flat_map(OneOrMany::as_slice)
        .filter(|name| *name != NOBODY)
    {
        let (token, location) = (tokens.get(name), suite.tokens.location(name));
        if let (Some(token), Some(location)) = (token, location) {
            place(&mut request, token, location, spec.dpop.is_some());
        }
    }
    if let Some(proof) = &spec.dpop {
        let key = suite.keys.get(&proof.key);
        let key = key.ok_or_else(|| ExecutorError::Failed(format!("there is no key `{}`", proof.key)))?;
        let token = spec
            .token
            .iter()
            .flat_map(OneOrMany::as_slice)
            .find_map(|name| tokens.get(name));
        let occasion = Occasion::of(&request, id, token, now);
        let made = client.prove(proof, key, &occasion);
        let made = made.map_err(|error| ExecutorError::Failed(error.to_string()))?;
        request.headers.push((b"dpop".to_vec(), made.into_bytes()));
    }
    Ok(request)
}

impl From<PeerSpec> for Peer {
    /// Who is described is verified, unless the test says otherwise.
    fn from(spec: PeerSpec) -> Self {
        let PeerSpec {
            uri_sans,
            dns_sans,
            cert_sha256,
            verified,
            address,
        } = spec;
        Self {
            uri_sans,
            dns_sans,
            cert_sha256,
            verified: verified.unwrap_or(true),
            address,
        }
    }
}

/// Puts a token where its provider reads it.
fn place(request: &mut Request, token: &str, location: &Location, is_proved: bool) {
    match location {
        Location::Header { name, scheme } => {
            // With a proof goes its own scheme (RFC 9449 section 7.1).
            let scheme = scheme
                .as_deref()
                .map(|scheme| if is_proved { "DPoP" } else { scheme });
            let value = match scheme {
                Some(scheme) => format!("{scheme} {token}"),
                None => token.to_owned(),
            };
            request
                .headers
                .push((name.clone().into_bytes(), value.into_bytes()));
        }
        Location::Cookie(name) => {
            request
                .headers
                .push((b"cookie".to_vec(), format!("{name}={token}").into_bytes()));
        }
        Location::Query(name) => {
            let separator = if request.path.contains(&b'?') { '&' } else { '?' };
            request
                .path
                .extend_from_slice(format!("{separator}{name}={token}").as_bytes());
        }
    }
}

fn headers(spec: &HeadersSpec, fill: impl Fn(&str) -> Vec<u8>) -> Headers {
    match spec {
        HeadersSpec::Pairs(pairs) => pairs
            .iter()
            .map(|(name, value)| (name.clone().into_bytes(), fill(value)))
            .collect(),
        HeadersSpec::Mapping(mapping) => {
            let each = mapping.iter().flat_map(|(name, values)| {
                values
                    .as_slice()
                    .iter()
                    .map(move |value| (name.clone().into_bytes(), value))
            });
            each.map(|(name, value)| (name, fill(value))).collect()
        }
    }
}

/// Puts tokens in place of their names: `{{reader}}`. That every name is a token's was looked at when the file
/// was read.
pub(crate) fn fill(text: &str, tokens: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_placeholder(rest) {
        filled.push_str(before);
        filled.push_str(tokens.get(name).map(String::as_str).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// The names of tokens that `text` has places for.
pub(crate) fn placeholders(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, name, after)) = next_placeholder(rest) {
        names.push(name);
        rest = after;
    }
    names
}

/// The next `{{name}}`: the text before it, the name, and the text after it. Braces that are never closed are
/// plain text.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name.trim(), after))
}

fn from_hex(hex: &str) -> Result<Vec<u8>, ExecutorError> {
    decode_hex(hex).ok_or_else(|| ExecutorError::Failed(format!("`{hex}` is no even number of hex digits")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{fill, placeholders};

    #[test]
    fn a_token_stands_where_its_name_stood() {
        let tokens = BTreeMap::from([("a".to_owned(), "T".to_owned())]);
        assert_eq!(fill("Bearer {{a}}, {{ a }}", &tokens), "Bearer T, T");
        assert_eq!(fill("{{a}} {{ }", &tokens), "T {{ }");
    }

    #[test]
    fn every_place_for_a_token_is_named() {
        assert_eq!(placeholders("{{b}} x {{ a }}{{}} {{"), ["b", "a", ""]);
    }
}
