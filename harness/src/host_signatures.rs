//! The foreign function `verify_signature`, as Envoy offers it to modules: so that policy tests go the way that requests
//! go in Envoy.
//!
//! The messages are those of Envoy's `verify_signature.proto`. Keys are a `SubjectPublicKeyInfo`, signatures what OpenSSL
//! makes of them.

use prost::Message;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::DecodePublicKey;
use rsa::traits::SignatureScheme;
use sha2::digest::const_oid::AssociatedOid;
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::hazmat::PrehashVerifier;

use scopegate_host_tests::Status;

/// The name that modules call it by.
pub(crate) const NAME: &str = "verify_signature";

#[derive(Clone, PartialEq, Message)]
struct Arguments {
    #[prost(string, tag = "1")]
    hash_function: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(bool, tag = "1")]
    result: bool,
    #[prost(string, tag = "2")]
    error: String,
}

/// What Envoy answers.
pub(crate) fn verify(argument: &[u8]) -> Result<Vec<u8>, Status> {
    let asked = Arguments::decode(argument).map_err(|_| Status::BadArgument)?;
    let holds = match asked.hash_function.as_str() {
        "sha256" => holds::<Sha256>(&asked),
        "sha384" => holds::<Sha384>(&asked),
        "sha512" => holds::<Sha512>(&asked),
        other => Err(format!("{other} is not supported.")),
    };
    let (result, error) = match holds {
        Ok(true) => (true, String::new()),
        Ok(false) => (
            false,
            "Failed to verify digital signature. Error code: 0".to_owned(),
        ),
        Err(error) => (false, error),
    };
    Ok(Answer { result, error }.encode_to_vec())
}

fn holds<D: Digest + AssociatedOid>(asked: &Arguments) -> Result<bool, String> {
    let digest = D::digest(&asked.text);
    let key = asked.public_key.as_slice();
    if let Ok(key) = RsaPublicKey::from_public_key_der(key) {
        let holds = Pkcs1v15Sign::new::<D>().verify(&key, &digest, &asked.signature);
        return Ok(holds.is_ok());
    }
    if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(key) {
        return Ok(p256::ecdsa::Signature::from_der(&asked.signature)
            .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()));
    }
    if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_der(key) {
        return Ok(p384::ecdsa::Signature::from_der(&asked.signature)
            .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()));
    }
    let key = p521::ecdsa::VerifyingKey::from_public_key_der(key);
    let key = key.map_err(|_| "Failed to initialize digest verify.".to_owned())?;
    Ok(p521::ecdsa::Signature::from_der(&asked.signature)
        .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()))
}
