//! Reports as one JSON object, for whatever reads them next.

use serde_json::{Value, json};

use crate::agreement::Disagreement;
use crate::check::Mismatch;
use crate::coverage::{Coverage, Missing};
use crate::exchange::Answer;
use crate::redact::Redactor;
use crate::report::{RunReport, place};
use crate::run::{CaseReport, SuiteReport, Verdict};

impl RunReport {
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
}

fn suite_json(suite: &SuiteReport) -> Value {
    let cases: Vec<Value> = suite.cases.iter().map(|case| case_json(suite, case)).collect();
    json!({"name": suite.name, "executor": suite.executor, "cases": cases})
}

fn case_json(suite: &SuiteReport, case: &CaseReport) -> Value {
    let (status, mismatches, reason) = match &case.verdict {
        Verdict::Passed => ("passed", &[][..], None),
        Verdict::Skipped(reason) => ("skipped", &[][..], Some(reason)),
        Verdict::Failed(mismatches) => ("failed", mismatches.as_slice(), None),
    };
    let mismatches = mismatches.iter().map(|mismatch| mismatch_json(suite, mismatch));
    json!({
        "name": case.name,
        "line": case.line,
        "status": status,
        "reason": reason,
        "mismatches": mismatches.collect::<Vec<_>>(),
        "answers": case.answers.iter().map(|answer| answer_json(answer, &suite.redactor)).collect::<Vec<_>>(),
        "elapsed_us": case.elapsed_us,
    })
}

fn mismatch_json(suite: &SuiteReport, mismatch: &Mismatch) -> Value {
    let Mismatch {
        what,
        expected,
        seen,
        field,
        place: stands,
        answer,
    } = mismatch;
    let (file, line, column) = place(suite, *stands);
    let clean = |text: &str| suite.redactor.clean(text);
    json!({
        "what": what,
        "expected": clean(expected),
        "seen": clean(seen),
        "field": field,
        "answer": answer,
        "location": line.map(|line| json!({"file": file, "line": line, "column": column})),
    })
}

fn answer_json(answer: &Answer, redactor: &Redactor) -> Value {
    let mut line = answer.to_json();
    if let Some(members) = line.as_object_mut() {
        members.insert("observed".to_owned(), answer.observed.to_json());
    }
    clean(&mut line, redactor);
    line
}

/// Takes the tokens out of all texts of a value. Bytes in hex would hold them unseen: they go where one is among them.
fn clean(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => *text = redactor.clean(text),
        Value::Array(items) => items.iter_mut().for_each(|item| clean(item, redactor)),
        Value::Object(members) => {
            members.retain(|name, _| !name.ends_with("_hex"));
            members.values_mut().for_each(|value| clean(value, redactor));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn coverage_json((policy, coverage): &(String, Coverage)) -> Value {
    let (reached, points) = coverage.counts();
    json!({
        "policy": policy,
        "percent": coverage.percent(),
        "reached": reached,
        "points": points,
        "missing": coverage.missing().map(|missing| missing_json(&missing)).collect::<Vec<_>>(),
        "codes": coverage.codes,
    })
}

fn missing_json(missing: &Missing<'_>) -> Value {
    json!({
        "what": missing.point.to_string(),
        "file": missing.place.map(|(file, _)| file),
        "line": missing.place.map(|(_, line)| line),
        "hint": missing.hint(),
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
