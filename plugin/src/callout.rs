//! The answer to a callout, taken from the host as bytes, as far as it came.

use scopegate_authn::limits;
use scopegate_authn::remote::Answer;

use crate::facts::{Pairs, decode_pairs};
use crate::host::{self, Map};

/// How the callout went, in the words of ngx_wasm_module. Other hosts do not say.
const DISPATCH_STATUS: &[u8] = b":dispatch_status";

/// An answer as the host holds it.
#[derive(Debug)]
pub(crate) struct Received {
    headers: Vec<u8>,
    /// The body; none where the host cannot show all of it.
    body: Option<Vec<u8>>,
}

impl Received {
    /// Takes the answer that the host shows right now.
    pub(crate) fn take() -> Self {
        Self {
            headers: host::header_pairs(Map::CalloutHeaders).unwrap_or_default(),
            body: host::callout_body(limits::DOCUMENT_BYTES.saturating_add(1)).ok(),
        }
    }

    /// The headers; none where there was no answer.
    pub(crate) fn pairs(&self) -> Pairs<'_> {
        decode_pairs(&self.headers).unwrap_or_default()
    }

    /// Whether there was no answer, or the host says that it could not be read.
    pub(crate) fn has_failed(&self) -> bool {
        let pairs = self.pairs();
        let value = |wanted: &[u8]| pairs.iter().find(|(name, _)| *name == wanted);
        let is_bad = value(DISPATCH_STATUS).is_some_and(|(_, status)| *status != b"ok");
        is_bad || value(b":status").is_none()
    }

    /// What the answer is worth looking at: nothing, where the host says that it is not whole.
    pub(crate) fn answer<'a>(&'a self, pairs: &'a Pairs<'a>) -> Answer<'a> {
        let find = |name: &[u8]| {
            pairs
                .iter()
                .find(|(found, _)| *found == name)
                .map(|(_, value)| *value)
        };
        let is_whole = find(DISPATCH_STATUS).is_none_or(|status| status == b"ok");
        let status = find(b":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        match (status, is_whole, &self.body) {
            (Some(204 | 304), true, _) => Answer {
                status,
                headers: pairs,
                body: &[],
            },
            (Some(_), true, Some(body)) => Answer {
                status,
                headers: pairs,
                body,
            },
            _ => Answer::NONE,
        }
    }
}
