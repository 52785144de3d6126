//! Compiled providers, and the one place where a credential becomes a [`Verified`] caller.

mod introspected;
mod token;

use std::rc::Rc;
use std::sync::Arc;

use scopegate_document::UnixTime;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::api_key::{ApiKey, ApiKeys};
use crate::confirmation::BindingRules;
use crate::credential::CredentialLocation;
use crate::introspection::IntrospectionRules;
use crate::mtls::{MtlsRules, PeerIdentity};
use crate::proof::{Lasts, Proof};
use crate::section::Binding;
use crate::{Challenge, Evidence, Verified, dpop};

pub(crate) use token::{Authority, Mapping, ProviderKeys, Surroundings, TokenProvider, Unproved};

/// A provider, compiled.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: Arc<str>,
    /// Where it reads credentials; nowhere where the connection itself is the credential.
    pub(crate) locations: Vec<CredentialLocation>,
    pub(crate) forward_credential: bool,
    /// What its tokens are bound to, where they are tokens.
    pub(crate) binding: Option<BindingRules>,
    pub(crate) kind: Kind,
}

/// What a provider vouches by.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Signed tokens.
    Token(Box<TokenProvider>),
    /// Keys that it gave out.
    ApiKey(ApiKeys),
    /// The certificate of the connection.
    Peer(MtlsRules),
    /// Tokens that only their issuer can read.
    Introspection(Box<IntrospectionRules>),
}

/// Who a credential says is calling.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub(crate) subject: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) roles: Vec<String>,
}

impl Provider {
    /// Whether it reads credentials in `location`.
    pub(crate) fn reads(&self, location: &CredentialLocation) -> bool {
        self.locations.iter().any(|own| own.is_same(location))
    }

    /// Its rules for signed tokens, where those are what it vouches by.
    pub(crate) fn tokens(&self) -> Option<&TokenProvider> {
        match &self.kind {
            Kind::Token(tokens) => Some(tokens),
            Kind::ApiKey(_) | Kind::Peer(_) | Kind::Introspection(_) => None,
        }
    }

    /// The issuer of its tokens, where it names one.
    pub(crate) fn issuer(&self) -> Option<&str> {
        match &self.kind {
            Kind::Token(tokens) => match &tokens.authority {
                Authority::Issuer(issuer) => Some(issuer),
                Authority::TrustDomains(_) => None,
            },
            Kind::Introspection(rules) => rules.issuer.as_deref(),
            Kind::ApiKey(_) | Kind::Peer(_) => None,
        }
    }

    /// Whether its credentials carry scopes of their own: tokens do, keys and certificates do not.
    pub(crate) const fn carries_scopes(&self) -> bool {
        matches!(self.kind, Kind::Token(_) | Kind::Introspection(_))
    }

    /// Whether its proofs need nonces of ours.
    pub(crate) fn asks_for_nonces(&self) -> bool {
        let rules = self.binding.as_ref().and_then(|binding| binding.dpop.as_ref());
        rules.is_some_and(|rules| rules.requires_nonce)
    }

    /// Whether what it checks depends on the client certificate of the connection.
    pub(crate) fn reads_peer(&self) -> bool {
        let binding = self.binding.as_ref().map(|binding| binding.binding);
        matches!(self.kind, Kind::Peer(_)) || matches!(binding, Some(Binding::Mtls | Binding::Any))
    }

    /// Its challenges (RFC 9110 section 11.6.1): one for each scheme that it reads, else for what it is.
    pub(crate) fn challenges(&self) -> Vec<Challenge> {
        let schemes = self.locations.iter().filter_map(|location| match location {
            CredentialLocation::Header { scheme, .. } => scheme.as_deref(),
            CredentialLocation::Cookie { .. } | CredentialLocation::Query { .. } => None,
        });
        let mut challenges: Vec<Challenge> = schemes.map(|scheme| self.challenge(scheme)).collect();
        if challenges.is_empty() {
            challenges.push(self.challenge(match self.kind {
                Kind::Token(_) | Kind::Introspection(_) => "Bearer",
                Kind::ApiKey(_) => "ApiKey",
                Kind::Peer(_) => "mTLS",
            }));
        }
        challenges
    }

    /// `DPoP` says which algorithms proofs may have (RFC 9449 section 7.1).
    fn challenge(&self, scheme: &str) -> Challenge {
        let rules = self.binding.as_ref().and_then(|binding| binding.dpop.as_ref());
        let rules = rules.filter(|_| scheme.eq_ignore_ascii_case("DPoP"));
        let names = |rules: &dpop::Rules| {
            rules
                .algorithms
                .iter()
                .map(|it| it.name())
                .collect::<Vec<_>>()
                .join(" ")
        };
        Challenge {
            scheme: scheme.to_owned(),
            algorithms: rules.map(names),
        }
    }

    /// The proof that an API key is.
    pub(crate) fn by_api_key(&self, index: usize, key: &ApiKey, credential: &[u8], now: UnixTime) -> Proof {
        let identity = Identity {
            subject: Some(key.subject.clone()),
            client: key.client.clone(),
            tenant: key.tenant.clone(),
            ..Identity::default()
        };
        let evidence = Evidence {
            kind: "api_key",
            fingerprint: fingerprint(credential),
            algorithm: None,
            key_id: Some(key.id.clone()),
            issued_at: None,
            expires_at: key.expires,
        };
        self.once(index, identity, evidence, now)
    }

    /// The proof that a certificate is.
    pub(crate) fn by_certificate(&self, index: usize, peer: PeerIdentity, now: UnixTime) -> Proof {
        let PeerIdentity {
            provider: _,
            subject,
            sha256,
            is_forwarded,
        } = peer;
        let digest = sha256.unwrap_or_else(|| Sha256::digest(subject.as_bytes()).into());
        let evidence = Evidence {
            kind: if is_forwarded { "mtls_forwarded" } else { "mtls" },
            fingerprint: hex_prefix(&digest),
            algorithm: None,
            key_id: None,
            issued_at: None,
            expires_at: None,
        };
        let identity = Identity {
            subject: Some(subject),
            ..Identity::default()
        };
        self.once(index, identity, evidence, now)
    }

    fn once(&self, index: usize, identity: Identity, evidence: Evidence, now: UnixTime) -> Proof {
        Proof {
            provider: index,
            generation: 0,
            caller: Rc::new(self.verified(identity, Map::new(), evidence)),
            proved_at: now,
            lasts: Lasts::Once,
        }
    }

    /// The only constructor of a [`Verified`]: private to this module and its parts, called after the last check.
    fn verified(&self, identity: Identity, claims: Map<String, Value>, evidence: Evidence) -> Verified {
        let Identity {
            subject,
            client,
            tenant,
            scopes,
            roles,
        } = identity;
        Verified {
            provider: Arc::clone(&self.name),
            subject: subject.map(Arc::from),
            client: client.map(Arc::from),
            tenant: tenant.map(Arc::from),
            scopes,
            roles,
            has_actor: claims.contains_key("act"),
            claims,
            evidence,
        }
    }
}

/// `sha256:` and the first 32 hex digits of the SHA-256: enough to correlate, nothing to replay.
pub(crate) fn fingerprint(credential: &[u8]) -> String {
    hex_prefix(&Sha256::digest(credential))
}

fn hex_prefix(digest: &[u8]) -> String {
    let hex = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    std::iter::once("sha256:".to_owned()).chain(hex).collect()
}
