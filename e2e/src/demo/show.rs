//! The demo's table and its audit lines.

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde_json::Value;

use super::Outcome;
use super::cases::{self, Expected};
use crate::client::Answer;

const HEADER: [&str; 7] = ["request", "", "expected", "answer", "code", "who", "why"];

pub(super) fn table(outcomes: &[Outcome], records: &[Value]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(HEADER);
    for (number, outcome) in outcomes.iter().enumerate() {
        table.add_row(row(outcome, records, &cases::id(number)));
    }
    table
}

fn row(outcome: &Outcome, records: &[Value], id: &str) -> Vec<Cell> {
    let Outcome {
        case,
        answer,
        surprise,
    } = outcome;
    let expected = match &case.expected {
        Expected::Forwarded { route, .. } => format!("200 {route}"),
        Expected::Refused { status, code } => format!("{status} {code}"),
    };
    let code = problem(answer, "code").unwrap_or_else(|| "allow".to_owned());
    let who = recorded(records, id, "authentication", "subject");
    let colour = if surprise.is_some() {
        Color::Red
    } else {
        Color::Green
    };
    vec![
        Cell::new(case.title),
        Cell::new(format!("{} {}", case.method, case.path)),
        Cell::new(expected),
        Cell::new(answer.status).fg(colour),
        Cell::new(code).fg(colour),
        Cell::new(who.unwrap_or("-")),
        Cell::new(
            surprise
                .clone()
                .map_or_else(|| why(answer, records, id), |what| format!("SURPRISE: {what}")),
        ),
    ]
}

/// The reason in words: the title of the problem, or the route and what the permission came from.
fn why(answer: &Answer, records: &[Value], id: &str) -> String {
    if let Some(title) = problem(answer, "title") {
        return title;
    }
    let Some(record) = record(records, id, "authorization") else {
        return String::new();
    };
    let granted = record
        .get("granted_by")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let granted: Vec<String> = granted
        .filter_map(|(scope, by)| Some(format!("{scope} by {}", by.as_str()?)))
        .collect();
    let route = text(record, "route").unwrap_or_default();
    match granted.is_empty() {
        true => format!("route {route}: public"),
        false => format!("route {route}: {}", granted.join(", ")),
    }
}

/// What a layer recorded of a request.
fn record<'r>(records: &'r [Value], id: &str, event: &str) -> Option<&'r Value> {
    let is_it =
        |record: &&Value| text(record, "request_id") == Some(id) && text(record, "event") == Some(event);
    records.iter().find(is_it)
}

/// A member of what a layer recorded of a request.
pub(super) fn recorded<'r>(records: &'r [Value], id: &str, event: &str, member: &str) -> Option<&'r str> {
    text(record(records, id, event)?, member)
}

/// A member of the problem document of a refusal (RFC 9457).
pub(super) fn problem(answer: &Answer, member: &str) -> Option<String> {
    let kind = answer.text("content-type")?;
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let problem = kind.starts_with("application/problem+json").then_some(&body)?;
    text(problem, member).map(str::to_owned)
}

fn text<'v>(value: &'v Value, member: &str) -> Option<&'v str> {
    value.get(member).and_then(Value::as_str)
}

/// Prints the audit records, one a line.
pub(super) fn audit(records: &[Value]) {
    println!("\naudit");
    for record in records {
        println!("{record}");
    }
}

pub(super) fn surprises(outcomes: &[Outcome]) -> usize {
    outcomes
        .iter()
        .filter(|outcome| outcome.surprise.is_some())
        .count()
}
