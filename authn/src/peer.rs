//! The client certificate of a connection: what the host says of it, and what a hop in front passes on.
//!
//! Nothing here decides who is calling; that is `mtls`.

mod certificate;
mod forwarded;

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::{Reject, hex};

pub(crate) use forwarded::certificate as forwarded;

/// What the host says of the client certificate of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Whether the host verified the certificate against a trust anchor (Envoy: `connection.peer_certificate_valid`).
    pub is_verified: bool,
    /// The URIs among the subject alternative names (RFC 5280 section 4.2.1.6).
    pub uri_sans: Vec<String>,
    /// The DNS names among them.
    pub dns_sans: Vec<String>,
    /// The subject, as the host writes it. It identifies nobody.
    pub subject: Option<String>,
    /// The SHA-256 of the certificate in DER, which tokens are bound to (RFC 8705 section 3.1).
    pub sha256: Option<[u8; 32]>,
}

/// The same as bytes, as hosts hand it out.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawPeer<'h> {
    /// Whether the host verified the certificate.
    pub is_verified: bool,
    /// The URIs among the subject alternative names.
    pub uri_sans: &'h [&'h [u8]],
    /// The DNS names among them.
    pub dns_sans: &'h [&'h [u8]],
    /// The subject.
    pub subject: Option<&'h [u8]>,
    /// The SHA-256 of the certificate: 64 hex digits, or the 32 bytes themselves.
    pub sha256: Option<&'h [u8]>,
    /// The certificate itself, in PEM or DER. Where a host gives it, all names are read from it: of several names of
    /// one kind, Envoy tells the first alone.
    pub certificate: Option<&'h [u8]>,
}

impl Peer {
    /// Reads what a host says.
    ///
    /// Every name stays. One that is not UTF-8 becomes a text that names nobody and keeps the whole certificate from
    /// naming anybody; so does a certificate that cannot be read. A digest that is none is absent: no token is bound
    /// to it.
    #[must_use]
    pub fn read(raw: RawPeer<'_>) -> Self {
        let RawPeer {
            is_verified,
            uri_sans,
            dns_sans,
            subject,
            sha256,
            certificate,
        } = raw;
        let told = sha256.and_then(|digest| digest.try_into().ok().or_else(|| hex::digest(digest)));
        let Some(certificate) = certificate.map(der) else {
            return Self {
                is_verified,
                uri_sans: texts(uri_sans),
                dns_sans: texts(dns_sans),
                subject: subject.map(text),
                sha256: told,
            };
        };
        let names = certificate::names(&certificate);
        let unreadable = || vec![char::REPLACEMENT_CHARACTER.to_string()];
        Self {
            is_verified,
            uri_sans: names.as_ref().map_or_else(unreadable, |names| texts(&names.uris)),
            dns_sans: names.as_ref().map_or_else(Vec::new, |names| texts(&names.dns)),
            subject: subject.map(text),
            sha256: told.or_else(|| names.map(|_| Sha256::digest(&certificate).into())),
        }
    }

    /// The certificate of the connection.
    pub(crate) fn certificate(&self) -> Certificate {
        Certificate {
            uri_sans: self.uri_sans.clone(),
            dns_sans: self.dns_sans.clone(),
            sha256: self.sha256,
        }
    }
}

/// A certificate that may stand for a caller: its names and its digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) uri_sans: Vec<String>,
    pub(crate) dns_sans: Vec<String>,
    pub(crate) sha256: Option<[u8; 32]>,
}

impl Certificate {
    /// Whether every name is ASCII, as names in certificates are (RFC 5280 section 4.2.1.6, `IA5String`). One that
    /// could not be decoded is not.
    pub(crate) fn is_readable(&self) -> bool {
        self.uri_sans
            .iter()
            .chain(&self.dns_sans)
            .all(|name| name.is_ascii())
    }
}

/// The certificate in DER. What begins like neither form is left, and cannot be read.
fn der(certificate: &[u8]) -> Cow<'_, [u8]> {
    certificate::from_pem(certificate).map_or(Cow::Borrowed(certificate), Cow::Owned)
}

fn texts(names: &[&[u8]]) -> Vec<String> {
    names.iter().copied().map(text).collect()
}

/// The text, with U+FFFD for what is not UTF-8.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Peer, RawPeer};

    #[test]
    fn what_a_host_says_is_kept_whole() {
        let hex = "0A".repeat(32);
        let read = |sha256: &[u8]| {
            Peer::read(RawPeer {
                is_verified: true,
                uri_sans: &[b"spiffe://a/b", b"\xff", b""],
                dns_sans: &[b"a.example"],
                subject: Some(b"CN=a"),
                sha256: Some(sha256),
                certificate: None,
            })
        };
        let peer = read(hex.as_bytes());
        assert_eq!(peer.uri_sans, ["spiffe://a/b", "\u{fffd}", ""]);
        assert_eq!(peer.dns_sans, ["a.example"]);
        assert_eq!(peer.subject.as_deref(), Some("CN=a"));
        assert!(peer.is_verified && !peer.certificate().is_readable());
        assert_eq!([peer.sha256, read(&[10; 32]).sha256], [Some([10; 32]); 2]);
        for digest in [&b""[..], b"0a", &[10; 31], &[b'g'; 64]] {
            assert_eq!(read(digest).sha256, None, "{}", digest.escape_ascii());
        }
        assert_eq!(Peer::read(RawPeer::default()), Peer::default());
    }
}
