//! Mutation of policies: each rule taken out in turn, or loosened, and the policy's tests run on what is left. A
//! mutant that no test notices is a rule that nobody would miss. Nothing here is shown to people.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use scopegate_engine::Engine;
use scopegate_engine::source::Location;

use crate::executor::{Executor, ExecutorError, Session, Setup};
use crate::native::{Environment, Native};
use crate::run::{Verdict, run};
use crate::suite::Suite;

mod authority;
mod conjuncts;
mod derive;
mod edit;
mod names;
mod providers;
mod routes;
mod scopes;
mod seen;
#[cfg(test)]
mod tests;

use derive::Derived;
use edit::Edit;

/// One rule, taken out or loosened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// The kind of rule: the name of its field.
    pub rule: &'static str,
    /// Where it stands in the policy, as in `authorization.routes[3].access.tenant`.
    pub path: String,
    /// What becomes of it, in words.
    pub change: String,
    /// The test that would notice.
    pub hint: String,
    edits: Vec<Edit>,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// A test noticed: the test file, and the name of its first case that failed.
    Killed(String, String),
    /// No test noticed.
    Survived,
    /// It is no policy: what the compiler says.
    Refused(String),
    /// It is the policy itself: nothing that is decided, or told to an upstream, would differ.
    Equivalent,
}

/// A mutant and what became of it.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// What was changed.
    pub mutation: Mutation,
    /// The name of the file that the rule stands in, and its place there.
    pub place: Option<(String, Location)>,
    /// What became of it.
    pub fate: Fate,
}

/// All mutants of one policy.
#[derive(Debug, Clone)]
pub struct PolicyMutants {
    /// The names of the policy's files.
    pub policy: String,
    /// The mutants, in the order of their rules.
    pub mutants: Vec<Mutant>,
}

impl PolicyMutants {
    /// The mutants that tests killed, and those that count: all but the refused and the equivalent.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let count = |wanted: fn(&Fate) -> bool| self.mutants.iter().filter(|it| wanted(&it.fate)).count();
        let killed = count(|fate| matches!(fate, Fate::Killed(..)));
        (
            killed,
            killed.saturating_add(count(|fate| *fate == Fate::Survived)),
        )
    }

    /// The share of killed mutants in per cent, rounded down: 100 means all.
    #[must_use]
    pub fn percent(&self) -> usize {
        let (killed, all) = self.counts();
        killed.saturating_mul(100).checked_div(all).unwrap_or(100)
    }
}

/// The tests of a policy cannot judge its mutants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MutationError {
    /// They fail as it is.
    #[error("{file}: `{case}` fails on the policy as it is; mend that first")]
    Fails {
        /// The test file.
        file: String,
        /// Its first case that fails.
        case: String,
    },
    /// They could not run.
    #[error("{0}")]
    Executor(#[from] ExecutorError),
}

/// Mutates the one policy that `suites` test, as the first of them names it, and runs them all on each mutant, natively.
///
/// # Errors
/// When the tests fail on the policy as it is, or cannot run.
pub fn mutate(mut suites: Vec<Suite>) -> Result<PolicyMutants, MutationError> {
    if let Some((first, others)) = suites.split_first_mut() {
        others
            .iter_mut()
            .for_each(|suite| suite.policy.order_as(&first.policy));
    }
    for suite in &suites {
        if let Some(case) = first_failure(suite, &Native)? {
            let file = suite.name.clone();
            return Err(MutationError::Fails { file, case });
        }
    }
    let Some(first) = suites.first() else {
        return Ok(PolicyMutants {
            policy: String::new(),
            mutants: Vec::new(),
        });
    };
    let described: Vec<&Value> = suites.iter().map(Suite::described).collect();
    let mutations = mutations(&first.policy.document, &described);
    let fates = fates(&suites, &mutations)?;
    let files = first.policy.source.files();
    let place = |path: &str| {
        let place = first.policy.source.locate(path)?;
        Some((files.get(place.file)?.name.clone(), place))
    };
    let mutant = |(mutation, fate): (Mutation, Fate)| Mutant {
        place: place(&mutation.path),
        mutation,
        fate,
    };
    Ok(PolicyMutants {
        policy: first.policy.name(),
        mutants: mutations.into_iter().zip(fates).map(mutant).collect(),
    })
}

/// Every mutation of a policy document. What tests send, as they describe it, says towards whom rules are loosened.
#[must_use]
pub fn mutations(document: &Value, described: &[&Value]) -> Vec<Mutation> {
    let mut derived = Derived {
        document,
        mutations: Vec::new(),
    };
    providers::derive(&mut derived, described);
    authority::derive(&mut derived);
    routes::derive(&mut derived, described);
    derived.mutations
}

impl Mutation {
    /// The document with this change.
    #[must_use]
    pub fn apply(&self, document: &Value) -> Value {
        let mut document = document.clone();
        self.edits.iter().for_each(|edit| edit.apply(&mut document));
        document
    }
}

/// What becomes of each mutant, in order; as many at a time as there are processors.
fn fates(suites: &[Suite], mutations: &[Mutation]) -> Result<Vec<Fate>, ExecutorError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(mutations.len()));
    let work = || {
        while let Some((at, mutation)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            mutations.get(at).map(|mutation| (at, mutation))
        } {
            let fate = fate(suites, mutation);
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((at, fate));
        }
    };
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, fate)| fate).collect()
}

fn fate(suites: &[Suite], mutation: &Mutation) -> Result<Fate, ExecutorError> {
    for suite in suites {
        let mutated = mutation.apply(&suite.policy.document);
        if mutated == suite.policy.document {
            return Ok(Fate::Equivalent);
        }
        if let Err(errors) = Engine::from_value(&mutated, &Environment(suite.environment())) {
            let first = errors.first().map(ToString::to_string);
            return Ok(Fate::Refused(first.unwrap_or_default()));
        }
    }
    for suite in suites {
        if let Some(case) = first_failure(suite, &OfMutant(mutation))? {
            return Ok(Fate::Killed(suite.name.clone(), case));
        }
    }
    Ok(Fate::Survived)
}

fn first_failure(suite: &Suite, executor: &dyn Executor) -> Result<Option<String>, ExecutorError> {
    let report = run(suite, executor, None)?;
    let failed = report
        .cases
        .into_iter()
        .find(|case| matches!(case.verdict, Verdict::Failed(_)));
    Ok(failed.map(|case| case.name))
}

/// The native engine, given every policy with one change.
struct OfMutant<'a>(&'a Mutation);

impl Executor for OfMutant<'_> {
    fn name(&self) -> &str {
        Native.name()
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        let policy: Value = serde_json::from_slice(&setup.policy)
            .map_err(|error| ExecutorError::Failed(error.to_string()))?;
        let policy = self.0.apply(&policy).to_string().into_bytes();
        let native: &'static Native = &Native;
        native.open(&Setup {
            policy,
            ..setup.clone()
        })
    }
}
