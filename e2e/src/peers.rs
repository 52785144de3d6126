//! The other ends of connections that policy tests describe, with certificates made for them.

use scopegate_harness::exchange::Peer;
use scopegate_harness::executor::ExecutorError;

use crate::certificates::{Authority, CertificateError, Identity, Names};
use crate::client::TlsClient;
use crate::envoy::bootstrap::{Clients, Listener, Tls};

/// What the listeners are called by those who connect to them.
const HOST: &str = "localhost";

/// Who signs certificates: for those whom Envoy verifies, and for strangers.
#[derive(Debug)]
pub(crate) struct Connections {
    trusted: Authority,
    strange: Authority,
    server: Identity,
}

/// Whether a policy asks for anybody's certificate.
pub(crate) fn asks_for_certificates(policy: &[u8]) -> bool {
    const WORD: &[u8] = b"\"mtls\"";
    policy.windows(WORD.len()).any(|part| part == WORD)
}

/// What the listener with TLS is called beside the plain one.
pub(crate) fn secure_name(plain: &str) -> String {
    format!("{plain}-tls")
}

impl Connections {
    pub(crate) fn new() -> Result<Self, CertificateError> {
        let trusted = Authority::new("trusted")?;
        Ok(Self {
            server: trusted.server(HOST)?,
            strange: Authority::new("strange")?,
            trusted,
        })
    }

    /// The same listener with TLS: it takes any certificate, and says which are good. Sessions are not resumed, as
    /// Envoy would not say it of them.
    pub(crate) fn secure(&self, plain: &Listener) -> Listener {
        let name = secure_name(&plain.name);
        let tls = Tls {
            identity: self.server.clone(),
            clients: Clients::Untrusted(self.trusted.pem().to_owned()),
            resumption: false,
        };
        Listener {
            name,
            ..plain.clone()
        }
        .with_tls(tls)
    }

    /// A client with the certificate that a test describes.
    pub(crate) fn client(&self, peer: &Peer) -> Result<TlsClient, ExecutorError> {
        let Peer {
            uri_sans,
            dns_sans,
            cert_sha256,
            verified,
            address,
        } = peer;
        if cert_sha256.is_some() || address.is_some() {
            let what = "a real connection has the address and the digest that it has";
            return Err(ExecutorError::Unsupported(what.to_owned()));
        }
        let authority = match verified {
            true => &self.trusted,
            false => &self.strange,
        };
        let uris: Vec<&str> = uri_sans.iter().map(String::as_str).collect();
        let hosts: Vec<&str> = dns_sans.iter().map(String::as_str).collect();
        let names = Names {
            common: "caller",
            uris: &uris,
            hosts: &hosts,
        };
        let identity = authority
            .client(names)
            .map_err(|error| ExecutorError::Unsupported(error.to_string()))?;
        TlsClient::new(&self.trusted, HOST, Some(&identity))
            .map_err(|error| ExecutorError::Failed(error.to_string()))
    }
}
