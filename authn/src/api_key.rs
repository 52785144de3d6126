//! API keys: opaque credentials, known by their SHA-256 alone.
//!
//! Here a credential is matched with the keys of one provider. Where it stands in a request, and what it may do, is
//! decided elsewhere.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use scopegate_document::UnixTime;

use crate::{Reject, limits};

/// The keys of a provider of type `api_key`, compiled.
///
/// INVARIANT: no two have the same digest, and there are at most [`limits::API_KEYS`].
#[derive(Debug)]
pub(crate) struct ApiKeys {
    keys: Vec<ApiKey>,
}

/// One key: whom it stands for, and until when.
pub(crate) struct ApiKey {
    /// Its name, for audit records.
    pub(crate) id: String,
    /// Its SHA-256.
    pub(crate) digest: KeyDigest,
    /// Whom it stands for.
    pub(crate) subject: String,
    /// The tenant, where there is one.
    pub(crate) tenant: Option<String>,
    /// The client, where there is one.
    pub(crate) client: Option<String>,
    /// When it ends.
    pub(crate) expires: Option<UnixTime>,
}

/// The SHA-256 of a key, as numbers, so that comparing thousands of them stays cheap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyDigest([u64; 4]);

impl ApiKeys {
    /// These keys.
    pub(crate) const fn new(keys: Vec<ApiKey>) -> Self {
        Self { keys }
    }

    /// The keys, in the order of the policy.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ApiKey> {
        self.keys.iter()
    }

    /// The key that `credential` is, at the time `now`.
    ///
    /// The credential is hashed once and compared with every key in constant time: how long it takes says nothing of
    /// which key it is, or of how near it came to one.
    ///
    /// # Errors
    /// [`Reject::TokenTooLarge`]; [`Reject::TokenMalformed`] for an empty credential; [`Reject::ApiKeyUnknown`];
    /// [`Reject::ApiKeyExpired`] from the instant `expires` on. No clock skew is granted: the end of a key is a
    /// decision of the policy, not the word of another clock.
    pub(crate) fn find(&self, credential: &[u8], now: UnixTime) -> Result<&ApiKey, Reject> {
        if credential.len() > limits::TOKEN_BYTES {
            return Err(Reject::TokenTooLarge);
        }
        if credential.is_empty() {
            return Err(Reject::TokenMalformed);
        }
        let key = self
            .position(&KeyDigest::of(credential))
            .and_then(|position| self.keys.get(position))
            .ok_or(Reject::ApiKeyUnknown)?;
        match key.expires.is_some_and(|expires| now >= expires) {
            true => Err(Reject::ApiKeyExpired),
            false => Ok(key),
        }
    }

    /// Where the key with `digest` stands. Every key is looked at.
    fn position(&self, digest: &KeyDigest) -> Option<usize> {
        let mut position = u64::MAX;
        for (index, key) in (0_u64..).zip(&self.keys) {
            position.conditional_assign(&index, key.digest.difference(digest).ct_eq(&0));
        }
        usize::try_from(position).ok().filter(|it| *it < self.keys.len())
    }
}

impl KeyDigest {
    /// The digest of `credential`.
    pub(crate) fn of(credential: &[u8]) -> Self {
        Self::from_bytes(Sha256::digest(credential).into())
    }

    /// The digest with these bytes.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut words = [0_u64; 4];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Self(words)
    }

    /// Zero where both are the same; the same work whatever they are.
    fn difference(&self, other: &Self) -> u64 {
        let pairs = self.0.iter().zip(&other.0);
        pairs.fold(0, |difference, (word, other)| difference | (word ^ other))
    }
}

impl fmt::Debug for ApiKey {
    /// Without the digest: that of a guessable key is as good as the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            digest: _,
            subject,
            tenant,
            client,
            expires,
        } = self;
        f.debug_struct("ApiKey")
            .field("id", id)
            .field("subject", subject)
            .field("tenant", tenant)
            .field("client", client)
            .field("expires", expires)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use scopegate_document::UnixTime;

    use super::{ApiKey, ApiKeys, KeyDigest};
    use crate::limits;

    fn key(name: &str, expires: Option<i64>) -> ApiKey {
        ApiKey {
            id: name.to_owned(),
            digest: KeyDigest::of(format!("secret of {name}").as_bytes()),
            subject: format!("subject of {name}"),
            tenant: None,
            client: None,
            expires: expires.map(UnixTime),
        }
    }

    fn found(keys: &ApiKeys, credential: &[u8], now: i64) -> Result<String, &'static str> {
        let found = keys.find(credential, UnixTime(now));
        found.map(|key| key.id.clone()).map_err(|reject| reject.code())
    }

    #[test]
    fn a_key_is_known_by_its_whole_text_until_it_ends() {
        let keys = ApiKeys::new(vec![
            key("a", None),
            key("b", Some(1_000)),
            key("c", Some(i64::MIN)),
        ]);
        let long = vec![b'x'; limits::TOKEN_BYTES + 1];
        let cases: &[(&[u8], i64, Result<&str, &str>)] = &[
            (b"secret of a", 0, Ok("a")),
            (b"secret of a", i64::MAX, Ok("a")),
            (b"secret of b", 999, Ok("b")),
            (b"secret of b", 1_000, Err("api_key_expired")),
            (b"secret of b", 1_001, Err("api_key_expired")),
            (b"secret of c", i64::MIN, Err("api_key_expired")),
            (b"secret of d", 0, Err("api_key_unknown")),
            (b"secret of a ", 0, Err("api_key_unknown")),
            (b"secret of ", 0, Err("api_key_unknown")),
            (b"Secret of a", 0, Err("api_key_unknown")),
            (b"\xff\0", 0, Err("api_key_unknown")),
            (b"", 0, Err("token_malformed")),
            (&long, 0, Err("token_too_large")),
            (&long[1..], 0, Err("api_key_unknown")),
        ];
        for (credential, now, expected) in cases {
            let expected = expected.map(str::to_owned);
            assert_eq!(
                found(&keys, credential, *now),
                expected,
                "{}",
                credential.escape_ascii()
            );
        }
        assert_eq!(found(&ApiKeys::new(Vec::new()), b"x", 0), Err("api_key_unknown"));
    }

    #[test]
    fn every_place_of_a_long_list_is_found() {
        let names: Vec<String> = (0..limits::API_KEYS).map(|number| number.to_string()).collect();
        let keys = ApiKeys::new(names.iter().map(|name| key(name, None)).collect());
        for name in names.iter().step_by(997).chain(names.last()) {
            assert_eq!(
                found(&keys, format!("secret of {name}").as_bytes(), 0).as_ref(),
                Ok(name)
            );
        }
    }

    #[test]
    fn a_digest_that_differs_in_one_bit_is_another() {
        let digest = [0x5a_u8; 32];
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            let difference = KeyDigest::from_bytes(digest).difference(&KeyDigest::from_bytes(other));
            assert_ne!(difference, 0, "{bit}");
        }
    }

    #[test]
    fn what_a_key_is_known_by_is_never_shown() {
        let shown = format!("{:?}", ApiKeys::new(vec![key("a", Some(7))]));
        let digest = KeyDigest::of(b"secret of a").0;
        assert!(shown.contains("subject of a"), "{shown}");
        for word in digest {
            assert!(!shown.contains(&word.to_string()), "{shown}");
        }
    }
}
