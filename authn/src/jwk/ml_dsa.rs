//! The keys of ML-DSA (RFC 9964 section 4): of type `AKP`, for the one algorithm that they name.
//!
//! A build without ML-DSA refuses them by name.

use serde_json::{Map, Value};

use super::{Algorithm, Material, Unusable};

/// Refuses a key of `kty` AKP where this build has no ML-DSA.
pub(super) fn check_built_in(members: &Map<String, Value>) -> Result<(), Unusable> {
    match members.get("kty").and_then(Value::as_str) {
        Some("AKP") if !cfg!(feature = "ml-dsa") => Err(not_built_in()),
        _ => Ok(()),
    }
}

fn not_built_in() -> Unusable {
    Unusable::new("its `kty` AKP needs ML-DSA, which this build does not have")
}

/// Refuses the key, as above.
#[cfg(not(feature = "ml-dsa"))]
pub(super) fn key(_: &Map<String, Value>, _: Option<Algorithm>) -> Result<Material, Unusable> {
    Err(not_built_in())
}

/// Reads `pub`; `algorithm` is the key's own `alg`, without which it means nothing.
#[cfg(feature = "ml-dsa")]
pub(super) fn key(members: &Map<String, Value>, algorithm: Option<Algorithm>) -> Result<Material, Unusable> {
    use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};

    let algorithm =
        algorithm.ok_or_else(|| Unusable::new("it has no `alg`, which keys of `kty` AKP must have"))?;
    match algorithm {
        Algorithm::MlDsa44 => {
            public::<ml_dsa_44::PublicKey, { ml_dsa_44::PK_LEN }>(members).map(Material::MlDsa44)
        }
        Algorithm::MlDsa65 => {
            public::<ml_dsa_65::PublicKey, { ml_dsa_65::PK_LEN }>(members).map(Material::MlDsa65)
        }
        Algorithm::MlDsa87 => {
            public::<ml_dsa_87::PublicKey, { ml_dsa_87::PK_LEN }>(members).map(Material::MlDsa87)
        }
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
        | Algorithm::Ed25519 => Err(Unusable::new(format!(
            "its `kty` AKP does not fit its `alg` {algorithm}"
        ))),
    }
}

#[cfg(feature = "ml-dsa")]
fn public<K: fips204::traits::SerDes<ByteArray = [u8; N]>, const N: usize>(
    members: &Map<String, Value>,
) -> Result<Box<K>, Unusable> {
    let bytes: [u8; N] = super::bytes(members, "pub")?
        .try_into()
        .map_err(|_| Unusable::new(format!("its `pub` is not {N} bytes long")))?;
    K::try_from_bytes(bytes)
        .map(Box::new)
        .map_err(|_| Unusable::new("its `pub` is no public key"))
}
