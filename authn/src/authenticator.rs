//! The compiled `authentication` section: providers, ready to verify.

use scopegate_document::{PolicyError, UnixTime};

use crate::section::AuthenticationSection;
use crate::{Reject, Verified};

/// The providers of a policy, compiled.
#[derive(Debug)]
pub struct Authenticator;

/// Where secrets named in a policy (`{env: NAME}`) come from.
pub trait Secrets {
    /// The value of the secret called `name`.
    fn get(&self, name: &str) -> Option<String>;
}

/// The fields of a request that may hold a credential, as bytes.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'r> {
    /// Header names and values as the proxy gave them; pseudo-headers may be among them.
    pub headers: &'r [(&'r [u8], &'r [u8])],
    /// The query of the request target, without `?`.
    pub query: Option<&'r [u8]>,
}

/// A rejection and what may be recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: Reject,
    /// The provider that rejected, where the credential led to one.
    pub provider: Option<String>,
}

/// One challenge of a 401 (RFC 9110 section 11.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, as in `Bearer`.
    pub scheme: String,
}

/// What other layers may know of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSummary {
    /// Its name.
    pub name: String,
    /// Whether its credentials carry scopes of their own (tokens do, keys and certificates do not).
    pub carries_scopes: bool,
}

/// Something the author should know, that stops nothing: a key that was skipped, a weak exponent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// A stable identifier of the kind.
    pub code: &'static str,
    /// The path of the field, relative to the section.
    pub path: String,
    /// What was noticed.
    pub message: String,
    /// What would be better.
    pub help: String,
}

impl Authenticator {
    /// Compiles the section.
    ///
    /// # Errors
    /// Every fault of the section, each with the path of its field relative to the section.
    pub fn compile(
        _section: &AuthenticationSection,
        _secrets: &dyn Secrets,
    ) -> Result<(Self, Vec<Notice>), Vec<PolicyError>> {
        todo!()
    }

    /// The providers, in the order of the policy.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderSummary> {
        todo!()
    }

    /// Finds exactly one credential in `fields` and proves it at the time `now`.
    ///
    /// # Errors
    /// The first check that fails, in the order of the language.
    pub fn authenticate(&self, _fields: Fields<'_>, _now: UnixTime) -> Result<Verified, Rejection> {
        todo!()
    }

    /// One challenge per provider named in `providers` (all of them where it is empty), without repeats.
    #[must_use]
    pub fn challenges(&self, _providers: &[String]) -> Vec<Challenge> {
        todo!()
    }
}
