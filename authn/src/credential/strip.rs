//! Removing credentials before a request is forwarded, whatever they are worth.

use super::find::{Occurrences, begins_with_credential, occurrences};
use super::{CredentialLocation, cookie_pairs, form_decode, is_same_header_name, name_and_value};
use crate::Fields;

/// What must change so that no credential is forwarded. Remove first, then set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stripped {
    /// Names of headers to remove, as they stand in the request. `Cookie` is among them where it changes.
    pub remove: Vec<Vec<u8>>,
    /// The new `Cookie` header, where one remains after a change.
    pub cookie: Option<Vec<u8>>,
    /// The new query, without `?`, where it changes; empty where nothing remains.
    pub query: Option<Vec<u8>>,
}

/// Removes what stands in `locations`.
pub(crate) fn strip<'l>(
    locations: impl Iterator<Item = &'l CredentialLocation>,
    fields: Fields<'_>,
) -> Stripped {
    let mut stripped = Stripped::default();
    let (mut cookies, mut parameters) = (Vec::new(), Vec::new());
    for location in locations.filter(|location| is_present(location, fields)) {
        match location {
            CredentialLocation::Header { name, .. } => {
                stripped.remove.extend(spellings(fields, name.as_bytes()))
            }
            CredentialLocation::Cookie { name } => cookies.push(name.as_bytes()),
            CredentialLocation::Query { name } => parameters.push(name.as_bytes()),
        }
    }
    if !cookies.is_empty() {
        stripped.remove.extend(spellings(fields, b"cookie"));
        stripped.cookie = Some(other_cookies(fields, &cookies)).filter(|value| !value.is_empty());
    }
    if !parameters.is_empty() {
        stripped.query = Some(other_parameters(fields.query.unwrap_or_default(), &parameters));
    }
    stripped.remove.sort_unstable();
    stripped.remove.dedup();
    stripped
}

/// Whether something stands in `location`.
fn is_present(location: &CredentialLocation, fields: Fields<'_>) -> bool {
    begins_with_credential(location, fields) || occurrences(location, fields) != Occurrences::None
}

/// The name of a header in every spelling of the request.
fn spellings<'r>(fields: Fields<'r>, name: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    fields
        .headers
        .iter()
        .map(|(key, _)| *key)
        .filter(move |key| is_same_header_name(key, name))
        .map(<[u8]>::to_vec)
}

fn other_cookies(fields: Fields<'_>, names: &[&[u8]]) -> Vec<u8> {
    let cookies = fields
        .headers
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(b"cookie"));
    let pairs = cookies.flat_map(|(_, value)| cookie_pairs(value));
    let others: Vec<&[u8]> = pairs
        .filter(|pair| !names.contains(&name_and_value(pair).0))
        .collect();
    others.join(&b"; "[..])
}

fn other_parameters(query: &[u8], names: &[&[u8]]) -> Vec<u8> {
    let is_named = |pair: &&[u8]| names.contains(&&*form_decode(name_and_value(pair).0));
    let others = |part: &[u8]| {
        let pairs = part.split(|byte| *byte == b';');
        let others: Vec<&[u8]> = pairs.filter(|pair| !is_named(pair)).collect();
        (!others.is_empty()).then(|| others.join(&b";"[..]))
    };
    let parts: Vec<Vec<u8>> = query.split(|byte| *byte == b'&').filter_map(others).collect();
    parts.join(&b"&"[..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CredentialLocation, Fields, Occurrences, is_present, occurrences};

    proptest! {
        #[test]
        fn the_short_way_to_see_a_credential_sees_what_the_long_way_sees(
            values in prop::collection::vec("[ \t]{0,2}(bearer|Bearer|Basic|x)?[ ,\t=]{0,2}[a-b]{0,3}(,| ,|, Bearer b)?", 0..3),
            name in prop::sample::select(vec!["authorization", "Authorization", "x-other"]),
        ) {
            let headers: Vec<(&[u8], &[u8])> = values.iter().map(|value| (name.as_bytes(), value.as_bytes())).collect();
            let fields = Fields { headers: &headers, ..Fields::default() };
            let location = CredentialLocation::Header { name: "authorization".to_owned(), scheme: Some("Bearer".to_owned()) };
            let is_there = occurrences(&location, fields) != Occurrences::None;
            prop_assert_eq!(is_present(&location, fields), is_there, "{:?}", values);
        }
    }
}
