//! Runs every test file of `policies/` and `corpus/` through every executor of this machine, and requires
//! that they agree on every answer.

use std::path::{Path, PathBuf};

use scopegate_harness::check::describe;
use scopegate_harness::executor::Executor;
use scopegate_harness::native::Native;
use scopegate_harness::run::{SuiteReport, Verdict, run};
use scopegate_harness::suite::Suite;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn test_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            test_files(&path, found);
        } else if path.to_string_lossy().ends_with(".test.yaml") {
            found.push(path);
        }
    }
}

fn suites() -> Vec<Suite> {
    let mut files = Vec::new();
    for folder in ["policies", "corpus"] {
        test_files(&root().join(folder), &mut files);
    }
    let load = |path: &PathBuf| match Suite::load(path) {
        Ok(suite) => suite,
        Err(error) => panic!("{}: {:#?}", path.display(), error.diagnostics),
    };
    files.iter().map(load).collect()
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

fn run_all(executor: &dyn Executor) -> usize {
    let mut all = Vec::new();
    let mut cases = 0;
    for suite in suites() {
        let report = run(&suite, executor, None).unwrap_or_else(|error| panic!("{}: {error}", suite.name));
        cases += report.cases.len();
        all.extend(failures(&report));
    }
    assert!(all.is_empty(), "{} lines:\n{}", all.len(), all.join("\n"));
    cases
}

#[test]
fn every_case_holds_in_the_native_engine() {
    let cases = run_all(&Native);
    assert!(cases >= 100, "only {cases} cases were found");
}
