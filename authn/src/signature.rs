//! The algorithms, as `jwt-compact` wants them: one implementation of its `Algorithm` for each family, over
//! the newest RustCrypto. No cryptography of our own.
//!
//! `jwt-compact` splits the token, decodes the signature and fixes the interface; its own algorithm features
//! pin older and slower crates, so none of them is used. There is no signing here: the signing key of every
//! algorithm is a type without values. Its `Validator` is not used either: it reads the payload as claims once
//! more, with dates no calendar has as errors, and a JWS may carry what is no claim at all.

mod comb;
mod ecdsa;
mod ed25519;
#[cfg(feature = "ml-dsa")]
mod ml_dsa;
mod pkcs1;
mod repeated;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::num::NonZeroUsize;

use hmac::{Hmac, KeyInit, Mac};
use jwt_compact::{Algorithm as JwsAlgorithm, AlgorithmSignature, UntrustedToken};
use rsa::RsaPublicKey;
use rsa::pss::Pss;
use rsa::traits::SignatureScheme;
use sha2::digest::block_api::EagerHash;
use sha2::digest::{Digest, FixedOutputReset};
use sha2::{Sha256, Sha384, Sha512};

pub(crate) use self::ecdsa::EcKey;
use self::ecdsa::Es;
use self::ed25519::Ed25519;
pub(crate) use self::ed25519::EdKey;
use self::pkcs1::Rs;
pub(crate) use self::repeated::Room;
use crate::jwk::{Key, Material};
use crate::{Algorithm, HostSignatures, Reject};

/// Whether the signature of `token`, whose text is `text`, was made with `algorithm` by the owner of `key`.
pub(crate) fn token_holds(
    algorithm: Algorithm,
    key: &Key,
    token: &UntrustedToken<'_>,
    text: &str,
    host: Option<&HostSignatures>,
) -> Result<bool, Reject> {
    let (signed, _) = text.rsplit_once('.').ok_or(Reject::TokenMalformed)?;
    Ok(token.algorithm() == algorithm.name()
        && holds(algorithm, key, signed.as_bytes(), token.signature_bytes(), host))
}

/// Whether `signature` over `message` was made with `algorithm` by the owner of `key`: in the word of the host, where
/// there is one and it is worth something, else by what is computed here.
pub(crate) fn holds(
    algorithm: Algorithm,
    key: &Key,
    message: &[u8],
    signature: &[u8],
    host: Option<&HostSignatures>,
) -> bool {
    // INVARIANT: a key never serves an algorithm of another family or curve, whoever checks.
    key.material.fits(algorithm)
        && host
            .and_then(|host| host.holds(algorithm, key, message, signature))
            .unwrap_or_else(|| computed(algorithm, &key.material, message, signature))
}

/// Whether `signature` over `message` was made with `algorithm` by the owner of `key`, computed here.
fn computed(algorithm: Algorithm, key: &Material, message: &[u8], signature: &[u8]) -> bool {
    match (algorithm, key) {
        (Algorithm::Hs256, Material::Secret(key)) => check(&Hs::<Sha256>::NEW, key, message, signature),
        (Algorithm::Hs384, Material::Secret(key)) => check(&Hs::<Sha384>::NEW, key, message, signature),
        (Algorithm::Hs512, Material::Secret(key)) => check(&Hs::<Sha512>::NEW, key, message, signature),
        (Algorithm::Rs256, Material::Rsa(key)) => check(&Rs::<Sha256>::NEW, key, message, signature),
        (Algorithm::Rs384, Material::Rsa(key)) => check(&Rs::<Sha384>::NEW, key, message, signature),
        (Algorithm::Rs512, Material::Rsa(key)) => check(&Rs::<Sha512>::NEW, key, message, signature),
        (Algorithm::Ps256, Material::Rsa(key)) => check(&Ps::<Sha256>::NEW, key, message, signature),
        (Algorithm::Ps384, Material::Rsa(key)) => check(&Ps::<Sha384>::NEW, key, message, signature),
        (Algorithm::Ps512, Material::Rsa(key)) => check(&Ps::<Sha512>::NEW, key, message, signature),
        (Algorithm::Es256, Material::P256(key)) => check(&Es::NEW, key, message, signature),
        (Algorithm::Es384, Material::P384(key)) => check(&Es::NEW, key, message, signature),
        (Algorithm::Es512, Material::P521(key)) => check(&Es::NEW, key, message, signature),
        (Algorithm::EdDsa | Algorithm::Ed25519, Material::Ed25519(key)) => {
            check(&Ed25519(algorithm), key, message, signature)
        }
        #[cfg(feature = "ml-dsa")]
        (Algorithm::MlDsa44, Material::MlDsa44(key)) => check(&ml_dsa::MlDsa44, key, message, signature),
        #[cfg(feature = "ml-dsa")]
        (Algorithm::MlDsa65, Material::MlDsa65(key)) => check(&ml_dsa::MlDsa65, key, message, signature),
        #[cfg(feature = "ml-dsa")]
        (Algorithm::MlDsa87, Material::MlDsa87(key)) => check(&ml_dsa::MlDsa87, key, message, signature),
        // INVARIANT: a key never serves an algorithm of another family or curve.
        (
            Algorithm::Hs256
            | Algorithm::Hs384
            | Algorithm::Hs512
            | Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Es256
            | Algorithm::Es384
            | Algorithm::Es512
            | Algorithm::EdDsa
            | Algorithm::Ed25519
            | Algorithm::MlDsa44
            | Algorithm::MlDsa65
            | Algorithm::MlDsa87,
            _,
        ) => false,
    }
}

