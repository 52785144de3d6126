//! One JSON Web Key (RFC 7517): strict, or unusable with a reason.
//!
//! What a key says of itself binds: `alg`, `use`, `key_ops`. What it says is checked before any signature is:
//! sizes, curves, full-length coordinates, exponents.

mod ml_dsa;

use std::fmt;

use rsa::{BoxedUint, RsaPublicKey};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::algorithm::Family;
use crate::signature::{EcKey, EdKey, Room};
use crate::{Algorithm, base64url, host_signatures, limits};

/// A key that is ready to verify.
pub(crate) struct Key {
    /// `kid` (RFC 7517 section 4.5).
    pub(crate) id: Option<String>,
    /// The one algorithm the key is for, where it says so (RFC 7517 section 4.4).
    pub(crate) algorithm: Option<Algorithm>,
    /// The key itself.
    pub(crate) material: Material,
    /// The key in DER, for hosts that check signatures; nothing where they are not asked about its kind.
    pub(crate) public_key: Option<Box<[u8]>>,
    /// Whether `use` is `jwt-svid` (JWT-SVID section 6.2), in place of `sig`.
    pub(crate) is_jwt_svid: bool,
}

/// The key itself, by what can be done with it.
pub(crate) enum Material {
    Secret(Zeroizing<Vec<u8>>),
    Rsa(Box<RsaPublicKey>),
    P256(Box<EcKey<p256::NistP256>>),
    P384(Box<EcKey<p384::NistP384>>),
    P521(Box<EcKey<p521::NistP521>>),
    Ed25519(Box<EdKey>),
    // Expanded, so that a check does not do it again: 4, 6 and 8 KiB.
    #[cfg(feature = "ml-dsa")]
    MlDsa44(Box<fips204::ml_dsa_44::PublicKey>),
    #[cfg(feature = "ml-dsa")]
    MlDsa65(Box<fips204::ml_dsa_65::PublicKey>),
    #[cfg(feature = "ml-dsa")]
    MlDsa87(Box<fips204::ml_dsa_87::PublicKey>),
}

/// What an author should know of a key that is usable all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// A secret stands in the policy itself.
    InlineSecret,
    /// Private members of an asymmetric key stand in the policy.
    PrivateMembers,
    /// A public exponent under 65537.
    SmallExponent,
}

/// Why a key cannot be used. The text names members and sizes, never their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) String);

impl Unusable {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            algorithm,
            material,
            public_key: _,
            is_jwt_svid,
        } = self;
        f.debug_struct("Key")
            .field("id", id)
            .field("algorithm", algorithm)
            .field("material", material)
            .field("is_jwt_svid", is_jwt_svid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Material {
    /// The kind alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret([redacted])",
            Self::Rsa(_) => "Rsa(..)",
            Self::P256(_) => "P256(..)",
            Self::P384(_) => "P384(..)",
            Self::P521(_) => "P521(..)",
            Self::Ed25519(_) => "Ed25519(..)",
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44(_) => "MlDsa44(..)",
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa65(_) => "MlDsa65(..)",
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa87(_) => "MlDsa87(..)",
        })
    }
}

impl Key {
    /// Reads a JWK.
    pub(crate) fn from_jwk(jwk: &Value) -> Result<(Self, Vec<Concern>), Unusable> {
        let members = jwk
            .as_object()
            .ok_or_else(|| Unusable::new("it is not an object"))?;
        ml_dsa::check_built_in(members)?;
        let is_jwt_svid = check_use(members)?;
        let algorithm = algorithm(members)?;
        let (material, concerns) = material(members, algorithm)?;
        let key = Self {
            id: key_id(members)?,
            algorithm,
            public_key: host_signatures::public_key(&material),
            material,
            is_jwt_svid,
        };
        key.check_algorithm()?;
        Ok((key, concerns))
    }

    /// A symmetric key for one algorithm (RFC 7518 section 3.2).
    pub(crate) fn from_secret(
        id: Option<String>,
        algorithm: Algorithm,
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<Self, Unusable> {
        let material = Material::Secret(secret);
        let key = Self {
            id,
            algorithm: Some(algorithm),
            material,
            public_key: None,
            is_jwt_svid: false,
        };
        key.check_algorithm()?;
        Ok(key)
    }

    /// Whether the key may verify signatures made with `algorithm`.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm
            .is_none_or(|own| own.is_same_computation(algorithm))
            && self.material.fits(algorithm)
    }

    /// Whether the key may serve a token that names the key `id`, or none: a key with an id never serves a
    /// token with another; a key without one serves tokens without one.
    pub(crate) fn answers_to(&self, id: Option<&str>) -> bool {
        id.is_none_or(|id| self.id.as_deref() == Some(id))
    }

