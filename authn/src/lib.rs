//! Authentication: who or what is calling?
//!
//! Credentials go in, a [`Verified`] caller or a [`Reject`] comes out. This crate knows keys, tokens and
//! certificates; it has never heard of a route. Inputs are values: no clock, no I/O, no host calls.

#![forbid(unsafe_code)]

// What the tests share speaks of this crate as its users do.
#[cfg(test)]
extern crate self as scopegate_authn;

pub mod caller;
pub use caller::{Evidence, Verified};

#[cfg(feature = "verify")]
mod admit;
#[cfg(feature = "verify")]
mod algorithm;
#[cfg(feature = "verify")]
mod api_key;
#[cfg(feature = "verify")]
mod audience;
#[cfg(feature = "verify")]
mod authenticate;
#[cfg(feature = "verify")]
mod authenticator;
#[cfg(feature = "verify")]
mod base64url;
#[cfg(feature = "verify")]
mod claim_path;
#[cfg(feature = "verify")]
mod compile;
#[cfg(feature = "verify")]
mod confirmation;
#[cfg(feature = "verify")]
mod credential;
#[cfg(feature = "verify")]
mod dpop;
#[cfg(feature = "verify")]
mod endpoint;
#[cfg(feature = "verify")]
mod fetched;
#[cfg(feature = "verify")]
mod fetching;
#[cfg(feature = "verify")]
mod hex;
#[cfg(feature = "verify")]
mod host_signatures;
#[cfg(feature = "verify")]
mod identity;
#[cfg(feature = "verify")]
mod introspection;
#[cfg(feature = "verify")]
mod jwk;
#[cfg(feature = "verify")]
#[doc(hidden)]
pub mod jws;
#[cfg(feature = "verify")]
mod key_set;
#[cfg(feature = "verify")]
pub mod limits;
#[cfg(feature = "verify")]
mod live;
#[cfg(feature = "verify")]
mod mtls;
#[cfg(feature = "verify")]
mod peer;
#[cfg(feature = "verify")]
mod profile;
#[cfg(feature = "verify")]
mod proof;
#[cfg(feature = "verify")]
mod provider;
#[cfg(feature = "verify")]
mod reject;
#[cfg(feature = "verify")]
pub mod remote;
#[cfg(feature = "verify")]
mod revocation;
#[cfg(feature = "verify")]
pub mod section;
#[cfg(feature = "verify")]
mod signature;
#[cfg(feature = "verify")]
mod spiffe;
#[cfg(feature = "verify")]
mod status_list;
#[cfg(feature = "verify")]
mod step;
#[cfg(feature = "verify")]
#[cfg(test)]
mod test_support;
#[cfg(feature = "verify")]
mod thumbprint;
#[cfg(feature = "verify")]
mod times;
#[cfg(feature = "verify")]
mod token_cache;
#[cfg(feature = "verify")]
mod untrusted;

#[cfg(feature = "verify")]
pub use algorithm::Algorithm;
#[cfg(feature = "verify")]
pub use authenticator::{
    Authenticator, BoundTokens, Challenge, Fields, Notice, ProviderSummary, Rejection, Secrets,
};
#[cfg(feature = "verify")]
pub use claim_path::ClaimPath;
#[cfg(feature = "verify")]
pub use credential::{CredentialLocation, Stripped, is_same_header_name};
#[cfg(feature = "verify")]
pub use dpop::{Claim, Nonces};
#[cfg(feature = "verify")]
pub use host_signatures::{HostAnswer, HostCryptography, HostSignatures, SignatureQuestion};
#[cfg(feature = "verify")]
pub use identity::{IdentityHeader, IdentitySource};
#[cfg(feature = "verify")]
pub use live::{CacheUse, Live};
#[cfg(feature = "verify")]
pub use peer::{Peer, RawPeer};
#[cfg(feature = "verify")]
pub use reject::Reject;
#[cfg(feature = "verify")]
pub use step::{Answered, Attempt, Claimed, Need, Question, Step, Unclaimed};
