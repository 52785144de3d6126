//! RSASSA-PKCS1-v1_5 (RFC 7518 section 3.3), as the `rsa` crate verifies it.

use std::borrow::Cow;
use std::marker::PhantomData;

use jwt_compact::Algorithm as JwsAlgorithm;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::traits::SignatureScheme;
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
        Pkcs1v15Sign::new::<D>()
            .verify(key, &D::digest(message), &signature.0)
            .is_ok()
    }
}
