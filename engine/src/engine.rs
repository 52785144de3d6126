//! The compiled policy and its one question: what is done with this request?

use scopegate_authn::{Notice, Secrets};
use scopegate_document::{PolicyError, UnixTime};

use crate::{Decision, Request};

/// A compiled policy.
#[derive(Debug)]
pub struct Engine;

/// A compiled policy and what its author should know of it.
#[derive(Debug)]
pub struct Compiled {
    /// The engine.
    pub engine: Engine,
    /// Notices: skipped keys, weak exponents. Nothing that stops the policy.
    pub notices: Vec<Notice>,
}

impl Engine {
    /// Compiles a policy document in JSON. This is all that the plugin reads.
    ///
    /// # Errors
    /// Every fault of the document, with the path of its field.
    pub fn from_json(_text: &[u8], _secrets: &dyn Secrets) -> Result<Compiled, Vec<PolicyError>> {
        todo!()
    }

    /// Decides on a request. Total: whatever fails, the answer is a refusal. `now` is `None` when the clock
    /// failed.
    #[must_use]
    pub fn decide(&self, _request: &Request<'_>, _now: Option<UnixTime>) -> Decision {
        todo!()
    }
}
