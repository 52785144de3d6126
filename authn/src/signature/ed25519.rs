//! EdDSA on Ed25519 (RFC 8037 section 3.1): as `verify_strict` of ed25519-dalek does it, and, for keys that are used again
//! and again, the same equation over multiples of the key that were made before.
//!
//! What holds is the same on both ways, and stricter than RFC 8032 section 5.1.7 asks: the equation without the cofactor,
//! an `s` under the order, an `R` in its one encoding, and neither `R` nor the key of small order.

use std::array;
use std::borrow::Cow;
use std::sync::OnceLock;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::traits::Identity;
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::VerifyingKey;
use jwt_compact::Algorithm as JwsAlgorithm;
use sha2::{Digest, Sha512};

use super::comb::{self, Multiples};
use super::repeated::{Repeated, Room};
use super::{Bytes, NoSigningKey};
use crate::Algorithm;

/// The bytes of a number.
const NUMBER_BYTES: usize = 32;

/// The multiples of the base point, once somebody wanted them; none where they could not be made.
static BASE: OnceLock<Option<Multiples<EdwardsPoint>>> = OnceLock::new();

/// The multiples that make a key faster.
#[derive(Debug)]
pub(super) struct Table {
    /// Those of the key's negative.
    pub(super) key: Multiples<EdwardsPoint>,
    base: &'static Multiples<EdwardsPoint>,
}

/// A public key, and its multiples once they pay.
#[derive(Debug)]
pub(crate) struct EdKey {
    pub(super) public: VerifyingKey,
    multiples: Repeated<Table>,
}

impl From<VerifyingKey> for EdKey {
    fn from(public: VerifyingKey) -> Self {
        Self {
            public,
            multiples: Repeated::default(),
        }
    }
}

impl EdKey {
    /// Makes the multiples of the key, where they pay and there is room.
    pub(crate) fn prepare(&self, room: &Room) {
        self.multiples.make_if_due(room, || table(&self.public));
    }

    /// Whether the signature over `message` holds, in the word of ed25519-dalek.
    pub(super) fn holds(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.public.verify_strict(message, &signature).is_ok()
    }

    /// Whether the signature over `message` holds, over the multiples of the key.
    pub(super) fn holds_by(&self, table: &Table, message: &[u8], signature: &[u8; 64]) -> bool {
        let (encoded, number) = halves(signature);
        let Some(s) = Scalar::from_canonical_bytes(number).into_option() else {
            return false;
        };
        let hash = Sha512::new()
            .chain_update(encoded)
            .chain_update(self.public.as_bytes())
            .chain_update(message);
        let k = Scalar::from_hash(hash);
        let sum = comb::combination(
            EdwardsPoint::identity(),
            &[(table.base, s.as_bytes()), (&table.key, k.as_bytes())],
        );
        // What the sum encodes to is a point, and this one: `R` need not be decoded to see what it is.
        sum.compress().0 == encoded && !sum.is_small_order()
    }
}

/// The table of the key; none for one of small order.
pub(super) fn table(key: &VerifyingKey) -> Option<Table> {
    let base = BASE.get_or_init(|| multiples(ED25519_BASEPOINT_POINT));
    let key = (!key.is_weak()).then(|| multiples(-key.to_edwards()))?;
    Some(Table {
        key: key?,
        base: base.as_ref()?,
    })
}

/// The multiples of `point`; none where they are not what curve25519-dalek says they are.
fn multiples(point: EdwardsPoint) -> Option<Multiples<EdwardsPoint>> {
    let multiples = Multiples::of(point, NUMBER_BYTES);
    let number = Scalar::from_bytes_mod_order(array::from_fn(comb::proof_byte));
    let product = comb::combination(EdwardsPoint::identity(), &[(&multiples, number.as_bytes())]);
    let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&number, &point, &Scalar::ZERO);
    (product == expected).then_some(multiples)
}

/// `R` and `s`.
fn halves(signature: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    (*signature.r_bytes(), *signature.s_bytes())
}

/// EdDSA on Ed25519, under either of its names.
pub(super) struct Ed25519(pub(super) Algorithm);

impl JwsAlgorithm for Ed25519 {
    type SigningKey = NoSigningKey;
    type VerifyingKey = EdKey;
    type Signature = Bytes<64>;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.0.name())
    }

    fn sign(&self, signing_key: &NoSigningKey, _: &[u8]) -> Bytes<64> {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &Bytes<64>, key: &EdKey, message: &[u8]) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(signature.0.as_slice()) else {
            return false;
        };
        match key.multiples.for_use() {
            Some(table) => key.holds_by(table, message, signature),
            None => key.holds(message, signature),
        }
    }
}
