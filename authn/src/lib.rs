//! Authentication: who or what is calling?
//!
//! Credentials go in, a [`Verified`] caller or a [`Reject`] comes out. This crate knows keys, tokens and
//! certificates; it has never heard of a route. Inputs are values: no clock, no I/O, no host calls.

#![forbid(unsafe_code)]

pub mod caller;
pub use caller::{Evidence, Verified};

#[cfg(feature = "verify")]
mod authenticator;
#[cfg(feature = "verify")]
mod reject;
#[cfg(feature = "verify")]
pub mod section;

#[cfg(feature = "verify")]
pub use authenticator::{Authenticator, Challenge, Fields, Notice, ProviderSummary, Rejection, Secrets};
#[cfg(feature = "verify")]
pub use reject::Reject;
