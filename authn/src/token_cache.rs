//! Tokens that were proved, for as long as they are worth something: found again by their whole text.
//!
//! Only what was proved comes in here, so a stranger can neither fill it nor poison it. What makes an entry worthless
//! (`exp`, other keys, a revocation, a binding) is looked at on every use, not here. Another policy begins with an
//! empty cache.

use std::hash::{Hash, Hasher, RandomState};
use std::rc::Rc;

use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};

use crate::limits;
use crate::live::CacheUse;

/// How many bytes at the end of a credential find it. Of a token they are its signature: no two tokens that hold share
/// them but by chance, and whoever finds an entry by them is compared in full.
const TAIL: usize = 16;

/// What an entry takes besides its token: tables, reference counts, the parsed claims' nodes.
const ENTRY_BYTES: u64 = 1024;

/// The claims of a token take about five times their text once parsed, and its text is kept too.
const BYTES_PER_BYTE: u64 = 6;

/// Proved tokens, each with what was proved of it.
pub(crate) struct TokenCache<T> {
    entries: Cache<Key, Rc<T>, ByLength, RandomState, DefaultLifecycle<Key, Rc<T>>>,
    hits: u64,
    misses: u64,
    /// Tokens that came in, less those that were taken out again on purpose.
    kept: u64,
}

/// Where a credential stood, and the whole of it.
struct Key {
    location: usize,
    credential: Box<[u8]>,
}

/// A key that is looked up.
struct Sought<'a> {
    location: usize,
    credential: &'a [u8],
}

#[derive(Debug, Clone)]
struct ByLength;

impl<T> Weighter<Key, Rc<T>> for ByLength {
    fn weight(&self, key: &Key, _: &Rc<T>) -> u64 {
        let length = u64::try_from(key.credential.len()).unwrap_or(u64::MAX);
        length.saturating_mul(BYTES_PER_BYTE).saturating_add(ENTRY_BYTES)
    }
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let tail = self.credential.last_chunk::<TAIL>();
        match tail {
            Some(tail) => state.write_u128(u128::from_le_bytes(*tail)),
            None => state.write(self.credential),
        }
        state.write_usize(self.location);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { location, credential } = self;
        let sought = Sought {
            location: *location,
            credential,
        };
        sought.hash(state);
    }
}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.location == key.location && is_same(self.credential, &key.credential)
    }
}

/// Whether both are the same, 32 bytes at a time: what Wasm has for comparing goes byte by byte.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let ((blocks, rest), (others, other_rest)) = (one.as_chunks::<32>(), other.as_chunks::<32>());
    let differs = |(one, other): (&[u8; 32], &[u8; 32])| {
        let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
        let number = |word: &[u8; 8]| u64::from_le_bytes(*word);
        words.fold(0, |all, (one, other)| all | (number(one) ^ number(other))) != 0
    };
    one.len() == other.len() && !blocks.iter().zip(others).any(differs) && rest == other_rest
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.location == other.location && self.credential == other.credential
    }
}

impl Eq for Key {}

impl<T> TokenCache<T> {
    pub(crate) fn new() -> Self {
        Self::bounded(limits::TOKEN_CACHE_BYTES, RandomState::new())
    }

    fn bounded(bytes: u64, hasher: RandomState) -> Self {
        let usual = ENTRY_BYTES.saturating_add(BYTES_PER_BYTE.saturating_mul(1024));
        let items = usize::try_from(bytes / usual).unwrap_or_default();
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(bytes)
            .build();
        let entries = match options {
            Ok(options) => Cache::with_options(options, ByLength, hasher, DefaultLifecycle::default()),
            Err(_) => Cache::with(items, bytes, ByLength, hasher, DefaultLifecycle::default()),
        };
        Self {
            entries,
            hits: 0,
            misses: 0,
            kept: 0,
        }
    }

    /// What was proved of the credential that stood in the place `location`.
    pub(crate) fn get(&self, location: usize, credential: &[u8]) -> Option<&Rc<T>> {
        self.entries.get(&Sought { location, credential })
    }

