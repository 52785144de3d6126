//! Making keys: those of RSA, which take long, come from a pool that all tests of a process share.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use getrandom::SysRng;
use p256::elliptic_curve::Generate as _;
use rsa::RsaPrivateKey;
use rsa::rand_core::UnwrapErr;

#[cfg(feature = "ml-dsa")]
use super::ml_dsa;
use super::{Algorithm, Key, KeyError, Secret};

/// The size of generated RSA keys, in bits: the least that policies accept.
const RSA_BITS: usize = 2048;

/// Makes keys for one set of tests. RSA keys are slow to make, so that the first RSA key of every ring is
/// the same one in the whole process, the second is another, and so on: distinct within a ring.
#[derive(Debug, Default)]
pub struct KeyRing {
    rsa_keys: usize,
}

impl KeyRing {
    /// Makes the next key of the ring.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate(&mut self, algorithm: Algorithm, kid: impl Into<String>) -> Result<Key, KeyError> {
        let secret = match generate_quick(algorithm) {
            Err(KeyError::Unfit { .. }) => {
                let key = pooled_rsa(algorithm, self.rsa_keys)?;
                self.rsa_keys = self.rsa_keys.saturating_add(1);
                Secret::Rsa(key)
            }
            quick => quick?,
        };
        Ok(Key {
            kid: kid.into(),
            algorithm,
            secret,
        })
    }
}

fn pooled_rsa(algorithm: Algorithm, index: usize) -> Result<Arc<RsaPrivateKey>, KeyError> {
    static POOL: OnceLock<Mutex<Vec<Arc<RsaPrivateKey>>>> = OnceLock::new();
    let mut pool = POOL
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    while pool.len() <= index {
        pool.push(Arc::new(generate_rsa(algorithm)?));
    }
    pool.get(index).cloned().ok_or(KeyError::Generate(algorithm))
}

pub(super) fn generate_rsa(algorithm: Algorithm) -> Result<RsaPrivateKey, KeyError> {
    RsaPrivateKey::new(&mut UnwrapErr(SysRng), RSA_BITS).map_err(|_| KeyError::Generate(algorithm))
}

/// Makes a key of any kind but RSA, which is `Unfit` here.
pub(super) fn generate_quick(algorithm: Algorithm) -> Result<Secret, KeyError> {
    let rng = &mut UnwrapErr(SysRng);
    match algorithm {
        Algorithm::HS256 => random(32).map(Secret::Shared),
        Algorithm::HS384 => random(48).map(Secret::Shared),
        Algorithm::HS512 => random(64).map(Secret::Shared),
        Algorithm::ES256 => Ok(Secret::P256(Box::new(
            p256::ecdsa::SigningKey::generate_from_rng(rng),
        ))),
        Algorithm::ES384 => Ok(Secret::P384(Box::new(
            p384::ecdsa::SigningKey::generate_from_rng(rng),
        ))),
        Algorithm::ES512 => Ok(Secret::P521(Box::new(
            p521::ecdsa::SigningKey::generate_from_rng(rng),
        ))),
        Algorithm::EdDSA | Algorithm::Ed25519 => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(|_| KeyError::Random)?;
            Ok(Secret::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(
                &seed,
            ))))
        }
        #[cfg(feature = "ml-dsa")]
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => ml_dsa::generate().map(Secret::MlDsa),
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => Err(KeyError::Unfit {
            key: algorithm,
            wanted: algorithm,
        }),
    }
}

fn random(length: usize) -> Result<Vec<u8>, KeyError> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}
