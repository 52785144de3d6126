//! How far authentication came: done, or held up by something that only the host can do. The host does it and asks
//! again; nothing is decided by waiting.

use std::rc::Rc;

use crate::Verified;
use crate::remote::SourceId;

/// What authentication came to, where it was not a rejection.
#[derive(Debug)]
pub enum Step {
    /// The caller is proved.
    Done(Rc<Verified>),
    /// More must be known first.
    Wait(Need),
}

/// What must be known first.
#[derive(Debug)]
pub enum Need {
    /// A document: there is none yet, the one in hand is too old, or it may not be the newest.
    Source(SourceId),
}

/// What is known beyond the request when it is looked at.
#[derive(Debug, Default)]
pub struct Attempt {
    /// Whether waiting is over: what is not known now never will be, and the request is refused for it.
    pub has_waited: bool,
}
