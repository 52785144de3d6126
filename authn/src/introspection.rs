//! Introspection (RFC 7662): an opaque token is looked up at its issuer. Here the question is put and the answer
//! read; asking, and holding answers for as long as they may be held, is the host's.

pub(crate) mod answer;
mod form;
pub(crate) mod request;

use std::fmt;

use zeroize::Zeroizing;

use crate::claim_path::ClaimPath;
use crate::endpoint::Endpoint;
use crate::provider::Mapping;
use crate::section::Scalar;

pub(crate) use form::authorization_of_client;

/// What a provider of type `introspection` asks and what it takes for an answer, compiled.
pub(crate) struct IntrospectionRules {
    pub(crate) endpoint: Endpoint,
    /// The proxy's name for where the question is sent.
    pub(crate) upstream: String,
    /// The value of the `Authorization` header.
    pub(crate) authorization: Zeroizing<String>,
    /// The exact `iss` of answers, where one is asked for.
    pub(crate) issuer: Option<String>,
    /// What answers name in `aud` for this API; one of them must be there.
    pub(crate) audiences: Vec<String>,
    /// How long an answer may be used again, in seconds; zero where every request asks.
    pub(crate) cache: i64,
    /// How far clocks may differ, in seconds.
    pub(crate) clock_skew: i64,
    pub(crate) required: Vec<(ClaimPath, Vec<Scalar>)>,
    pub(crate) mapping: Mapping,
}

impl fmt::Debug for IntrospectionRules {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            upstream,
            authorization: _,
            issuer,
            audiences,
            cache,
            clock_skew,
            required,
            mapping,
        } = self;
        f.debug_struct("IntrospectionRules")
            .field("endpoint", endpoint)
            .field("upstream", upstream)
            .field("authorization", &format_args!("[redacted]"))
            .field("issuer", issuer)
            .field("audiences", audiences)
            .field("cache", cache)
            .field("clock_skew", clock_skew)
            .field("required", required)
            .field("mapping", mapping)
            .finish()
    }
}

#[cfg(test)]
mod tests;
