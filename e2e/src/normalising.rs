//! Policy tests behind an Envoy that normalises paths itself, as most are configured: what it hands to the plugin is another
//! path than the one that was sent. For that path the plugin must say what the native engine says of it, and what was
//! matched must be what is forwarded. What a test expects of the path as it was sent does not matter here.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use scopegate_harness::check::describe;
use scopegate_harness::exchange::{Answer, Outcome, Request};
use scopegate_harness::executor::{Executor, ExecutorError, Session, Setup, Time};
use scopegate_harness::native::Native;
use scopegate_harness::run;
use scopegate_harness::upstream::Rule;

use crate::cases::{CasesError, load};
use crate::executor::{EnvoyExecutor, EnvoySession, Normalisation, Serving};

/// What came of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// Requests that the plugin decided on.
    pub compared: usize,
    /// Requests whose path Envoy had changed, among them.
    pub changed: usize,
    /// Requests that Envoy answered by itself.
    pub answered_by_envoy: usize,
    /// Requests on which the two do not agree, with what each says.
    pub differences: Vec<String>,
}

/// Sends every request of the test files below `paths` through an Envoy that normalises.
///
/// # Errors
/// There is no Envoy, or a test file is wrong.
pub fn run(module: &Path, paths: &[PathBuf]) -> Result<Summary, CasesError> {
    let suites = load(paths)?;
    let now = crate::mint::now();
    let setups = suites.iter().map(|suite| suite.setup_at(now));
    let setups = setups.collect::<Result<Vec<Setup>, _>>()?;
    let both = Both {
        envoy: EnvoyExecutor::start(module, &setups, Serving::Configured, Normalisation::On)?,
        summary: Mutex::default(),
    };
    for suite in &suites {
        // Whether the cases hold is not asked: their paths are not those that the plugin saw.
        drop(run::run(suite, &both, None)?);
    }
    Ok(both.summary.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Envoy and the native engine, side by side.
struct Both {
    envoy: EnvoyExecutor,
    summary: Mutex<Summary>,
}

struct BothSession<'b> {
    envoy: EnvoySession<'b>,
    native: Box<dyn Session + 'b>,
    summary: &'b Mutex<Summary>,
}

impl Executor for Both {
    fn name(&self) -> &str {
        "envoy"
    }

    fn real_time(&self) -> Option<scopegate_document::UnixTime> {
        self.envoy.real_time()
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        let served = self.envoy.served(setup);
        let natively = Setup {
            policy: served.unwrap_or(&setup.policy).to_vec(),
            time: Time::System,
            ..setup.clone()
        };
        Ok(Box::new(BothSession {
            envoy: self.envoy.session(setup)?,
            native: Native.open(&natively)?,
            summary: &self.summary,
        }))
    }
}

impl Session for BothSession<'_> {
    fn decide(&mut self, request: &Request) -> Result<Answer, ExecutorError> {
        let answer = self.envoy.decide(request)?;
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = self.envoy.path_shown().filter(|_| answer.code.is_some()) else {
            match answer.outcome {
                Outcome::Reply => summary.answered_by_envoy = summary.answered_by_envoy.saturating_add(1),
                Outcome::Forward => summary.differences.push(format!(
                    "{}: forwarded, and nobody decided",
                    request.path.escape_ascii()
                )),
            }
            return Ok(answer);
        };
        // A credential that the plugin cuts out of the query was there when it decided.
        let path = [without_query(&path), query(&request.path)].concat();
        let natively = self.native.decide(&Request {
            path: path.clone(),
            ..request.clone()
        })?;
        summary.compared = summary.compared.saturating_add(1);
        summary.changed = summary.changed.saturating_add(usize::from(path != request.path));
        // A nonce that one of them gave out is none to the other.
        let is_comparable = natively.code.as_deref() != Some("proof_nonce");
        let differs = is_comparable && point(&answer) != point(&natively);
        let differs = differs || !is_forwarded_as_matched(&answer, &path);
        if differs {
            summary.differences.push(format!(
                "{} as {}: envoy: {}, native: {}",
                request.path.escape_ascii(),
                path.escape_ascii(),
                describe(&answer),
                describe(&natively)
            ));
        }
        Ok(answer)
    }

    fn answer(&mut self, upstream: &str, rules: Vec<Rule>) -> Result<(), ExecutorError> {
        self.envoy.answer(upstream, rules)
    }

    fn advance(&mut self, seconds: u64) -> Result<(), ExecutorError> {
        self.envoy.advance(seconds)
    }

    fn reconfigure(&mut self, policy: &[u8]) -> Result<bool, ExecutorError> {
        self.envoy.reconfigure(policy)
    }
}

/// What two executors must agree in.
fn point(answer: &Answer) -> (Outcome, Option<&str>, Option<&str>, Option<&str>) {
    (
        answer.outcome,
        answer.code.as_deref(),
        answer.route.as_deref(),
        answer.would_deny.as_deref(),
    )
}

fn is_forwarded_as_matched(answer: &Answer, path: &[u8]) -> bool {
    let mut upstream = answer.upstream.iter();
    upstream.all(|upstream| without_query(&upstream.path) == without_query(path))
}

fn without_query(target: &[u8]) -> &[u8] {
    target.split(|byte| *byte == b'?').next().unwrap_or_default()
}

fn query(target: &[u8]) -> &[u8] {
    let at = target.iter().position(|byte| *byte == b'?');
    at.and_then(|at| target.get(at..)).unwrap_or_default()
}
