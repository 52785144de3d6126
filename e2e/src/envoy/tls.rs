//! TLS of a listener: its certificate, what it asks of its clients, and what it tells the upstream of them.

use serde_json::{Value, json};

use crate::certificates::Identity;

/// A listener's side of TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Its own certificate and key.
    pub identity: Identity,
    /// What it asks of its clients.
    pub clients: Clients,
    /// Whether clients may resume sessions, as they may where nothing is configured. Of a resumed session Envoy
    /// does not say that the certificate is valid.
    pub resumption: bool,
}

/// What a listener asks of its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clients {
    /// No certificate: a client that has one is not asked for it.
    NotAsked,
    /// A certificate that this authority (in PEM) signed, or none.
    Optional(String),
    /// A certificate that this authority (in PEM) signed.
    Required(String),
    /// Any certificate, whether this authority (in PEM) signed it or not, or none.
    Untrusted(String),
}

/// What a listener does with `X-Forwarded-Client-Cert` (`forward_client_cert_details`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificateHeader {
    /// Removes what the client sent.
    #[default]
    Sanitize,
    /// Removes what the client sent, and says what the client's own certificate says.
    SanitizeSet,
    /// Adds to what the client sent, where the connection is mutual TLS.
    AppendForward,
    /// Forwards what the client sent, where the connection is mutual TLS.
    ForwardOnly,
    /// Forwards what the client sent, whatever the connection.
    AlwaysForwardOnly,
}

impl ClientCertificateHeader {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sanitize => "SANITIZE",
            Self::SanitizeSet => "SANITIZE_SET",
            Self::AppendForward => "APPEND_FORWARD",
            Self::ForwardOnly => "FORWARD_ONLY",
            Self::AlwaysForwardOnly => "ALWAYS_FORWARD_ONLY",
        }
    }
}

impl Tls {
    pub(super) fn transport_socket(&self) -> Value {
        let Self {
            identity,
            clients,
            resumption,
        } = self;
        let mut common = json!({"tls_certificates": [{
            "certificate_chain": {"inline_string": identity.certificate_pem()},
            "private_key": {"inline_string": identity.key_pem()},
        }]});
        if let (Some(validation), Some(common)) = (clients.validation(), common.as_object_mut()) {
            common.insert("validation_context".to_owned(), validation);
        }
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": common,
                "require_client_certificate": matches!(clients, Clients::Required(_)),
                "disable_stateless_session_resumption": !resumption,
                "disable_stateful_session_resumption": !resumption,
            },
        })
    }
}

impl Clients {
    fn validation(&self) -> Option<Value> {
        match self {
            Self::NotAsked => None,
            Self::Optional(authority) | Self::Required(authority) => {
                Some(json!({"trusted_ca": {"inline_string": authority}}))
            }
            Self::Untrusted(authority) => Some(json!({
                "trusted_ca": {"inline_string": authority},
                "trust_chain_verification": "ACCEPT_UNTRUSTED",
            })),
        }
    }
}
