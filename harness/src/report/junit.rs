//! Reports as JUnit's XML, in the shape that continuous integration reads: every case is named, and a suite says in its
//! properties what ran it.

use std::fmt::Write as _;

use crate::report::{RunReport, counts, detail};
use crate::run::{CaseReport, SuiteReport, Verdict};
use crate::visible;

impl RunReport {
    /// The report as JUnit's XML; passing cases are named too.
    #[must_use]
    pub fn junit(&self) -> String {
        let suites = self.with_disagreements();
        let (passed, failed, skipped) = counts(&suites);
        let all = passed.saturating_add(failed).saturating_add(skipped);
        let elapsed = suites
            .iter()
            .fold(0_u64, |sum, suite| sum.saturating_add(suite.elapsed_us()));
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(
            text,
            "<testsuites name=\"scopegate test\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\" time=\"{}\">",
            seconds(elapsed)
        );
        for suite in &suites {
            write_suite(&mut text, suite);
        }
        text.push_str("</testsuites>\n");
        text
    }
}

fn write_suite(text: &mut String, suite: &SuiteReport) {
    let (_, failed, skipped) = suite.counts();
    let name = xml(&format!("{} ({})", suite.name, suite.executor));
    let tests = suite.cases.len();
    let time = seconds(suite.elapsed_us());
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" \
         time=\"{time}\">\n    <properties>\n      <property name=\"executor\" value=\"{}\"/>\n      \
         <property name=\"file\" value=\"{}\"/>\n    </properties>",
        xml(&suite.executor),
        xml(&suite.name)
    );
    for case in &suite.cases {
        write_case(text, suite, case);
    }
    text.push_str("  </testsuite>\n");
}

fn write_case(text: &mut String, suite: &SuiteReport, case: &CaseReport) {
    let (class, name) = (xml(&suite.name), xml(&case.name));
    let time = seconds(case.elapsed_us);
    let _ = write!(
        text,
        "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{time}\""
    );
    let _ = match &case.verdict {
        Verdict::Passed => writeln!(text, "/>"),
        Verdict::Skipped(reason) => writeln!(
            text,
            ">\n      <skipped message=\"{}\"/>\n    </testcase>",
            xml(reason)
        ),
        Verdict::Failed(mismatches) => {
            let first = mismatches.first().map(|mismatch| mismatch.what.as_str());
            let first = xml(first.unwrap_or_default());
            let detail = xml_text(&detail(suite, case));
            writeln!(
                text,
                ">\n      <failure message=\"{first}\" type=\"mismatch\">{detail}</failure>\n    </testcase>"
            )
        }
    };
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Text as it may stand in an attribute: a line end too must be escaped there, or it is read as a space.
fn xml(text: &str) -> String {
    xml_text(text).replace('"', "&quot;").replace('\n', "&#10;")
}

/// Text as it may stand in XML: markup escaped, and what XML 1.0 cannot hold or nobody sees written out.
fn xml_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible::lines(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            plain => escaped.push(plain),
        }
    }
    escaped
}
