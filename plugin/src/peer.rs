//! What the host says of the client certificate of the connection. Asked only where a policy depends on it.

use scopegate_authn::{Peer, RawPeer};

use crate::host::{self, HostError};

/// The peer; nothing where the connection has no client certificate, or the host tells of none.
pub(crate) fn of_connection() -> Result<Option<Peer>, HostError> {
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
