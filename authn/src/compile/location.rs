//! Where a provider reads its credential.

use crate::credential::{CredentialLocation, is_token_byte};
use crate::section::{Binding, CredentialLocationSection};

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

/// Compiles `credential`. Where it is left out, `Authorization` is read with the scheme that the binding asks for:
/// `Bearer`, `DPoP` (RFC 9449 section 7.1), or either.
pub(crate) fn compile(
    faults: &mut Faults,
    path: &str,
    section: Option<&CredentialLocationSection>,
    binding: Binding,
) -> Option<Vec<CredentialLocation>> {
    let Some(section) = section else {
        return Some(usual(binding));
    };
    let CredentialLocationSection {
        header,
        scheme,
        cookie,
        query,
    } = section;
    if scheme.is_some() && header.is_none() {
        let help = "name the header too, as in `{header: authorization, scheme: Bearer}`";
        faults.invalid(format!("{path}.scheme"), "a scheme stands only in a header", help);
        return None;
    }
    let location = match (header, cookie, query) {
        (Some(name), None, None) if scheme.is_none() && name.eq_ignore_ascii_case("authorization") => {
            return Some(usual(binding));
        }
        (Some(name), None, None) => header_location(faults, path, (name, scheme.as_deref()), binding)?,
        (None, Some(name), None) if is_token(name) => CredentialLocation::Cookie { name: name.clone() },
        (None, None, Some(name)) if is_parameter(name) => CredentialLocation::Query { name: name.clone() },
        (None, Some(name), None) => return not_a_name(faults, format!("{path}.cookie"), name),
        (None, None, Some(name)) => return not_a_name(faults, format!("{path}.query"), name),
        _ => {
            let message = "a credential has exactly one location";
            faults.invalid(path, message, "write one of `header`, `cookie` and `query`");
            return None;
        }
    };
    Some(vec![location])
}

fn usual(binding: Binding) -> Vec<CredentialLocation> {
    let schemes: &[&str] = match binding {
        Binding::None | Binding::Mtls => &["Bearer"],
        Binding::Dpop => &["DPoP"],
        Binding::Any => &["Bearer", "DPoP"],
    };
    let location = |scheme: &&str| CredentialLocation::Header {
        name: "authorization".to_owned(),
        scheme: Some((*scheme).to_owned()),
    };
    schemes.iter().map(location).collect()
}

fn header_location(
    faults: &mut Faults,
    path: &str,
    (name, scheme): (&str, Option<&str>),
    binding: Binding,
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
    let fits = scheme.is_none_or(|scheme| match binding {
        Binding::None | Binding::Mtls => !scheme.eq_ignore_ascii_case("DPoP"),
        Binding::Dpop => scheme.eq_ignore_ascii_case("DPoP"),
        Binding::Any => false,
    });
    if !fits {
        let message =
            "this scheme does not go with the binding: `DPoP` is for tokens that are bound to a key";
        let help = "remove the scheme; `binding` says which one is read (RFC 9449 section 7)";
        faults.invalid(format!("{path}.scheme"), message, help);
        return None;
    }
    Some(CredentialLocation::Header {
        name,
        scheme: scheme.map(str::to_owned),
    })
}

fn not_a_name<T>(faults: &mut Faults, path: String, name: &str) -> Option<T> {
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
