//! Identity headers: what a client sent under their names is removed, what was proved is set.
//!
//! Only a permit makes an identity header. Credentials are removed here too, on public routes as well.

use std::sync::Arc;

use scopegate_authn::{Authenticator, IdentityHeader, IdentitySource, Reject, Verified, is_same_header_name};
use scopegate_authz::Permit;

use crate::{Forward, Request};

/// The identity headers of a policy.
#[derive(Debug)]
pub(crate) struct Identity {
    headers: Vec<(Arc<str>, IdentitySource)>,
    /// The lengths of their names as bits: what has none of them need not be compared.
    lengths: u64,
}

impl Identity {
    pub(crate) fn new(headers: &[IdentityHeader]) -> Self {
        let bit = |header: &IdentityHeader| bit(header.name.len());
        Self {
            headers: headers
                .iter()
                .map(|header| (header.name.as_str().into(), header.source.clone()))
                .collect(),
            lengths: headers.iter().map(bit).fold(0, |all, one| all | one),
        }
    }

    /// Whether `name` is an identity header, however a client spells it: case, and `_` for `-`.
    pub(crate) fn names(&self, name: &[u8]) -> bool {
        self.lengths & bit(name.len()) != 0
            && self
                .headers
                .iter()
                .any(|(header, _)| is_same_header_name(name, header.as_bytes()))
    }

    /// How a request is forwarded about whose caller nothing is said.
    pub(crate) fn anonymous(&self, request: &Request<'_>, authenticator: &Authenticator) -> Forward {
        let stripped = authenticator.strip(&crate::decide::fields(request));
        let mut remove = stripped.remove;
        let spoofed = request.headers.iter().filter(|(name, _)| self.names(name));
        remove.extend(spoofed.map(|(name, _)| name.to_vec()));
        if remove.len() > 1 {
            remove.sort_unstable();
            remove.dedup();
        }
        let mut set = Vec::with_capacity(self.headers.len().saturating_add(1));
        set.extend(stripped.cookie.map(|value| ("cookie".into(), value.into())));
        let path = stripped.query.map(|query| with_query(request.path, &query));
        Forward { remove, set, path }
    }

    /// How a request is forwarded for a caller who is proved and permitted.
    ///
    /// A value that no header can carry unchanged (control characters, blanks at an end) is refused: the
    /// upstream would see somebody else.
    pub(crate) fn proved(
        &self,
        request: &Request<'_>,
        authenticator: &Authenticator,
        caller: &Verified,
        permit: &Permit<'_>,
    ) -> Result<Forward, Reject> {
        let mut forward = self.anonymous(request, authenticator);
        for (name, source) in &self.headers {
            if let Some(value) = value(source, caller, permit) {
                if !is_carried_unchanged(&value) {
                    return Err(Reject::ClaimMismatch);
                }
                forward.set.push((Arc::clone(name), value.into()));
            }
        }
        Ok(forward)
    }
}

/// A length as a bit. The longest share one: they are compared in any case.
const fn bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

fn value(source: &IdentitySource, caller: &Verified, permit: &Permit<'_>) -> Option<Arc<str>> {
    match source {
        IdentitySource::Subject => caller.shared_subject().cloned(),
        IdentitySource::Client => caller.shared_client().cloned(),
        IdentitySource::Tenant => caller.shared_tenant().cloned(),
        IdentitySource::Provider => Some(Arc::clone(caller.shared_provider())),
        IdentitySource::Scopes => Some(joined(permit.effective()))
            .filter(|scopes| !scopes.is_empty())
            .map(Arc::from),
        IdentitySource::Claim(path) => path.text_in(caller.claims()).map(Arc::from),
    }
}

/// Room for the scopes of a caller as most have them, in bytes.
const SCOPES_BYTES: usize = 128;

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::with_capacity(SCOPES_BYTES);
    for word in words {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

fn is_carried_unchanged(value: &str) -> bool {
    match value.is_ascii() {
        true => {
            let bytes = value.as_bytes();
            let is_blank = |byte: Option<&u8>| byte == Some(&b' ');
            !is_blank(bytes.first()) && !is_blank(bytes.last()) && !bytes.iter().any(u8::is_ascii_control)
        }
        false => value.trim() == value && !value.chars().any(char::is_control),
    }
}

/// The request target with another query; without one where it is empty.
fn with_query(target: &[u8], query: &[u8]) -> Vec<u8> {
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    match query {
        b"" => path.to_vec(),
        query => [path, b"?", query].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_carried_unchanged, with_query};

    #[test]
    fn what_a_header_would_change_is_not_carried() {
        assert!(
            is_carried_unchanged("anna") && is_carried_unchanged("Zoë Müller") && is_carried_unchanged("")
        );
        for value in ["a\r\nx-auth-tenant: b", "a\0", " anna", "anna\t", "a\u{7f}"] {
            assert!(!is_carried_unchanged(value), "{value:?}");
        }
    }

    #[test]
    fn a_query_is_replaced_whole() {
        assert_eq!(with_query(b"/a?token=x&b=1", b"b=1"), b"/a?b=1");
        assert_eq!(with_query(b"/a?token=x", b""), b"/a");
    }
}
