//! ML-DSA (FIPS 204) as RFC 9964 section 3 uses it: over the message itself, with an empty context.

use std::borrow::Cow;

use fips204::traits::Verifier as _;
use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};
use jwt_compact::Algorithm as JwsAlgorithm;

use super::{Bytes, NoSigningKey};

macro_rules! ml_dsa {
    ($type:ident, $name:literal, $set:ident) => {
        #[doc = concat!($name, " (RFC 9964 section 3).")]
        pub(super) struct $type;

        impl JwsAlgorithm for $type {
            type SigningKey = NoSigningKey;
            type VerifyingKey = $set::PublicKey;
            type Signature = Bytes<{ $set::SIG_LEN }>;

            fn name(&self) -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn sign(&self, signing_key: &NoSigningKey, _: &[u8]) -> Self::Signature {
                match *signing_key {}
            }

            fn verify_signature(
                &self,
                signature: &Self::Signature,
                key: &$set::PublicKey,
                message: &[u8],
            ) -> bool {
                <&[u8; $set::SIG_LEN]>::try_from(signature.0.as_slice())
                    .is_ok_and(|signature| key.verify(message, signature, &[]))
            }
        }
    };
}

ml_dsa!(MlDsa44, "ML-DSA-44", ml_dsa_44);
ml_dsa!(MlDsa65, "ML-DSA-65", ml_dsa_65);
ml_dsa!(MlDsa87, "ML-DSA-87", ml_dsa_87);
