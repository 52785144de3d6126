//! Reports in the Test Anything Protocol, version 14, with a YAML block for what failed.

use std::fmt::Write as _;

use serde_json::json;

use crate::check::Mismatch;
use crate::report::{RunReport, place};
use crate::run::{CaseReport, SuiteReport, Verdict};
use crate::visible;

impl RunReport {
    /// The report in the Test Anything Protocol, version 14.
    #[must_use]
    pub fn tap(&self) -> String {
        let suites = self.with_disagreements();
        let cases: Vec<_> = suites
            .iter()
            .flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)))
            .collect();
        let mut text = format!("TAP version 14\n1..{}\n", cases.len());
        for (at, (suite, case)) in cases.into_iter().enumerate() {
            let number = at.saturating_add(1);
            let name = plain(&format!("{} ({}): {}", suite.name, suite.executor, case.name));
            let _ = match &case.verdict {
                Verdict::Passed => writeln!(text, "ok {number} - {name}"),
                Verdict::Skipped(reason) => {
                    writeln!(text, "ok {number} - {name} # SKIP {}", plain(reason))
                }
                Verdict::Failed(mismatches) => {
                    let block = diagnostics(suite, case, mismatches);
                    writeln!(text, "not ok {number} - {name}\n  ---\n{block}  ...")
                }
            };
        }
        let _ = writeln!(text, "# {}", plain(&self.summary()));
        text
    }
}

/// What failed, in YAML. Texts are written as JSON has them, which YAML reads alike.
fn diagnostics(suite: &SuiteReport, case: &CaseReport, mismatches: &[Mismatch]) -> String {
    let mut block = String::new();
    let first = mismatches.first();
    let message = first.map(|mismatch| mismatch.what.as_str()).unwrap_or_default();
    let (file, line, column) = place(suite, first.and_then(|mismatch| mismatch.place).or(case.place));
    let line = line.or(case.line);
    let _ = write!(
        block,
        "  message: {}\n  severity: fail\n  at:\n    file: {}\n",
        quoted(message),
        quoted(&file)
    );
    for (name, value) in [("line", line), ("column", column)] {
        if let Some(value) = value {
            let _ = writeln!(block, "    {name}: {value}");
        }
    }
    block.push_str("  data:\n");
    for Mismatch {
        what,
        expected,
        seen,
        field: _,
        place: _,
        answer: _,
    } in mismatches
    {
        let [expected, seen] = [expected, seen].map(|text| quoted(&suite.redactor.clean(text)));
        let _ = writeln!(
            block,
            "    - what: {}\n      expect: {expected}\n      got: {seen}",
            quoted(what)
        );
    }
    block
}

/// A text as YAML and JSON quote it.
fn quoted(text: &str) -> String {
    json!(visible::lines(text)).to_string()
}

/// A description on one line: a backslash and a hash are escaped, for a hash begins a directive.
fn plain(text: &str) -> String {
    visible::line(text).replace('\\', "\\\\").replace('#', "\\#")
}
