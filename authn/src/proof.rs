//! What was proved of a credential, apart from what must be looked at on every request: the times, the keys in
//! force, the binding, revocations. This is what is kept of a token, never a decision.

use std::rc::Rc;

use scopegate_document::UnixTime;

use crate::Verified;
use crate::times::Times;

/// A credential that was proved once.
#[derive(Debug)]
pub(crate) struct Proof {
    /// The place of its provider.
    pub(crate) provider: usize,
    /// The generation of the keys that proved it; 0 for keys of the policy itself.
    pub(crate) generation: u64,
    /// Who is calling.
    pub(crate) caller: Rc<Verified>,
    /// When it was proved.
    pub(crate) proved_at: UnixTime,
    /// How long the proof lasts.
    pub(crate) lasts: Lasts,
}

/// How long a proof lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lasts {
    /// As long as the token lives by its own times.
    AsTheToken(Times),
    /// Before this moment, and no longer than to the next request where it has passed.
    Until(UnixTime),
    /// For this one request: it is proved again each time.
    Once,
}

impl Proof {
    /// Whether the proof may be used for a later request.
    pub(crate) fn is_kept(&self, now: UnixTime) -> bool {
        match self.lasts {
            Lasts::AsTheToken(_) => true,
            Lasts::Until(end) => (self.proved_at..end).contains(&now),
            Lasts::Once => false,
        }
    }
}
