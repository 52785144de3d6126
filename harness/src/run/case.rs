//! One case: its steps taken in turn, each answer held against what is expected of it.

use std::collections::BTreeSet;

use serde_json::Value;

use scopegate_document::UnixTime;

use crate::build;
use crate::check::{Mismatch, check, unseen};
use crate::defaults::Facts;
use crate::exchange::{Answer, Outcome};
use crate::executor::{ExecutorError, Session};
use crate::fixtures;
use crate::format::{ExpectSpec, RequestSpec, UpstreamSpec};
use crate::native::stopwatch;
use crate::proofs::Client;
use crate::run::explain::{Explainer, nonce};
use crate::run::shown::shown;
use crate::run::{CaseReport, Ready, Run, Verdict};
use crate::suite::{Case, Step};

/// Runs cases one after the other. Those that change nothing share a session.
pub(super) struct Runner<'a> {
    ready: &'a Ready<'a>,
    shared: Option<Sessions<'a>>,
}

/// The executor's session, and the one that explains what it does.
struct Sessions<'a> {
    session: Box<dyn Session + 'a>,
    explainer: Explainer<'a>,
}

impl<'a> Sessions<'a> {
    fn open(ready: &'a Ready<'a>) -> Result<Self, ExecutorError> {
        Ok(Self {
            session: ready.prepared.open()?,
            explainer: Explainer::open(ready.explainer),
        })
    }
}

/// What came of the steps of a case.
#[derive(Default)]
struct Progress {
    requests: Vec<String>,
    answers: Vec<Answer>,
    records: Vec<Vec<Value>>,
    elsewhere: BTreeSet<usize>,
    mismatches: Vec<Mismatch>,
    unseen: Vec<&'static str>,
}

/// What steps change for those after them.
struct State {
    facts: Facts,
    client: Client,
    /// The same client before the engine that explains: each issues nonces of its own.
    explained: Client,
    now: UnixTime,
    /// Whether the policy in force is another than the file's own.
    is_elsewhere: bool,
}

impl<'a> Runner<'a> {
    pub(super) fn new(ready: &'a Ready<'a>) -> Self {
        Self { ready, shared: None }
    }

