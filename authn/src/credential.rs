//! Where credentials stand in a request: finding exactly one, and removing them before forwarding.
//!
//! All input is bytes from a stranger; nothing here need be UTF-8 and nothing is believed.

mod find;
mod strip;

use std::borrow::Cow;

pub(crate) use find::{Found, find, is_token_byte};
pub use strip::Stripped;
pub(crate) use strip::strip;

/// Where a provider reads its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialLocation {
    /// A header.
    Header {
        /// Its name, in lower case.
        name: String,
        /// The scheme before the credential, where there is one; compared without case (RFC 9110 section 11.1).
        scheme: Option<String>,
    },
    /// A cookie (RFC 6265 section 4.2).
    Cookie {
        /// Its name, compared with case.
        name: String,
    },
    /// A parameter of the query (RFC 6750 section 2.3).
    Query {
        /// Its name, compared with case, decoded.
        name: String,
    },
}

impl CredentialLocation {
    /// Whether a credential in one of the two places would stand in the other as well.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Header { name, scheme },
                Self::Header {
                    name: other_name,
                    scheme: other_scheme,
                },
            ) => {
                let same_scheme = match (scheme, other_scheme) {
                    (Some(scheme), Some(other)) => scheme.eq_ignore_ascii_case(other),
                    (None, _) | (_, None) => true,
                };
                name == other_name && same_scheme
            }
            (Self::Cookie { name }, Self::Cookie { name: other })
            | (Self::Query { name }, Self::Query { name: other }) => name == other,
            (Self::Header { .. } | Self::Cookie { .. } | Self::Query { .. }, _) => false,
        }
    }

    /// Whether both are the same place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let has_scheme = |location: &Self| matches!(location, Self::Header { scheme: Some(_), .. });
        self.overlaps(other) && has_scheme(self) == has_scheme(other)
    }
}

/// The value without blanks around it: they are no part of it (RFC 9110 section 5.5).
fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value
        .iter()
        .position(|byte| !is_blank(byte))
        .unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !is_blank(byte))
        .map_or(start, |last| last.saturating_add(1));
    value.get(start..end).unwrap_or_default()
}

/// The pairs of a `Cookie` header (RFC 6265 section 4.2.1), as they stand there.
fn cookie_pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b';')
        .map(trim)
        .filter(|pair| !pair.is_empty())
}

/// Whether a header called `found` may be read as the one called `name`: without case, and with `_` for `-`, as
/// whoever passes headers on in the style of CGI reads them.
#[must_use]
pub fn is_same_header_name(found: &[u8], name: &[u8]) -> bool {
    let fold = |byte: &u8| match byte.to_ascii_lowercase() {
        b'_' => b'-',
        byte => byte,
    };
    // Most are spelled alike.
    found.len() == name.len() && (found == name || found.iter().map(fold).eq(name.iter().map(fold)))
}

/// Name and value around the first `=`, the name without blanks around it; without `=` it is all name.
fn name_and_value(pair: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = pair.splitn(2, |byte| *byte == b'=');
    (
        trim(parts.next().unwrap_or_default()),
        parts.next().unwrap_or_default(),
    )
}

/// A query parameter's name or value, `%XX` and `+` decoded as form fields are; a bad escape stays as it is.
fn form_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*first),
        }
    }
    Cow::Owned(decoded)
}

fn nibble(digit: u8) -> u8 {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
        .unwrap_or_default()
}
