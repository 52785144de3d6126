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
    /// Its own times, where it has any.
    pub(crate) times: Option<Times>,
    /// Until when the proof itself may be used again, where that is not as long as the credential lives.
    pub(crate) usable_until: Option<UnixTime>,
}
