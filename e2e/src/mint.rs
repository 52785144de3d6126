//! Fresh keys and tokens for a policy: the keys of one provider are replaced by new ones, and tokens signed with
//! them say what its issuer would say, by the real clock.

use std::time::{SystemTime, UNIX_EPOCH};

use scopegate_document::UnixTime;
use scopegate_harness::issuer::Issuer;
use scopegate_harness::keys::{Algorithm, Key, KeyError};
use scopegate_harness::tokens::TokenSpec;
use serde_json::{Map, Value, json};

/// Why there are no keys or tokens.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// A key could not be made, or could not sign.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The policy has no such provider.
    #[error("the policy has no provider `{0}` of type `jwt`")]
    NoProvider(String),
}

/// An issuer whose keys are ours.
#[derive(Debug)]
pub struct Mint {
    issuer: Issuer,
    keys: Vec<Key>,
}

impl Mint {
    /// Makes one key for each of `algorithms` and puts them in place of the keys of `provider` in `policy`.
    ///
    /// # Errors
    /// The policy has no such provider, or a key could not be made.
    pub fn install(policy: &mut Value, provider: &str, algorithms: &[Algorithm]) -> Result<Self, MintError> {
        let absent = || MintError::NoProvider(provider.to_owned());
        let issuer = Issuer::all(policy)
            .into_iter()
            .find(|issuer| issuer.name == provider)
            .ok_or_else(absent)?;
        let name = |algorithm: &Algorithm| format!("fresh-{}", algorithm.name().to_ascii_lowercase());
        let made = algorithms
            .iter()
            .map(|algorithm| Key::generate(*algorithm, name(algorithm)));
        let keys = made.collect::<Result<Vec<_>, _>>()?;
        let jwks: Vec<Value> = keys.iter().map(|key| key.jwk(issuer.key_usage())).collect();
        let providers = policy
            .pointer_mut("/authentication/providers")
            .and_then(Value::as_array_mut);
        let entry = providers
            .into_iter()
            .flatten()
            .find(|entry| entry.get("name") == Some(&json!(provider)));
        let entry = entry.and_then(Value::as_object_mut).ok_or_else(absent)?;
        entry.insert("keys".to_owned(), json!({"jwks": {"keys": jwks}}));
        Ok(Self { issuer, keys })
    }

    /// An issuer that signs with `key`, which the policy knows already.
    ///
    /// # Errors
    /// The policy has no such provider.
    pub fn with_key(policy: &Value, provider: &str, key: Key) -> Result<Self, MintError> {
        let issuer = Issuer::all(policy)
            .into_iter()
            .find(|issuer| issuer.name == provider);
        let issuer = issuer.ok_or_else(|| MintError::NoProvider(provider.to_owned()))?;
        Ok(Self {
            issuer,
            keys: vec![key],
        })
    }

    /// A token with these claims, signed with the key of that algorithm.
    ///
    /// # Errors
    /// No key of that algorithm was installed, or it cannot sign.
    pub fn token(&self, algorithm: Algorithm, claims: &Value) -> Result<String, MintError> {
        self.spoiled(algorithm, claims, TokenSpec::default())
    }

    /// The same with something wrong, as `spec` says.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub fn spoiled(
        &self,
        algorithm: Algorithm,
        claims: &Value,
        spec: TokenSpec,
    ) -> Result<String, MintError> {
        let key = self.keys.iter().find(|key| key.algorithm == algorithm);
        let key = key.ok_or_else(|| MintError::NoProvider(self.issuer.name.clone()))?;
        self.signed_by(key, claims, spec)
    }

    /// A token signed with a key that the policy does not know, under the name of one it knows.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub fn forged(&self, algorithm: Algorithm, claims: &Value) -> Result<String, MintError> {
        let known = self
            .keys
            .iter()
            .find(|key| key.algorithm == algorithm)
            .map(|key| key.kid.clone());
        let rogue = Key::generate(algorithm, known.unwrap_or_default())?;
        self.signed_by(&rogue, claims, TokenSpec::default())
    }

    fn signed_by(&self, key: &Key, claims: &Value, spec: TokenSpec) -> Result<String, MintError> {
        let claims = claims.as_object().cloned().unwrap_or_else(Map::new);
        let spec = TokenSpec { claims, ..spec };
        Ok(spec.mint("demo", &self.issuer, key, now())?)
    }
}

/// The real clock: a proxy has no other.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tokens for a real proxy must be fresh by the real clock"
)]
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
