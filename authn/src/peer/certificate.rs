//! The names in a certificate (RFC 5280 section 4.2.1.6), for hosts that show the whole certificate and of its names
//! only the first.
//!
//! Nothing is verified here: that the certificate is good is the host's word.

use base64_simd::forgiving_decode_to_vec;
use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber};

use crate::limits;

/// The names of a certificate, as bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names<'c> {
    pub(super) uris: Vec<&'c [u8]>,
    pub(super) dns: Vec<&'c [u8]>,
}

/// `id-ce-subjectAltName`, 2.5.29.17 (RFC 5280 section 4.2.1.6).
const SUBJECT_ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The extensions of a certificate (RFC 5280 section 4.1).
const EXTENSIONS: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(3),
};

/// A DNS name among the names, and a URI (RFC 5280 section 4.2.1.6).
const DNS_NAME: Tag = name_tag(2);
const URI: Tag = name_tag(6);

const fn name_tag(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: false,
        number: TagNumber(number),
    }
}

/// The DER of a certificate that is given in PEM (RFC 7468 section 5), with one certificate and nothing around it.
pub(super) fn from_pem(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > limits::CERTIFICATE_BYTES {
        return None;
    }
    let text = text.trim_ascii().strip_prefix(b"-----BEGIN CERTIFICATE-----")?;
    forgiving_decode_to_vec(text.strip_suffix(b"-----END CERTIFICATE-----")?).ok()
}

/// The names in a certificate; nothing where it cannot be read.
pub(super) fn names(certificate: &[u8]) -> Option<Names<'_>> {
    if certificate.len() > limits::CERTIFICATE_BYTES {
        return None;
    }
    let parts = sequence(AnyRef::from_der(certificate).ok()?)?;
    let fields = sequence(*parts.first()?)?;
    let Some(extensions) = fields.iter().find(|field| field.header().tag() == EXTENSIONS) else {
        return Some(Names::default());
    };
    let extensions = sequence(AnyRef::from_der(extensions.value()).ok()?)?;
    let mut found = None;
    for extension in extensions {
        let parts = sequence(extension)?;
        let (id, value) = (parts.first()?, parts.last()?);
        let is_names = id.header().tag() == Tag::ObjectIdentifier && id.value() == SUBJECT_ALTERNATIVE_NAMES;
        if !is_names {
            continue;
        }
        // No extension is there twice (RFC 5280 section 4.2).
        if found.is_some() || value.header().tag() != Tag::OctetString {
            return None;
        }
        found = Some(general_names(value.value())?);
    }
    Some(found.unwrap_or_default())
}

fn general_names(value: &[u8]) -> Option<Names<'_>> {
    let mut names = Names::default();
    for name in sequence(AnyRef::from_der(value).ok()?)? {
        let tag = name.header().tag();
        // Addresses, mailboxes and the like name no caller.
        if tag == URI {
            names.uris.push(name.value());
        } else if tag == DNS_NAME {
            names.dns.push(name.value());
        }
    }
    Some(names)
}

/// The parts of a sequence.
fn sequence(value: AnyRef<'_>) -> Option<Vec<AnyRef<'_>>> {
    if value.header().tag() != Tag::Sequence {
        return None;
    }
    let mut reader = SliceReader::new(value.value()).ok()?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::super::{Peer, RawPeer};
    use super::{from_pem, names};

    const SVID: &str = include_str!("certificate/svid.pem");
    const TWO: &str = include_str!("certificate/two.pem");
    const BARE: &str = include_str!("certificate/bare.pem");

    const API: &str = "spiffe://prod.example.com/api";

    fn peer(certificate: &[u8]) -> Peer {
        Peer::read(RawPeer {
            is_verified: true,
            uri_sans: &[API.as_bytes()],
            certificate: Some(certificate),
            ..RawPeer::default()
        })
    }

    #[test]
    fn every_name_of_a_certificate_is_found() {
        let svid = peer(SVID.as_bytes());
        assert_eq!(svid.uri_sans, [API]);
        assert_eq!(svid.dns_sans, ["api.example.com", "batch.example.com"]);
        assert_eq!(
            peer(TWO.as_bytes()).uri_sans,
            [API, "spiffe://prod.example.com/admin"]
        );
        let bare = peer(BARE.as_bytes());
        assert!(bare.uri_sans.is_empty() && bare.dns_sans.is_empty());
        assert!(bare.certificate().is_readable());
        let der = from_pem(SVID.as_bytes()).expect("a certificate");
        assert_eq!(peer(&der), svid);
        assert_eq!(svid.sha256, Some(Sha256::digest(&der).into()));
    }

    #[test]
    fn a_certificate_that_cannot_be_read_names_nobody() {
        let der = from_pem(SVID.as_bytes()).expect("a certificate");
        let end = b"-----END CERTIFICATE-----\n";
        let bad: [&[u8]; 8] = [
            b"",
            b"-----BEGIN CERTIFICATE-----",
            b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
            &[SVID.as_bytes(), TWO.as_bytes()].concat(),
            &SVID.as_bytes()[1..],
            &[SVID.as_bytes().strip_suffix(end).expect("an end"), b"*", end].concat(),
            &der[..der.len() - 1],
            &[&der[..], b"\0"].concat(),
        ];
        for certificate in bad {
            let peer = peer(certificate);
            assert!(
                !peer.certificate().is_readable(),
                "{}",
                certificate.escape_ascii()
            );
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn no_bytes_panic(bytes in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
                names(&bytes);
                from_pem(&bytes);
                let mut der = from_pem(TWO.as_bytes()).unwrap_or_default();
                let place = at.index(der.len());
                der[place] = byte;
                names(&der);
            }
        }
    }
}
