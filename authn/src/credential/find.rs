//! Finding exactly one credential: RFC 6750 section 2 allows one method of transmission in a request.

use std::borrow::Cow;

use memchr::memchr;

use super::{CredentialLocation, cookie_pairs, form_decode, is_same_header_name, name_and_value, trim};
use crate::{Fields, Reject};

/// The one credential of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'l, 'r> {
    /// Where it stood.
    pub(crate) location: &'l CredentialLocation,
    /// The credential, its form unchecked.
    pub(crate) credential: Cow<'r, [u8]>,
}

/// What stands in one location.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Occurrences<'r> {
    None,
    One(Cow<'r, [u8]>),
    Many,
}

/// Searches every location of `locations`, each of which is named once.
pub(crate) fn find<'l, 'r>(
    locations: &'l [CredentialLocation],
    fields: Fields<'r>,
) -> Result<Found<'l, 'r>, Reject> {
    let mut found = None;
    for location in locations {
        match (occurrences(location, fields), &found) {
            (Occurrences::None, _) => {}
            (Occurrences::One(credential), None) => found = Some(Found { location, credential }),
            (Occurrences::One(_), Some(_)) | (Occurrences::Many, _) => {
                return Err(Reject::CredentialMultiple);
            }
        }
    }
    found.ok_or(Reject::CredentialMissing)
}

/// Whether a header of `location` begins with its scheme: then a credential stands there, whatever follows. Most do, and
/// nobody has to look further.
pub(crate) fn begins_with_credential(location: &CredentialLocation, fields: Fields<'_>) -> bool {
    let CredentialLocation::Header {
        name,
        scheme: Some(scheme),
    } = location
    else {
        return false;
    };
    values(fields, name.as_bytes()).any(|value| {
        let value = trim(value);
        let (first, _) = value.split_at(token_length(value));
        first.eq_ignore_ascii_case(scheme.as_bytes())
    })
}

/// What stands in `location`.
pub(crate) fn occurrences<'r>(location: &CredentialLocation, fields: Fields<'r>) -> Occurrences<'r> {
    match location {
        CredentialLocation::Header {
            name,
            scheme: Some(scheme),
        } => with_scheme(scheme.as_bytes(), values(fields, name.as_bytes())),
        CredentialLocation::Header { name, scheme: None } => {
            only(values(fields, name.as_bytes()).map(|value| Cow::Borrowed(trim(value))))
        }
        CredentialLocation::Cookie { name } => {
            let pairs = values(fields, b"cookie")
                .flat_map(cookie_pairs)
                .map(name_and_value);
            only(
                pairs
                    .filter(|(key, _)| *key == name.as_bytes())
                    .map(|(_, value)| Cow::Borrowed(unquoted(value))),
            )
        }
        CredentialLocation::Query { name } => {
            let pairs = fields
                .query
                .unwrap_or_default()
                .split(|byte| matches!(byte, b'&' | b';'))
                .map(name_and_value);
            let pairs = pairs.filter(|(key, _)| *form_decode(key) == *name.as_bytes());
            only(pairs.map(|(_, value)| form_decode(value)))
        }
    }
}

/// A cookie's value without the quotes it may stand in (RFC 6265 section 4.1.1).
fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

fn only<'r>(mut values: impl Iterator<Item = Cow<'r, [u8]>>) -> Occurrences<'r> {
    match (values.next(), values.next()) {
        (None, _) => Occurrences::None,
        (Some(value), None) => Occurrences::One(value),
        (Some(_), Some(_)) => Occurrences::Many,
    }
}

fn values<'r>(fields: Fields<'r>, name: &[u8]) -> impl Iterator<Item = &'r [u8]> {
    fields
        .headers
        .iter()
        .filter(move |(key, _)| is_same_header_name(key, name))
        .map(|(_, value)| *value)
}

/// The credential after `scheme`. Any other credential in the same field, or in a second field, makes it many:
/// an upstream might read that one.
fn with_scheme<'r>(scheme: &[u8], values: impl Iterator<Item = &'r [u8]>) -> Occurrences<'r> {
    let (mut count, mut ours) = (0_usize, None);
    for value in values {
        for (index, part) in parts(value).enumerate() {
            let part = trim(part);
            let (name, rest) = part.split_at(token_length(part));
            let is_ours = name.eq_ignore_ascii_case(scheme);
            // A part after a comma is another credential where it begins like one: `token SP ...`.
            if index == 0 || (is_ours && rest.is_empty()) || begins_credential(name, rest) {
                count = count.saturating_add(1);
            }
            if is_ours && (index == 0 || rest.is_empty() || begins_credential(name, rest)) {
                ours = Some(match index {
                    0 => trim(value).get(name.len()..).unwrap_or_default(),
                    _ => rest,
                });
            }
        }
    }
    match (ours, count) {
        (None, _) => Occurrences::None,
        (Some(rest), 1) => Occurrences::One(Cow::Borrowed(without_spaces(rest))),
        (Some(_), _) => Occurrences::Many,
    }
}

/// The parts of a list, cut at its commas.
fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_one = !has_comma(value);
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let here = rest?;
        if is_one {
            return rest.take();
        }
        let cut = memchr(b',', here).and_then(|at| Some((here.get(..at)?, here.get(at.checked_add(1)?..)?)));
        let (part, after) = cut.map_or((here, None), |(part, after)| (part, Some(after)));
        rest = after;
        Some(part)
    })
}

/// Whether there is a comma anywhere, looked at eight bytes at a time: most credentials are long, and have none.
fn has_comma(value: &[u8]) -> bool {
    const COMMAS: u64 = u64::from_le_bytes([b','; 8]);
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // The high bit of a byte is set below if and only if one at or below it is zero.
    let any_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = value.as_chunks::<8>();
    let of_word = |word: &[u8; 8]| any_zero(u64::from_le_bytes(*word) ^ COMMAS);
    words.iter().map(of_word).fold(0, |all, one| all | one) != 0 || rest.contains(&b',')
}

fn begins_credential(name: &[u8], rest: &[u8]) -> bool {
    !name.is_empty() && rest.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'))
}

/// The credential after `1*SP` (RFC 6750 section 2.1). Anything else stays, and is refused as a fault of form.
fn without_spaces(rest: &[u8]) -> &[u8] {
    let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    rest.get(start..).unwrap_or_default()
}

/// The length of the token at the beginning (RFC 9110 section 5.6.2).
fn token_length(text: &[u8]) -> usize {
    text.iter()
        .position(|byte| !is_token_byte(*byte))
        .unwrap_or(text.len())
}

/// Whether a byte may stand in a token (RFC 9110 section 5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::has_comma;

    #[test]
    fn a_comma_is_seen_wherever_it_stands_and_nothing_else_is_taken_for_one() {
        for length in 0..40_usize {
            for other in [0, b'+', b'-', b'A', 0x7f, 0x80, 0xac, 0xff] {
                let mut value = vec![other; length];
                assert!(!has_comma(&value), "{other}: {length}");
                for at in 0..length {
                    value[at] = b',';
                    assert!(has_comma(&value), "{other}: {length}: {at}");
                    value[at] = other;
                }
            }
        }
    }
}
