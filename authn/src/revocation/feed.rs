//! A feed: the lists of the section as a JSON document that somebody else serves.
//!
//! A document counts whole or not at all. An entry that cannot be applied, because the policy has no such provider
//! or because it says more than this version knows, is something that was revoked and would pass: the document is
//! refused, and the last good one stays until it is too old.

use crate::fetched::DocumentFault;
use crate::limits;
use crate::section::FeedDocument;

use super::{RevocationList, entries};

/// Reads the document of a feed for a policy with `providers`.
///
/// The form is strict: names that are not known or stand there twice are faults, and so is `{}`.
///
/// # Errors
/// Why the document cannot be used.
pub(crate) fn parse(document: &[u8], providers: &[&str]) -> Result<RevocationList, DocumentFault> {
    if document.len() > limits::DOCUMENT_BYTES {
        return Err(DocumentFault::TooLong);
    }
    // Every object of the document is a struct of known members: none is named twice and none goes deeper.
    let read: FeedDocument = serde_json::from_slice(document).map_err(|error| DocumentFault::Form {
        line: error.line(),
        column: error.column(),
    })?;
    let FeedDocument {
        tokens,
        subjects,
        keys,
        clients,
    } = read;
    if tokens.is_none() && subjects.is_none() && keys.is_none() && clients.is_none() {
        return Err(DocumentFault::SaysNothing);
    }
    let (tokens, subjects) = (tokens.unwrap_or_default(), subjects.unwrap_or_default());
    let (keys, clients) = (keys.unwrap_or_default(), clients.unwrap_or_default());
    let mut list = RevocationList::default();
    for (count, entry) in entries(&tokens, &subjects, &keys, &clients).enumerate() {
        if count >= limits::REVOCATION_ENTRIES {
            return Err(DocumentFault::TooManyEntries);
        }
        if !providers.contains(&entry.provider) {
            return Err(DocumentFault::UnknownProvider {
                list: entry.kind.list(),
                index: entry.index,
            });
        }
        list.add(entry);
    }
    Ok(list)
}
