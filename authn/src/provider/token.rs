//! Signed tokens (RFC 7519): every check between an untrusted token and a proof of who is calling.
//!
//! The order of checks is the language's: what is cheap first, the signature last; whatever fails first is the
//! answer. Nothing a token says is used before the last of them.

use std::rc::Rc;

use jwt_compact::UntrustedToken;
use serde_json::{Map, Value};

use scopegate_document::UnixTime;

use crate::claim_path::ClaimPath;
use crate::jwk::Key;
use crate::key_set::KeySet;
use crate::live::Live;
use crate::proof::{Lasts, Proof};
use crate::remote::SourceId;
use crate::section::{Profile, Scalar};
use crate::step::{Attempt, Need};
use crate::times::TimeRules;
use crate::untrusted::Untrusted;
use crate::{Algorithm, Authenticator, Evidence, HostSignatures, Reject, audience, profile, spiffe};

use super::{Identity, Provider, fingerprint};

/// The rules of a provider of type `jwt`.
#[derive(Debug)]
pub(crate) struct TokenProvider {
    pub(crate) authority: Authority,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) profile: Profile,
    pub(crate) keys: ProviderKeys,
    pub(crate) times: TimeRules,
    pub(crate) required: Vec<(ClaimPath, Vec<Scalar>)>,
    pub(crate) mapping: Mapping,
}

/// Where the keys of a provider are.
#[derive(Debug)]
pub(crate) enum ProviderKeys {
    /// In the policy.
    Own(KeySet),
    /// In a document that is fetched.
    Fetched(SourceId),
}

/// Why there is no proof.
#[derive(Debug)]
pub(crate) enum Unproved {
    /// The token is refused.
    Rejected(Reject),
    /// Something must be known first.
    Waiting(Need),
}

impl From<Reject> for Unproved {
    fn from(reject: Reject) -> Self {
        Self::Rejected(reject)
    }
}

/// What surrounds the proving of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) authenticator: &'a Authenticator,
    pub(crate) live: &'a Live,
    pub(crate) attempt: &'a Attempt,
    pub(crate) now: UnixTime,
}

impl<'a> Surroundings<'a> {
    /// The host's word on signatures, where there is one and the policy wants it.
    pub(crate) fn host(self) -> Option<&'a HostSignatures> {
        let host = self.live.host_signatures.as_deref();
        host.filter(|_| self.authenticator.asks_host)
    }
}

/// What a token must name for the provider to be asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Authority {
    /// The exact `iss`.
    Issuer(String),
    /// The trust domain of `sub`.
    TrustDomains(Vec<String>),
}

/// Which claims say who is calling.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) scopes: Vec<ClaimPath>,
    pub(crate) roles: Vec<ClaimPath>,
    pub(crate) subject: ClaimPath,
    pub(crate) client: ClaimPath,
    pub(crate) tenant: Option<ClaimPath>,
}

impl TokenProvider {
    /// Whether a token with these claims goes to this provider, whatever it is worth.
    pub(crate) fn is_named_by(&self, claims: &Map<String, Value>) -> bool {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        match &self.authority {
            Authority::Issuer(issuer) => text("iss") == Some(issuer),
            Authority::TrustDomains(domains) => text("sub")
                .and_then(spiffe::claimed_trust_domain)
                .is_some_and(|claimed| domains.iter().any(|domain| domain == claimed)),
        }
    }

    /// Whether its tokens are known by `iss`.
    pub(crate) const fn is_issuer(&self) -> bool {
        matches!(self.authority, Authority::Issuer(_))
    }

    /// Proves the token, whose shape, `crit` and provider were checked before. What must be looked at on every
    /// request (binding, revocation, and the times again) comes after.
    pub(crate) fn prove(
        &self,
        (index, provider): (usize, &Provider),
        token: Untrusted<'_>,
        around: Surroundings<'_>,
    ) -> Result<Proof, Unproved> {
        let algorithm = self.check_algorithm(&token)?;
        profile::check_type(self.profile, &token.header, &token.claims)?;
        if !audience::is_named(&token.claims, &self.audiences) {
            return Err(Reject::AudienceMismatch.into());
        }
        let times = self.times.check(&token.claims, around.now)?;
        let identity = self.check_claims(&token.claims)?;
        let (key, generation) = self.check_signature(&token, algorithm, around)?;
        let evidence = Evidence {
            kind: "jwt",
            fingerprint: fingerprint(token.text.as_bytes()),
            algorithm: Some(algorithm.name()),
            key_id: key.id.clone(),
            issued_at: times.issued_at,
            expires_at: Some(times.expires_at),
        };
        Ok(Proof {
            provider: index,
            generation,
            caller: Rc::new(provider.verified(identity, token.claims, evidence)),
            proved_at: around.now,
            lasts: Lasts::AsTheToken(times),
        })
    }

    /// Whether what was proved with the keys of `generation` is still proved by the keys in force.
    pub(crate) fn is_current(&self, generation: u64, around: Surroundings<'_>) -> bool {
        match &self.keys {
            ProviderKeys::Own(_) => true,
            ProviderKeys::Fetched(source) => {
                let keys = around.live.keys(around.authenticator, *source, around.now);
                keys.is_ok_and(|(_, current)| current == generation)
            }
        }
    }

