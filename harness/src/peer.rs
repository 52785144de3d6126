//! The other end of a connection, as tests describe it, and as hosts show it: a certificate with those names.

use scopegate_authn::RawPeer;
use sha2::{Digest as _, Sha256};

use crate::exchange::{Peer, decode_hex};

/// DER: a sequence, an octet string, an object identifier, the extensions of a certificate (RFC 5280 section 4.1).
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const EXTENSIONS: u8 = 0xa3;

/// A URI and a DNS name among the alternative names (RFC 5280 section 4.2.1.6), and what they are called together.
const URI: u8 = 0x86;
const DNS_NAME: u8 = 0x82;
const SUBJECT_ALTERNATIVE_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];

impl Peer {
    /// The certificate in DER, where it has one: its names and nothing else. Nobody has signed it, so only a host's
    /// word makes it good.
    #[must_use]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let Self {
            uri_sans,
            dns_sans,
            cert_sha256,
            verified,
            address: _,
        } = self;
        let has_one = *verified || cert_sha256.is_some() || !uri_sans.is_empty() || !dns_sans.is_empty();
        let names = uri_sans
            .iter()
            .map(|uri| element(URI, uri.as_bytes()))
            .chain(dns_sans.iter().map(|host| element(DNS_NAME, host.as_bytes())));
        let names: Vec<u8> = names.flatten().collect();
        let extension = [
            element(OBJECT_IDENTIFIER, &SUBJECT_ALTERNATIVE_NAMES),
            element(OCTET_STRING, &element(SEQUENCE, &names)),
        ];
        let extensions = element(SEQUENCE, &element(SEQUENCE, &extension.concat()));
        let fields = element(SEQUENCE, &element(EXTENSIONS, &extensions));
        has_one.then(|| element(SEQUENCE, &fields))
    }

    /// Whether it is this machine itself, without a certificate.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address = self.address.as_deref().map(str::as_bytes);
        let address = address.and_then(scopegate_engine::Request::source_from);
        self.certificate().is_none() && address.is_some_and(|address| address.is_loopback())
    }

    /// The SHA-256 of the certificate in lower-case hex, where it has one: what the test says, or what it is.
    #[must_use]
    pub fn sha256_hex(&self) -> Option<String> {
        let made = || {
            let digest = Sha256::digest(self.certificate()?);
            Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
        };
        self.cert_sha256
            .as_ref()
            .map(|given| given.to_ascii_lowercase())
            .or_else(made)
    }

    /// What the engine is told; nothing where there is no certificate.
    pub(crate) fn read(&self) -> Option<scopegate_authn::Peer> {
        let certificate = self.certificate()?;
        let uris: Vec<&[u8]> = self.uri_sans.iter().map(String::as_bytes).collect();
        let hosts: Vec<&[u8]> = self.dns_sans.iter().map(String::as_bytes).collect();
        let sha256 = self.sha256_hex().and_then(|hex| decode_hex(&hex));
        Some(scopegate_authn::Peer::read(RawPeer {
            is_verified: self.verified,
            uri_sans: &uris,
            dns_sans: &hosts,
            subject: None,
            sha256: sha256.as_deref(),
            certificate: Some(&certificate),
        }))
    }
}

/// An element in DER (X.690 section 8.1).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => element.push(short),
        Ok(_) | Err(_) => {
            let length = content.len().to_be_bytes();
            let digits: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            let count = u8::try_from(digits.len()).unwrap_or_default();
            element.push(0x80 | count);
            element.extend(digits);
        }
    }
    element.extend_from_slice(content);
    element
}

#[cfg(test)]
mod tests {
    use crate::exchange::Peer;

    #[test]
    fn the_engine_reads_the_names_that_a_test_gives() {
        let long = format!("spiffe://prod.example.com/{}", "a".repeat(300));
        let peer = Peer {
            uri_sans: vec![long.clone(), "spiffe://b".to_owned()],
            dns_sans: vec!["a.example.com".to_owned()],
            verified: true,
            ..Peer::default()
        };
        let read = peer.read().unwrap();
        assert_eq!(
            (read.uri_sans, read.dns_sans),
            (
                vec![long, "spiffe://b".to_owned()],
                vec!["a.example.com".to_owned()]
            )
        );
        let digest = peer.sha256_hex().unwrap();
        assert!(read.is_verified && read.sha256.is_some() && digest.len() == 64);
        let given = Peer {
            cert_sha256: Some("AB".repeat(32)),
            ..Peer::default()
        };
        assert_eq!(given.read().unwrap().sha256, Some([0xab; 32]));
    }

    #[test]
    fn who_has_no_name_no_digest_and_no_word_has_no_certificate() {
        let peer = Peer {
            address: Some("192.0.2.1:1".to_owned()),
            ..Peer::default()
        };
        assert_eq!((peer.certificate(), peer.sha256_hex()), (None, None));
        assert!(peer.read().is_none());
    }
}
