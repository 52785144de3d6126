//! Certificates made at run time: an authority, and the certificates it signs for servers and clients.
//!
//! For tests alone: keys live as long as the test, and nothing is ever written to a file.

use std::fmt;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use sha2::{Digest, Sha256};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("no certificate could be made: {0}")]
pub struct CertificateError(#[from] rcgen::Error);

/// An authority that signs certificates.
pub struct Authority {
    pem: String,
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// The names in a client's certificate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// The common name of its subject.
    pub common: &'a str,
    /// Its URI names, in order, as in `spiffe://prod.example.com/orders`.
    pub uris: &'a [&'a str],
    /// Its DNS names, in order.
    pub hosts: &'a [&'a str],
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    certificate_pem: String,
    certificate: Vec<u8>,
    key_pem: String,
    key: Vec<u8>,
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identity")
            .field("sha256", &self.sha256_hex())
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes an authority with a certificate of its own.
    ///
    /// # Errors
    /// No key could be made.
    pub fn new(name: &str) -> Result<Self, CertificateError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let (pem, der) = (certificate.pem(), certificate.der().to_vec());
        Ok(Self {
            pem,
            der,
            issuer: Issuer::new(params, key),
        })
    }

    /// Its certificate in PEM (RFC 7468).
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Signs a server's certificate for this host.
    ///
    /// # Errors
    /// The host is no DNS name, or no key could be made.
    pub fn server(&self, host: &str) -> Result<Identity, CertificateError> {
        let names = Names {
            common: host,
            hosts: &[host],
            ..Names::default()
        };
        self.sign(names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Signs a client's certificate with these names.
    ///
    /// # Errors
    /// A name is no ASCII, or no key could be made.
    pub fn client(&self, names: Names<'_>) -> Result<Identity, CertificateError> {
        self.sign(names, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, names: Names<'_>, usage: ExtendedKeyUsagePurpose) -> Result<Identity, CertificateError> {
        let mut params = CertificateParams::new(Vec::new())?;
        if !names.common.is_empty() {
            params.distinguished_name.push(DnType::CommonName, names.common);
        }
        for uri in names.uris {
            let uri = Ia5String::try_from((*uri).to_owned())?;
            params.subject_alt_names.push(SanType::URI(uri));
        }
        for host in names.hosts {
            let host = Ia5String::try_from((*host).to_owned())?;
            params.subject_alt_names.push(SanType::DnsName(host));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            certificate: certificate.der().to_vec(),
            key_pem: key.serialize_pem(),
            key: key.serialize_der(),
        })
    }
}

impl Identity {
    /// The certificate in PEM (RFC 7468).
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The key in PEM.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The key in DER (PKCS #8).
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The SHA-256 of the certificate: what `x5t#S256` holds in base64url (RFC 8705 section 3.1).
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// The same in lower-case hex.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        self.sha256().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
