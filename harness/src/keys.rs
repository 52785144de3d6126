//! Development keys, made at run time: generation, the public JWK, signing. Nothing here verifies anything,
//! and nothing here is meant for production keys.

mod algorithm;
#[cfg(feature = "ml-dsa")]
mod ml_dsa;
mod ring;

use std::fmt;
use std::sync::Arc;

use getrandom::SysRng;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::rand_core::UnwrapErr;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use signature::Signer as _;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use ring::KeyRing;
use ring::{generate_quick, generate_rsa};

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

/// Encodes bytes as base64url without padding (RFC 7515 section 2).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
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
