//! Development keys, made at run time: generation, the public JWK, signing. Nothing here verifies anything,
//! and nothing here is meant for production keys.

#[cfg(feature = "ml-dsa")]
mod ml_dsa;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use getrandom::SysRng;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::elliptic_curve::Generate as _;
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::rand_core::UnwrapErr;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use signature::Signer as _;

/// The size of generated RSA keys, in bits: the least that policies accept.
const RSA_BITS: usize = 2048;

/// A signature algorithm of JWS (RFC 7518 section 3.1, RFC 8037, RFC 9864, RFC 9964).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the registered names of the algorithms")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    Ed25519,
    #[cfg(feature = "ml-dsa")]
    MlDsa44,
    #[cfg(feature = "ml-dsa")]
    MlDsa65,
    #[cfg(feature = "ml-dsa")]
    MlDsa87,
}

impl Algorithm {
    /// Every algorithm that a development key can be made for.
    pub const ALL: &[Self] = &[
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
        Self::Ed25519,
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa44,
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa65,
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa87,
    ];

    /// The registered name, as it stands in `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
            Self::Ed25519 => "Ed25519",
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44 => "ML-DSA-44",
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa65 => "ML-DSA-65",
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// Whether the key is a shared secret.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name is not an algorithm that development keys can be made for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no algorithm that keys can be made for; use one of RS256, PS256, ES256, EdDSA, HS256 and kin"
)]
pub struct UnknownAlgorithm(pub String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let mut all = Self::ALL.iter().copied();
        let found = all.find(|algorithm| algorithm.name() == name);
        found.ok_or_else(|| UnknownAlgorithm(name.to_owned()))
    }
}

/// A key could not be made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// Generation failed.
    #[error("a key for {0} could not be generated")]
    Generate(Algorithm),
    /// The key cannot sign with that algorithm.
    #[error("a key for {key} cannot sign with {wanted}")]
    Unfit {
        /// The algorithm of the key.
        key: Algorithm,
        /// The algorithm asked for.
        wanted: Algorithm,
    },
}

/// A development key: secret part, algorithm and id.
#[derive(Clone)]
pub struct Key {
    /// Its id (RFC 7517 section 4.5).
    pub kid: String,
    /// The algorithm it signs with.
    pub algorithm: Algorithm,
    secret: Secret,
}

#[derive(Clone)]
enum Secret {
    Shared(Vec<u8>),
    Rsa(Arc<RsaPrivateKey>),
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    P521(Box<p521::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    #[cfg(feature = "ml-dsa")]
    MlDsa(ml_dsa::Seed),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Makes a key. RSA keys take up to a second.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate(algorithm: Algorithm, kid: impl Into<String>) -> Result<Self, KeyError> {
        let secret = match generate_quick(algorithm) {
            Err(KeyError::Unfit { .. }) => Secret::Rsa(Arc::new(generate_rsa(algorithm)?)),
            quick => quick?,
        };
        Ok(Self {
            kid: kid.into(),
            algorithm,
            secret,
        })
    }

    /// Signs `message` with the key's own algorithm.
    ///
    /// # Errors
    /// Only where the algorithm's library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.sign_as(self.algorithm, message)
    }

    /// Signs `message` with another algorithm that the same key fits: RSA keys sign with RS* and PS*, shared
    /// secrets with HS*.
    ///
    /// # Errors
    /// When the key does not fit the algorithm.
    pub fn sign_as(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let unfit = || KeyError::Unfit {
            key: self.algorithm,
            wanted: algorithm,
        };
        match &self.secret {
            Secret::Shared(secret) => mac(algorithm, secret, message).ok_or_else(unfit),
            Secret::Rsa(key) => sign_rsa(algorithm, key, message).ok_or_else(unfit),
            Secret::P256(key) if algorithm == Algorithm::ES256 => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Secret::P384(key) if algorithm == Algorithm::ES384 => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Secret::P521(key) if algorithm == Algorithm::ES512 => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Secret::Ed25519(key) if matches!(algorithm, Algorithm::EdDSA | Algorithm::Ed25519) => {
                Ok(key.sign(message).to_bytes().to_vec())
            }
            #[cfg(feature = "ml-dsa")]
            Secret::MlDsa(seed) => ml_dsa::sign(self.algorithm, algorithm, seed, message),
            Secret::P256(_) | Secret::P384(_) | Secret::P521(_) | Secret::Ed25519(_) => Err(unfit()),
        }
    }

    /// Computes the HMAC of `message` keyed with this key's *public* part: the old confusion of RS256 with
    /// HS256 (RFC 8725 section 2.1). For a shared secret it is the ordinary HMAC.
    ///
    /// # Errors
    /// When `algorithm` is no HMAC.
    pub fn confuse(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let unfit = || KeyError::Unfit {
            key: self.algorithm,
            wanted: algorithm,
        };
        mac(algorithm, &self.public_bytes(), message).ok_or_else(unfit)
    }