    fn check_algorithm(&self, token: &Untrusted<'_>) -> Result<Algorithm, Reject> {
        Algorithm::from_name(&token.header.algorithm)
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or(Reject::AlgorithmNotAllowed)
    }

    fn check_claims(&self, claims: &Map<String, Value>) -> Result<Identity, Reject> {
        profile::check_claims(self.profile, claims)?;
        if claims.get("jti").is_some_and(|id| !id.is_string()) {
            return Err(Reject::ClaimMismatch);
        }
        check_required(&self.required, claims)?;
        self.mapping.identity(claims)
    }

    /// Tries the keys that fit, up to the limit, and answers with the one that made the signature.
    ///
    /// Where no key fits and the keys are fetched, they may have changed: it is worth waiting once for a newer set.
    fn check_signature<'a>(
        &'a self,
        token: &Untrusted<'_>,
        algorithm: Algorithm,
        around: Surroundings<'a>,
    ) -> Result<(&'a Key, u64), Unproved> {
        let parsed = UntrustedToken::new(token.text).map_err(|_| Reject::TokenMalformed)?;
        let id = token.header.key_id.as_deref();
        let source = match &self.keys {
            ProviderKeys::Own(keys) => {
                return Ok((
                    keys.first_that_signed(id, algorithm, &parsed, token.text, around.host())?,
                    0,
                ));
            }
            ProviderKeys::Fetched(source) => *source,
        };
        let waits = |reject: Reject| match around.attempt.may_wait_for(source) {
            true => Unproved::Waiting(Need::Source(source)),
            false => Unproved::Rejected(reject),
        };
        let (keys, generation) = around
            .live
            .keys(around.authenticator, source, around.now)
            .map_err(waits)?;
        match keys.first_that_signed(id, algorithm, &parsed, token.text, around.host()) {
            Ok(key) => Ok((key, generation)),
            Err(Reject::KeyNotFound) if around.live.may_be_newer(source, around.now) => {
                Err(waits(around.attempt.without_key()))
            }
            Err(reject) => Err(reject.into()),
        }
    }
}

/// Checks that the claims the policy requires are there, each with one of its values.
pub(super) fn check_required(
    required: &[(ClaimPath, Vec<Scalar>)],
    claims: &Map<String, Value>,
) -> Result<(), Reject> {
    for (path, values) in required {
        let claim = path.find(claims).ok_or(Reject::ClaimMissing)?;
        if !has_one_of(claim, values) {
            return Err(Reject::ClaimMismatch);
        }
    }
    Ok(())
}

/// Whether the claim is one of `values`, or an array that holds one.
fn has_one_of(claim: &Value, values: &[Scalar]) -> bool {
    match claim {
        Value::Array(list) => list
            .iter()
            .any(|item| values.iter().any(|value| is_equal(item, value))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            values.iter().any(|value| is_equal(claim, value))
        }
    }
}

fn is_equal(claim: &Value, value: &Scalar) -> bool {
    match value {
        Scalar::Boolean(value) => claim.as_bool() == Some(*value),
        Scalar::Integer(value) => claim.as_i64() == Some(*value),
        Scalar::Number(value) => claim.as_f64() == Some(*value),
        Scalar::String(value) => claim.as_str() == Some(value),
    }
}

impl Mapping {
    pub(super) fn identity(&self, claims: &Map<String, Value>) -> Result<Identity, Reject> {
        Ok(Identity {
            subject: string(&self.subject, claims)?,
            client: string(&self.client, claims)?,
            // What is not exactly one string is no tenant: authorization answers for that.
            tenant: self
                .tenant
                .as_ref()
                .and_then(|path| path.find(claims)?.as_str().map(str::to_owned)),
            scopes: united(&self.scopes, claims, |text| text.split(' ').collect())?,
            roles: united(&self.roles, claims, |text| vec![text])?,
        })
    }
}

fn string(path: &ClaimPath, claims: &Map<String, Value>) -> Result<Option<String>, Reject> {
    match path.find(claims) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Reject::ClaimMismatch)
        }
    }
}

/// The words of several claims, each once, in order: a string cut by `split` (RFC 8693 section 4.2), or an array
/// of strings.
fn united(
    paths: &[ClaimPath],
    claims: &Map<String, Value>,
    split: fn(&str) -> Vec<&str>,
) -> Result<Vec<String>, Reject> {
    let mut words: Vec<String> = Vec::new();
    for claim in paths.iter().filter_map(|path| path.find(claims)) {
        let found = match claim {
            Value::String(text) => Some(split(text)),
            Value::Array(list) => list.iter().map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        };
        words.extend(found.ok_or(Reject::ClaimMismatch)?.into_iter().map(str::to_owned));
    }
    let mut seen = std::collections::BTreeSet::new();
    words.retain(|word| !word.is_empty() && seen.insert(word.clone()));
    Ok(words)
}
