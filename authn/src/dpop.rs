//! DPoP: proof that the caller holds the key its token is bound to (RFC 9449).
//!
//! Here one proof is checked against one request and one token, in all but replay. Whether a token needs a proof is
//! not decided here, and whether this one was seen before is for whoever remembers: he is given a [`Claim`].

mod nonce;
mod proof;
mod target;
#[cfg(test)]
mod tests;

use scopegate_document::UnixTime;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Algorithm, HostSignatures, Reject, confirmation, is_same_header_name, limits, thumbprint};

pub use nonce::Nonces;
use proof::Proof;
pub(crate) use target::Origin;

/// How the proofs for a provider's tokens are checked, compiled.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The algorithms a proof may be signed with; none is symmetric.
    pub(crate) algorithms: Vec<Algorithm>,
    /// How old a proof may be, in seconds.
    pub(crate) max_age: i64,
    /// How far clocks may differ, in seconds.
    pub(crate) clock_skew: i64,
    /// Whether a proof must carry a nonce of ours.
    pub(crate) requires_nonce: bool,
    /// The origins that callers see.
    pub(crate) origins: Vec<Origin>,
}

/// What a proof is checked against, of the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'r> {
    /// Header names and values.
    pub(crate) headers: &'r [(&'r [u8], &'r [u8])],
    /// The method, with case.
    pub(crate) method: &'r [u8],
    /// The request target: the path and perhaps a query, or an absolute URI (RFC 9112 section 3.2).
    pub(crate) target: &'r [u8],
    /// `:authority`, or `Host`.
    pub(crate) authority: Option<&'r [u8]>,
}

/// What a proof is checked against, of the access token.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'t> {
    /// The token, as it was presented.
    pub(crate) access_token: &'t [u8],
    /// The thumbprint of the key that it is bound to.
    pub(crate) key: &'t [u8; 32],
}

/// What identifies a proof that holds, so that its second use can be refused (RFC 9449 section 11.1).
///
/// Whoever checked the proof must remember [`Claim::key`] at least up to [`Claim::until`], for all workers alike,
/// and refuse the request where it was there before. There is no way to make one but to check a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    key: [u8; 32],
    until: UnixTime,
}

impl Claim {
    /// The SHA-256 of the key's thumbprint and the proof's `jti`: two proofs of one key with one `jti` are one.
    #[must_use]
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The last moment at which the proof would still be taken.
    #[must_use]
    pub const fn until(&self) -> UnixTime {
        self.until
    }
}

/// Checks the proof of a request at the time `now`: everything of RFC 9449 section 4.3, what is cheap first and the
/// signature last. What remains is to see that nobody used it before.
///
/// # Errors
/// [`Reject::ProofMissing`] without a proof, [`Reject::BindingMismatch`] where it was made with another key than the
/// token's, [`Reject::ProofNonce`] without a fresh nonce where one is required, [`Reject::ReplayUnavailable`] where
/// one is required and the host has no `nonces`, [`Reject::ProofInvalid`] for everything else.
pub(crate) fn check(
    rules: &Rules,
    request: &Request<'_>,
    bound: &Bound<'_>,
    (nonces, host): (Option<&Nonces>, Option<&HostSignatures>),
    now: UnixTime,
) -> Result<Claim, Reject> {
    let proof = Proof::parse(only_field(request.headers)?).ok_or(Reject::ProofInvalid)?;
    let algorithm = proof.algorithm(&rules.algorithms).ok_or(Reject::ProofInvalid)?;
    if proof.gives_its_key_away() || !is_for(&proof, rules, request) {
        return Err(Reject::ProofInvalid);
    }
    let id = id(&proof).ok_or(Reject::ProofInvalid)?;
    let until = proof.last_moment(rules.max_age, rules.clock_skew, now);
    let until = until.ok_or(Reject::ProofInvalid)?;
    check_token(&proof, bound)?;
    if rules.requires_nonce {
        check_nonce(&proof, nonces, now)?;
    }
    match proof.is_signed_with(algorithm, host) {
        true => Ok(Claim {
            key: claim_key(bound.key, id),
            until,
        }),
        false => Err(Reject::ProofInvalid),
    }
}

/// The one `DPoP` header field. A list in one field is refused with its comma, which no JWT has.
fn only_field<'r>(headers: &[(&'r [u8], &'r [u8])]) -> Result<&'r [u8], Reject> {
    let mut fields = headers
        .iter()
        .filter(|(name, _)| is_same_header_name(name, b"dpop"));
    match (fields.next(), fields.next()) {
        (None, _) => Err(Reject::ProofMissing),
        (Some((_, value)), None) => Ok(value.trim_ascii()),
        (Some(_), Some(_)) => Err(Reject::ProofInvalid),
    }
}

/// `htm` and `htu`: whether the proof was made for this request.
fn is_for(proof: &Proof<'_>, rules: &Rules, request: &Request<'_>) -> bool {
    proof.text("htm").map(str::as_bytes) == Some(request.method)
        && proof
            .text("htu")
            .is_some_and(|htu| target::is_target(htu, &rules.origins, request.authority, request.target))
}

/// `jti`: what it is does not matter, but that it can be remembered.
fn id<'p>(proof: &'p Proof<'_>) -> Option<&'p str> {
    proof
        .text("jti")
        .filter(|id| (1..=limits::PROOF_ID_BYTES).contains(&id.len()))
}

/// `ath`, and the key: whether the proof was made for this token, and by the one it was issued to.
fn check_token(proof: &Proof<'_>, bound: &Bound<'_>) -> Result<(), Reject> {
    let token_hash: [u8; 32] = Sha256::digest(bound.access_token).into();
    let claimed = proof.text("ath").and_then(confirmation::digest);
    if !claimed.is_some_and(|claimed| claimed.ct_eq(&token_hash).into()) {
        return Err(Reject::ProofInvalid);
    }
    let key = thumbprint::sha256(&proof.jwk).ok_or(Reject::ProofInvalid)?;
    match key.ct_eq(bound.key).into() {
        true => Ok(()),
        false => Err(Reject::BindingMismatch),
    }
}

fn check_nonce(proof: &Proof<'_>, nonces: Option<&Nonces>, now: UnixTime) -> Result<(), Reject> {
    let nonces = nonces.ok_or(Reject::ReplayUnavailable)?;
    match proof.claim("nonce") {
        Some(Value::String(nonce)) if nonces.is_fresh(nonce, now) => Ok(()),
        None | Some(Value::String(_)) => Err(Reject::ProofNonce),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Reject::ProofInvalid)
        }
    }
}

/// INVARIANT: the thumbprint has one length, so no two pairs give the same bytes.
fn claim_key(key: &[u8; 32], id: &str) -> [u8; 32] {
    let hash = Sha256::new().chain_update(key).chain_update(id);
    hash.finalize().into()
}