    /// Whether there is an algorithm that both keys may serve.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        Algorithm::ALL
            .iter()
            .any(|algorithm| self.fits(*algorithm) && other.fits(*algorithm))
    }

    fn check_algorithm(&self) -> Result<(), Unusable> {
        let usable = match self.algorithm {
            Some(algorithm) => self.material.fits(algorithm),
            None => Algorithm::ALL
                .iter()
                .any(|algorithm| self.material.fits(*algorithm)),
        };
        match (usable, self.algorithm, &self.material) {
            (true, ..) => Ok(()),
            (false, Some(algorithm), Material::Secret(_)) if algorithm.is_symmetric() => {
                Err(Unusable::new(format!(
                    "its secret is shorter than the {} bytes that {algorithm} needs",
                    algorithm.hash_bytes()
                )))
            }
            (false, Some(algorithm), _) => Err(Unusable::new(format!(
                "its kind or curve does not fit its `alg` {algorithm}"
            ))),
            (false, None, _) => Err(Unusable::new("its secret is shorter than 32 bytes")),
        }
    }
}

impl Material {
    /// Whether the kind, the curve and the size of the key are what `algorithm` asks for.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Secret(secret) => {
                algorithm.family() == Family::Hmac && secret.len() >= algorithm.hash_bytes()
            }
            Self::Rsa(_) => algorithm.family() == Family::Rsa,
            Self::P256(_) => algorithm == Algorithm::Es256,
            Self::P384(_) => algorithm == Algorithm::Es384,
            Self::P521(_) => algorithm == Algorithm::Es512,
            Self::Ed25519(_) => algorithm.family() == Family::EdDsa,
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44(_) => algorithm == Algorithm::MlDsa44,
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa65(_) => algorithm == Algorithm::MlDsa65,
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa87(_) => algorithm == Algorithm::MlDsa87,
        }
    }

    /// Makes what speeds up verifying with the key, where it was verified with often enough and there is room.
    pub(crate) fn prepare(&self, room: &Room) {
        match self {
            Self::P256(key) => key.prepare(room),
            Self::P384(key) => key.prepare(room),
            Self::P521(key) => key.prepare(room),
            Self::Ed25519(key) => key.prepare(room),
            Self::Secret(_) | Self::Rsa(_) => (),
            #[cfg(feature = "ml-dsa")]
            Self::MlDsa44(_) | Self::MlDsa65(_) | Self::MlDsa87(_) => (),
        }
    }

    /// Whether issuer and verifier share this key.
    pub(crate) const fn is_symmetric(&self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

/// `use` and `key_ops` must allow verification and agree (RFC 7517 sections 4.2 and 4.3).
fn check_use(members: &Map<String, Value>) -> Result<bool, Unusable> {
    let is_jwt_svid = match members.get("use") {
        None => false,
        Some(Value::String(usage)) if usage == "sig" => false,
        Some(Value::String(usage)) if usage == "jwt-svid" => true,
        Some(_) => return Err(Unusable::new("its `use` is not `sig`")),
    };
    let Some(operations) = members.get("key_ops") else {
        return Ok(is_jwt_svid);
    };
    let operations: Option<Vec<&str>> = operations
        .as_array()
        .and_then(|list| list.iter().map(Value::as_str).collect());
    let operations = operations.ok_or_else(|| Unusable::new("its `key_ops` is not an array of strings"))?;
    if !operations.contains(&"verify") {
        return Err(Unusable::new("its `key_ops` does not hold `verify`"));
    }
    if operations
        .iter()
        .any(|operation| !matches!(*operation, "verify" | "sign"))
    {
        return Err(Unusable::new("its `key_ops` holds more than `sign` and `verify`"));
    }
    if operations.len() > 2 || operations == ["verify", "verify"] {
        return Err(Unusable::new("its `key_ops` names an operation twice"));
    }
    Ok(is_jwt_svid)
}

fn algorithm(members: &Map<String, Value>) -> Result<Option<Algorithm>, Unusable> {
    match members.get("alg") {
        None => Ok(None),
        Some(name) => name
            .as_str()
            .and_then(Algorithm::from_name)
            .map(Some)
            .ok_or_else(|| Unusable::new("its `alg` is no signature algorithm that is built in")),
    }
}

fn key_id(members: &Map<String, Value>) -> Result<Option<String>, Unusable> {
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        Some(_) => Err(Unusable::new("its `kid` is not a string")),
    }
}

