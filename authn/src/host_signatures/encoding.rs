//! Keys and signatures as hosts want them: DER, where a JWK and a JWS have plain numbers.

use der::asn1::{AnyRef, UintRef};
use der::{Encode, Tag};
use rsa::traits::PublicKeyParts;

use crate::Algorithm;
use crate::algorithm::Family;
use crate::jwk::Material;

/// `rsaEncryption` with no parameters (RFC 3279 section 2.3.1).
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// `id-ecPublicKey` on `secp256r1`, `secp384r1`, `secp521r1` (RFC 5480 section 2.1.1).
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
const P521: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23";

/// The key as a `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7); nothing for kinds that no host is asked about.
pub(crate) fn public_key(material: &Material) -> Option<Box<[u8]>> {
    let (algorithm, key) = match material {
        Material::Rsa(key) => (
            RSA,
            sequence(&[&integer(&key.n_bytes())?, &integer(&key.e_bytes())?])?,
        ),
        Material::P256(key) => (P256, key.public.to_sec1_point(false).as_bytes().to_vec()),
        Material::P384(key) => (P384, key.public.to_sec1_point(false).as_bytes().to_vec()),
        Material::P521(key) => (P521, key.public.to_sec1_point(false).as_bytes().to_vec()),
        Material::Secret(_) | Material::Ed25519(_) => return None,
        #[cfg(feature = "ml-dsa")]
        Material::MlDsa44(_) | Material::MlDsa65(_) | Material::MlDsa87(_) => return None,
    };
    // A bit string begins with the number of bits that its last byte does not use.
    let key = element(Tag::BitString, &[&[0], key.as_slice()].concat())?;
    sequence(&[algorithm, &key]).map(Vec::into_boxed_slice)
}

/// The signature of a JWS (RFC 7518 sections 3.3 and 3.4) as hosts want it; nothing where its length is not that of the
/// algorithm.
pub(super) fn signature(algorithm: Algorithm, signature: &[u8]) -> Option<Vec<u8>> {
    if algorithm.family() != Family::Ecdsa {
        return Some(signature.to_vec());
    }
    let half = match algorithm.hash_bytes() {
        32 => 32,
        48 => 48,
        _ => 66,
    };
    let (r, s) = signature
        .split_at_checked(half)
        .filter(|(_, s)| s.len() == half)?;
    sequence(&[&integer(r)?, &integer(s)?])
}

fn integer(bytes: &[u8]) -> Option<Vec<u8>> {
    UintRef::new(bytes).ok()?.to_der().ok()
}

fn sequence(parts: &[&[u8]]) -> Option<Vec<u8>> {
    element(Tag::Sequence, &parts.concat())
}

fn element(tag: Tag, content: &[u8]) -> Option<Vec<u8>> {
    AnyRef::new(tag, content).ok()?.to_der().ok()
}