    /// The JWK that a provider of the policy is given (RFC 7517): the public part, or for a shared secret an
    /// `oct` key, secret included.
    #[must_use]
    pub fn jwk(&self, usage: &str) -> Value {
        let mut jwk = self.material();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.kid));
            members.insert("alg".to_owned(), json!(self.algorithm.name()));
            members.insert("use".to_owned(), json!(usage));
        }
        jwk
    }

    /// The shared secret, base64url; `None` for a key pair.
    #[must_use]
    pub fn shared_secret(&self) -> Option<String> {
        match &self.secret {
            Secret::Shared(secret) => Some(base64url(secret)),
            Secret::Rsa(_) | Secret::P256(_) | Secret::P384(_) | Secret::P521(_) | Secret::Ed25519(_) => None,
            #[cfg(feature = "ml-dsa")]
            Secret::MlDsa(_) => None,
        }
    }

    fn material(&self) -> Value {
        match &self.secret {
            Secret::Shared(secret) => json!({"kty": "oct", "k": base64url(secret)}),
            Secret::Rsa(key) => json!({
                "kty": "RSA",
                "n": base64url(&key.n_bytes()),
                "e": base64url(&key.e_bytes()),
            }),
            Secret::P256(key) => ec("P-256", key.verifying_key().to_sec1_point(false).as_bytes()),
            Secret::P384(key) => ec("P-384", key.verifying_key().to_sec1_point(false).as_bytes()),
            Secret::P521(key) => ec("P-521", key.verifying_key().to_sec1_point(false).as_bytes()),
            Secret::Ed25519(key) => json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "x": base64url(key.verifying_key().as_bytes()),
            }),
            #[cfg(feature = "ml-dsa")]
            Secret::MlDsa(seed) => json!({
                "kty": "AKP",
                "pub": base64url(&ml_dsa::public(self.algorithm, seed)),
            }),
        }
    }

    fn public_bytes(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Shared(secret) => secret.clone(),
            Secret::Rsa(key) => {
                let pem = key.to_public_key().to_public_key_pem(rsa::pkcs8::LineEnding::LF);
                pem.map(String::into_bytes).unwrap_or_default()
            }
            Secret::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            #[cfg(feature = "ml-dsa")]
            Secret::MlDsa(seed) => ml_dsa::public(self.algorithm, seed),
        }
    }
}

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

/// Encodes bytes as base64url without padding (RFC 7515 section 2).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
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

fn generate_rsa(algorithm: Algorithm) -> Result<RsaPrivateKey, KeyError> {
    RsaPrivateKey::new(&mut UnwrapErr(SysRng), RSA_BITS).map_err(|_| KeyError::Generate(algorithm))
}

/// Makes a key of any kind but RSA, which is `Unfit` here.
fn generate_quick(algorithm: Algorithm) -> Result<Secret, KeyError> {
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

fn ec(curve: &str, point: &[u8]) -> Value {
    let coordinates = point.get(1..).unwrap_or_default();
    let (x, y) = coordinates
        .split_at_checked(coordinates.len() / 2)
        .unwrap_or_default();
    json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
}

fn mac(algorithm: Algorithm, secret: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    macro_rules! mac {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(secret).ok()?;
            mac.update(message);
            Some(mac.finalize().into_bytes().to_vec())
        }};
    }
    match algorithm.name() {
        "HS256" => mac!(Sha256),
        "HS384" => mac!(Sha384),
        "HS512" => mac!(Sha512),
        _ => None,
    }
}

fn sign_rsa(algorithm: Algorithm, key: &RsaPrivateKey, message: &[u8]) -> Option<Vec<u8>> {
    let rng = &mut UnwrapErr(SysRng);
    macro_rules! pkcs1 {
        ($hash:ty) => {
            key.sign(rsa::Pkcs1v15Sign::new::<$hash>(), &<$hash>::digest(message))
                .ok()
        };
    }
    macro_rules! pss {
        ($hash:ty) => {
            key.sign_with_rng(rng, rsa::Pss::<$hash>::new(), &<$hash>::digest(message))
                .ok()
        };
    }
    match algorithm.name() {
        "RS256" => pkcs1!(Sha256),
        "RS384" => pkcs1!(Sha384),
        "RS512" => pkcs1!(Sha512),
        "PS256" => pss!(Sha256),
        "PS384" => pss!(Sha384),
        "PS512" => pss!(Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, KeyError, KeyRing};

    #[test]
    fn every_algorithm_signs_and_shows_a_jwk() {
        let mut ring = KeyRing::default();
        for algorithm in Algorithm::ALL.iter().copied() {
            let key = ring.generate(algorithm, "k").unwrap();
            assert!(key.sign(b"message").unwrap().len() >= 32, "{algorithm}");
            let jwk = key.jwk("sig");
            assert_eq!(jwk["alg"], algorithm.name());
            assert_eq!(jwk["kty"] == "oct", algorithm.is_symmetric(), "{algorithm}");
            assert_eq!(algorithm.name().parse::<Algorithm>().unwrap(), algorithm);
        }
    }

    #[test]
    fn keys_of_one_ring_are_distinct() {
        let mut ring = KeyRing::default();
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::HS256] {
            let [one, two] = ["k", "k"].map(|kid| ring.generate(algorithm, kid).unwrap().jwk("sig"));
            assert_ne!(one, two, "{algorithm}");
        }
    }

    #[test]
    fn a_key_signs_only_with_algorithms_that_fit_it() {
        let mut ring = KeyRing::default();
        let rsa = ring.generate(Algorithm::RS256, "k").unwrap();
        assert_eq!(rsa.sign_as(Algorithm::PS512, b"m").unwrap().len(), 256);
        let unfit = KeyError::Unfit {
            key: Algorithm::RS256,
            wanted: Algorithm::HS256,
        };
        assert_eq!(rsa.sign_as(Algorithm::HS256, b"m"), Err(unfit));
        assert_eq!(rsa.confuse(Algorithm::HS256, b"m").unwrap().len(), 32);
    }

    #[test]
    fn a_secret_does_not_show_in_debug() {
        let key = KeyRing::default().generate(Algorithm::HS256, "k").unwrap();
        let shown = format!("{key:?}");
        assert!(
            !shown.contains(&key.shared_secret().unwrap()) && !shown.contains("secret"),
            "{shown}"
        );
    }
}
