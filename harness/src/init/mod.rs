//! A first test file for a policy: for each route who passes, and what each layer refuses. Every case is tried on the
//! policy before it is written, so that what is written passes; what could not be found out is said in a comment.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use scopegate_document::{Instant, UnixTime};
use scopegate_engine::source::{Source, Unreadable};

use crate::executor::ExecutorError;
use crate::native::Environment;

mod asked;
mod credential;
mod document;
mod draft;
mod entries;
mod gaps;
mod refusals;
mod scopes;
mod search;
mod unproven;
mod who;
mod write;
pub(crate) mod yaml;

use draft::{Draft, Sketch};
use refusals::unrouted;
use search::{Route, routes};

/// A first test file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstTests {
    /// Its text.
    pub text: String,
    /// How many tests it holds.
    pub tests: usize,
    /// How many comments say what could not be written.
    pub gaps: usize,
}

/// A first test file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The policy cannot be read, or is none.
    #[error("the policy cannot be read")]
    Policy(Unreadable),
    /// It could not be tried.
    #[error("{0}")]
    Executor(#[from] ExecutorError),
}

impl From<Unreadable> for InitError {
    fn from(fault: Unreadable) -> Self {
        Self::Policy(fault)
    }
}

/// A test that is written, or the reason why it is not.
enum Entry {
    Test(Box<Sketch>, Value),
    Gap(String),
}

/// Writes tests of the policy `source`. `files` are its names as seen from `base`, the folder of the test file; `now`
/// is the time to begin with, where no grant and no key has an earlier end that matters.
///
/// # Errors
/// When the policy does not compile.
pub fn first_tests(
    source: &Source,
    files: &[String],
    base: &Path,
    now: UnixTime,
) -> Result<FirstTests, InitError> {
    let policy = source.document();
    let secrets = Environment(draft::environment(policy));
    source.compile(&secrets).map_err(|diagnostics| Unreadable {
        files: source.files().to_vec(),
        diagnostics,
        missing_file: false,
    })?;
    let mut best: Option<(UnixTime, Vec<Route<'_>>)> = None;
    for now in times(policy, now) {
        let routes = routes(policy, files, base, now)?;
        let allowed = |routes: &[Route<'_>]| routes.iter().filter(|it| it.passing.is_some()).count();
        let is_all = allowed(&routes) == routes.len();
        if best
            .as_ref()
            .is_none_or(|(_, best)| allowed(&routes) > allowed(best))
        {
            best = Some((now, routes));
        }
        if is_all {
            break;
        }
    }
    let (now, routes) = best.unwrap_or((now, Vec::new()));
    let mut draft = Draft::new(policy, files, now);
    let mut sections: Vec<(String, Vec<Entry>)> = Vec::new();
    for route in &routes {
        let entries = route.entries(policy, &mut draft, base)?;
        sections.push((route.id.to_owned(), entries));
    }
    let nowhere = unrouted();
    let seen = draft.seen(&nowhere, base)?;
    let found = nowhere
        .into_iter()
        .zip(seen)
        .find(|(_, seen)| seen.refusal() == Some("no_route"));
    if let Some((sketch, seen)) = found {
        sections.push((
            String::new(),
            vec![Entry::Test(Box::new(sketch), seen.expectation())],
        ));
    }
    gaps::told(write::file(draft, &sections), base)
}

/// The times at which the policy is looked at: the given one, and an hour before each end that it names.
fn times(policy: &Value, now: UnixTime) -> Vec<UnixTime> {
    let mut ends = BTreeSet::new();
    collect_ends(policy, &mut ends);
    let before = ends.into_iter().map(|end: UnixTime| end.minus(3_600));
    std::iter::once(now).chain(before).collect()
}

fn collect_ends(value: &Value, ends: &mut BTreeSet<UnixTime>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_end = matches!(name.as_str(), "until" | "expires");
                let end = value
                    .as_str()
                    .filter(|_| is_end)
                    .and_then(|text| text.parse::<Instant>().ok());
                ends.extend(end.map(|end| end.0));
                collect_ends(value, ends);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_ends(item, ends)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
