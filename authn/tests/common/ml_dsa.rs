//! The keys of ML-DSA and their signatures: made from the seed of RFC 9964 appendix A, which is all zeros.
#![cfg_attr(
    not(feature = "ml-dsa"),
    expect(clippy::unimplemented, reason = "a build without ML-DSA asks for no such key")
)]

use scopegate_authn::Algorithm;
use serde_json::Value;

#[cfg(feature = "ml-dsa")]
const SEED: [u8; 32] = [0; 32];

#[cfg(feature = "ml-dsa")]
pub(crate) fn private_jwk(algorithm: Algorithm) -> Value {
    use fips204::traits::{KeyGen as _, SerDes as _};
    use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};

    let public = match algorithm {
        Algorithm::MlDsa44 => ml_dsa_44::KG::keygen_from_seed(&SEED).0.into_bytes().to_vec(),
        Algorithm::MlDsa65 => ml_dsa_65::KG::keygen_from_seed(&SEED).0.into_bytes().to_vec(),
        _ => ml_dsa_87::KG::keygen_from_seed(&SEED).0.into_bytes().to_vec(),
    };
    serde_json::json!({
        "kty": "AKP", "alg": algorithm.name(), "pub": super::encode(&public), "priv": super::encode(&SEED),
    })
}

#[cfg(feature = "ml-dsa")]
pub(crate) fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    use fips204::traits::{KeyGen as _, Signer as _};
    use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};

    macro_rules! sign {
        ($set:ident) => {{
            let (_, key) = $set::KG::keygen_from_seed(&SEED);
            key.try_sign_with_seed(&[0; 32], message, &[]).unwrap().to_vec()
        }};
    }
    match algorithm {
        Algorithm::MlDsa44 => sign!(ml_dsa_44),
        Algorithm::MlDsa65 => sign!(ml_dsa_65),
        _ => sign!(ml_dsa_87),
    }
}

#[cfg(not(feature = "ml-dsa"))]
pub(crate) fn private_jwk(_: Algorithm) -> Value {
    unimplemented!("this build has no ML-DSA")
}

#[cfg(not(feature = "ml-dsa"))]
pub(crate) fn sign(_: Algorithm, _: &[u8]) -> Vec<u8> {
    unimplemented!("this build has no ML-DSA")
}
