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

/// All points in which two reports on the same test file differ, without any token.
#[must_use]
pub fn disagreements(left: &SuiteReport, right: &SuiteReport) -> Vec<Disagreement> {
    let pairs = left.cases.iter().zip(&right.cases);
    let differing = pairs.flat_map(|(one, two)| {
        one.answers
            .iter()
            .zip(&two.answers)
            .flat_map(compare)
            .map(|(what, left_says, right_says)| Disagreement {
                suite: left.name.clone(),
                case: one.name.clone(),
                what,
                left: left.redactor.clean(&left_says),
                right: right.redactor.clean(&right_says),
            })
    });
    differing.collect()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::disagreements;
    use crate::exchange::{Answer, Outcome, Upstream};
    use crate::observed::Observed;
    use crate::redact::Redactor;
    use crate::run::{CaseReport, SuiteReport, Verdict};

    fn report(header: &str) -> SuiteReport {
        let token = "a-long-opaque-token";
        let answer = Answer {
            id: json!(null),
            outcome: Outcome::Forward,
            status: None,
            code: Some("allow".to_owned()),
            would_deny: None,
            layer: None,
            route: None,
            reply_headers: Vec::new(),
            reply_body: Vec::new(),
            upstream: Some(Upstream {
                path: b"/".to_vec(),
                headers: vec![
                    (b"authorization".to_vec(), format!("Bearer {token}").into_bytes()),
                    (header.as_bytes().to_vec(), b"1".to_vec()),
                ],
            }),
            audit: Vec::new(),
            observed: Observed::default(),
            elapsed_us: 0,
        };
        let case = CaseReport {
            name: "one".to_owned(),
            line: None,
            place: None,
            verdict: Verdict::Passed,
            requests: Vec::new(),
            answers: vec![answer],
            records: Vec::new(),
            elsewhere: std::collections::BTreeSet::new(),
            elapsed_us: 0,
        };
        SuiteReport {
            cases: vec![case],
            redactor: Redactor::of(&[("user".to_owned(), token.to_owned())].into()),
            ..SuiteReport::default()
        }
    }

    #[test]
    fn what_differs_is_named_and_holds_no_token() {
        assert_eq!(disagreements(&report("x-a"), &report("x-a")), []);
        let found = disagreements(&report("x-a"), &report("x-b"));
        let shown: Vec<&str> = found.iter().map(|it| it.left.as_str()).collect();
        assert_eq!(shown, ["/ authorization: Bearer <token user> | x-a: 1"]);
    }
}
