//! Documents that are fetched: where one is and how old it may grow, and why one that came cannot be used. Fetching
//! itself is the host's.

use crate::Reject;
use crate::endpoint::Endpoint;

/// Where a document is fetched, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Its URL.
    pub(crate) endpoint: Endpoint,
    /// The proxy's name for where the fetch is sent.
    pub(crate) upstream: String,
    /// How often it is fetched, in seconds; at least one.
    pub(crate) refresh: i64,
    /// How old it may grow while fetches fail, in seconds; at least `refresh`.
    pub(crate) max_stale: i64,
}

/// Why a document that was fetched cannot be used; the last good one stays. Nothing of its content is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentFault {
    #[error("the document is longer than {} bytes", crate::limits::DOCUMENT_BYTES)]
    TooLong,
    #[error("the document does not have the form it should, at line {line} column {column}")]
    Form { line: usize, column: usize },
    #[error("the document says nothing: it has none of the lists it could have")]
    SaysNothing,
    #[error("the document has more than {} entries", crate::limits::REVOCATION_ENTRIES)]
    TooManyEntries,
    #[error("entry {index} of `{list}` names a provider that the policy does not have")]
    UnknownProvider {
        /// The list of the entry.
        list: &'static str,
        /// Its place in the list, from 0.
        index: usize,
    },
    #[error("the document is no signed token")]
    NoToken,
    #[error("the token is of another type: its `typ` is not `statuslist+jwt`")]
    OtherType,
    #[error("the token was not verified: {}", .0.code())]
    Unverified(Reject),
    #[error("the token is for somebody else: it has an `aud`")]
    OtherAudience,
    #[error("the token is another status list: its `sub` is not the URL it was fetched from")]
    OtherSubject,
    #[error("the token lacks `{0}`, or has it in another form")]
    Claim(&'static str),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the list is not compressed as it should be, or is empty")]
    Compression,
    #[error("the list is longer than {} bytes", crate::limits::STATUS_LIST_BYTES)]
    ListTooLong,
}
