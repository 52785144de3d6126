//! Documents that somebody else publishes: key sets, revocations, status lists.
//!
//! Here is decided what is due, what is asked, and what an answer is worth. Nothing is sent from here: whoever
//! holds the [`Live`](crate::Live) state sends a [`Fetch`] and hands the [`Answer`] back. A bad answer never takes
//! the place of a good document.

mod accept;
mod cache_control;
mod discovery;
mod record;
mod schedule;
mod source;

pub use accept::Answer;
pub use record::Record;
pub use schedule::Schedule;
pub(crate) use source::{Content, Fault, Source, SourceState, Subject, read_keys};

use std::fmt;

/// One document that is fetched, by its place in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub(crate) usize);

/// A request to send, in full.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The proxy's name for where it is sent.
    pub upstream: String,
    /// The method.
    pub method: &'static str,
    /// The scheme of the URL.
    pub scheme: &'static str,
    /// The authority of the URL.
    pub authority: String,
    /// The path of the URL, with its query.
    pub path: String,
    /// Headers besides the pseudo-headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl fmt::Debug for Fetch {
    /// Without headers and body: they may hold a password or a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            upstream,
            method,
            scheme,
            authority,
            path,
            headers: _,
            body: _,
        } = self;
        write!(f, "{method} {scheme}://{authority}{path} at {upstream}")
    }
}

/// What came of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The answer names another document, which must be fetched at once: discovery.
    Next(Fetch),
    /// A good document, to be shared with the other workers of the process.
    Document(Record),
    /// The document is the one we have. Where it came whole, it is to be shared again: hosts throw out what they share.
    Unchanged(Option<Record>),
    /// The answer is worth nothing, and what we had stays. The reason is for the log; nothing of the answer is in it.
    Refused(String),
}
