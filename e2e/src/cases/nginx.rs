//! Policy tests in NGINX: every decision must be the native engine's. What NGINX cannot do for a plugin is skipped by
//! name; that a request goes through which the engine refuses is never that, but for cases that say so of real proxies.

use std::path::{Path, PathBuf};

use scopegate_harness::agreement::Disagreement;
use scopegate_harness::exchange::{Answer, Outcome, values_of};
use scopegate_harness::executor::{Executor, ExecutorError, Session, Setup};
use scopegate_harness::native::Native;
use scopegate_harness::policy::named_upstreams;
use scopegate_harness::run::{self, CaseReport, SuiteReport, Verdict};
use scopegate_harness::suite::{Case, Suite};
use serde_json::Value;

use super::{CasesError, Summary, load, shown};
use crate::nginx::executor::{NginxExecutor, identity_headers, keeping_credentials};

/// Refusals of the plugin that only NGINX knows: what it cannot do there, it refuses.
const ONLY_IN_NGINX: [(&str, &str); 3] = [
    (
        "identity_header_refused",
        "NGINX forwards a header that a plugin removes: it is refused",
    ),
    (
        "headers_truncated",
        "a plugin sees 100 headers in NGINX: a request with more is refused",
    ),
    (
        "malformed_request",
        "the target and `Host` must name one server in NGINX",
    ),
];

/// The native engine, with policies as NGINX takes them.
struct Keeping;

impl Executor for Keeping {
    fn name(&self) -> &str {
        "native"
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        let kept = keeping_credentials(setup).map_err(|error| ExecutorError::Failed(error.to_string()))?;
        let opened: Result<Box<dyn Session>, _> = Native.open(&kept);
        opened
    }
}

/// Runs every test file below `paths` through one NGINX and through the native engine.
///
/// # Errors
/// There is no NGINX, or a test file is wrong.
pub fn run(module: &Path, paths: &[PathBuf]) -> Result<Summary, CasesError> {
    let suites = load(paths)?;
    let now = crate::mint::now();
    let mut summary = Summary::default();
    let mut served = Vec::new();
    for suite in &suites {
        let setup = suite.setup_at(now)?;
        let policy: Value = serde_json::from_slice(&setup.policy)
            .map_err(|error| ExecutorError::Failed(error.to_string()))?;
        if let Some(why) = why_not_served(&policy) {
            let skipped = suite
                .cases
                .iter()
                .map(|case| format!("{}: {}: {why}", suite.name, case.name));
            summary.skipped.extend(skipped);
            continue;
        }
        let setup = keeping_credentials(&setup).map_err(|error| ExecutorError::Failed(error.to_string()))?;
        served.push((suite, setup, identity_headers(&policy)));
    }
    let setups: Vec<Setup> = served.iter().map(|(_, setup, _)| setup.clone()).collect();
    let nginx = NginxExecutor::start(module, &setups)?;
    for (suite, _, identity) in &served {
        let in_nginx = run::run(suite, &nginx, None)?;
        let natively = run::run(suite, &Keeping, None)?;
        summary.compare(suite, &in_nginx, &natively, identity);
    }
    Ok(summary)
}

/// Why a policy is not served at all.
fn why_not_served(policy: &Value) -> Option<&'static str> {
    let fetches = !named_upstreams(policy).is_empty();
    fetches.then_some("what is fetched comes over TLS, for which this NGINX has no certificates")
}

impl Summary {
    fn compare(&mut self, suite: &Suite, nginx: &SuiteReport, native: &SuiteReport, identity: &[String]) {
        let both = nginx.cases.iter().zip(&native.cases);
        for (case, (here, there)) in suite.cases.iter().zip(both) {
            let what = format!("{}: {}", suite.name, here.name);
            match skipped(here, there).or_else(|| noted(case, here, there)) {
                Some(why) => self.skipped.push(format!("{what}: {why}")),
                None => self.compare_case(suite, nginx, (here, there), identity),
            }
        }
    }

