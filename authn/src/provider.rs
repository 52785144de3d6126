//! Compiled providers, and the one place where a credential becomes a [`Verified`] caller.

mod token;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::credential::CredentialLocation;
use crate::{Evidence, Verified};

pub(crate) use token::{Authority, Mapping, ProviderKeys, Surroundings, TokenProvider, Unproved};

/// A provider, compiled.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    /// Where it reads credentials; nowhere where the connection itself is the credential.
    pub(crate) locations: Vec<CredentialLocation>,
    pub(crate) forward_credential: bool,
    pub(crate) kind: Kind,
}

/// What a provider vouches by.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Signed tokens.
    Token(Box<TokenProvider>),
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
        let Kind::Token(tokens) = &self.kind;
        Some(tokens)
    }

    /// The scheme of its challenge: the one it reads, else `Bearer` (RFC 6750 section 3).
    pub(crate) fn challenge_scheme(&self) -> &str {
        let scheme = self.locations.iter().find_map(|location| match location {
            CredentialLocation::Header { scheme, .. } => scheme.as_deref(),
            CredentialLocation::Cookie { .. } | CredentialLocation::Query { .. } => None,
        });
        scheme.unwrap_or("Bearer")
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
            provider: self.name.clone(),
            subject,
            client,
            tenant,
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
