//! How far authentication came: done, or held up by something that only the host can do. The host does it and asks
//! again; nothing is decided by waiting.

use std::fmt;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::dpop::Claim;
use crate::introspection::answer::Active;
use crate::remote::{Fetch, SourceId};
use crate::{Reject, Rejection, Verified};

/// What authentication came to, where it was not a rejection.
#[derive(Debug)]
pub enum Step {
    /// The caller is proved.
    Done(Rc<Verified>),
    /// The caller is proved but for one thing: whether the DPoP proof was used before.
    Claim(Box<Unclaimed>),
    /// More must be known first.
    Wait(Need),
}

/// What must be known first.
#[derive(Debug)]
pub enum Need {
    /// A document: there is none yet, the one in hand is too old, or it may not be the newest.
    Source(SourceId),
    /// The issuer's answer to whether a token is active.
    Answer(Box<Question>),
}

/// A question to the issuer of a token (RFC 7662 section 2.1).
#[derive(Debug)]
pub struct Question {
    pub(crate) provider: usize,
    /// The SHA-256 of the token: the answer is about no other.
    pub(crate) token: [u8; 32],
    pub(crate) fetch: Fetch,
}

impl Question {
    /// The request that asks.
    #[must_use]
    pub const fn fetch(&self) -> &Fetch {
        &self.fetch
    }
}

/// What is known beyond the request when it is looked at.
#[derive(Debug, Default)]
pub struct Attempt {
    /// Whether waiting is over: what is not known now never will be, and the request is refused for it.
    is_last: bool,
    /// Whether waiting is over because the request cannot be held: what is fetched just now serves later ones.
    is_unheld: bool,
    /// The documents that were waited for.
    waited: Vec<SourceId>,
    /// Whether the one question that a request may raise was put.
    has_asked: bool,
    /// The answer to the question that this very request raised.
    answered: Option<Answered>,
}

impl Attempt {
    /// The last one: nothing more will be known.
    #[must_use]
    pub const fn last() -> Self {
        Self {
            is_last: true,
            is_unheld: false,
            waited: Vec::new(),
            has_asked: true,
            answered: None,
        }
    }

    /// The last one of a request that cannot be held, though what it needs is being fetched: the same request may pass a
    /// moment later, and so is not refused for good.
    #[must_use]
    pub const fn unheld() -> Self {
        let mut attempt = Self::last();
        attempt.is_unheld = true;
        attempt
    }

    /// Waiting for a document is over: what it was worth waiting for is there now, or will not be.
    pub fn waited_for(&mut self, source: SourceId) {
        self.waited.push(source);
    }

    /// Asking is over: here is the answer, if there is one.
    pub fn asked(&mut self, answered: Option<Answered>) {
        self.has_asked = true;
        self.answered = answered;
    }

    /// Whether it is worth waiting for a document: once for each.
    #[must_use]
    pub fn may_wait_for(&self, source: SourceId) -> bool {
        !self.is_last && !self.waited.contains(&source)
    }

    /// Why a token is refused whose key is not in hand, and may be in a newer document.
    pub(crate) const fn without_key(&self) -> Reject {
        match self.is_unheld {
            true => Reject::KeysUnavailable,
            false => Reject::KeyNotFound,
        }
    }

    /// Whether a question may still be put.
    #[must_use]
    pub const fn may_ask(&self) -> bool {
        !self.has_asked
    }

    /// What was answered about `token` at the provider in the place `provider`.
    pub(crate) fn answer_for(&self, provider: usize, token: &[u8]) -> Option<&Result<Active, Reject>> {
        let answered = self
            .answered
            .as_ref()
            .filter(|answered| answered.provider == provider)?;
        let is_same = answered.token.ct_eq(&digest(token));
        bool::from(is_same).then_some(&answered.result)
    }
}

/// What the issuer of a token answered about it.
pub struct Answered {
    pub(crate) provider: usize,
    pub(crate) token: [u8; 32],
    pub(crate) result: Result<Active, Reject>,
}

impl fmt::Debug for Answered {
    /// Without the answer: it says who is calling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.result.as_ref().map(|_| "active");
        f.debug_tuple("Answered").field(&result).finish()
    }
}

/// A caller whose DPoP proof holds, but may have been used before. There is no way to the caller but through
/// [`Unclaimed::finish`].
pub struct Unclaimed {
    pub(crate) claim: Claim,
    pub(crate) provider: String,
    pub(crate) caller: Rc<Verified>,
}

impl fmt::Debug for Unclaimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unclaimed").field(&self.claim).finish()
    }
}

/// What whoever remembers proofs says of one (RFC 9449 section 11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It was not there before, and is now: no other request can have it.
    First,
    /// It was there before.
    Before,
    /// It cannot be said.
    Unknown,
}

impl Unclaimed {
    /// What must be remembered, and until when.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The caller, if nobody used the proof before.
    ///
    /// # Errors
    /// [`Reject::ProofReplayed`], or [`Reject::ReplayUnavailable`] where nobody can say.
    pub fn finish(self, claimed: Claimed) -> Result<Rc<Verified>, Rejection> {
        let reason = match claimed {
            Claimed::First => return Ok(self.caller),
            Claimed::Before => Reject::ProofReplayed,
            Claimed::Unknown => Reject::ReplayUnavailable,
        };
        Err(Rejection {
            reason,
            provider: Some(self.provider),
        })
    }
}

pub(crate) fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}
