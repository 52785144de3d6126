use std::path::{Path, PathBuf};

use scopegate_document::UnixTime;
use scopegate_engine::source;

use super::{FirstTests, first_tests};
use crate::coverage::{Coverage, Point};
use crate::native::Native;
use crate::run::{Options, Verdict, run, run_all};
use crate::suite::Suite;

/// 2026-11-22T09:00:00Z
const NOW: UnixTime = UnixTime(1_795_338_000);

fn policies() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in ["policies", "corpus"] {
        for entry in std::fs::read_dir(root.join(folder))
            .unwrap()
            .flatten()
            .filter(|it| it.path().is_dir())
        {
            let files = std::fs::read_dir(entry.path())
                .unwrap()
                .flatten()
                .map(|it| it.path());
            let is_policy = |path: &PathBuf| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                // One policy of the corpus is there to be refused.
                name.ends_with(".yaml") && !name.ends_with(".test.yaml") && name != "faulty.yaml"
            };
            found.extend(files.filter(is_policy));
        }
    }
    found.sort();
    found
}

/// What the tests of the file do not reach stands in it as a comment.
fn says_its_gaps(suite: &Suite, first: &FirstTests) {
    let options = Options {
        explain: true,
        ..Options::default()
    };
    let mut coverage = Coverage::of(suite);
    for report in run_all(std::slice::from_ref(suite), &[&Native], &options).unwrap() {
        coverage.add(&report);
    }
    let comments = first.text.matches("  # not written: ").count();
    assert_eq!(comments, first.gaps);
    for missing in coverage.missing() {
        let said = missing.point.to_string();
        let code = match missing.point {
            Point::Code(code) | Point::Allowed(code) => code,
            Point::Refused(_) | Point::Rule { .. } | Point::Granted(_) | Point::Lacking(_) => &said,
        };
        let mut comments = first
            .text
            .lines()
            .filter(|line| line.starts_with("  # not written: "));
        assert!(
            comments.any(|line| line.contains(code)),
            "nothing of `{code}` in\n{}",
            first.text
        );
    }
}

#[test]
fn what_is_written_passes_at_once_on_every_policy_there_is() {
    let policies = policies();
    assert!(policies.len() > 30, "{policies:?}");
    for path in policies {
        let source = source::load(std::slice::from_ref(&path)).unwrap();
        let (base, name) = (
            path.parent().unwrap(),
            path.file_name().unwrap().to_string_lossy().into_owned(),
        );
        let first = first_tests(&source, &[name], base, NOW).unwrap();
        let suite = Suite::parse("first.test.yaml", first.text.clone(), base)
            .unwrap_or_else(|fault| panic!("{}: {:?}\n{}", path.display(), fault.diagnostics, first.text));
        let report = run(&suite, &Native, None).unwrap();
        for case in &report.cases {
            assert_eq!(
                case.verdict,
                Verdict::Passed,
                "{}: {}\n{}",
                path.display(),
                case.name,
                first.text
            );
        }
        assert_eq!(report.cases.len(), first.tests);
        says_its_gaps(&suite, &first);
        if std::env::var_os("SCOPEGATE_SHOW").is_some() {
            eprintln!("==== {}\n{}", path.display(), first.text);
        }
    }
}
