//! A set of keys (RFC 7517 section 5): tolerant of the set, strict with each key.
//!
//! A key that cannot be used is skipped and named (section 5: "ignore JWKs within a JWK Set that use key types
//! that are not understood"). So are keys that share a `kid` and could serve one token: which of them is meant
//! nobody can say (section 4.5 wants them distinct). A set that mixes secrets with public keys is refused whole.

use jwt_compact::UntrustedToken;
use serde_json::Value;

use crate::jwk::{Concern, Key, Unusable};
use crate::signature::Room;
use crate::{Algorithm, HostSignatures, Reject, limits, signature};

/// The keys of a provider.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    /// For how many more keys there is room for what makes them faster.
    room: Room,
}

/// What happened to one key of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRemark {
    /// Its place in the set.
    pub(crate) index: usize,
    /// What is to be said of it.
    pub(crate) kind: RemarkKind,
}

/// What is to be said of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RemarkKind {
    /// It was skipped.
    Skipped(Unusable),
    /// It is used all the same.
    Concern(Concern),
}

/// Why a set is refused whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    /// Not an object with an array `keys`.
    #[error("it is not an object with an array `keys`")]
    Shape,
    /// Too many keys.
    #[error("it has more than {} keys", limits::KEYS_PER_SET)]
    TooMany,
    /// Secrets beside public keys.
    #[error("it mixes `oct` keys with public keys")]
    Mixed,
}

impl KeySet {
    /// Reads a JWK set, without the keys that `accepts` refuses.
    pub(crate) fn from_jwks(
        jwks: &Value,
        accepts: impl Fn(&Key) -> Result<(), Unusable>,
    ) -> Result<(Self, Vec<KeyRemark>), KeySetError> {
        let list = jwks
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(KeySetError::Shape)?;
        if list.len() > limits::KEYS_PER_SET {
            return Err(KeySetError::TooMany);
        }
        let (mut keys, mut remarks) = (Vec::new(), Vec::new());
        for (index, jwk) in list.iter().enumerate() {
            if is_ambiguous(list, index) {
                let reason = Unusable("another key of the set has the same `kid`".to_owned());
                remarks.push(KeyRemark {
                    index,
                    kind: RemarkKind::Skipped(reason),
                });
                continue;
            }
            let read = Key::from_jwk(jwk).and_then(|(key, concerns)| accepts(&key).map(|()| (key, concerns)));
            match read {
                Ok((key, concerns)) => {
                    let kinds = concerns.into_iter().map(RemarkKind::Concern);
                    remarks.extend(kinds.map(|kind| KeyRemark { index, kind }));
                    keys.push(key);
                }
                Err(unusable) => remarks.push(KeyRemark {
                    index,
                    kind: RemarkKind::Skipped(unusable),
                }),
            }
        }
        let secrets = keys.iter().filter(|key| key.material.is_symmetric()).count();
        match secrets == 0 || secrets == keys.len() {
            true => Ok((Self::new(keys), remarks)),
            false => Err(KeySetError::Mixed),
        }
    }

    /// The set of these keys.
    pub(crate) fn new(keys: Vec<Key>) -> Self {
        Self {
            keys,
            room: Room::default(),
        }
    }

    /// How many keys there are.
    pub(crate) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key that made the signature of `token`, whose text is `text`: the keys that answer to `id` and fit the
    /// algorithm are tried in order, up to the limit.
    ///
    /// # Errors
    /// [`Reject::KeyNotFound`] where no key may be tried, [`Reject::SignatureInvalid`] where none made it.
    pub(crate) fn first_that_signed(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        token: &UntrustedToken<'_>,
        text: &str,
        host: Option<&HostSignatures>,
    ) -> Result<&Key, Reject> {
        let mut answer = Err(Reject::KeyNotFound);
        let candidates = self
            .keys
            .iter()
            .filter(|key| key.answers_to(id) && key.fits(algorithm));
        for key in candidates.take(limits::SIGNATURE_CHECKS) {
            let holds = signature::token_holds(algorithm, key, token, text, host)?;
            key.material.prepare(&self.room);
            if holds {
                return Ok(key);
            }
            answer = Err(Reject::SignatureInvalid);
        }
        answer
    }
}

/// Whether the key at `index` could be taken for another of the list, usable or not.
fn is_ambiguous(list: &[Value], index: usize) -> bool {
    let Some(jwk) = list.get(index).filter(|jwk| jwk["kid"].is_string()) else {
        return false;
    };
    let could_serve_the_same = |other: &Value| {
        let same_algorithm = other["alg"] == jwk["alg"] || other["alg"].is_null() || jwk["alg"].is_null();
        other["kid"] == jwk["kid"]
            && other["kty"] == jwk["kty"]
            && other["crv"] == jwk["crv"]
            && same_algorithm
    };
    list.iter()
        .enumerate()
        .any(|(other, that)| other != index && could_serve_the_same(that))
}
