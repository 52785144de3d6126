//! RSASSA-PKCS1-v1_5 (RFC 7518 section 3.3), with a public exponent that is no secret: it is raised to bit by bit, where
//! the `rsa` crate spends as many products again on hiding it. Numbers are those of `crypto-bigint`; the modulus was
//! prepared when the key was read.

use std::borrow::Cow;
use std::marker::PhantomData;

use crypto_bigint::modular::BoxedMontyForm;
use crypto_bigint::{BoxedUint, MontyForm, MontyMultiplier};
use jwt_compact::Algorithm as JwsAlgorithm;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::traits::PublicKeyParts;
use sha2::digest::Digest;
use sha2::digest::const_oid::AssociatedOid;

use super::{Bytes, NoSigningKey, sized_name};

/// RSASSA-PKCS1-v1_5 with the hash `D`.
pub(super) struct Rs<D>(PhantomData<D>);

impl<D> Rs<D> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<D: Digest + AssociatedOid> JwsAlgorithm for Rs<D> {
    type SigningKey = NoSigningKey;
    type VerifyingKey = RsaPublicKey;
    type Signature = Bytes<0>;

    fn name(&self) -> Cow<'static, str> {
        sized_name::<D>(["RS256", "RS384", "RS512"])
    }

    fn sign(&self, signing_key: &NoSigningKey, _: &[u8]) -> Bytes<0> {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &Bytes<0>, key: &RsaPublicKey, message: &[u8]) -> bool {
        holds::<D>(key, &D::digest(message), &signature.0).unwrap_or(false)
    }
}

/// Whether the signature over what hashes to `digest` holds (RFC 8017 section 8.2.2); nothing where it has another length
/// than the modulus, or is not less.
pub(super) fn holds<D: Digest + AssociatedOid>(
    key: &RsaPublicKey,
    digest: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let precision = key.n_bits_precision();
    let is_whole = signature.len() == key.size();
    let number = is_whole.then(|| BoxedUint::from_be_slice(signature, precision).ok())??;
    let encoded = encoded::<D>(digest, key.size())?;
    let expected = BoxedUint::from_be_slice(&encoded, precision).ok()?;
    (number < *key.n().as_ref()).then(|| raised(key, number) == expected)
}

/// RSAVP1 (RFC 8017 section 5.2.2) of a number that is less than the modulus.
fn raised(key: &RsaPublicKey, number: BoxedUint) -> BoxedUint {
    let base = BoxedMontyForm::new(number, key.n_params());
    let mut product = <BoxedMontyForm as MontyForm>::Multiplier::from(key.n_params());
    let mut power = base.clone();
    for bit in (0..key.e().bits_vartime().saturating_sub(1)).rev() {
        product.square_assign(&mut power);
        if key.e().bit_vartime(bit) {
            product.mul_assign(&mut power, &base);
        }
    }
    power.retrieve()
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): the one encoding there is, as long as the modulus.
fn encoded<D: Digest + AssociatedOid>(digest: &[u8], length: usize) -> Option<Vec<u8>> {
    let prefix = Pkcs1v15Sign::new::<D>().prefix;
    let filling = length
        .checked_sub(prefix.len() + digest.len() + 3)
        .filter(|filling| *filling >= 8)?;
    Some([&[0, 1], vec![0xff; filling].as_slice(), &[0], &prefix, digest].concat())
}
