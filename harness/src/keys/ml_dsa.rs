//! Development keys of ML-DSA (FIPS 204, RFC 9964): a seed, from which both halves are made where they are needed.

use fips204::traits::{KeyGen as _, SerDes as _, Signer as _};
use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};

use super::{Algorithm, KeyError};

/// The private key of RFC 9964 section 4: 32 bytes.
pub(super) type Seed = [u8; 32];

/// Makes a seed.
pub(super) fn generate() -> Result<Seed, KeyError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| KeyError::Random)?;
    Ok(seed)
}

/// The public key; nothing for another algorithm.
pub(super) fn public(algorithm: Algorithm, seed: &Seed) -> Vec<u8> {
    macro_rules! public {
        ($set:ident) => {
            $set::KG::keygen_from_seed(seed).0.into_bytes().to_vec()
        };
    }
    match algorithm.name() {
        "ML-DSA-44" => public!(ml_dsa_44),
        "ML-DSA-65" => public!(ml_dsa_65),
        "ML-DSA-87" => public!(ml_dsa_87),
        _ => Vec::new(),
    }
}

/// Signs `message` with the algorithm of the `key`, which must be the one `wanted`, and an empty context.
pub(super) fn sign(
    key: Algorithm,
    wanted: Algorithm,
    seed: &Seed,
    message: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let random = generate()?;
    macro_rules! sign {
        ($set:ident) => {{
            let (_, secret) = $set::KG::keygen_from_seed(seed);
            let signature = secret.try_sign_with_seed(&random, message, &[]);
            signature.map(|bytes| bytes.to_vec()).ok()
        }};
    }
    let signature = match wanted.name() {
        name if name != key.name() => None,
        "ML-DSA-44" => sign!(ml_dsa_44),
        "ML-DSA-65" => sign!(ml_dsa_65),
        "ML-DSA-87" => sign!(ml_dsa_87),
        _ => None,
    };
    signature.ok_or(KeyError::Unfit { key, wanted })
}
