//! Signatures of which it is known whether they hold: for each algorithm one that does. Made once with OpenSSL; the
//! private keys are gone.

use crate::Algorithm;

use super::{HostAnswer, HostCryptography, SignatureQuestion};

/// A signature that holds.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) algorithm: Algorithm,
    /// The hash, as hosts call it.
    pub(super) hash: &'static str,
    pub(super) key: &'static [u8],
    pub(super) signature: &'static [u8],
}

/// What was signed, and what was not.
pub(super) const MESSAGE: &[u8] = b"scopegate known answer";
const OTHER_MESSAGE: &[u8] = b"scopegate other answer";

/// How many algorithms hosts are asked about.
pub(super) const COUNT: usize = 6;

macro_rules! known {
    ($algorithm:ident, $hash:literal, $key:literal, $signature:literal) => {
        Known {
            algorithm: Algorithm::$algorithm,
            hash: $hash,
            key: include_bytes!(concat!("known_answers/", $key, ".key")),
            signature: include_bytes!(concat!("known_answers/", $signature, ".signature")),
        }
    };
}

pub(super) const ALL: &[Known; COUNT] = &[
    known!(Rs256, "sha256", "rsa", "rs256"),
    known!(Rs384, "sha384", "rsa", "rs384"),
    known!(Rs512, "sha512", "rsa", "rs512"),
    known!(Es256, "sha256", "es256", "es256"),
    known!(Es384, "sha384", "es384", "es384"),
    known!(Es512, "sha512", "es512", "es512"),
];

/// What is known of `algorithm`, and its place; nothing where hosts are not asked about it.
pub(super) fn of(algorithm: Algorithm) -> Option<(usize, &'static Known)> {
    ALL.iter()
        .enumerate()
        .find(|(_, known)| known.algorithm == algorithm)
}

impl Known {
    /// Whether the host knows it as well: that the signature holds, that it holds for no other message, and that it does
    /// not hold with a bit flipped. Answers with the words by which the host says that one does not hold.
    pub(super) fn try_out(&self, host: &dyn HostCryptography) -> Option<Vec<u8>> {
        let good = SignatureQuestion {
            hash: self.hash,
            public_key: self.key,
            signature: self.signature,
            message: MESSAGE,
        };
        let mut damaged = self.signature.to_vec();
        *damaged.last_mut()? ^= 1;
        let bad = SignatureQuestion {
            signature: &damaged,
            ..good
        };
        let other = SignatureQuestion {
            message: OTHER_MESSAGE,
            ..good
        };
        match (host.check(&good), host.check(&bad), host.check(&other)) {
            (HostAnswer::Holds, HostAnswer::Fails(words), HostAnswer::Fails(again)) if words == again => {
                Some(words)
            }
            _ => None,
        }
    }
}
