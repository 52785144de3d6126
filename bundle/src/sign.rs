//! Signatures on a module, in it or beside it (WebAssembly module signatures, Ed25519). Keys come as text or bytes: PEM,
//! DER, or the raw form of `wasmsign2`.

use wasmsign2::{Module, PublicKey, SecretKey, WSError};

use crate::module::{self, ReadError, SIGNATURE};

/// Why something is not signed, or its signature not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key cannot be read.
    #[error("this is no {0} key for Ed25519 in PEM, DER or raw form")]
    Key(&'static str),
    /// There is no signature.
    #[error("the module is not signed")]
    Missing,
    /// There is a signature, but not one that this key made for this module.
    #[error("no signature on this module was made with this key")]
    Wrong,
    /// What stands in the place of a signature is none.
    #[error("the signature cannot be read")]
    Malformed,
    /// It is no module.
    #[error(transparent)]
    Module(#[from] ReadError),
}

/// The module with a signature in it, in place of any that it has.
///
/// # Errors
/// The key or the module cannot be read.
pub fn sign(bytes: &[u8], key: &[u8]) -> Result<Vec<u8>, SignatureError> {
    module::read(bytes)?;
    let key = secret_key(key)?;
    let mut reader = bytes;
    let module = Module::deserialize(&mut reader).map_err(|_| SignatureError::Malformed)?;
    let signed = key.sign(module, None).map_err(|_| SignatureError::Malformed)?;
    let mut signed_bytes = Vec::with_capacity(bytes.len().saturating_add(256));
    signed
        .serialize(&mut signed_bytes)
        .map_err(|_| SignatureError::Malformed)?;
    Ok(signed_bytes)
}

/// The signature that is in a module, to be kept beside it.
///
/// # Errors
/// There is none, or it is no module.
pub fn signature_of(bytes: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let sections = module::read(bytes)?;
    let signature = sections.custom.get(SIGNATURE).ok_or(SignatureError::Missing)?;
    Ok(signature.to_vec())
}

/// Checks that a module was signed with the key that belongs to this public one. `detached` is the signature where it does
/// not stand in the module.
///
/// # Errors
/// It was not.
pub fn verify(bytes: &[u8], key: &[u8], detached: Option<&[u8]>) -> Result<(), SignatureError> {
    module::read(bytes)?;
    let key = public_key(key)?;
    let mut reader = bytes;
    key.verify(&mut reader, detached).map_err(|error| {
        if matches!(error, WSError::NoSignatures) {
            SignatureError::Missing
        } else if matches!(error, WSError::VerificationFailed | WSError::CryptoError(_)) {
            SignatureError::Wrong
        } else {
            SignatureError::Malformed
        }
    })
}

fn text(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key)
        .ok()
        .filter(|text| text.contains("-----BEGIN"))
}

fn secret_key(key: &[u8]) -> Result<SecretKey, SignatureError> {
    let read = match text(key) {
        Some(pem) => SecretKey::from_pem(pem),
        None => SecretKey::from_bytes(key).or_else(|_| SecretKey::from_der(key)),
    };
    read.map_err(|_| SignatureError::Key("secret"))
}

fn public_key(key: &[u8]) -> Result<PublicKey, SignatureError> {
    let read = match text(key) {
        Some(pem) => PublicKey::from_pem(pem),
        None => PublicKey::from_bytes(key).or_else(|_| PublicKey::from_der(key)),
    };
    read.map_err(|_| SignatureError::Key("public"))
}
