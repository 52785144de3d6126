//! Why a request was decided as it was: the native engine decides on it once more, beside the executor, with a policy
//! that differs in nothing but that all is recorded. What it records is shown to people and counted as coverage; no
//! verdict rests on it.

use serde_json::{Value, json};

use crate::exchange::{Answer, Request, value_of};
use crate::executor::{ExecutorError, Prepared, Session, Setup};
use crate::proofs::Client;
use crate::upstream::Rule;

/// The nonce that an answer gives to the client (RFC 9449 section 8).
pub(super) fn nonce(answer: &Answer) -> Option<String> {
    let nonce = value_of(&answer.reply_headers, "dpop-nonce")?;
    Some(String::from_utf8_lossy(nonce).into_owned())
}

/// What records say became of their request: the code of a refusal, or `allow`. None where nothing was recorded.
#[must_use]
pub fn code_of(records: &[Value]) -> Option<&str> {
    records.first()?;
    let is_refusal = |record: &&Value| matches!(record["outcome"].as_str(), Some("failure" | "deny"));
    let refusals = records.iter().filter(is_refusal);
    let mut reasons = refusals.filter_map(|record| record.get("reason")?.as_str());
    Some(reasons.next().unwrap_or("allow"))
}

/// The same world, with a policy that records everything.
pub(super) fn recording(setup: &Setup) -> Setup {
    Setup {
        policy: all_recorded(&setup.policy),
        ..setup.clone()
    }
}

fn all_recorded(policy: &[u8]) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<Value>(policy) else {
        return policy.to_vec();
    };
    if let Some(fields) = document.as_object_mut() {
        let audit = json!({"authentication": "all", "authorization": "all"});
        fields.insert("audit".to_owned(), audit);
    }
    document.to_string().into_bytes()
}

/// A session that is told everything that the session of the executor is told. Where it fails it says nothing.
pub(super) struct Explainer<'p>(Option<Box<dyn Session + 'p>>);

impl<'p> Explainer<'p> {
    pub(super) fn open(prepared: Option<&'p dyn Prepared>) -> Self {
        Self(prepared.and_then(|prepared| prepared.open().ok()))
    }

    /// The records of a request. `client` is the one that made it: it learns what it is answered here.
    pub(super) fn records(&mut self, request: &Request, client: &mut Client) -> Vec<Value> {
        let mut records = Vec::new();
        self.tell(|session| {
            let answer = session.decide(request)?;
            client.learn(nonce(&answer));
            records = answer.audit;
            Ok(())
        });
        records
    }

    pub(super) fn advance(&mut self, seconds: u64) {
        self.tell(|session| session.advance(seconds));
    }

    pub(super) fn answer(&mut self, upstream: &str, rules: Vec<Rule>) {
        self.tell(|session| session.answer(upstream, rules));
    }

    pub(super) fn reconfigure(&mut self, policy: &[u8]) {
        self.tell(|session| session.reconfigure(&all_recorded(policy)).map(|_| ()));
    }

    fn tell(&mut self, what: impl FnOnce(&mut dyn Session) -> Result<(), ExecutorError>) {
        let has_failed = match &mut self.0 {
            Some(session) => what(session.as_mut()).is_err(),
            None => false,
        };
        if has_failed {
            self.0 = None;
        }
    }
}
