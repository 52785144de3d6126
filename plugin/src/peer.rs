//! What the host says of the other end of the connection: its certificate, its address. Asked only where a policy depends
//! on it.

use std::net::IpAddr;

use scopegate_authn::{Peer, RawPeer};
use scopegate_engine::Request;

use crate::host::{self, HostError};
use crate::policy::Policy;
use crate::proxy::Proxy;

/// What is known of the other end.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) peer: Option<Peer>,
    pub(crate) source: Option<IpAddr>,
}

impl Connection {
    /// Asks for what the policy depends on. ngx_wasm_module shows nothing of certificates.
    pub(crate) fn read(proxy: Proxy, policy: &Policy) -> Result<Self, HostError> {
        let peer = match policy.reads_peer && proxy == Proxy::Envoy {
            true => of_connection()?,
            false => None,
        };
        let address = match policy.reads_source {
            true => host::property("source\0address")?,
            false => None,
        };
        let source = address.and_then(|address| Request::source_from(&address));
        Ok(Self { peer, source })
    }
}

/// The peer; nothing where the connection has no client certificate, or the host tells of none.
fn of_connection() -> Result<Option<Peer>, HostError> {
    let certificate = host::property("connection\0peer_certificate")?;
    let sha256 = host::property("connection\0sha256_peer_certificate_digest")?;
    if certificate.is_none() && sha256.is_none() {
        return Ok(None);
    }
    let is_verified = host::property("connection\0peer_certificate_valid")?;
    let uri = host::property("connection\0uri_san_peer_certificate")?;
    let dns = host::property("connection\0dns_san_peer_certificate")?;
    let subject = host::property("connection\0subject_peer_certificate")?;
    Ok(Some(Peer::read(RawPeer {
        is_verified: is_verified.as_deref() == Some(&[1]),
        uri_sans: uri.as_deref().as_slice(),
        dns_sans: dns.as_deref().as_slice(),
        subject: subject.as_deref(),
        sha256: sha256.as_deref(),
        certificate: certificate.as_deref(),
    })))
}