fn check<A: JwsAlgorithm>(algorithm: &A, key: &A::VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    if A::Signature::LENGTH.is_some_and(|length| length.get() != signature.len()) {
        return false;
    }
    A::Signature::try_from_slice(signature)
        .is_ok_and(|signature| algorithm.verify_signature(&signature, key, message))
}

/// The signing key of every algorithm: there is none.
pub(crate) enum NoSigningKey {}

/// A signature as bytes, of exactly `N` where `N` is not 0.
pub(crate) struct Bytes<const N: usize>(Vec<u8>);

impl<const N: usize> AlgorithmSignature for Bytes<N> {
    const LENGTH: Option<NonZeroUsize> = NonZeroUsize::new(N);

    fn try_from_slice(slice: &[u8]) -> anyhow::Result<Self> {
        Ok(Self(slice.to_vec()))
    }

    fn as_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0)
    }
}

/// HMAC with the hash `D` (RFC 7518 section 3.2).
struct Hs<D>(PhantomData<D>);

/// RSASSA-PSS with the hash `D`, MGF1 with `D`, and a salt as long as the hash (RFC 7518 section 3.5).
struct Ps<D>(PhantomData<D>);

impl<D> Hs<D> {
    const NEW: Self = Self(PhantomData);
}

impl<D> Ps<D> {
    const NEW: Self = Self(PhantomData);
}

fn sized_name<D: Digest>(bits: [&'static str; 3]) -> Cow<'static, str> {
    let [short, middle, long] = bits;
    Cow::Borrowed(match <D as Digest>::output_size() {
        32 => short,
        48 => middle,
        _ => long,
    })
}

impl<D: EagerHash + Digest> JwsAlgorithm for Hs<D> {
    type SigningKey = NoSigningKey;
    type VerifyingKey = zeroize::Zeroizing<Vec<u8>>;
    type Signature = Bytes<0>;

    fn name(&self) -> Cow<'static, str> {
        sized_name::<D>(["HS256", "HS384", "HS512"])
    }

    fn sign(&self, signing_key: &NoSigningKey, _: &[u8]) -> Bytes<0> {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &Bytes<0>, key: &Self::VerifyingKey, message: &[u8]) -> bool {
        Hmac::<D>::new_from_slice(key)
            .is_ok_and(|mac| mac.chain_update(message).verify_slice(&signature.0).is_ok())
    }
}

impl<D: Digest + FixedOutputReset> JwsAlgorithm for Ps<D> {
    type SigningKey = NoSigningKey;
    type VerifyingKey = RsaPublicKey;
    type Signature = Bytes<0>;

    fn name(&self) -> Cow<'static, str> {
        sized_name::<D>(["PS256", "PS384", "PS512"])
    }

    fn sign(&self, signing_key: &NoSigningKey, _: &[u8]) -> Bytes<0> {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &Bytes<0>, key: &RsaPublicKey, message: &[u8]) -> bool {
        Pss::<D>::new()
            .verify(key, &D::digest(message), &signature.0)
            .is_ok()
    }
}
