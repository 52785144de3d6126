//! What every executor of policy tests can do: take a policy, decide on requests, move the clock. The native
//! engine, the plugin in the wasmtime host and real proxies all stand behind these two traits.

use std::collections::BTreeMap;

use scopegate_document::{PolicyError, UnixTime};

use crate::exchange::{Answer, Request};
use crate::upstream::{Rule, Upstreams};

/// What an executor is given before the first request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The test file it is for, by which one that serves several tells them apart; empty where there is none.
    pub name: String,
    /// The policy document, in JSON, as the plugin is configured with it.
    pub policy: Vec<u8>,
    /// The environment of the plugin's machine: where `{env: NAME}` is looked up.
    pub environment: BTreeMap<String, String>,
    /// What time it is.
    pub time: Time,
    /// What the policy's upstreams answer.
    pub upstreams: Upstreams,
}

/// The furthest a clock is moved at once: a hundred years, which no token, key or record outlives. The host counts
/// nanoseconds in 64 bits, and its clock ends in the year 2554.
pub const MAX_ADVANCE_SECONDS: u64 = 100 * 366 * 24 * 60 * 60;

/// Where an executor takes the time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// A clock that stands at this time until it is advanced.
    Fixed(UnixTime),
    /// The machine's clock.
    System,
}

/// Something that executes policies.
pub trait Executor: Sync {
    /// What it is called in reports: `native`, `wasm`, `envoy`.
    fn name(&self) -> &str;

    /// The time of its clock, where nobody can set that: tokens are then made for this time.
    fn real_time(&self) -> Option<UnixTime> {
        None
    }

    /// Starts a policy.
    ///
    /// # Errors
    /// When the policy is refused, or the executor fails.
    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError>;

    /// Takes a policy in, so that every further session of it starts at once.
    ///
    /// # Errors
    /// When the policy is refused, or the executor fails.
    fn prepare<'e>(&'e self, setup: &'e Setup) -> Result<Box<dyn Prepared + 'e>, ExecutorError> {
        Ok(Box::new(Anew {
            executor: self,
            setup,
        }))
    }
}

/// A policy that was taken in.
pub trait Prepared: Send + Sync {
    /// Starts it: each session is as if it were the first.
    ///
    /// # Errors
    /// When the executor fails.
    fn open(&self) -> Result<Box<dyn Session + '_>, ExecutorError>;
}

/// A policy that is taken in anew for every session: for executors that have no quicker way.
struct Anew<'e, E: ?Sized> {
    executor: &'e E,
    setup: &'e Setup,
}

impl<E: Executor + ?Sized> Prepared for Anew<'_, E> {
    fn open(&self) -> Result<Box<dyn Session + '_>, ExecutorError> {
        self.executor.open(self.setup)
    }
}

/// A policy at work. State (caches, the clock) lasts as long as the session.
pub trait Session {
    /// Takes one request to its end.
    ///
    /// # Errors
    /// When the executor itself fails; a refusal is an answer.
    fn decide(&mut self, request: &Request) -> Result<Answer, ExecutorError>;

    /// Changes what an upstream answers: these rules come before those that are there.
    ///
    /// # Errors
    /// When its upstreams cannot be changed.
    fn answer(&mut self, upstream: &str, rules: Vec<Rule>) -> Result<(), ExecutorError>;

    /// Moves the clock forward. What is due meanwhile is fetched.
    ///
    /// # Errors
    /// When its clock cannot be moved.
    fn advance(&mut self, seconds: u64) -> Result<(), ExecutorError>;

    /// Gives it another policy. `false` where the policy was refused: the old one then stays.
    ///
    /// # Errors
    /// When the executor itself fails.
    fn reconfigure(&mut self, policy: &[u8]) -> Result<bool, ExecutorError>;
}

/// An executor could not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// The policy was refused.
    #[error("the policy was refused: {}", list(.0))]
    Refused(Vec<PolicyError>),
    /// The executor failed.
    #[error("{0}")]
    Failed(String),
    /// The executor cannot do this; the case is skipped, and says so.
    #[error("not possible here: {0}")]
    Unsupported(String),
}

fn list(errors: &[PolicyError]) -> String {
    errors
        .iter()
        .map(PolicyError::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
