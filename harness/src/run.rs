//! Runs the cases of a test file through an executor. What is shown to people is made elsewhere.

use std::collections::BTreeMap;

use scopegate_document::UnixTime;

use crate::build;
use crate::check::{Mismatch, check};
use crate::defaults::Facts;
use crate::exchange::{Answer, Outcome, value_of};
use crate::executor::{Executor, ExecutorError, Session, Setup, Time};
use crate::fixtures;
use crate::native::stopwatch;
use crate::proofs::Client;
use crate::suite::{Case, Step, Suite};

/// What became of a test file.
#[derive(Debug, Clone)]
pub struct SuiteReport {
    /// The path of the file.
    pub name: String,
    /// The executor.
    pub executor: String,
    /// Its cases, in order.
    pub cases: Vec<CaseReport>,
}

/// What became of a case.
#[derive(Debug, Clone)]
pub struct CaseReport {
    /// What is tested, in words.
    pub name: String,
    /// The line of the file it stands in, from 1.
    pub line: Option<usize>,
    /// The verdict.
    pub verdict: Verdict,
    /// The answers, in the order of the requests.
    pub answers: Vec<Answer>,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
}

/// The verdict on a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is as expected.
    Passed,
    /// Something is not.
    Failed(Vec<Mismatch>),
    /// It could not run here, for this reason.
    Skipped(String),
}

impl SuiteReport {
    /// How many cases passed, failed and were skipped.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let count =
            |wanted: fn(&Verdict) -> bool| self.cases.iter().filter(|case| wanted(&case.verdict)).count();
        (
            count(|verdict| matches!(verdict, Verdict::Passed)),
            count(|verdict| matches!(verdict, Verdict::Failed(_))),
            count(|verdict| matches!(verdict, Verdict::Skipped(_))),
        )
    }
}

/// Runs the cases of `suite` whose name contains `filter`.
///
/// # Errors
/// When the executor does not take the policy, or fails.
pub fn run(
    suite: &Suite,
    executor: &dyn Executor,
    filter: Option<&str>,
) -> Result<SuiteReport, ExecutorError> {
    let now = executor.real_time().unwrap_or(suite.now);
    let mut setup = suite.setup_at(now)?;
    if executor.real_time().is_some() {
        setup.time = Time::System;
    }
    let tokens = suite.mint(now)?;
    let mut runner = Runner {
        suite,
        executor,
        setup: &setup,
        tokens,
        now,
        shared: None,
    };
    let wanted = |case: &&Case| filter.is_none_or(|filter| case.name.contains(filter));
    let cases = suite
        .cases
        .iter()
        .filter(wanted)
        .map(|case| runner.case(case))
        .collect();
    Ok(SuiteReport {
        name: suite.name.clone(),
        executor: executor.name().to_owned(),
        cases,
    })
}

struct Runner<'a> {
    suite: &'a Suite,
    executor: &'a dyn Executor,
    setup: &'a Setup,
    tokens: BTreeMap<String, String>,
    now: UnixTime,
    shared: Option<Box<dyn Session + 'a>>,
}

impl<'a> Runner<'a> {
    fn case(&mut self, case: &Case) -> CaseReport {
        let start = stopwatch();
        let mut answers = Vec::new();
        let verdict = match self.steps(case, &mut answers) {
            Ok(mismatches) if mismatches.is_empty() => Verdict::Passed,
            Ok(mismatches) => Verdict::Failed(mismatches),
            Err(ExecutorError::Unsupported(reason)) => Verdict::Skipped(reason),
            Err(error @ (ExecutorError::Refused(_) | ExecutorError::Failed(_))) => {
                Verdict::Failed(vec![Mismatch::new("run", "an answer", error.to_string())])
            }
        };
        let elapsed_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        CaseReport {
            name: case.name.clone(),
            line: case.line,
            verdict,
            answers,
            elapsed_us,
        }
    }

    fn steps(&mut self, case: &Case, answers: &mut Vec<Answer>) -> Result<Vec<Mismatch>, ExecutorError> {
        let note = case.envoy.as_ref().filter(|_| self.executor.name() == "envoy");
        if let Some(reason) = note.and_then(|note| note.skip.as_ref()) {
            return Err(ExecutorError::Unsupported(reason.clone()));
        }
        let host_status = note.and_then(|note| note.status);
        let mut own = match case.needs_own_session() {
            true => Some(self.executor.open(self.setup)?),
            false => None,
        };
        let mut facts = Facts::of(&self.suite.policy.document);
        let (mut client, mut now) = (Client::default(), self.now);
        let mut mismatches = Vec::new();
        for (at, step) in case.steps.iter().enumerate() {
            let session = match &mut own {
                Some(session) => session,
                None => self.shared()?,
            };
            match step {
                Step::Advance(seconds) => {
                    session.advance(*seconds)?;
                    now = now.plus(i64::try_from(*seconds).unwrap_or(i64::MAX));
                }
                Step::Answer(answers) => {
                    let rules = |specs: &Vec<_>| fixtures::rules(specs, &self.tokens);
                    let changes: Vec<_> = answers.iter().map(|(name, specs)| (name, rules(specs))).collect();
                    let session = match &mut own {
                        Some(session) => session,
                        None => self.shared()?,
                    };
                    for (upstream, rules) in changes {
                        session.answer(upstream, rules)?;
                    }
                }
                Step::Reconfigure(policy, accepted) => {
                    let taken = session.reconfigure(policy)?;
                    mismatches.extend(reconfigured(*accepted, taken));
                    if taken {
                        facts = Facts::of(&serde_json::from_slice(policy).unwrap_or_default());
                    }
                }
                Step::Send(request, expect) => {
                    let id = format!("{}#{}", case.name, at.saturating_add(1));
                    let request = build::request(request, self.suite, &self.tokens, &id, (&mut client, now))?;
                    let session = match &mut own {
                        Some(session) => session,
                        None => self.shared()?,
                    };
                    let answer = session.decide(&request)?;
                    let nonce = value_of(&answer.reply_headers, "dpop-nonce");
                    client.learn(nonce.map(|nonce| String::from_utf8_lossy(nonce).into_owned()));
                    match host_status {
                        Some(status) => mismatches.extend(answered_by_host(status, &answer)),
                        None => {
                            mismatches.extend(check(expect, &answer));
                            mismatches.extend(facts.check(expect, &request, &answer));
                        }
                    }
                    answers.push(answer);
                }
            }
        }
        Ok(mismatches)
    }

    fn shared(&mut self) -> Result<&mut Box<dyn Session + 'a>, ExecutorError> {
        let session = match self.shared.take() {
            Some(session) => session,
            None => self.executor.open(self.setup)?,
        };
        Ok(self.shared.insert(session))
    }
}

fn reconfigured(accepted: bool, taken: bool) -> Option<Mismatch> {
    let say = |taken: bool| if taken { "taken" } else { "refused" };
    (accepted != taken).then(|| Mismatch::new("new policy", say(accepted), say(taken)))
}

/// The host answers by itself: the plugin is never asked, so there is a status and no code.
fn answered_by_host(status: u16, answer: &Answer) -> Vec<Mismatch> {
    let holds = answer.outcome == Outcome::Reply && answer.status == Some(status);
    let seen = || {
        answer
            .status
            .map_or_else(|| "forwarded".to_owned(), |status| status.to_string())
    };
    let mismatch = || Mismatch::new("status of the host's own answer", status.to_string(), seen());
    (!holds).then(mismatch).into_iter().collect()
}
