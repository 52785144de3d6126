//! The names of signature algorithms (RFC 7518 section 3.1, RFC 8037, RFC 9864, RFC 9964) and what each asks of a key.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A signature algorithm of the language. `none` is not one (RFC 8725 section 3.2).
///
/// A build may lack some: [`Algorithm::is_built_in`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
    /// HMAC with SHA-384.
    #[serde(rename = "HS384")]
    Hs384,
    /// HMAC with SHA-512.
    #[serde(rename = "HS512")]
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// ECDSA on P-521 with SHA-512.
    #[serde(rename = "ES512")]
    Es512,
    /// EdDSA, here on Ed25519 only (RFC 8037 section 3.1).
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// EdDSA on Ed25519 by its full name (RFC 9864 section 2.2).
    #[serde(rename = "Ed25519")]
    Ed25519,
    /// ML-DSA-44 (FIPS 204, RFC 9964 section 3).
    #[serde(rename = "ML-DSA-44")]
    MlDsa44,
    /// ML-DSA-65 (FIPS 204, RFC 9964 section 3).
    #[serde(rename = "ML-DSA-65")]
    MlDsa65,
    /// ML-DSA-87 (FIPS 204, RFC 9964 section 3).
    #[serde(rename = "ML-DSA-87")]
    MlDsa87,
}

/// What makes two algorithms use keys of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// A secret shared with the issuer.
    Hmac,
    /// RSA, with either padding.
    Rsa,
    /// ECDSA, the curve fixed by the algorithm (RFC 7518 section 3.4).
    Ecdsa,
    /// Ed25519.
    EdDsa,
    /// ML-DSA, the parameter set fixed by the algorithm (RFC 9964 section 3).
    MlDsa,
}

impl Algorithm {
    /// Every algorithm that is built in.
    pub const ALL: &[Self] = &[
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Ed25519,
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa44,
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa65,
        #[cfg(feature = "ml-dsa")]
        Self::MlDsa87,
    ];

    /// Its registered name, as it stands in `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// Whether this build can verify it: ML-DSA needs the feature `ml-dsa`.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        cfg!(feature = "ml-dsa") || !matches!(self.family(), Family::MlDsa)
    }

    /// The algorithm called `name`, compared with case (RFC 7515 section 4.1.1); none that this build lacks.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|algorithm| algorithm.name() == name)
    }

    /// Whether issuer and verifier share one secret.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self.family(), Family::Hmac)
    }

    pub(crate) const fn family(self) -> Family {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => Family::Hmac,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => Family::Rsa,
            Self::Es256 | Self::Es384 | Self::Es512 => Family::Ecdsa,
            Self::EdDsa | Self::Ed25519 => Family::EdDsa,
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => Family::MlDsa,
        }
    }

    /// The length of its hash in bytes: the least an HMAC secret must have (RFC 7518 section 3.2). For ML-DSA that
    /// of its message representative (FIPS 204 section 6.2).
    pub(crate) const fn hash_bytes(self) -> usize {
        match self {
            Self::Hs256 | Self::Rs256 | Self::Ps256 | Self::Es256 => 32,
            Self::Hs384 | Self::Rs384 | Self::Ps384 | Self::Es384 => 48,
            Self::Hs512
            | Self::Rs512
            | Self::Ps512
            | Self::Es512
            | Self::EdDsa
            | Self::Ed25519
            | Self::MlDsa44
            | Self::MlDsa65
            | Self::MlDsa87 => 64,
        }
    }

    /// Whether both names stand for the same computation: `EdDSA` and `Ed25519` do here (RFC 9864 section 2.2).
    pub(crate) fn is_same_computation(self, other: Self) -> bool {
        self == other || (self.family() == Family::EdDsa && other.family() == Family::EdDsa)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
