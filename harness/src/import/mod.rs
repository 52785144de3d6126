//! Tests of other tools as tests of ours. What has no counterpart is told, and never lost in silence.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use miette::Diagnostic as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use scopegate_document::{Instant, UnixTime};
use scopegate_engine::source::{Diagnostic, Location, Severity, SourceFile, Unreadable};

use crate::init::yaml;

mod expectation;
mod lines;
mod message;
mod request;
mod schema;
#[cfg(test)]
mod tests;

use lines::Lines;
use message::{flag, many, number, one, text};

/// A test file that was made of another tool's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its text.
    pub text: String,
    /// How many tests it holds.
    pub tests: usize,
    /// What has no counterpart here.
    pub lost: Vec<Lost>,
}

/// Something of the original that has no counterpart here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The line of the original, from 1, where it is known.
    pub line: Option<usize>,
    /// The test it belongs to; nothing for what holds for all.
    pub test: Option<String>,
    /// What it is, and what to do about it.
    pub what: String,
}

/// What is collected while a file is read.
struct Losses<'a> {
    lines: Lines<'a>,
    test: Option<String>,
    lost: Vec<Lost>,
}

impl Losses<'_> {
    fn add(&mut self, field: &str, what: impl Into<String>) {
        let line = self.lines.of(self.test.as_deref(), field);
        self.lost.push(Lost {
            line,
            test: self.test.clone(),
            what: what.into(),
        });
    }
}

/// Makes a test file of a suite of the plugin tester (GoogleCloudPlatform/service-extensions) in Protobuf's text format.
/// `policy` is what the tests are of, as the new file names it; files that the suite names are looked up from `base`.
///
/// # Errors
/// When the text is no such suite.
pub fn plugin_tester(name: &str, source: &str, policy: &str, base: &Path) -> Result<Imported, Unreadable> {
    let suite = read(name, source)?;
    let mut losses = Losses {
        lines: Lines::new(source),
        test: None,
        lost: Vec::new(),
    };
    let env = one(&suite, "env");
    let now = env.as_ref().and_then(|env| number(env, "time_secs"));
    if let Some(env) = &env {
        environment(env, &mut losses);
    }
    let mut head = format!("policy: {}\n", yaml::flow(&json!(policy)));
    if let Some(now) = now {
        match instant(now) {
            Some(text) => drop(writeln!(head, "now: {text}")),
            None => losses.add(
                "time_secs",
                format!("`time_secs: {now}`: no year has four digits then"),
            ),
        }
    }
    let mut body = String::new();
    let mut names = BTreeSet::new();
    let mut tests = 0_usize;
    for test in many(&suite, "test") {
        let name = unique(
            &text(&test, "name").unwrap_or_else(|| "test".to_owned()),
            &mut names,
        );
        losses.test = text(&test, "name");
        let Some((request, expect)) = case(&test, base, &mut losses) else {
            continue;
        };
        tests = tests.saturating_add(1);
        let _ = writeln!(
            body,
            "  - name: {}\n    request: {}\n    expect: {}",
            yaml::line(&name),
            yaml::flow(&request),
            yaml::flow(&expect)
        );
    }
    if tests == 0 {
        losses.test = None;
        losses.add(
            "test",
            "the suite holds no request: `scopegate test` refuses a file without tests",
        );
    }
    let text = format!("{head}tests:{}\n{body}", if tests == 0 { " []" } else { "" });
    let mut lost = losses.lost;
    lost.sort();
    lost.dedup();
    Ok(Imported { text, tests, lost })
}

fn read(name: &str, source: &str) -> Result<DynamicMessage, Unreadable> {
    let files = vec![SourceFile {
        name: name.to_owned(),
        text: source.to_owned(),
    }];
    let fault = |message: String, location: Option<Location>| {
        Unreadable {
        files: files.clone(),
        diagnostics: vec![Diagnostic {
            code: "invalid_textproto".to_owned(),
            severity: Severity::Error,
            path: String::new(),
            message,
            help: "give a suite of the plugin tester, `test { name: .. request_headers { .. } }`, in Protobuf's text format".to_owned(),
            location,
        }],
        missing_file: false,
    }
    };
    let descriptor = schema::suite().ok_or_else(|| fault("the format is not known here".to_owned(), None))?;
    DynamicMessage::parse_text_format(descriptor, source).map_err(|error| {
        let label = error.labels().and_then(|mut labels| labels.next());
        let place = label.map(|label| place(source, label.offset(), label.len()));
        fault(error.to_string(), place)
    })
}

fn place(source: &str, offset: usize, length: usize) -> Location {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let column = before.get(line_start..).unwrap_or_default().chars().count();
    Location {
        file: 0,
        line: before.matches('\n').count().saturating_add(1),
        column: column.saturating_add(1),
        offset,
        length,
    }
}

fn environment(env: &DynamicMessage, losses: &mut Losses<'_>) {
    for field in message::written(env) {
        match field.as_str() {
            "time_secs" => {}
            "wasm_path" => losses.add(
                &field,
                "`wasm_path`: the module is named when tests run, `scopegate test --wasm FILE`",
            ),
            "config_path" => losses.add(
                &field,
                "`config_path`: the configuration of another plugin is no policy; name one with `--policy`",
            ),
            _ => losses.add(&field, format!("`{field}` has no counterpart")),
        }
    }
}

/// A test as a request and what is expected of it.
fn case(test: &DynamicMessage, base: &Path, losses: &mut Losses<'_>) -> Option<(Value, Value)> {
    if flag(test, "benchmark") {
        losses.add(
            "benchmark",
            "`benchmark`: a test says what is decided, and measures nothing",
        );
    }
    for field in ["num_chunks", "chunk_size"] {
        if message::has(test, field) {
            losses.add(field, format!("`{field}`: bodies are sent whole"));
        }
    }
    for field in [
        "response_headers",
        "response_body",
        "plugin_init",
        "stream_init",
        "stream_destroy",
    ] {
        if message::has(test, field) {
            losses.add(
                field,
                format!("`{field}`: a policy decides about requests; nothing of this is looked at"),
            );
        }
    }
    let Some(headers) = one(test, "request_headers") else {
        losses.add("name", "the test sends no request headers, and was left out");
        return None;
    };
    let bodies = many(test, "request_body");
    let mut request = request::of(&headers, &bodies, base, losses);
    request::properties(test, &mut request, losses);
    let mut expect = expectation::of(one(&headers, "result").as_ref(), losses);
    let replies = |result: &DynamicMessage| message::has(result, "immediate");
    let mut of_bodies = bodies.iter().filter_map(|body| one(body, "result"));
    if let Some(result) = of_bodies.find(replies) {
        expect = expectation::of(Some(&result), losses);
        losses.add(
            "immediate",
            "`request_body.result.immediate`: what is expected before the body came is left out",
        );
    }
    for body in &bodies {
        if one(body, "result").is_some_and(|result| !message::written(&result).is_empty()) {
            losses.add(
                "request_body",
                "`request_body.result`: the upstream gets the body as it came",
            );
        }
    }
    Some((request, expect))
}

/// The seconds as an instant that a test file can say.
fn instant(seconds: u64) -> Option<String> {
    let text = Instant(UnixTime(i64::try_from(seconds).ok()?)).0.to_string();
    text.parse::<Instant>().is_ok().then_some(text)
}

/// A name that no test had before.
fn unique(name: &str, names: &mut BTreeSet<String>) -> String {
    let mut count = 1_usize;
    let mut unique = name.to_owned();
    while !names.insert(unique.clone()) {
        count = count.saturating_add(1);
        unique = format!("{name} ({count})");
    }
    unique
}
