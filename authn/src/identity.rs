//! Identity headers: which proved facts the upstream is told, under which names.

use crate::claim_path::ClaimPath;

/// One header that tells the upstream who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeader {
    /// What it says.
    pub source: IdentitySource,
    /// Its name, in lower case.
    pub name: String,
}

/// What an identity header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// The subject.
    Subject,
    /// The client.
    Client,
    /// The effective scopes, separated by spaces.
    Scopes,
    /// The tenant.
    Tenant,
    /// The name of the provider.
    Provider,
    /// A claim: a string, a number or a boolean.
    Claim(ClaimPath),
}
