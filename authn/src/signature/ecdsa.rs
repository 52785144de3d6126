//! ECDSA on the curves of NIST (RFC 7518 section 3.4): as RustCrypto verifies it, and, for keys that are used again and
//! again, the same equation over multiples of the key that were made before.
//!
//! Points and numbers are RustCrypto's. What holds and what does not is the same on both ways: `r` and `s` from 1 to
//! the order less one, a high `s` as good as a low one, the point at infinity never.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::OnceLock;

use ecdsa::elliptic_curve::array::typenum::Unsigned;
use ecdsa::elliptic_curve::ff::PrimeField;
use ecdsa::elliptic_curve::group::Group;
use ecdsa::elliptic_curve::ops::{Invert, MulByGeneratorVartime, Reduce};
use ecdsa::elliptic_curve::point::AffineCoordinates;
use ecdsa::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use ecdsa::elliptic_curve::{
    Curve, CurveArithmetic, CurveGroup, FieldBytes, FieldBytesSize, ProjectivePoint, Scalar,
};
use ecdsa::{EcdsaCurve, VerifyingKey};
use jwt_compact::Algorithm as JwsAlgorithm;
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::hazmat::PrehashVerifier;

use super::comb::{self, Multiples};
use super::repeated::{Repeated, Room};
use super::{Bytes, NoSigningKey};

type PointMultiples<C> = Multiples<ProjectivePoint<C>>;

/// The multiples that make a key faster.
#[derive(Debug)]
pub(super) struct Table<C: JwaCurve> {
    pub(super) key: PointMultiples<C>,
    generator: &'static PointMultiples<C>,
}

/// A curve, with its place in JWA.
pub(crate) trait JwaCurve:
    EcdsaCurve
    + Curve<FieldBytesSize: ModulusSize>
    + CurveArithmetic<AffinePoint: FromSec1Point<Self> + ToSec1Point<Self>>
{
    /// The name of the algorithm.
    const ALGORITHM: &'static str;
    /// The hash that goes with the curve.
    type Hash: Digest;

    /// The multiples of the generator, once somebody wanted them; none where they could not be made.
    fn generator() -> &'static OnceLock<Option<PointMultiples<Self>>>;
}

macro_rules! curve {
    ($curve:ty, $name:literal, $hash:ty) => {
        impl JwaCurve for $curve {
            const ALGORITHM: &'static str = $name;
            type Hash = $hash;

            fn generator() -> &'static OnceLock<Option<PointMultiples<Self>>> {
                static GENERATOR: OnceLock<Option<PointMultiples<$curve>>> = OnceLock::new();
                &GENERATOR
            }
        }
    };
}

curve!(p256::NistP256, "ES256", Sha256);
curve!(p384::NistP384, "ES384", Sha384);
curve!(p521::NistP521, "ES512", Sha512);

/// A public key, and its multiples once they pay.
#[derive(Debug)]
pub(crate) struct EcKey<C: JwaCurve> {
    pub(crate) public: VerifyingKey<C>,
    multiples: Repeated<Table<C>>,
}

impl<C: JwaCurve> From<VerifyingKey<C>> for EcKey<C> {
    fn from(public: VerifyingKey<C>) -> Self {
        Self {
            public,
            multiples: Repeated::default(),
        }
    }
}

impl<C: JwaCurve> EcKey<C> {
    /// Makes the multiples of the key, where they pay and there is room.
    pub(crate) fn prepare(&self, room: &Room) {
        let point = ProjectivePoint::<C>::from(*self.public.as_affine());
        self.multiples.make_if_due(room, || table::<C>(point));
    }

    /// Whether the signature over what hashes to `digest` holds, in RustCrypto's word.
    pub(super) fn holds(&self, digest: &[u8], signature: &ecdsa::Signature<C>) -> bool {
        self.public.verify_prehash(digest, signature).is_ok()
    }
}

/// ECDSA on the curve `C`.
pub(super) struct Es<C>(PhantomData<C>);

impl<C> Es<C> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<C: JwaCurve> JwsAlgorithm for Es<C> {
    type SigningKey = NoSigningKey;
    type VerifyingKey = EcKey<C>;
    type Signature = Bytes<0>;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(C::ALGORITHM)
    }

    fn sign(&self, signing_key: &NoSigningKey, _: &[u8]) -> Bytes<0> {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &Bytes<0>, key: &EcKey<C>, message: &[u8]) -> bool {
        let Ok(signature) = ecdsa::Signature::<C>::from_slice(&signature.0) else {
            return false;
        };
        let digest = C::Hash::digest(message);
        match key.multiples.for_use() {
            Some(table) => holds_by(table, &digest, &signature),
            None => key.holds(&digest, &signature),
        }
    }
}

/// The table of the key whose point this is.
pub(super) fn table<C: JwaCurve>(point: ProjectivePoint<C>) -> Option<Table<C>> {
    let generator = C::generator().get_or_init(|| multiples::<C>(ProjectivePoint::<C>::generator()));
    Some(Table {
        key: multiples::<C>(point)?,
        generator: generator.as_ref()?,
    })
}

/// The multiples of `point`; none where they are not what RustCrypto says they are.
fn multiples<C: JwaCurve>(point: ProjectivePoint<C>) -> Option<PointMultiples<C>> {
    let multiples = PointMultiples::<C>::of(point, FieldBytesSize::<C>::USIZE);
    let number = reduced::<C>(&FieldBytes::<C>::from_fn(comb::proof_byte));
    let bytes = little_endian::<C>(&number);
    let product = comb::combination(ProjectivePoint::<C>::identity(), &[(&multiples, &bytes)]);
    let zero = Scalar::<C>::default();
    let expected = ProjectivePoint::<C>::mul_by_generator_and_mul_add_vartime(&zero, &number, &point);
    (product == expected).then_some(multiples)
}

/// Whether the signature over what hashes to `digest` holds for the key with this table (FIPS 186-5 section 6.4.2).
pub(super) fn holds_by<C: JwaCurve>(
    table: &Table<C>,
    digest: &[u8],
    signature: &ecdsa::Signature<C>,
) -> bool {
    let (r, s) = signature.split_scalars();
    let inverse = *s.invert_vartime();
    let [first, second] =
        [reduced::<C>(digest) * inverse, *r * inverse].map(|number| little_endian::<C>(&number));
    let sum = comb::combination(
        ProjectivePoint::<C>::identity(),
        &[(table.generator, &first), (&table.key, &second)],
    );
    // That of the point at infinity is 0, and `r` is not.
    *r == reduced::<C>(&sum.to_affine().x())
}

/// The number in big-endian `bytes`, of which there are no more than the order has, modulo the order.
fn reduced<C: JwaCurve>(bytes: &[u8]) -> Scalar<C> {
    let mut padded = FieldBytes::<C>::default();
    for (place, byte) in padded.iter_mut().rev().zip(bytes.iter().rev()) {
        *place = *byte;
    }
    <Scalar<C> as Reduce<FieldBytes<C>>>::reduce(&padded)
}

fn little_endian<C: JwaCurve>(number: &Scalar<C>) -> FieldBytes<C> {
    let mut bytes = number.to_repr();
    bytes.reverse();
    bytes
}