    /// Keeps what was proved of a credential.
    pub(crate) fn insert(&mut self, location: usize, credential: &[u8], proved: Rc<T>) {
        let key = Key {
            location,
            credential: credential.into(),
        };
        self.entries.insert(key, proved);
        self.kept = self.kept.saturating_add(1);
    }

    /// Forgets a credential.
    pub(crate) fn remove(&mut self, location: usize, credential: &[u8]) {
        if self.entries.remove(&Sought { location, credential }).is_some() {
            self.kept = self.kept.saturating_sub(1);
        }
    }

    /// Counts a credential that was found here, or was not.
    pub(crate) fn count(&mut self, is_hit: bool) {
        let counter = match is_hit {
            true => &mut self.hits,
            false => &mut self.misses,
        };
        *counter = counter.saturating_add(1);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn usage(&self) -> CacheUse {
        let tokens = self.entries.len();
        CacheUse {
            tokens,
            bytes: self.entries.weight(),
            bound: self.entries.capacity(),
            hits: self.hits,
            misses: self.misses,
            evictions: self
                .kept
                .saturating_sub(u64::try_from(tokens).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};
    use std::rc::Rc;

    use super::{Key, Sought, TokenCache, is_same};

    fn cache(bytes: u64) -> TokenCache<usize> {
        TokenCache::bounded(bytes, RandomState::new())
    }

    #[test]
    fn a_token_is_found_by_its_whole_text_in_its_own_place() {
        let mut cache = cache(1 << 20);
        let token = b"header.claims.signature-of-the-token";
        cache.insert(1, token, Rc::new(7));
        assert_eq!(cache.get(1, token).map(|found| **found), Some(7));
        assert_eq!(cache.get(0, token), None);
        let same_tail = b"header.CLAIMS.signature-of-the-token";
        let hasher = RandomState::new();
        let hash = |credential: &[u8]| {
            hasher.hash_one(Sought {
                location: 1,
                credential,
            })
        };
        assert_eq!(
            hash(token),
            hash(same_tail),
            "the two are looked for in one place"
        );
        assert_eq!(cache.get(1, same_tail), None);
        cache.insert(1, same_tail, Rc::new(8));
        assert_eq!(cache.get(1, token).map(|found| **found), Some(7));
        assert_eq!(cache.get(1, same_tail).map(|found| **found), Some(8));
        cache.remove(1, token);
        assert_eq!(cache.get(1, token), None);
        assert_eq!(cache.get(1, same_tail).map(|found| **found), Some(8));
    }

    #[test]
    fn one_byte_anywhere_makes_another_token() {
        for length in 0..100_usize {
            let token: Vec<u8> = (0..length).map(|at| u8::try_from(at).unwrap()).collect();
            assert!(is_same(&token, &token.clone()));
            assert!(
                !is_same(&token, &[&token[..], b"x"].concat()),
                "{length}: one more"
            );
            for at in 0..length {
                let mut other = token.clone();
                other[at] ^= 0x80;
                assert!(!is_same(&token, &other), "{length}: {at}");
                assert!(!is_same(&token, &token[..at]), "{length}: cut at {at}");
            }
        }
    }

    #[test]
    fn a_key_is_sought_as_it_was_put() {
        let hasher = RandomState::new();
        for credential in [
            &b""[..],
            b"short",
            b"sixteen-bytes-ok",
            b"a long credential with a tail",
        ] {
            let key = Key {
                location: 2,
                credential: credential.into(),
            };
            assert_eq!(
                hasher.hash_one(&key),
                hasher.hash_one(Sought {
                    location: 2,
                    credential
                })
            );
        }
    }

    #[test]
    fn it_never_grows_past_its_bound() {
        let mut cache = cache(64 * 1024);
        for number in 0..10_000_usize {
            let length = 20 + number % 2_000;
            let token = format!("{number:0>length$}");
            cache.insert(0, token.as_bytes(), Rc::new(number));
            let usage = cache.usage();
            assert!(usage.bytes <= usage.bound, "{usage:?}");
        }
        assert!(cache.len() > 3);
        let usage = cache.usage();
        assert_eq!(usage.evictions, 10_000 - u64::try_from(usage.tokens).unwrap());
        cache.remove(0, b"nobody");
        assert_eq!(cache.usage(), usage);
    }
}
