//! Runs the cases of test files through executors, several at a time. What is shown to people is made elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use scopegate_document::UnixTime;
use scopegate_engine::source::{Location, SourceFile};

use crate::check::Mismatch;
use crate::exchange::Answer;
use crate::executor::{Executor, ExecutorError, Prepared, Setup, Time};
use crate::native::Native;
use crate::redact::Redactor;
use crate::suite::{Case, Suite};

mod case;
pub mod explain;
pub mod pool;
mod shown;

use pool::in_parallel;

/// What became of a test file.
#[derive(Debug, Clone, Default)]
pub struct SuiteReport {
    /// The path of the file.
    pub name: String,
    /// The executor.
    pub executor: String,
    /// Its cases, in order.
    pub cases: Vec<CaseReport>,
    /// The file itself, and what else it is made of: what places point into.
    pub files: Arc<[SourceFile]>,
    /// Takes the tokens of this run out of texts.
    pub redactor: Redactor,
}

/// What became of a case.
#[derive(Debug, Clone)]
pub struct CaseReport {
    /// What is tested, in words.
    pub name: String,
    /// The line of the file it stands in, from 1.
    pub line: Option<usize>,
    /// Where in the file it stands.
    pub place: Option<Location>,
    /// The verdict.
    pub verdict: Verdict,
    /// The requests in words, without any token.
    pub requests: Vec<String>,
    /// The answers, in the order of the requests.
    pub answers: Vec<Answer>,
    /// For each answer, what the native engine records of that request where everything is recorded; empty where that
    /// was not asked for.
    pub records: Vec<Vec<Value>>,
    /// Which of the answers another policy than the file's own gave, that a step put in its place.
    pub elsewhere: BTreeSet<usize>,
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
    /// It could not run here, or something expected could not be looked at, for this reason.
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

    /// Why cases were skipped.
    pub fn skipped(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().filter_map(|case| match &case.verdict {
            Verdict::Skipped(reason) => Some(reason.as_str()),
            Verdict::Passed | Verdict::Failed(_) => None,
        })
    }

    /// How long its cases took, in microseconds.
    #[must_use]
    pub fn elapsed_us(&self) -> u64 {
        self.cases
            .iter()
            .fold(0, |sum, case| sum.saturating_add(case.elapsed_us))
    }
}

/// How tests are run.
#[derive(Clone, Copy)]
pub struct Options<'o> {
    /// Only the cases whose name contains this.
    pub filter: Option<&'o str>,
    /// How many cases at a time.
    pub jobs: usize,
    /// Whether the first failure, in the order of the files, ends the run: what comes after it is not reported.
    pub fail_fast: bool,
    /// Whether each decision is explained: by records that the native engine makes beside.
    pub explain: bool,
    /// Told of every case that is done.
    pub on_case: &'o (dyn Fn() + Sync),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            filter: None,
            jobs: 1,
            fail_fast: false,
            explain: false,
            on_case: &|| {},
        }
    }
}

impl Options<'_> {
    /// Whether the case of that name is to run.
    #[must_use]
    pub fn wants(&self, case: &Case) -> bool {
        self.filter.is_none_or(|filter| case.name.contains(filter))
    }
}

/// Runs the cases of `suite` whose name contains `filter`, one after the other.
///
/// # Errors
/// When the executor does not take the policy, or fails.
pub fn run(
    suite: &Suite,
    executor: &dyn Executor,
    filter: Option<&str>,
) -> Result<SuiteReport, ExecutorError> {
    let options = Options {
        filter,
        ..Options::default()
    };
    let reports = run_all(std::slice::from_ref(suite), &[executor], &options)?;
    reports
        .into_iter()
        .next()
        .ok_or_else(|| ExecutorError::Failed("nothing ran".to_owned()))
}

