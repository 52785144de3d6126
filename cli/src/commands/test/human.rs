//! What people see of a run of tests: for a failure the line that expected something else, what was expected and what
//! was seen, the request, and how it was decided.

use std::fmt::Write as _;

use miette::{LabeledSpan, MietteDiagnostic, Report};
use scopegate_engine::source::Location;
use scopegate_harness::agreement::Disagreement;
use scopegate_harness::check::{Mismatch, describe};
use scopegate_harness::coverage::Coverage;
use scopegate_harness::report::RunReport;
use scopegate_harness::run::{CaseReport, SuiteReport, Verdict};
use scopegate_harness::visible;

use crate::commands::test::diff::diff;
use crate::commands::test::trace::trace;
use crate::diagnostics;
use crate::style::{Paint, Style};

/// The report for people. `verbose` lists passing cases too.
pub(super) fn human(report: &RunReport, verbose: bool, style: Style) -> String {
    let mut text = String::new();
    for suite in &report.suites {
        write_suite(&mut text, suite, verbose, style);
    }
    for difference in &report.disagreements {
        write_disagreement(&mut text, difference, style);
    }
    for (policy, coverage) in &report.coverage {
        write_coverage(&mut text, policy, coverage, style);
    }
    let colour = if report.is_fine() { Paint::Good } else { Paint::Bad };
    let _ = writeln!(text, "{}", colour.paint(&report.summary(), style));
    text
}

fn write_suite(text: &mut String, suite: &SuiteReport, verbose: bool, style: Style) {
    let (passed, failed, skipped) = suite.counts();
    let _ = writeln!(
        text,
        "{} ({}): {passed} passed, {failed} failed, {skipped} skipped",
        visible::line(&suite.name),
        suite.executor
    );
    for case in &suite.cases {
        let name = visible::line(&case.name);
        match &case.verdict {
            Verdict::Passed if verbose => {
                let _ = writeln!(text, "  {}    {name}", Paint::Good.paint("ok", style));
            }
            Verdict::Passed => {}
            Verdict::Skipped(reason) => {
                let reason = visible::line(reason);
                let _ = writeln!(text, "  {}  {name}: {reason}", Paint::Weak.paint("skip", style));
            }
            Verdict::Failed(mismatches) => write_failure(text, suite, case, mismatches, style),
        }
    }
}

fn write_failure(
    text: &mut String,
    suite: &SuiteReport,
    case: &CaseReport,
    mismatches: &[Mismatch],
    style: Style,
) {
    let name = visible::line(&case.name);
    let _ = writeln!(text, "  {}  {name}", Paint::Bad.paint("FAIL", style));
    for mismatch in mismatches {
        write_mismatch(text, suite, case, mismatch, style);
    }
    // Which of several requests it was, where there are several.
    let mut shown: Vec<usize> = mismatches.iter().filter_map(|mismatch| mismatch.answer).collect();
    shown.dedup();
    for at in shown {
        let request = case.requests.get(at).map(String::as_str).unwrap_or_default();
        let number = match case.requests.len() {
            1 => String::new(),
            many => format!(" {} of {many}", at.saturating_add(1)),
        };
        write_block(
            text,
            &format!("request{number}"),
            &suite.redactor.clean(request),
            style,
        );
        if let Some(answer) = case.answers.get(at) {
            write_block(text, "answer", &describe(answer), style);
            let records = case.records.get(at).map(Vec::as_slice).unwrap_or_default();
            let steps = trace(answer, records);
            write_block(text, "how it was decided", &suite.redactor.clean(&steps), style);
        }
    }
    text.push('\n');
}

fn write_mismatch(
    text: &mut String,
    suite: &SuiteReport,
    case: &CaseReport,
    mismatch: &Mismatch,
    style: Style,
) {
    let place = mismatch.place.or(case.place);
    let what = visible::line(&suite.redactor.clean(&mismatch.what));
    let shown = place.and_then(|place| snippet(suite, place, &what, style));
    let heading = match shown {
        Some(shown) => shown,
        None => format!("{what}\n"),
    };
    indented(text, heading.trim_matches('\n'), 4);
    let [expected, seen] = [&mismatch.expected, &mismatch.seen].map(|side| suite.redactor.clean(side));
    indented(text, &diff(&expected, &seen, style), 6);
}

/// The line of the file with what is expected there underlined.
fn snippet(suite: &SuiteReport, place: Location, what: &str, style: Style) -> Option<String> {
    let file = suite.files.get(place.file)?;
    let label = LabeledSpan::new(Some("expected here".to_owned()), place.offset, place.length);
    let diagnostic = MietteDiagnostic::new(what).with_label(label);
    let report = Report::new(diagnostic).with_source_code(diagnostics::shown(file));
    diagnostics::rendered(&report, style)
}

fn write_block(text: &mut String, title: &str, lines: &str, style: Style) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "      {}", Paint::Strong.paint(title, style));
    indented(text, &visible::lines(lines), 8);
}

fn indented(text: &mut String, lines: &str, by: usize) {
    for line in lines.lines() {
        let line = format!("{:by$}{line}", "");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn write_disagreement(text: &mut String, difference: &Disagreement, style: Style) {
    let Disagreement {
        suite,
        case,
        what,
        left,
        right,
    } = difference;
    let [suite, case, what] = [suite, case, what].map(|text| visible::line(text));
    let _ = writeln!(
        text,
        "{} {suite}: {case}\n  {what}",
        Paint::Bad.paint("DISAGREEMENT", style)
    );
    indented(text, &diff(left, right, style), 4);
}

fn write_coverage(text: &mut String, policy: &str, coverage: &Coverage, style: Style) {
    let (reached, all) = coverage.counts();
    let line = format!(
        "coverage of {}: {} % ({reached} of {all})",
        visible::line(policy),
        coverage.percent()
    );
    let colour = if reached == all { Paint::Good } else { Paint::Weak };
    let _ = writeln!(text, "{}", colour.paint(&line, style));
    for missing in coverage.missing() {
        let hint = Paint::Weak.paint(&visible::line(&missing.hint()), style);
        let missing = visible::line(&missing.to_string());
        let _ = writeln!(text, "  {missing}\n      {hint}");
    }
}
