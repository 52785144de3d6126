//! Reports on runs of policy tests: for people, and for machines (JSON, JUnit, TAP, GitHub annotations).

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::agreement::Disagreement;
use crate::check::{Mismatch, describe};
use crate::coverage::Coverage;
use crate::run::{CaseReport, SuiteReport, Verdict};

/// All that a run of tests found.
#[derive(Debug, Default)]
pub struct RunReport {
    /// The reports, one for each file and executor.
    pub suites: Vec<SuiteReport>,
    /// The coverage of each policy, by the name of its first file.
    pub coverage: Vec<(String, Coverage)>,
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

    /// The report for people. `verbose` lists passing cases too.
    #[must_use]
    pub fn human(&self, verbose: bool) -> String {
        let mut text = String::new();
        for suite in &self.suites {
            let (passed, failed, skipped) = suite.counts();
            let counts = counts_text(passed, failed, skipped);
            let _ = writeln!(text, "{} ({}): {counts}", suite.name, suite.executor);
            for case in &suite.cases {
                write_case(&mut text, suite, case, verbose);
            }
        }
        for difference in &self.disagreements {
            let Disagreement {
                suite,
                case,
                what,
                left,
                right,
            } = difference;
            let _ = writeln!(
                text,
                "DISAGREEMENT {suite}: {case}\n  {what}\n    {left}\n    {right}"
            );
        }
        for (policy, coverage) in &self.coverage {
            let (reached, all) = coverage.counts();
            let _ = writeln!(
                text,
                "coverage of {policy}: {} % ({reached} of {all})",
                coverage.percent()
            );
            for point in coverage.missing() {
                let _ = writeln!(text, "  {point}");
            }
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    /// The report as one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let (passed, failed, skipped) = self.counts();
        json!({
            "summary": {
                "passed": passed,
                "failed": failed,
                "skipped": skipped,
                "disagreements": self.disagreements.len(),
                "coverage": self.coverage_percent(),
            },
            "suites": self.suites.iter().map(suite_json).collect::<Vec<_>>(),
            "coverage": self.coverage.iter().map(coverage_json).collect::<Vec<_>>(),
            "disagreements": self.disagreements.iter().map(disagreement_json).collect::<Vec<_>>(),
        })
    }

    /// The counts in words.
    fn summary(&self) -> String {
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
            let case = CaseReport {
                name: format!("{}: the same {}", difference.case, difference.what),
                line: self.line_of(difference),
                verdict: Verdict::Failed(vec![Mismatch::new(
                    format!("{} (executors disagree)", difference.what),
                    &difference.left,
                    &difference.right,
                )]),
                answers: Vec::new(),
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
                }),
            }
        }
        suites
    }

    fn line_of(&self, difference: &Disagreement) -> Option<usize> {
        let mut suites = self.suites.iter().filter(|suite| suite.name == difference.suite);
        let mut cases = suites.next()?.cases.iter();
        cases.find(|case| case.name == difference.case)?.line
    }

    /// The report as JUnit's XML; passing cases are named too.
    #[must_use]
    pub fn junit(&self) -> String {
        let suites = self.with_disagreements();
        let (passed, failed, skipped) = counts(&suites);
        let all = passed.saturating_add(failed).saturating_add(skipped);
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(
            text,
            "<testsuites tests=\"{all}\" failures=\"{failed}\" skipped=\"{skipped}\">"
        );
        for suite in &suites {
            let (_, failed, skipped) = suite.counts();
            let name = xml(&format!("{} ({})", suite.name, suite.executor));
            let tests = suite.cases.len();
            let _ = writeln!(
                text,
                "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" skipped=\"{skipped}\">"
            );
            for case in &suite.cases {
                write_junit(&mut text, suite, case);
            }
            text.push_str("  </testsuite>\n");
        }
        text.push_str("</testsuites>\n");
        text
    }

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
            let name = format!("{} ({}): {}", suite.name, suite.executor, case.name).replace('#', "\\#");
            let _ = match &case.verdict {
                Verdict::Passed => writeln!(text, "ok {number} - {name}"),
                Verdict::Skipped(reason) => writeln!(text, "ok {number} - {name} # SKIP {reason}"),
                Verdict::Failed(mismatches) => {
                    let lines = mismatches.iter().fold(String::new(), |lines, mismatch| {
                        format!("{lines}    - {}\n", json!(sentence(mismatch)))
                    });
                    write!(
                        text,
                        "not ok {number} - {name}\n  ---\n  mismatches:\n{lines}  ...\n"
                    )
                }
            };
        }
        text
    }

    /// Failures as annotations of GitHub's workflow commands.
    #[must_use]
    pub fn github(&self) -> String {
        let mut text = String::new();
        for suite in &self.with_disagreements() {
            for case in &suite.cases {
                if let Verdict::Failed(mismatches) = &case.verdict {
                    let line = case.line.unwrap_or(1);
                    let message = mismatches.iter().map(sentence).collect::<Vec<_>>().join("; ");
                    let message = message
                        .replace('%', "%25")
                        .replace('\r', "%0D")
                        .replace('\n', "%0A");
                    let title = case.name.replace([',', ':', '\n'], " ");
                    let _ = writeln!(
                        text,
                        "::error file={},line={line},title={title}::{message}",
                        suite.name
                    );
                }
            }
        }
        let _ = writeln!(text, "::notice title=policy tests::{}", self.summary());
        text
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

fn write_case(text: &mut String, suite: &SuiteReport, case: &CaseReport, verbose: bool) {
    let _ = match &case.verdict {
        Verdict::Passed if verbose => writeln!(text, "  ok    {}", case.name),
        Verdict::Passed => Ok(()),
        Verdict::Skipped(reason) => writeln!(text, "  skip  {}: {reason}", case.name),
        Verdict::Failed(mismatches) => {
            let place = case
                .line
                .map(|line| format!("  ({}:{line})", suite.name))
                .unwrap_or_default();
            let _ = writeln!(text, "  FAIL  {}{place}", case.name);
            for Mismatch { what, expected, seen } in mismatches {
                let _ = writeln!(
                    text,
                    "          {what}\n            expected: {expected}\n            seen:     {seen}"
                );
            }
            case.answers
                .iter()
                .try_for_each(|answer| writeln!(text, "          the answer: {}", describe(answer)))
        }
    };
}

fn sentence(mismatch: &Mismatch) -> String {
    let Mismatch { what, expected, seen } = mismatch;
    format!("{what}: expected {expected}, seen {seen}")
}

fn suite_json(suite: &SuiteReport) -> Value {
    let case = |case: &CaseReport| {
        let (status, mismatches, reason) = match &case.verdict {
            Verdict::Passed => ("passed", Vec::new(), None),
            Verdict::Skipped(reason) => ("skipped", Vec::new(), Some(reason)),
            Verdict::Failed(mismatches) => ("failed", mismatches.clone(), None),
        };
        let mismatch = |Mismatch { what, expected, seen }: Mismatch| json!({"what": what, "expected": expected, "seen": seen});
        json!({
            "name": case.name,
            "line": case.line,
            "status": status,
            "reason": reason,
            "mismatches": mismatches.into_iter().map(mismatch).collect::<Vec<_>>(),
            "answers": case.answers.iter().map(|answer| answer.to_json()).collect::<Vec<_>>(),
            "elapsed_us": case.elapsed_us,
        })
    };
    json!({"name": suite.name, "executor": suite.executor, "cases": suite.cases.iter().map(case).collect::<Vec<_>>()})
}

fn coverage_json((policy, coverage): &(String, Coverage)) -> Value {
    let (reached, points) = coverage.counts();
    json!({
        "policy": policy,
        "percent": coverage.percent(),
        "reached": reached,
        "points": points,
        "missing": coverage.missing().map(ToString::to_string).collect::<Vec<_>>(),
        "codes": coverage.codes,
    })
}

fn disagreement_json(difference: &Disagreement) -> Value {
    let Disagreement {
        suite,
        case,
        what,
        left,
        right,
    } = difference;
    json!({"suite": suite, "case": case, "what": what, "left": left, "right": right})
}

fn write_junit(text: &mut String, suite: &SuiteReport, case: &CaseReport) {
    let (class, name) = (xml(&suite.name), xml(&case.name));
    let micros = case.elapsed_us;
    let time = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let _ = write!(
        text,
        "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\""
    );
    let _ = match &case.verdict {
        Verdict::Passed => writeln!(text, "/>"),
        Verdict::Skipped(reason) => writeln!(text, "><skipped message=\"{}\"/></testcase>", xml(reason)),
        Verdict::Failed(mismatches) => {
            let message = xml(&mismatches.iter().map(sentence).collect::<Vec<_>>().join("\n"));
            let first = xml(&mismatches
                .first()
                .map(|mismatch| mismatch.what.clone())
                .unwrap_or_default());
            writeln!(
                text,
                "><failure message=\"{first}\">{message}</failure></testcase>"
            )
        }
    };
}

/// Text as it may stand in XML: markup escaped, characters that XML 1.0 cannot hold replaced.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}')
            }
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Disagreement, Mismatch, RunReport};
    use crate::run::{CaseReport, SuiteReport, Verdict};

    fn report() -> RunReport {
        let case = |name: &str, verdict| CaseReport {
            name: name.to_owned(),
            line: Some(7),
            verdict,
            answers: Vec::new(),
            elapsed_us: 1_500,
        };
        let mismatch = Mismatch::new("status", "<401>", "\"403\"");
        let cases = vec![
            case("good & plain", Verdict::Passed),
            case("bad #1", Verdict::Failed(vec![mismatch])),
            case("elsewhere", Verdict::Skipped("no proxy".to_owned())),
        ];
        let suite = SuiteReport {
            name: "a.test.yaml".to_owned(),
            executor: "native".to_owned(),
            cases,
        };
        RunReport {
            suites: vec![suite],
            ..RunReport::default()
        }
    }

    #[test]
    fn people_see_what_failed_and_where() {
        let text = report().human(false);
        for part in [
            "FAIL  bad #1",
            "a.test.yaml:7",
            "expected: <401>",
            "seen:     \"403\"",
            "1 passed, 1 failed, 1 skipped",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("good & plain"));
        assert!(report().human(true).contains("good & plain"));
    }

    #[test]
    fn junit_names_every_case_and_is_well_formed() {
        let text = report().junit();
        assert!(
            text.contains(r#"<testcase classname="a.test.yaml" name="good &amp; plain" time="0.001500"/>"#),
            "{text}"
        );
        assert!(
            text.contains("expected &lt;401&gt;, seen &quot;403&quot;"),
            "{text}"
        );
        assert!(text.contains(r#"<skipped message="no proxy"/>"#), "{text}");
        assert!(
            text.contains(r#"<testsuites tests="3" failures="1" skipped="1">"#),
            "{text}"
        );
    }

    #[test]
    fn tap_and_github_tell_the_same() {
        let tap = report().tap();
        assert!(tap.starts_with("TAP version 14\n1..3\n"), "{tap}");
        assert!(tap.contains("not ok 2 - a.test.yaml (native): bad \\#1"), "{tap}");
        assert!(
            tap.contains("ok 3 - a.test.yaml (native): elsewhere # SKIP no proxy"),
            "{tap}"
        );
        let github = report().github();
        assert!(
            github.starts_with("::error file=a.test.yaml,line=7,title=bad #1::status"),
            "{github}"
        );
    }

    #[test]
    fn a_disagreement_is_a_failed_case_for_every_machine() {
        let difference = Disagreement {
            suite: "a.test.yaml".to_owned(),
            case: "good & plain".to_owned(),
            what: "status".to_owned(),
            left: "401".to_owned(),
            right: "403".to_owned(),
        };
        let report = RunReport {
            disagreements: vec![difference],
            ..report()
        };
        let junit = report.junit();
        for part in [
            r#"<testsuites tests="4" failures="2" skipped="1">"#,
            r#"<testsuite name="a.test.yaml (agreement)" tests="1" failures="1" skipped="0">"#,
            r#"name="good &amp; plain: the same status""#,
            "expected 401, seen 403</failure>",
        ] {
            assert!(junit.contains(part), "{part} in {junit}");
        }
        let tap = report.tap();
        assert!(tap.starts_with("TAP version 14\n1..4\n"), "{tap}");
        let line = "not ok 4 - a.test.yaml (agreement): good & plain: the same status";
        assert!(tap.contains(line), "{tap}");
        let github = report.github();
        let error = "::error file=a.test.yaml,line=7,title=good & plain  the same status::status (exec";
        assert!(github.contains(error), "{github}");
        assert!(github.contains("1 skipped, 1 disagreement"), "{github}");
        assert_eq!(report.json()["summary"]["disagreements"], 1);
        assert!(!report.is_fine());
    }

    #[test]
    fn json_counts_and_lists() {
        let json = report().json();
        assert_eq!(json["summary"]["failed"], 1);
        assert_eq!(
            json["suites"][0]["cases"][1]["mismatches"][0]["expected"],
            "<401>"
        );
        assert!(!report().is_fine());
    }
}
