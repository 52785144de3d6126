//! Policy tests in Envoy: each case must hold there, and say the same as the native engine says.

pub mod nginx;

use std::path::{Path, PathBuf};

use scopegate_engine::source::Unreadable;
use scopegate_harness::agreement::{Disagreement, disagreements};
use scopegate_harness::executor::{ExecutorError, Setup};
use scopegate_harness::files;
use scopegate_harness::native::Native;
use scopegate_harness::run::pool::default_jobs;
use scopegate_harness::run::{self, SuiteReport, Verdict};
use scopegate_harness::suite::{Case, Step, Suite};
use serde_json::Value;

use crate::envoy::EnvoyError;
use crate::executor::{EnvoyExecutor, Normalisation, Serving};
use crate::nginx::NginxError;

/// Why the cases did not run.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// Envoy is absent or does not run.
    #[error(transparent)]
    Envoy(#[from] EnvoyError),
    /// NGINX is absent or does not run.
    #[error(transparent)]
    Nginx(#[from] NginxError),
    /// A test file is wrong.
    #[error("`{file}`: {reason}", file = .0.display(), reason = .1)]
    File(PathBuf, String),
    /// An executor failed as a whole.
    #[error("{0}")]
    Executor(#[from] ExecutorError),
    /// A folder could not be read.
    #[error("{0}")]
    Missing(#[from] files::FilesError),
}

/// What came of all test files.
#[derive(Debug, Default)]
pub struct Summary {
    /// Cases that held.
    pub passed: usize,
    /// Cases that did not, with the reason.
    pub failed: Vec<String>,
    /// Cases that the proxy cannot run, with the reason.
    pub skipped: Vec<String>,
    /// Points in which the proxy and the native engine differ.
    pub disagreements: Vec<String>,
}

/// Runs every test file below `paths` through one Envoy and through the native engine. `is_bundled` says whether each policy
/// is made part of a module of its own first.
///
/// # Errors
/// There is no Envoy, or a test file is wrong.
pub fn run(module: &Path, paths: &[PathBuf], is_bundled: bool) -> Result<Summary, CasesError> {
    let suites = load(paths)?;
    let now = crate::mint::now();
    let setups = suites.iter().map(|suite| suite.setup_at(now));
    let setups = setups.collect::<Result<Vec<Setup>, _>>()?;
    let serving = match is_bundled {
        true => Serving::bundled(module)?,
        false => Serving::Configured,
    };
    let envoy = EnvoyExecutor::start(module, &setups, serving, Normalisation::Off)?;
    let mut summary = Summary::default();
    for suite in &suites {
        let in_envoy = run::run(suite, &envoy, None)?;
        let natively = run::run(suite, &Native, None)?;
        summary.add(suite, in_envoy, natively);
    }
    Ok(summary)
}

/// Reads every test file below `paths`.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<Suite>, CasesError> {
    let found = files::test_files(paths)?;
    let loaded = files::load(&found, default_jobs()).into_iter();
    let read = |(suite, path): (Result<Suite, Unreadable>, PathBuf)| {
        suite.map_err(|fault| {
            let first = fault
                .diagnostics
                .into_iter()
                .next()
                .map(|diagnostic| diagnostic.message);
            CasesError::File(path, first.unwrap_or_else(|| "cannot be read".to_owned()))
        })
    };
    loaded.zip(found).map(read).collect()
}

impl Summary {
    fn add(&mut self, suite: &Suite, mut in_envoy: SuiteReport, mut natively: SuiteReport) {
        for (report, case) in in_envoy.cases.iter_mut().zip(&suite.cases) {
            let what = format!("{}: {}", suite.name, report.name);
            match &report.verdict {
                Verdict::Passed => self.passed = self.passed.saturating_add(1),
                Verdict::Failed(mismatches) => self.failed.push(format!("{what}: {mismatches:?}")),
                // What was answered before the step that cannot be taken was answered to another clock.
                Verdict::Skipped(reason) => {
                    self.skipped.push(format!("{what}: {reason}"));
                    report.answers.clear();
                }
            }
            // Where Envoy answered by itself, as the case says, there is nothing to compare.
            if case.envoy.as_ref().is_some_and(|note| note.status.is_some()) {
                report.answers.clear();
            }
        }
        for (report, case) in natively.cases.iter_mut().zip(&suite.cases) {
            let bodiless = report
                .answers
                .iter_mut()
                .zip(sent_with_head(case))
                .filter(|(_, head)| *head);
            bodiless.for_each(|(answer, _)| answer.reply_body.clear());
        }
        let all = in_envoy.cases.iter_mut().chain(&mut natively.cases);
        all.flat_map(|case| &mut case.answers).for_each(|answer| {
            answer.audit.iter_mut().for_each(without_time);
            let upstream = answer
                .upstream
                .iter_mut()
                .flat_map(|upstream| &mut upstream.headers);
            upstream.for_each(|(_, value)| without_token(value));
        });
        self.disagreements.extend(
            disagreements(&in_envoy, &natively)
                .iter()
                .map(|difference| shown("envoy", difference)),
        );
    }
}

/// For each request of a case, whether it is a HEAD request, whose answer has no body on the wire (RFC 9110
/// section 9.3.2).
fn sent_with_head(case: &Case) -> impl Iterator<Item = bool> {
    case.steps.iter().filter_map(|step| match step {
        Step::Send(request, _) => Some(request.method.as_deref() == Some("HEAD")),
        Step::Advance(_) | Step::Answer(_) | Step::Reconfigure(..) => None,
    })
}

fn shown(proxy: &str, difference: &Disagreement) -> String {
    let Disagreement {
        suite,
        case,
        what,
        left,
        right,
    } = difference;
    format!("{suite}: {case}: {what}\n    {proxy}:  {left}\n    native: {right}")
}

/// Cuts a token off the end of a value: two that say the same at two times are not the same.
fn without_token(value: &mut Vec<u8>) {
    if let Some(start) = value.windows(3).position(|part| part == b"eyJ") {
        value.truncate(start);
    }
}

/// Removes what differs from run to run: times, the fingerprints of tokens that say other times, and the digest
/// of a policy whose instants were moved.
fn without_time(record: &mut Value) {
    if let Some(fields) = record.as_object_mut() {
        fields.remove("time");
        if let Some(policy) = fields.get_mut("policy").and_then(Value::as_object_mut) {
            policy.remove("digest");
        }
        if let Some(credential) = fields.get_mut("credential").and_then(Value::as_object_mut) {
            credential.retain(|name, _| !["fingerprint", "issued_at", "expires_at"].contains(&name.as_str()));
        }
    }
}