fn material(
    members: &Map<String, Value>,
    algorithm: Option<Algorithm>,
) -> Result<(Material, Vec<Concern>), Unusable> {
    let concern = if members.contains_key("d") || members.contains_key("priv") {
        vec![Concern::PrivateMembers]
    } else {
        Vec::new()
    };
    match (text(members, "kty")?, members.get("crv").and_then(Value::as_str)) {
        ("oct", _) => {
            let secret = Zeroizing::new(bytes(members, "k")?);
            Ok((Material::Secret(secret), vec![Concern::InlineSecret]))
        }
        ("RSA", _) => rsa_key(members, concern),
        ("EC", Some("P-256")) => {
            let point = uncompressed_point(members, 32)?;
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| not_on_curve())?;
            Ok((Material::P256(Box::new(key.into())), concern))
        }
        ("EC", Some("P-384")) => {
            let point = uncompressed_point(members, 48)?;
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| not_on_curve())?;
            Ok((Material::P384(Box::new(key.into())), concern))
        }
        ("EC", Some("P-521")) => {
            let point = uncompressed_point(members, 66)?;
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| not_on_curve())?;
            Ok((Material::P521(Box::new(key.into())), concern))
        }
        ("OKP", Some("Ed25519")) => Ok((ed25519_key(members)?, concern)),
        ("AKP", _) => Ok((ml_dsa::key(members, algorithm)?, concern)),
        ("EC" | "OKP", _) => Err(Unusable::new("its curve is none of P-256, P-384, P-521, Ed25519")),
        _ => Err(Unusable::new("its `kty` is none of RSA, EC, OKP, AKP, oct")),
    }
}

fn not_on_curve() -> Unusable {
    Unusable::new("its point is not on its curve")
}

/// The point `(x, y)` in the uncompressed form of SEC 1; coordinates have full length (RFC 7518 6.2.1.2).
fn uncompressed_point(members: &Map<String, Value>, length: usize) -> Result<Vec<u8>, Unusable> {
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    if x.len() != length || y.len() != length {
        return Err(Unusable::new(format!(
            "its coordinates are not {length} bytes long"
        )));
    }
    Ok([&[4], x.as_slice(), y.as_slice()].concat())
}

fn ed25519_key(members: &Map<String, Value>) -> Result<Material, Unusable> {
    let point: [u8; 32] = bytes(members, "x")?
        .try_into()
        .map_err(|_| Unusable::new("its public key is not 32 bytes long"))?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&point).map_err(|_| not_on_curve())?;
    if key.is_weak() {
        return Err(Unusable::new("its point has small order"));
    }
    Ok(Material::Ed25519(Box::new(key.into())))
}

fn rsa_key(
    members: &Map<String, Value>,
    mut concerns: Vec<Concern>,
) -> Result<(Material, Vec<Concern>), Unusable> {
    let (modulus, exponent) = (integer(members, "n")?, integer(members, "e")?);
    let exponent = small_integer(&exponent)
        .filter(|e| (limits::RSA_EXPONENT_MIN..=limits::RSA_EXPONENT_MAX).contains(e) && e & 1 == 1)
        .ok_or_else(|| Unusable::new("its exponent is not odd, from 3 to 2^32-1"))?;
    if exponent < limits::RSA_EXPONENT_USUAL {
        concerns.push(Concern::SmallExponent);
    }
    let modulus = BoxedUint::from_be_slice_vartime(&modulus);
    let sizes = limits::RSA_BITS_MIN..=limits::RSA_BITS_MAX;
    RsaPublicKey::new_with_size_limits(modulus, BoxedUint::from(exponent), sizes)
        .map(|key| (Material::Rsa(Box::new(key)), concerns))
        .map_err(|_| {
            Unusable::new(format!(
                "its modulus is not odd, from {} to {} bits",
                limits::RSA_BITS_MIN,
                limits::RSA_BITS_MAX
            ))
        })
}

/// A `Base64urlUInt`: big-endian, with no more octets than needed (RFC 7518 section 2).
fn integer(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    let bytes = bytes(members, name)?;
    match bytes.first() {
        Some(0) | None => Err(Unusable::new(format!(
            "its `{name}` is empty or begins with a zero octet"
        ))),
        Some(_) if bytes.len() > limits::RSA_BITS_MAX / 8 => Err(Unusable::new(format!(
            "its `{name}` is longer than {} bits",
            limits::RSA_BITS_MAX
        ))),
        Some(_) => Ok(bytes),
    }
}

fn small_integer(bytes: &[u8]) -> Option<u64> {
    let mut padded = [0_u8; 8];
    let start = padded.len().checked_sub(bytes.len())?;
    padded.get_mut(start..)?.copy_from_slice(bytes);
    Some(u64::from_be_bytes(padded))
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, Unusable> {
    let value = members
        .get(name)
        .ok_or_else(|| Unusable::new(format!("it has no `{name}`")))?;
    value
        .as_str()
        .ok_or_else(|| Unusable::new(format!("its `{name}` is not a string")))
}

fn bytes(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    base64url::decode(text(members, name)?.as_bytes())
        .ok_or_else(|| Unusable::new(format!("its `{name}` is not base64url without padding")))
}
