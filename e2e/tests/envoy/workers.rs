//! An Envoy with two workers, and requests that are sent until both have answered.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use scopegate_e2e::client::Answer;
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::wait;

use crate::common::code;

/// How many workers these tests run: what one knows, the other must learn.
pub(crate) const WORKERS: u32 = 2;

/// How often each worker is asked before its answers count as what it says.
const ROUNDS: u64 = 3;

/// A status, and the code of a refusal.
pub(crate) type Said = (u16, String);

/// What everybody says who permits.
pub(crate) fn passes() -> BTreeSet<Said> {
    BTreeSet::from([(200, String::new())])
}

/// What everybody says who refuses for this reason.
pub(crate) fn refuses(status: u16, code: &str) -> BTreeSet<Said> {
    BTreeSet::from([(status, code.to_owned())])
}

pub(crate) fn said(answer: &Answer) -> Said {
    (answer.status, code(answer))
}

/// Sends requests to a listener, each over a connection of its own, until every worker has answered a few; returns
/// what was said. Nobody else may use the listener meanwhile.
pub(crate) fn everywhere(
    envoy: &Envoy,
    listener: &str,
    mut ask: impl FnMut(SocketAddr) -> Answer,
) -> BTreeSet<Said> {
    let address = envoy.listener(listener).unwrap();
    let before = served(envoy, listener);
    let mut answers = BTreeSet::new();
    let all = wait::until("an answer of every worker", || {
        answers.insert(said(&ask(address)));
        let now = served(envoy, listener);
        let each = now.iter().zip(&before);
        each.into_iter()
            .all(|(now, before)| now - before >= ROUNDS)
            .then_some(())
    });
    all.unwrap();
    answers
}

/// How many connections each worker has taken from a listener.
fn served(envoy: &Envoy, listener: &str) -> Vec<u64> {
    (0..WORKERS)
        .map(|worker| {
            stat(
                envoy,
                &format!("listener.{listener}.worker_{worker}.downstream_cx_total"),
            )
        })
        .collect()
}

/// The value of a counter or gauge of Envoy; 0 where it has none of that name.
pub(crate) fn stat(envoy: &Envoy, name: &str) -> u64 {
    let stats = envoy.admin(&format!("/stats?filter=^{name}$")).unwrap();
    let value = stats.trim().rsplit(' ').next().unwrap_or_default();
    value.parse().unwrap_or_default()
}
