//! Reports on runs of policy tests for machines: JSON, JUnit, TAP, GitHub annotations. What people see is made where
//! there is a terminal.

use scopegate_engine::source::Location;

use crate::agreement::Disagreement;
use crate::check::{Mismatch, describe};
use crate::coverage::Coverage;
use crate::run::{CaseReport, SuiteReport, Verdict};
use crate::visible;

mod github;
mod json;
mod junit;
mod tap;

/// All that a run of tests found.
#[derive(Debug, Default)]
pub struct RunReport {
    /// The reports, one for each file and executor.
    pub suites: Vec<SuiteReport>,
    /// The coverage of each policy, by the names of its files.
    pub coverage: Vec<(String, Coverage)>,
    /// Whether what is not covered is to be annotated: where a threshold was asked for.
    pub wants_coverage: bool,
    /// Where executors do not agree.
    pub disagreements: Vec<Disagreement>,
}

impl RunReport {
    /// How many cases passed, failed and were skipped.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        counts(&self.suites)
    }

    /// Whether everything is as expected.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.counts().1 == 0 && self.disagreements.is_empty()
    }

    /// The lowest coverage of any policy, in per cent, rounded down.
    #[must_use]
    pub fn coverage_percent(&self) -> usize {
        self.coverage
            .iter()
            .map(|(_, coverage)| coverage.percent())
            .min()
            .unwrap_or(100)
    }

    /// The counts in words.
    #[must_use]
    pub fn summary(&self) -> String {
        let (passed, failed, skipped) = self.counts();
        let counts = counts_text(passed, failed, skipped);
        match self.disagreements.len() {
            0 => counts,
            1 => format!("{counts}, 1 disagreement"),
            many => format!("{counts}, {many} disagreements"),
        }
    }

    /// The suites as machines are told of them: what executors do not agree on is a failed case, in a suite of
    /// its own for each file.
    fn with_disagreements(&self) -> Vec<SuiteReport> {
        let mut suites = self.suites.clone();
        for difference in &self.disagreements {
            let of_case = self.case_of(difference);
            let case = CaseReport {
                name: format!("{}: the same {}", difference.case, difference.what),
                line: of_case.and_then(|case| case.line),
                place: of_case.and_then(|case| case.place),
                verdict: Verdict::Failed(vec![Mismatch::new(
                    format!("{} (executors disagree)", difference.what),
                    &difference.left,
                    &difference.right,
                )]),
                requests: Vec::new(),
                answers: Vec::new(),
                records: Vec::new(),
                elsewhere: std::collections::BTreeSet::new(),
                elapsed_us: 0,
            };
            let is_its =
                |suite: &&mut SuiteReport| suite.name == difference.suite && suite.executor == AGREEMENT;
            match suites.iter_mut().find(is_its) {
                Some(suite) => suite.cases.push(case),
                None => suites.push(SuiteReport {
                    name: difference.suite.clone(),
                    executor: AGREEMENT.to_owned(),
                    cases: vec![case],
                    ..self.suite_of(difference).cloned().unwrap_or_default()
                }),
            }
        }
        suites
    }

    fn suite_of(&self, difference: &Disagreement) -> Option<&SuiteReport> {
        self.suites.iter().find(|suite| suite.name == difference.suite)
    }

    fn case_of(&self, difference: &Disagreement) -> Option<&CaseReport> {
        let mut cases = self.suite_of(difference)?.cases.iter();
        cases.find(|case| case.name == difference.case)
    }
}

/// What stands for an executor where two do not agree.
const AGREEMENT: &str = "agreement";

/// How many cases of all suites passed, failed and were skipped.
fn counts(suites: &[SuiteReport]) -> (usize, usize, usize) {
    let add = |sum: (usize, usize, usize), one: (usize, usize, usize)| {
        (
            sum.0.saturating_add(one.0),
            sum.1.saturating_add(one.1),
            sum.2.saturating_add(one.2),
        )
    };
    suites.iter().map(SuiteReport::counts).fold((0, 0, 0), add)
}

fn counts_text(passed: usize, failed: usize, skipped: usize) -> String {
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

/// What was expected and what was seen, in one line, without any token.
fn sentence(suite: &SuiteReport, mismatch: &Mismatch) -> String {
    let clean = |text: &str| visible::line(&suite.redactor.clean(text).replace('\n', "; "));
    let (expected, seen) = (clean(&mismatch.expected), clean(&mismatch.seen));
    format!(
        "{}: expected {expected}, seen {seen}",
        visible::line(&mismatch.what)
    )
}

/// The file that a place is in, its line and its column.
fn place(suite: &SuiteReport, place: Option<Location>) -> (String, Option<usize>, Option<usize>) {
    let file = place.and_then(|place| suite.files.get(place.file));
    let name = file.map_or_else(|| suite.name.clone(), |file| file.name.clone());
    (
        name,
        place.map(|place| place.line),
        place.map(|place| place.column),
    )
}

/// All that is to say about a failed case, in lines, for whoever reads a log.
fn detail(suite: &SuiteReport, case: &CaseReport) -> String {
    let mut lines = Vec::new();
    if let Verdict::Failed(mismatches) = &case.verdict {
        for mismatch in mismatches {
            let (file, line, column) = place(suite, mismatch.place.or(case.place));
            let parts = [line.or(case.line), column].into_iter().flatten();
            let parts = parts.fold(String::new(), |parts, part| format!("{parts}:{part}"));
            lines.push(format!("{file}{parts}: {}", sentence(suite, mismatch)));
        }
    }
    for (request, answer) in case.requests.iter().zip(&case.answers) {
        lines.push(format!(
            "request: {}",
            suite.redactor.clean(&request.replace('\n', "; "))
        ));
        lines.push(format!("answer: {}", describe(answer)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