    pub(super) fn case(&mut self, case: &Case) -> CaseReport {
        let start = stopwatch();
        let mut progress = Progress::default();
        let done = self.steps(case, &mut progress);
        let Progress {
            requests,
            answers,
            records,
            elsewhere,
            mismatches,
            unseen,
        } = progress;
        let place = |path: &str| self.ready.run.suite.source.locate(path);
        let verdict = match done {
            Ok(()) if !mismatches.is_empty() => Verdict::Failed(mismatches),
            Ok(()) if !unseen.is_empty() => Verdict::Skipped(self.not_shown(&unseen)),
            Ok(()) => Verdict::Passed,
            Err(ExecutorError::Unsupported(reason)) => Verdict::Skipped(reason),
            Err(error @ (ExecutorError::Refused(_) | ExecutorError::Failed(_))) => {
                let mismatch = Mismatch::new("run", "an answer", error.to_string());
                Verdict::Failed(vec![Mismatch {
                    place: place(&case.path),
                    ..mismatch
                }])
            }
        };
        CaseReport {
            name: case.name.clone(),
            line: case.line,
            place: place(&case.path),
            verdict,
            requests,
            answers,
            records,
            elsewhere,
            elapsed_us: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// Why a case that holds as far as can be seen has not passed.
    fn not_shown(&self, unseen: &[&str]) -> String {
        let mut names = unseen.to_vec();
        names.sort_unstable();
        names.dedup();
        let executor = self.ready.run.executor.name();
        format!("`{executor}` does not show {}", names.join(" and "))
    }

    fn steps(&mut self, case: &Case, progress: &mut Progress) -> Result<(), ExecutorError> {
        let run = self.ready.run;
        let Run {
            suite,
            executor,
            world,
        } = run;
        let note = case.envoy.as_ref().filter(|_| executor.name() == "envoy");
        if let Some(reason) = note.and_then(|note| note.skip.as_ref()) {
            return Err(ExecutorError::Unsupported(reason.clone()));
        }
        let host_status = note.and_then(|note| note.status);
        let mut own = match needs_own_session(case) {
            true => Some(Sessions::open(self.ready)?),
            false => None,
        };
        let mut state = State {
            facts: Facts::of(&suite.policy.document),
            client: Client::default(),
            explained: Client::default(),
            now: world.now,
            is_elsewhere: false,
        };
        for (at, step) in case.steps.iter().enumerate() {
            let sessions = match &mut own {
                Some(sessions) => sessions,
                None => self.shared()?,
            };
            let Sessions { session, explainer } = sessions;
            match step {
                Step::Advance(seconds) => {
                    session.advance(*seconds)?;
                    explainer.advance(*seconds);
                    state.now = state.now.plus(i64::try_from(*seconds).unwrap_or(i64::MAX));
                }
                Step::Answer(answers) => {
                    let rules = |specs: &Vec<UpstreamSpec>| fixtures::rules(specs, &world.tokens);
                    for (upstream, specs) in answers {
                        session.answer(upstream, rules(specs))?;
                        explainer.answer(upstream, rules(specs));
                    }
                }
                Step::Reconfigure(policy, accepted) => {
                    let taken = session.reconfigure(policy)?;
                    explainer.reconfigure(policy);
                    progress.mismatches.extend(reconfigured(*accepted, taken));
                    if taken {
                        let document: Value = serde_json::from_slice(policy).unwrap_or_default();
                        state.facts = Facts::of(&document);
                        state.is_elsewhere = document != suite.policy.document;
                    }
                }
                Step::Send(request, expect) => {
                    let sent = Sent {
                        case,
                        at,
                        request,
                        expect,
                        host_status,
                    };
                    sent.to(sessions, run, &mut state, progress)?;
                }
            }
        }
        Ok(())
    }

    fn shared(&mut self) -> Result<&mut Sessions<'a>, ExecutorError> {
        let sessions = match self.shared.take() {
            Some(sessions) => sessions,
            None => Sessions::open(self.ready)?,
        };
        Ok(self.shared.insert(sessions))
    }
}

/// Whether a case must not share a session: it changes the world, or counts what others would add to.
fn needs_own_session(case: &Case) -> bool {
    let counts = |step: &Step| match step {
        Step::Send(_, expect) => expect.callouts.is_some() || !expect.metrics.is_empty(),
        Step::Advance(_) | Step::Answer(_) | Step::Reconfigure(..) => false,
    };
    case.needs_own_session() || case.steps.iter().any(counts)
}

/// A request of a case, and what is expected of its answer.
struct Sent<'c> {
    case: &'c Case,
    at: usize,
    request: &'c RequestSpec,
    expect: &'c ExpectSpec,
    /// The status that the host answers by itself with, where it does.
    host_status: Option<u16>,
}

impl Sent<'_> {
    fn to(
        self,
        sessions: &mut Sessions<'_>,
        run: &Run<'_>,
        state: &mut State,
        progress: &mut Progress,
    ) -> Result<(), ExecutorError> {
        let Self { case, at, expect, .. } = self;
        let id = format!("{}#{}", case.name, at.saturating_add(1));
        let (suite, tokens) = (run.suite, &run.world.tokens);
        progress.requests.push(shown(self.request, suite));
        let made =
            |client: &mut Client| build::request(self.request, suite, tokens, &id, (client, state.now));
        let request = made(&mut state.client)?;
        let answer = sessions.session.decide(&request)?;
        state.client.learn(nonce(&answer));
        // Without a proof it is the same request.
        let explained = match self.request.dpop {
            Some(_) => Some(made(&mut state.explained)?),
            None => None,
        };
        let explained = explained.as_ref().unwrap_or(&request);
        let records = sessions.explainer.records(explained, &mut state.explained);
        progress.records.push(records);
        let mismatches = match self.host_status {
            Some(status) => answered_by_host(status, &answer),
            None => {
                let mut mismatches = check(expect, &answer);
                mismatches.extend(state.facts.check(expect, &request, &answer));
                progress.unseen.extend(unseen(expect, &answer.observed));
                mismatches
            }
        };
        let index = progress.answers.len();
        let expectation = case.expectation(at);
        let placed = mismatches.into_iter().map(|mismatch| Mismatch {
            place: suite.source.locate(&format!("{expectation}.{}", mismatch.field)),
            answer: Some(index),
            ..mismatch
        });
        progress.mismatches.extend(placed);
        if state.is_elsewhere {
            progress.elsewhere.insert(index);
        }
        progress.answers.push(answer);
        Ok(())
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
