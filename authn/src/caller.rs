//! The typed door between the layers: a caller whose identity was proved.
//!
//! A [`Verified`] is made in one place, inside this crate, after every check. Nothing here decides what a
//! caller may do.

use std::sync::Arc;

use serde_json::{Map, Value};

use scopegate_document::UnixTime;

/// A caller whose credential passed every check: signature, algorithm, issuer, audience, times, claims.
///
/// There is no way to make one but to authenticate: it has no constructor, and its fields are private.
///
/// ```compile_fail,E0451
/// # fn steal(real: scopegate_authn::Verified) -> scopegate_authn::Verified {
/// scopegate_authn::Verified { provider: "corp".to_owned(), ..real }
/// # }
/// ```
///
/// ```compile_fail,E0599
/// scopegate_authn::Verified::new("corp");
/// ```
///
/// ```compile_fail,E0277
/// let _: scopegate_authn::Verified = serde_json::from_str("{}").unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Verified {
    pub(crate) provider: Arc<str>,
    pub(crate) subject: Option<Arc<str>>,
    pub(crate) client: Option<Arc<str>>,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) scopes: Vec<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) has_actor: bool,
    pub(crate) claims: Map<String, Value>,
    pub(crate) evidence: Evidence,
}

/// What proved the caller, for the audit record. Holds nothing that could be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The kind of credential, as in `jwt`.
    pub kind: &'static str,
    /// `sha256:` and the first 32 hex digits of the SHA-256 of the credential.
    pub fingerprint: String,
    /// The algorithm of the signature (RFC 7518 section 3.1), where there is one.
    pub algorithm: Option<&'static str>,
    /// The id of the key that verified the signature (RFC 7515 section 4.1.4).
    pub key_id: Option<String>,
    /// `iat` (RFC 7519 section 4.1.6).
    pub issued_at: Option<UnixTime>,
    /// `exp` (RFC 7519 section 4.1.4).
    pub expires_at: Option<UnixTime>,
}

impl Verified {
    /// The provider of the policy that vouches for the caller.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The same name, to be kept without a copy.
    #[must_use]
    pub const fn shared_provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// The subject: for a token, the claim the policy names, `sub` by default.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The same, to be kept without a copy.
    #[must_use]
    pub const fn shared_subject(&self) -> Option<&Arc<str>> {
        self.subject.as_ref()
    }

    /// The client: for a token, the claim the policy names, `client_id` by default.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// The same, to be kept without a copy.
    #[must_use]
    pub const fn shared_client(&self) -> Option<&Arc<str>> {
        self.client.as_ref()
    }

    /// The tenant, where the credential names exactly one.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The same, to be kept without a copy.
    #[must_use]
    pub const fn shared_tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// The scopes the credential carries, uncut: what they are worth is not decided here.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// The roles the credential carries.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Whether the caller acts for somebody else: the token has an `act` claim (RFC 8693 section 4.1).
    #[must_use]
    pub const fn has_actor(&self) -> bool {
        self.has_actor
    }

    /// All claims of the token.
    #[must_use]
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// What proved the caller.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}
