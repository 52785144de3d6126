//! Runs every test file of `policies/` and `corpus/` through every executor of this machine, and requires
//! that they agree on every answer.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use scopegate_engine::source::Unreadable;
use scopegate_harness::agreement::disagreements;
use scopegate_harness::bundled::Bundled;
use scopegate_harness::check::describe;
use scopegate_harness::exchange::{Answer, Request};
use scopegate_harness::executor::{Executor, ExecutorError, Session, Setup};
use scopegate_harness::files;
use scopegate_harness::native::Native;
use scopegate_harness::run::pool::default_jobs;
use scopegate_harness::run::{Options, SuiteReport, Verdict, run, run_all};
use scopegate_harness::suite::Suite;
use scopegate_harness::upstream::Rule;
use scopegate_harness::wasm::Wasm;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn suites() -> Vec<Suite> {
    let folders = ["policies", "corpus"].map(|folder| root().join(folder));
    let files = files::test_files(&folders).unwrap();
    let loaded = files::load(&files, default_jobs()).into_iter();
    let load = |(suite, path): (Result<Suite, _>, &PathBuf)| match suite {
        Ok(suite) => suite,
        Err(error) => {
            let error: Unreadable = error;
            panic!("{}: {:#?}", path.display(), error.diagnostics)
        }
    };
    loaded.zip(&files).map(load).collect()
}

fn failures(report: &SuiteReport) -> Vec<String> {
    let mut failures = Vec::new();
    for case in &report.cases {
        let place = format!("{}:{} {}", report.name, case.line.unwrap_or_default(), case.name);
        match &case.verdict {
            Verdict::Passed => {}
            Verdict::Skipped(reason) => failures.push(format!("{place}\n  skipped: {reason}")),
            Verdict::Failed(mismatches) => {
                for it in mismatches {
                    failures.push(format!(
                        "{place}\n  {}: expected {}, seen {}",
                        it.what, it.expected, it.seen
                    ));
                }
                failures.extend(
                    case.answers
                        .iter()
                        .map(|answer| format!("    {}", describe(answer))),
                );
            }
        }
    }
    failures
}

fn path() -> PathBuf {
    let built = root().join("target/wasm32-wasip1/release/scopegate_plugin.wasm");
    let path = std::env::var_os("SCOPEGATE_WASM").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "no module at `{}`: build it with `cargo xtask wasm`",
        path.display()
    );
    path
}

fn run_suites(suites: &[Suite], executors: &[&dyn Executor]) -> Vec<SuiteReport> {
    let options = Options {
        jobs: default_jobs(),
        ..Options::default()
    };
    run_all(suites, executors, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_all_hold(reports: &[SuiteReport]) {
    let failures: Vec<String> = reports.iter().flat_map(failures).collect();
    assert!(
        failures.is_empty(),
        "{} lines:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn every_case_holds_in_the_native_engine() {
    let reports = run_suites(&suites(), &[&Native]);
    assert_all_hold(&reports);
    let cases: usize = reports.iter().map(|report| report.cases.len()).sum();
    assert!(cases >= 2_000, "only {cases} cases were found");
}

/// Requires that every case holds in an executor, and that each answer is the native engine's.
fn assert_all_agree(executor: &dyn Executor) {
    let runs = run_suites(&suites(), &[&Native, executor]);
    let pairs = || runs.chunks(2).filter_map(|pair| pair.split_first_chunk::<2>());
    let differences: Vec<_> = pairs()
        .flat_map(|([native, wasm], _)| disagreements(native, wasm))
        .collect();
    let reports: Vec<SuiteReport> = pairs().map(|([_, wasm], _)| wasm.clone()).collect();
    assert_all_hold(&reports);
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn every_case_holds_in_the_module_and_the_answers_are_the_engines() {
    assert_all_agree(&Wasm::from_file(&path()).unwrap());
}

#[test]
fn every_case_holds_in_bundles_of_the_policies_and_the_answers_are_the_engines() {
    assert_all_agree(&Bundled::from_file(&path()).unwrap());
}

/// The codes that a policy of this version can give to a request, without faults of the host.
const REACHABLE: [&str; 37] = [
    "allow",
    "ambiguous_path",
    "malformed_request",
    "headers_truncated",
    "credential_missing",
    "credential_multiple",
    "token_malformed",
    "token_too_large",
    "critical_header",
    "algorithm_not_allowed",
    "issuer_unknown",
    "type_mismatch",
    "audience_mismatch",
    "token_expired",
    "token_not_yet_valid",
    "lifetime_too_long",
    "claim_missing",
    "claim_mismatch",
    "key_not_found",
    "signature_invalid",
    "keys_unavailable",
    "token_inactive",
    "introspection_unavailable",
    "peer_unidentified",
    "binding_mismatch",
    "no_route",
    "provider_not_allowed",
    "actor_not_allowed",
    "tenant_mismatch",
    "scope_missing",
    "scope_forbidden",
    "client_not_allowed",
    "step_up_required",
    "outside_window",
    "source_not_allowed",
    "condition_false",
    "condition_error",
];

#[test]
fn every_code_that_a_request_can_get_is_in_the_corpus() {
    let reports = run_suites(&suites(), &[&Native]);
    let answers = reports
        .iter()
        .flat_map(|report| &report.cases)
        .flat_map(|case| &case.answers);
    let seen: BTreeSet<&str> = answers.filter_map(|answer| answer.code.as_deref()).collect();
    let missing: Vec<&str> = REACHABLE
        .into_iter()
        .filter(|code| !seen.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The native engine in a proxy that sends on whatever the client sent.
struct Leaky;

struct LeakySession<'a>(Box<dyn Session + 'a>);

impl Executor for Leaky {
    fn name(&self) -> &str {
        "leaky"
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        Ok(Box::new(LeakySession(Native.open(setup)?)))
    }
}

impl Session for LeakySession<'_> {
    fn decide(&mut self, request: &Request) -> Result<Answer, ExecutorError> {
        let mut answer = self.0.decide(request)?;
        if let Some(upstream) = &mut answer.upstream {
            upstream.headers.extend(request.headers.iter().cloned());
        }
        Ok(answer)
    }

    fn answer(&mut self, upstream: &str, rules: Vec<Rule>) -> Result<(), ExecutorError> {
        self.0.answer(upstream, rules)
    }

    fn advance(&mut self, seconds: u64) -> Result<(), ExecutorError> {
        self.0.advance(seconds)
    }

    fn reconfigure(&mut self, policy: &[u8]) -> Result<bool, ExecutorError> {
        self.0.reconfigure(policy)
    }
}

#[test]
fn a_credential_that_goes_on_fails_every_cell_that_says_allow() {
    let path = root().join("policies/rest-api-tenants/policy.test.yaml");
    let suite = Suite::load(&path).unwrap();
    let report = run(&suite, &Leaky, Some("GET /healthz as ")).unwrap();
    let (passed, failed, _) = report.counts();
    // Only the caller without a token has nothing that could leak.
    assert_eq!((passed, failed), (1, report.cases.len() - 1));
}
