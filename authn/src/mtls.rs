//! Who is calling, by the client certificate of the connection or of a hop in front.
//!
//! A certificate identifies by its subject alternative names alone: the one SPIFFE ID (X509-SVID section 2), or the one
//! DNS name that a provider lists. That it was verified is the host's word; nothing here reads a certificate.
//!
//! A hop that terminates TLS for its clients presents its own certificate here and writes theirs into
//! `X-Forwarded-Client-Cert`. That field is believed from the hops that a provider names and from nobody else, and a
//! hop is never the caller itself: without the field there is none. With Envoy, the connection manager that this
//! plugin runs in needs `forward_client_cert_details: FORWARD_ONLY` or `APPEND_FORWARD` (the default removes the
//! field), and the one of the hop `SANITIZE_SET` with `set_current_client_cert_details: {uri: true}` or `{dns: true}`.

use crate::peer::{self, Certificate, Peer};
use crate::{Reject, spiffe};

/// What a provider of type `mtls` takes, compiled.
#[derive(Debug)]
pub(crate) struct MtlsRules {
    /// The names it knows callers by.
    pub(crate) names: Names,
    /// Whether the proxy refuses certificates that it did not verify.
    pub(crate) proxy_verifies: bool,
    /// The SPIFFE IDs of the hops whose word counts.
    pub(crate) forwarded_by: Vec<String>,
}

/// The names that a provider knows callers by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Names {
    /// SPIFFE IDs of these trust domains.
    TrustDomains(Vec<String>),
    /// These DNS names, in lower case.
    Dns(Vec<String>),
}

/// A caller known by a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerIdentity {
    /// The place of the provider among those that were asked.
    pub(crate) provider: usize,
    /// The SPIFFE ID, or the DNS name.
    pub(crate) subject: String,
    /// The SHA-256 of the certificate (RFC 8705 section 3.1).
    pub(crate) sha256: Option<[u8; 32]>,
    /// Whether a hop passed the certificate on.
    pub(crate) is_forwarded: bool,
}

/// The certificate that stands for the caller.
struct Presented<'p> {
    certificate: Certificate,
    /// The SPIFFE ID of the hop that passed it on.
    hop: Option<&'p str>,
}

impl MtlsRules {
    fn names_hop(&self, id: &str) -> bool {
        self.forwarded_by.iter().any(|hop| hop == id)
    }

    /// Whether the certificate of the connection counts as verified.
    const fn is_verified(&self, peer: &Peer) -> bool {
        peer.is_verified || self.proxy_verifies
    }

    /// Whether a certificate that came in this way may be one of this provider's.
    fn believes(&self, peer: &Peer, hop: Option<&str>) -> bool {
        self.is_verified(peer) && hop.is_none_or(|hop| self.names_hop(hop))
    }
}

impl Names {
    /// The name of the caller, where the certificate has exactly one that counts.
    fn subject_of(&self, certificate: &Certificate) -> Option<String> {
        match self {
            Self::TrustDomains(domains) => {
                let [id] = certificate.uri_sans.as_slice() else {
                    return None;
                };
                let domain = spiffe::claimed_trust_domain(id).filter(|_| spiffe::is_workload_id(id))?;
                domains.iter().any(|ours| ours == domain).then(|| id.clone())
            }
            Self::Dns(names) => {
                let is_in = |name: &&String| {
                    let mut sans = certificate.dns_sans.iter();
                    sans.any(|san| san.eq_ignore_ascii_case(name))
                };
                let mut found = names.iter().filter(is_in);
                match (found.next(), found.next()) {
                    (Some(name), None) => Some(name.clone()),
                    (None, _) | (Some(_), Some(_)) => None,
                }
            }
        }
    }
}

/// Who is calling. `rules` are those of all `mtls` providers of the policy: which certificate stands for the caller
/// does not depend on the provider.
///
/// # Errors
/// [`Reject::CredentialMissing`] without a certificate. [`Reject::PeerUnidentified`] where it was not verified; where
/// it has no name, several or an ill-formed one; where no provider or more than one knows it; where a hop does not
/// say whom it speaks for.
pub(crate) fn identify<'r>(
    rules: impl Iterator<Item = &'r MtlsRules> + Clone,
    peer: Option<&Peer>,
    headers: &[(&[u8], &[u8])],
) -> Result<PeerIdentity, Reject> {
    let peer = peer.ok_or(Reject::CredentialMissing)?;
    let Presented { certificate, hop } = presented(rules.clone(), peer, headers)?;
    if !certificate.is_readable() {
        return Err(Reject::PeerUnidentified);
    }
    let mut known = rules
        .enumerate()
        .filter(|(_, rules)| rules.believes(peer, hop))
        .filter_map(|(provider, rules)| Some((provider, rules.names.subject_of(&certificate)?)));
    match (known.next(), known.next()) {
        (Some((provider, subject)), None) => Ok(PeerIdentity {
            provider,
            subject,
            sha256: certificate.sha256,
            is_forwarded: hop.is_some(),
        }),
        (None, _) | (Some(_), Some(_)) => Err(Reject::PeerUnidentified),
    }
}

/// The digest of the caller's certificate, which a token may be bound to (RFC 8705 section 3), whoever it names. That
/// the caller holds its key the handshake has shown, verified or not. Behind a hop it is the certificate that the
/// hop saw.
///
/// # Errors
/// [`Reject::PeerUnidentified`] where a hop does not say whom it speaks for.
pub(crate) fn certificate_digest<'r>(
    rules: impl Iterator<Item = &'r MtlsRules> + Clone,
    peer: Option<&Peer>,
    headers: &[(&[u8], &[u8])],
) -> Result<Option<[u8; 32]>, Reject> {
    match peer {
        None => Ok(None),
        Some(peer) => Ok(presented(rules, peer, headers)?.certificate.sha256),
    }
}

/// The certificate that stands for the caller: the connection's, or the one that a hop passes on.
fn presented<'p, 'r>(
    rules: impl Iterator<Item = &'r MtlsRules> + Clone,
    peer: &'p Peer,
    headers: &[(&[u8], &[u8])],
) -> Result<Presented<'p>, Reject> {
    let is_hop = |id: &String| rules.clone().any(|rules| rules.names_hop(id));
    if !peer.uri_sans.iter().any(is_hop) {
        return Ok(Presented {
            certificate: peer.certificate(),
            hop: None,
        });
    }
    // A hop with several SPIFFE IDs has none (X509-SVID section 2), and one that was not verified may be anybody.
    let [hop] = peer.uri_sans.as_slice() else {
        return Err(Reject::PeerUnidentified);
    };
    if !rules.clone().any(|rules| rules.believes(peer, Some(hop))) {
        return Err(Reject::PeerUnidentified);
    }
    let certificate = peer::forwarded(headers, peer.sha256)?;
    match certificate.uri_sans.iter().any(is_hop) {
        true => Err(Reject::PeerUnidentified),
        false => Ok(Presented {
            certificate,
            hop: Some(hop),
        }),
    }
}

#[cfg(test)]
mod tests;