    fn compare_case(
        &mut self,
        suite: &Suite,
        report: &SuiteReport,
        (here, there): (&CaseReport, &CaseReport),
        identity: &[String],
    ) {
        let differing: Vec<String> = here
            .answers
            .iter()
            .zip(&there.answers)
            .flat_map(|(here, there)| differences(here, there, identity))
            .map(|(what, left, right)| {
                shown(
                    "nginx",
                    &Disagreement {
                        suite: suite.name.clone(),
                        case: here.name.clone(),
                        what: what.to_owned(),
                        left: report.redactor.clean(&left),
                        right: report.redactor.clean(&right),
                    },
                )
            })
            .collect();
        if here.answers.len() != there.answers.len() {
            self.failed
                .push(format!("{}: {}: {:?}", suite.name, here.name, here.verdict));
        } else if differing.is_empty() {
            self.passed = self.passed.saturating_add(1);
        }
        self.disagreements.extend(differing);
    }
}

/// Why a case says nothing of NGINX. A request that went through is always looked at.
fn skipped(here: &CaseReport, there: &CaseReport) -> Option<String> {
    if let Verdict::Skipped(why) = &here.verdict {
        return Some(why.clone());
    }
    let pairs = here.answers.iter().zip(&there.answers);
    pairs
        .filter_map(|(here, there)| excuse(here, there))
        .next()
        .map(str::to_owned)
}

/// What a case says itself of real proxies, where the answers differ: their codecs mend or refuse some requests.
fn noted(case: &Case, here: &CaseReport, there: &CaseReport) -> Option<String> {
    let note = case.envoy.as_ref()?;
    let mut pairs = here.answers.iter().zip(&there.answers);
    let differs = pairs.any(|(here, there)| (here.status, &here.code) != (there.status, &there.code));
    let why = note
        .skip
        .as_deref()
        .unwrap_or("the codec reads it in another way");
    differs.then(|| format!("said of real proxies: {why}"))
}

/// Why an answer may be another one: only for a refusal.
fn excuse(here: &Answer, there: &Answer) -> Option<&'static str> {
    if here.outcome == Outcome::Forward || (here.status, &here.code) == (there.status, &there.code) {
        return None;
    }
    let is_own = here.code.is_none() && here.reply_body.windows(NGINX.len()).any(|part| part == NGINX);
    if is_own {
        return Some("NGINX answers the request itself, before the plugin sees it");
    }
    let code = code(here)?;
    ONLY_IN_NGINX
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, why)| *why)
}

/// What is in each page that NGINX answers with.
const NGINX: &[u8] = b"<center>nginx";

/// The code of a refusal: of its variables, or of the problem in its body where no stream could be told.
fn code(answer: &Answer) -> Option<String> {
    let problem = || {
        let body: Value = serde_json::from_slice(&answer.reply_body).ok()?;
        Some(body.get("code")?.as_str()?.to_owned())
    };
    answer.code.clone().or_else(problem)
}

/// What is compared, and how it is shown.
type Point = (&'static str, String, String);

fn differences(here: &Answer, there: &Answer, identity: &[String]) -> Vec<Point> {
    let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let mut points = vec![
        ("outcome", text(&here.outcome), text(&there.outcome)),
        ("status", text(&here.status), text(&there.status)),
        ("code", text(&code(here)), text(&code(there))),
        ("would deny", text(&here.would_deny), text(&there.would_deny)),
        ("layer", text(&here.layer), text(&there.layer)),
        ("route", text(&here.route), text(&there.route)),
    ];
    for name in identity {
        let of = |answer: &Answer| {
            let headers = answer
                .upstream
                .iter()
                .flat_map(|upstream| values_of(&upstream.headers, name));
            let values: Vec<String> = headers.map(|value| value.escape_ascii().to_string()).collect();
            values.join(", ")
        };
        points.push((
            "identity",
            format!("{name}: {}", of(here)),
            format!("{name}: {}", of(there)),
        ));
    }
    points.retain(|(_, here, there)| here != there);
    points
}
