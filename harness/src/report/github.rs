//! Reports as workflow commands of GitHub: each failure is an annotation of the line that expected something else.

use std::fmt::Write as _;

use crate::report::{RunReport, place, sentence};
use crate::run::Verdict;
use crate::visible;

impl RunReport {
    /// Failures as annotations of GitHub's workflow commands.
    #[must_use]
    pub fn github(&self) -> String {
        let mut text = String::new();
        for suite in &self.with_disagreements() {
            for case in &suite.cases {
                let Verdict::Failed(mismatches) = &case.verdict else {
                    continue;
                };
                let first = mismatches.first().and_then(|mismatch| mismatch.place);
                let (file, line, column) = place(suite, first.or(case.place));
                let line = line.or(case.line).unwrap_or(1);
                let column = column.map(|column| format!(",col={column}")).unwrap_or_default();
                let sentences = mismatches.iter().map(|mismatch| sentence(suite, mismatch));
                let message = data(&sentences.collect::<Vec<_>>().join("\n"));
                let (file, title) = (property(&file), property(&case.name));
                let _ = writeln!(
                    text,
                    "::error file={file},line={line}{column},title={title}::{message}"
                );
            }
        }
        for (_, coverage) in &self.coverage {
            for missing in coverage.missing().filter(|_| self.wants_coverage) {
                let place = missing
                    .place
                    .map(|(file, line)| format!("file={},line={line},", property(file)));
                let message = data(&format!("{}; {}", missing.point, missing.hint()));
                let _ = writeln!(
                    text,
                    "::warning {}title=not covered::{message}",
                    place.unwrap_or_default()
                );
            }
        }
        let _ = writeln!(text, "::notice title=policy tests::{}", data(&self.summary()));
        text
    }
}

/// Text as it may stand in the message of a command.
fn data(text: &str) -> String {
    visible::lines(text).replace('%', "%25").replace('\n', "%0A")
}

/// Text as it may stand in a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