/// Runs the cases of all files through all executors. There is a report for each file and executor, in this order.
///
/// # Errors
/// When an executor does not take a policy, or fails.
pub fn run_all(
    suites: &[Suite],
    executors: &[&dyn Executor],
    options: &Options<'_>,
) -> Result<Vec<SuiteReport>, ExecutorError> {
    let pairs: Vec<(&Suite, &dyn Executor)> = suites
        .iter()
        .flat_map(|suite| executors.iter().map(move |executor| (suite, *executor)))
        .collect();
    let worlds = in_parallel(options.jobs, &pairs, |(suite, executor)| {
        World::of(suite, *executor, options)
    });
    let worlds = worlds.into_iter().collect::<Result<Vec<_>, _>>()?;
    let runs: Vec<Run<'_>> = pairs
        .iter()
        .zip(&worlds)
        .map(|((suite, executor), world)| Run {
            suite,
            executor: *executor,
            world,
        })
        .collect();
    let prepared = in_parallel(options.jobs, &runs, |run| run.executor.prepare(&run.world.setup));
    let prepared = prepared.into_iter().collect::<Result<Vec<_>, _>>()?;
    let explainers = in_parallel(options.jobs, &runs, |run| {
        let recording = run.world.recording.as_ref()?;
        Native.prepare(recording).ok()
    });
    let ready: Vec<Ready<'_>> = runs
        .iter()
        .zip(&prepared)
        .zip(&explainers)
        .map(|((run, prepared), explainer)| Ready {
            run,
            prepared: prepared.as_ref(),
            explainer: explainer.as_deref(),
        })
        .collect();
    let parts = parts(&runs, options);
    let done = run_parts(&parts, &ready, options);
    let mut reports: Vec<SuiteReport> = runs.iter().map(Run::report).collect();
    for (part, cases) in parts.iter().zip(done) {
        if let Some(report) = reports.get_mut(part.run) {
            report.cases.extend(cases);
        }
    }
    Ok(reports)
}

/// A test file in an executor.
struct Run<'r> {
    suite: &'r Suite,
    executor: &'r dyn Executor,
    world: &'r World,
}

impl Run<'_> {
    fn report(&self) -> SuiteReport {
        SuiteReport {
            name: self.suite.name.clone(),
            executor: self.executor.name().to_owned(),
            cases: Vec::new(),
            files: self.suite.source.files().into(),
            redactor: Redactor::of(&self.world.tokens),
        }
    }
}

/// A run whose policy was taken in.
struct Ready<'r> {
    run: &'r Run<'r>,
    prepared: &'r dyn Prepared,
    explainer: Option<&'r dyn Prepared>,
}

/// What all cases of a file begin with in an executor.
struct World {
    setup: Setup,
    /// The same with a policy that records everything, where decisions are explained.
    recording: Option<Setup>,
    tokens: BTreeMap<String, String>,
    now: UnixTime,
}

impl World {
    fn of(suite: &Suite, executor: &dyn Executor, options: &Options<'_>) -> Result<Self, ExecutorError> {
        let real_time = executor.real_time();
        let now = real_time.unwrap_or(suite.now);
        let mut setup = suite.setup_at(now)?;
        if real_time.is_some() {
            setup.time = Time::System;
        }
        let tokens = suite.mint(now)?;
        // Who has a clock of its own cannot be followed.
        let recording = (options.explain && real_time.is_none()).then(|| explain::recording(&setup));
        Ok(Self {
            setup,
            recording,
            tokens,
            now,
        })
    }
}

/// Cases of one run that follow each other, and share a session where nothing tells them apart.
struct Part<'r> {
    run: usize,
    cases: Vec<&'r Case>,
}

/// How many cases share a session at most: enough to be worth starting one, few enough that all threads have work.
const PART: usize = 64;

fn parts<'r>(runs: &[Run<'r>], options: &Options<'_>) -> Vec<Part<'r>> {
    let numbered = runs.iter().enumerate();
    let parts = numbered.flat_map(|(run, it)| {
        let wanted: Vec<&Case> = it.suite.cases.iter().filter(|case| options.wants(case)).collect();
        let parts = wanted.chunks(PART).map(|cases| Part {
            run,
            cases: cases.to_vec(),
        });
        parts.collect::<Vec<_>>()
    });
    parts.collect()
}

fn run_parts(parts: &[Part<'_>], ready: &[Ready<'_>], options: &Options<'_>) -> Vec<Vec<CaseReport>> {
    // The number of the first part that failed. Whatever comes before it runs to its end, so that what is reported
    // does not depend on which thread was first.
    let failed = AtomicUsize::new(usize::MAX);
    let numbered: Vec<(usize, &Part<'_>)> = parts.iter().enumerate().collect();
    let done = in_parallel(options.jobs, &numbered, |(at, part)| {
        let Some(ready) = ready.get(part.run) else {
            return Vec::new();
        };
        let mut cases = Vec::with_capacity(part.cases.len());
        let mut runner = case::Runner::new(ready);
        for case in &part.cases {
            if options.fail_fast && failed.load(Ordering::Relaxed) < *at {
                break;
            }
            let report = runner.case(case);
            let has_failed = matches!(report.verdict, Verdict::Failed(_));
            cases.push(report);
            (options.on_case)();
            if options.fail_fast && has_failed {
                failed.fetch_min(*at, Ordering::Relaxed);
                break;
            }
        }
        cases
    });
    let last = failed.into_inner();
    let numbered = done.into_iter().enumerate();
    numbered
        .map(|(at, cases)| if at > last { Vec::new() } else { cases })
        .collect()
}
