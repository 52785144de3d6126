//! A compiled provider of signed tokens: the one place where an untrusted token becomes a verified caller.

use jwt_compact::UntrustedToken;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use scopegate_document::UnixTime;

use crate::claim_path::ClaimPath;
use crate::credential::CredentialLocation;
use crate::jwk::Key;
use crate::key_set::KeySet;
use crate::section::{Profile, Scalar};
use crate::times::{TimeRules, Times};
use crate::untrusted::Untrusted;
use crate::{Algorithm, Evidence, Reject, Verified, profile, spiffe};

/// A provider of type `jwt`, compiled.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) authority: Authority,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) profile: Profile,
    pub(crate) keys: KeySet,
    pub(crate) times: TimeRules,
    pub(crate) required: Vec<(ClaimPath, Vec<Scalar>)>,
    pub(crate) mapping: Mapping,
    pub(crate) location: CredentialLocation,
    pub(crate) forward_credential: bool,
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

/// Who a token says is calling.
struct Identity {
    subject: Option<String>,
    client: Option<String>,
    tenant: Option<String>,
    scopes: Vec<String>,
    roles: Vec<String>,
}

impl Provider {
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

    /// The scheme of its challenge: the one it reads, else `Bearer` (RFC 6750 section 3).
    pub(crate) fn challenge_scheme(&self) -> &str {
        match &self.location {
            CredentialLocation::Header {
                scheme: Some(scheme), ..
            } => scheme,
            CredentialLocation::Header { scheme: None, .. }
            | CredentialLocation::Cookie { .. }
            | CredentialLocation::Query { .. } => "Bearer",
        }
    }

    /// Proves the token, whose shape, `crit` and provider were checked before.
    ///
    /// The order of checks is the language's: what is cheap first, the signature last; whatever fails first is
    /// the answer. Nothing a token says is used before this returns.
    pub(crate) fn verify(&self, token: Untrusted<'_>, now: UnixTime) -> Result<Verified, Reject> {
        let algorithm = self.check_algorithm(&token)?;
        profile::check_type(self.profile, &token.header, &token.claims)?;
        self.check_audience(&token.claims)?;
        let times = self.times.check(&token.claims, now)?;
        let identity = self.check_claims(&token.claims)?;
        let key = self.check_signature(&token, algorithm)?;
        Self::check_binding(&token.claims)?;
        Ok(verified(self, token, identity, times, algorithm, key))
    }

    fn check_algorithm(&self, token: &Untrusted<'_>) -> Result<Algorithm, Reject> {
        Algorithm::from_name(&token.header.algorithm)
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or(Reject::AlgorithmNotAllowed)
    }

    /// `aud` must name this API (RFC 7519 section 4.1.3, RFC 8725 section 3.9).
    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), Reject> {
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| ours == audience);
        let holds = match claims.get("aud") {
            Some(Value::String(audience)) => is_ours(audience),
            Some(Value::Array(list)) => {
                let audiences: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                audiences.is_some_and(|audiences| audiences.into_iter().any(is_ours))
            }
            None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
        };
        match holds {
            true => Ok(()),
            false => Err(Reject::AudienceMismatch),
        }
    }

    fn check_claims(&self, claims: &Map<String, Value>) -> Result<Identity, Reject> {
        profile::check_claims(self.profile, claims)?;
        if claims.get("jti").is_some_and(|id| !id.is_string()) {
            return Err(Reject::ClaimMismatch);
        }
        for (path, values) in &self.required {
            let claim = path.find(claims).ok_or(Reject::ClaimMissing)?;
            if !has_one_of(claim, values) {
                return Err(Reject::ClaimMismatch);
            }
        }
        self.mapping.identity(claims)
    }

    /// A bound token is worth nothing without its proof, and none is checked here (RFC 9449 section 7.2).
    fn check_binding(claims: &Map<String, Value>) -> Result<(), Reject> {
        match claims.contains_key("cnf") {
            true => Err(Reject::BindingMismatch),
            false => Ok(()),
        }
    }

    /// Tries the keys that fit, up to the limit, and answers with the one that made the signature.
    fn check_signature(&self, token: &Untrusted<'_>, algorithm: Algorithm) -> Result<&Key, Reject> {
        let parsed = UntrustedToken::new(token.text).map_err(|_| Reject::TokenMalformed)?;
        self.keys
            .first_that_signed(token.header.key_id.as_deref(), algorithm, &parsed, token.text)
    }
}

/// The only constructor of a [`Verified`]: private to this module, called after the last check.
fn verified(
    provider: &Provider,
    token: Untrusted<'_>,
    identity: Identity,
    times: Times,
    algorithm: Algorithm,
    key: &Key,
) -> Verified {
    let Identity {
        subject,
        client,
        tenant,
        scopes,
        roles,
    } = identity;
    let evidence = Evidence {
        kind: "jwt",
        fingerprint: fingerprint(token.text.as_bytes()),
        algorithm: Some(algorithm.name()),
        key_id: key.id.clone(),
        issued_at: times.issued_at,
        expires_at: Some(times.expires_at),
    };
    let has_actor = token.claims.contains_key("act");
    let provider = provider.name.clone();
    Verified {
        provider,
        subject,
        client,
        tenant,
        scopes,
        roles,
        has_actor,
        claims: token.claims,
        evidence,
    }
}

/// `sha256:` and the first 32 hex digits of the SHA-256: enough to correlate, nothing to replay.
pub(crate) fn fingerprint(token: &[u8]) -> String {
    let digest = Sha256::digest(token);
    let hex = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    std::iter::once("sha256:".to_owned()).chain(hex).collect()
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
    fn identity(&self, claims: &Map<String, Value>) -> Result<Identity, Reject> {
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
