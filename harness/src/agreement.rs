//! Two answers to one request, from different executors: they must agree in all that anybody could notice.

use serde_json::Value;

use crate::exchange::{Answer, Headers};
use crate::run::SuiteReport;

/// One point in which two executors differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The file.
    pub suite: String,
    /// The case.
    pub case: String,
    /// What differs.
    pub what: String,
    /// What the first says.
    pub left: String,
    /// What the second says.
    pub right: String,
}

/// All points in which two reports on the same test file differ.
#[must_use]
pub fn disagreements(left: &SuiteReport, right: &SuiteReport) -> Vec<Disagreement> {
    let pairs = left.cases.iter().zip(&right.cases);
    let differing = pairs.flat_map(|(one, two)| {
        one.answers
            .iter()
            .zip(&two.answers)
            .flat_map(compare)
            .map(|(what, left, right)| Disagreement {
                suite: String::new(),
                case: one.name.clone(),
                what,
                left,
                right,
            })
    });
    differing
        .map(|difference| Disagreement {
            suite: left.name.clone(),
            ..difference
        })
        .collect()
}

/// How a point of an answer is shown.
type Shown = fn(&Answer) -> String;

/// What differs between two answers: the point, the left value, the right value.
fn compare((left, right): (&Answer, &Answer)) -> Vec<(String, String, String)> {
    let upstream = |answer: &Answer| {
        answer.upstream.as_ref().map_or_else(
            || "never reached".to_owned(),
            |upstream| {
                format!(
                    "{} {}",
                    String::from_utf8_lossy(&upstream.path),
                    headers(&upstream.headers, &[])
                )
            },
        )
    };
    let points: [(&str, Shown); 9] = [
        ("outcome", |answer| format!("{:?}", answer.outcome)),
        ("status", |answer| format!("{:?}", answer.status)),
        ("code", |answer| format!("{:?}", answer.code)),
        ("would deny", |answer| format!("{:?}", answer.would_deny)),
        ("layer", |answer| format!("{:?}", answer.layer)),
        ("route", |answer| format!("{:?}", answer.route)),
        ("reply headers", |answer| {
            headers(&answer.reply_headers, &["content-length", "date", "server"])
        }),
        ("reply body", body),
        ("audit", |answer| {
            answer
                .audit
                .iter()
                .map(|record| without_id(record.clone()))
                .collect()
        }),
    ];
    let mut differing: Vec<_> = points
        .into_iter()
        .map(|(what, show)| (what.to_owned(), show(left), show(right)))
        .chain([("upstream".to_owned(), upstream(left), upstream(right))])
        .collect();
    differing.retain(|(_, left, right)| left != right);
    differing
}

/// Headers as a set: hosts keep no order among different names.
fn headers(headers: &Headers, but: &[&str]) -> String {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| (String::from_utf8_lossy(name).to_ascii_lowercase(), value))
        .filter(|(name, _)| !but.contains(&name.as_str()))
        .map(|(name, value)| match name.as_str() {
            // Whoever issues a nonce makes it with a secret of its own.
            "dpop-nonce" => name,
            _ => format!("{name}: {}", value.escape_ascii()),
        })
        .collect();
    lines.sort_unstable();
    lines.join(" | ")
}

fn body(answer: &Answer) -> String {
    match serde_json::from_slice::<Value>(&answer.reply_body) {
        Ok(value) => without_id(value),
        Err(_) => answer.reply_body.escape_ascii().to_string(),
    }
}

/// The ids of requests differ from run to run.
fn without_id(mut value: Value) -> String {
    if let Some(members) = value.as_object_mut() {
        members.remove("request_id");
    }
    value.to_string()
}
