//! Signatures that the host checks for us: a proxy's own cryptography is several times faster than ours in a sandbox.
//!
//! Here is decided what the host may be asked, and what its word is worth. It is believed about an algorithm only after
//! it answered for a signature that holds and for two that do not. Whatever it says that it did not say then is odd: from
//! there on it is not asked about that algorithm again, and the signature is checked here.

mod encoding;
mod known_answers;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

pub(crate) use encoding::public_key;

use crate::Algorithm;
use crate::jwk::Key;

/// What a host is asked: whether `signature` over `message` was made by the owner of `public_key`.
#[derive(Clone, Copy)]
pub struct SignatureQuestion<'q> {
    /// The hash, as in `sha256`.
    pub hash: &'static str,
    /// The key as a `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1.2.7).
    pub public_key: &'q [u8],
    /// For RSA the signature of RSASSA-PKCS1-v1_5; for ECDSA an `Ecdsa-Sig-Value` in DER (RFC 3279 section 2.2.3).
    pub signature: &'q [u8],
    /// What was signed.
    pub message: &'q [u8],
}

/// What a host answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostAnswer {
    /// The signature holds.
    Holds,
    /// It does not, for this reason in the host's words.
    Fails(Vec<u8>),
    /// There is no such function, or what came back is no answer.
    Odd,
}

/// A host that can check signatures.
pub trait HostCryptography {
    /// Asks it.
    fn check(&self, question: &SignatureQuestion<'_>) -> HostAnswer;
}

/// A host's word on signatures, with what it is worth for each algorithm.
pub struct HostSignatures {
    host: Box<dyn HostCryptography>,
    worth: RefCell<[Worth; known_answers::COUNT]>,
}

/// What the word of the host is worth for one algorithm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Worth {
    /// Nobody knows yet.
    #[default]
    Unknown,
    /// It knew what is known, and called signatures that do not hold by these words.
    Proven(Rc<[u8]>),
    /// It is not asked.
    Nothing,
}

impl fmt::Debug for HostSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostSignatures")
            .field("worth", &self.worth.borrow())
            .finish_non_exhaustive()
    }
}

impl HostSignatures {
    /// The word of `host`, worth nothing yet.
    #[must_use]
    pub fn new(host: Box<dyn HostCryptography>) -> Self {
        Self {
            host,
            worth: RefCell::default(),
        }
    }

    /// The algorithms that the host was tried for, and whether it is asked about them.
    #[must_use]
    pub fn tried(&self) -> Vec<(Algorithm, bool)> {
        let worth = self.worth.borrow();
        let tried = worth.iter().zip(known_answers::ALL);
        tried
            .filter(|(worth, _)| **worth != Worth::Unknown)
            .map(|(worth, known)| (known.algorithm, *worth != Worth::Nothing))
            .collect()
    }

    /// Whether `signature` over `message` was made with `algorithm` by the owner of `key`, in the word of the host;
    /// nothing where that is worth nothing.
    pub(crate) fn holds(
        &self,
        algorithm: Algorithm,
        key: &Key,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let (place, known) = known_answers::of(algorithm)?;
        let refusal = self.refusal(place, known)?;
        let signature = encoding::signature(algorithm, signature)?;
        let question = SignatureQuestion {
            hash: known.hash,
            public_key: key.public_key.as_deref()?,
            signature: &signature,
            message,
        };
        match self.host.check(&question) {
            HostAnswer::Holds => Some(true),
            HostAnswer::Fails(words) if words == *refusal => Some(false),
            HostAnswer::Fails(_) | HostAnswer::Odd => {
                self.set(place, Worth::Nothing);
                None
            }
        }
    }

    /// What the host says of signatures that do not hold, once it has shown that it knows.
    fn refusal(&self, place: usize, known: &known_answers::Known) -> Option<Rc<[u8]>> {
        let worth = self.worth.borrow().get(place).cloned()?;
        match worth {
            Worth::Proven(refusal) => Some(refusal),
            Worth::Nothing => None,
            Worth::Unknown => {
                let refusal: Option<Rc<[u8]>> = known.try_out(self.host.as_ref()).map(Rc::from);
                let worth = refusal.clone().map_or(Worth::Nothing, Worth::Proven);
                self.set(place, worth);
                refusal
            }
        }
    }

    fn set(&self, place: usize, worth: Worth) {
        if let Some(kept) = self.worth.borrow_mut().get_mut(place) {
            *kept = worth;
        }
    }
}
