//! `X-Forwarded-Client-Cert`: the certificate that a hop in front saw, in the format of Envoy.
//!
//! Elements stand between commas, one for each proxy; in an element, pairs of key and value stand between semicolons,
//! as in `By=spiffe://a/in;Hash=..;Subject="CN=a,O=b";URI=spiffe://a/b`. A value may stand in quotes, with `\` before
//! what is meant literally. Keys are compared without case, and those that say nothing of names or digest are passed
//! over. A field with one fault is not read at all: nobody can say what its writer meant.
//!
//! Whoever calls this must know that the peer of the connection is a hop that is believed.

use std::borrow::Cow;

use super::{Certificate, Reject, text};
use crate::{hex, limits};

/// The name of the field. Compared exactly: a hop that removes what clients send under this name may well let
/// `x_forwarded_client_cert` pass.
const FIELD: &[u8] = b"x-forwarded-client-cert";

/// The certificate that the hop saw. `own` is the digest of the hop's own certificate: an element about that one was
/// added by the proxy we run in, and the one before it is the hop's.
///
/// # Errors
/// [`Reject::PeerUnidentified`] where the field is absent, is there twice, or does not say it.
pub(crate) fn certificate(headers: &[(&[u8], &[u8])], own: Option<[u8; 32]>) -> Result<Certificate, Reject> {
    let mut fields = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(FIELD));
    match (fields.next(), fields.next()) {
        (Some((_, value)), None) => read(value, own).ok_or(Reject::PeerUnidentified),
        (None, _) | (Some(_), Some(_)) => Err(Reject::PeerUnidentified),
    }
}

fn read(value: &[u8], own: Option<[u8; 32]>) -> Option<Certificate> {
    if value.len() > limits::FORWARDED_CERTIFICATE_BYTES {
        return None;
    }
    let (mut before_last, mut last, mut rest) = (None, None, Some(value));
    while let Some(element) = rest {
        let (certificate, after) = read_element(element)?;
        before_last = last.replace(certificate);
        rest = after;
    }
    let last = last?;
    let is_own = own.is_some() && last.sha256 == own;
    let seen = match is_own {
        true => before_last?,
        false => last,
    };
    // Envoy writes the digest always. An element without one was not written by a hop.
    seen.sha256.is_some().then_some(seen)
}

/// The element at the beginning, and what stands after its comma.
fn read_element(mut text_left: &[u8]) -> Option<(Certificate, Option<&[u8]>)> {
    let mut certificate = Certificate::default();
    loop {
        let pair = Pair::read(text_left)?;
        certificate.add(pair.key, &pair.value)?;
        match pair.after {
            After::Pair(rest) => text_left = rest,
            After::Element(rest) => return Some((certificate, Some(rest))),
            After::Nothing => return Some((certificate, None)),
        }
    }
}

impl Certificate {
    /// Takes what a pair says; nothing where it cannot be.
    fn add(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        if key.eq_ignore_ascii_case(b"hash") {
            let digest = hex::digest(value)?;
            return self.sha256.replace(digest).is_none().then_some(());
        }
        // Envoy writes a key with nothing after it where the certificate has no such name.
        if !value.is_empty() && key.eq_ignore_ascii_case(b"uri") {
            self.uri_sans.push(text(value));
        } else if !value.is_empty() && key.eq_ignore_ascii_case(b"dns") {
            self.dns_sans.push(text(value));
        }
        Some(())
    }
}

/// A key and its value.
struct Pair<'v> {
    key: &'v [u8],
    value: Cow<'v, [u8]>,
    after: After<'v>,
}

/// What stands after a pair.
enum After<'v> {
    /// Another pair of the element.
    Pair(&'v [u8]),
    /// Another element.
    Element(&'v [u8]),
    /// Nothing.
    Nothing,
}

impl<'v> Pair<'v> {
    fn read(text: &'v [u8]) -> Option<Self> {
        let end = text.iter().position(|byte| matches!(byte, b'=' | b';' | b','))?;
        let key = text.get(..end)?.trim_ascii();
        let rest = text.get(end..)?.strip_prefix(b"=")?;
        if key.is_empty() || !key.iter().all(u8::is_ascii_alphabetic) {
            return None;
        }
        let (value, rest) = match rest.strip_prefix(b"\"") {
            Some(quoted) => read_quoted(quoted)?,
            None => read_bare(rest)?,
        };
        let after = match rest.split_first() {
            None => After::Nothing,
            Some((b';', rest)) => After::Pair(rest),
            Some((b',', rest)) => After::Element(rest),
            Some(_) => return None,
        };
        Some(Self { key, value, after })
    }
}

/// A value without quotes, to the next `;` or `,`.
fn read_bare(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let end = text.iter().position(|byte| matches!(byte, b';' | b','));
    let (value, rest) = text.split_at(end.unwrap_or(text.len()));
    (!value.contains(&b'"')).then(|| (Cow::Borrowed(value.trim_ascii()), rest))
}

/// A value after its opening quote, to the closing one.
fn read_quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut is_escaped = false;
    let end = text.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    })?;
    let (value, rest) = text.split_at(end);
    let value = match value.contains(&b'\\') {
        true => Cow::Owned(unescaped(value)),
        false => Cow::Borrowed(value),
    };
    Some((value, rest.strip_prefix(b"\"")?.trim_ascii_start()))
}

fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut is_escaped = false;
    let literal = value.iter().copied().filter(|byte| {
        is_escaped = *byte == b'\\' && !is_escaped;
        !is_escaped
    });
    literal.collect()
}

#[cfg(test)]
mod tests;
