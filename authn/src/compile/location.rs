//! Where a provider reads its credential.

use scopegate_document::PolicyError;

use crate::credential::{CredentialLocation, is_token_byte};
use crate::section::CredentialLocationSection;

use super::Faults;

/// Headers that are never credentials of ours: the host acts on them, or another location reads them.
const NOT_CREDENTIALS: &[&str] = &[
    "host",
    "cookie",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "te",
    "upgrade",
    "trailer",
    "origin",
    "x-request-id",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Prefixes of headers that proxies write or act on.
const PREFIXES_OF_PROXIES: &[&str] = &["x-envoy-", "x-forwarded-", "sec-", "access-control-"];

/// Compiles `credential`; `Authorization: Bearer` where it is left out.
pub(crate) fn compile(
    faults: &mut Faults,
    path: &str,
    section: Option<&CredentialLocationSection>,
) -> Option<CredentialLocation> {
    let bearer = || Some("Bearer".to_owned());
    let Some(CredentialLocationSection {
        header,
        scheme,
        cookie,
        query,
    }) = section
    else {
        return Some(CredentialLocation::Header {
            name: "authorization".to_owned(),
            scheme: bearer(),
        });
    };
    if scheme.is_some() && header.is_none() {
        let help = "name the header too, as in `{header: authorization, scheme: Bearer}`";
        faults.invalid(format!("{path}.scheme"), "a scheme stands only in a header", help);
        return None;
    }
    match (header, cookie, query) {
        (Some(name), None, None) => header_location(faults, path, name, scheme.as_deref()),
        (None, Some(name), None) if is_token(name) => Some(CredentialLocation::Cookie { name: name.clone() }),
        (None, None, Some(name)) if is_parameter(name) => {
            Some(CredentialLocation::Query { name: name.clone() })
        }
        (None, Some(name), None) => not_a_name(faults, format!("{path}.cookie"), name),
        (None, None, Some(name)) => not_a_name(faults, format!("{path}.query"), name),
        _ => {
            let message = "a credential has exactly one location";
            faults.invalid(path, message, "write one of `header`, `cookie` and `query`");
            None
        }
    }
}

fn header_location(
    faults: &mut Faults,
    path: &str,
    name: &str,
    scheme: Option<&str>,
) -> Option<CredentialLocation> {
    let field = format!("{path}.header");
    if !is_token(name) {
        return not_a_name(faults, field, name);
    }
    let name = name.to_ascii_lowercase();
    let is_a_proxys = PREFIXES_OF_PROXIES.iter().any(|prefix| name.starts_with(prefix));
    if is_a_proxys || NOT_CREDENTIALS.contains(&name.as_str()) {
        let message = format!("`{name}` has another meaning and cannot hold a credential");
        faults.invalid(
            field,
            message,
            "use `authorization`, a header of your own, or `{cookie: NAME}`",
        );
        return None;
    }
    if scheme.is_some_and(|scheme| !is_token(scheme)) {
        return not_a_name(faults, format!("{path}.scheme"), scheme.unwrap_or_default());
    }
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("DPoP")) {
        // The scheme promises a proof (RFC 9449 section 7.1), and none is checked yet.
        faults.push(PolicyError::not_enforced(format!("{path}.scheme")));
        return None;
    }
    let default = (name == "authorization").then(|| "Bearer".to_owned());
    Some(CredentialLocation::Header {
        name,
        scheme: scheme.map(str::to_owned).or(default),
    })
}

fn not_a_name(faults: &mut Faults, path: String, name: &str) -> Option<CredentialLocation> {
    let message = format!("`{}` cannot stand here", name.escape_debug());
    faults.invalid(path, message, "use letters, digits, `-` and `_`");
    None
}

/// Whether `text` is a token (RFC 9110 section 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_parameter(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    !text.is_empty() && text.bytes().all(allowed)
}
