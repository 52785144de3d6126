//! The text of a first test file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::draft::Draft;
use super::{Entry, FirstTests, yaml};

/// What stands above everything: where an editor finds the format, and what to do with the file.
const HEAD: &str = "\
# yaml-language-server: $schema=test.schema.json
# Every test here passes on the policy as it is. Read them as claims about it: where one is not what you mean, the policy
# is wrong, or the test. `scopegate schema --tests > test.schema.json` teaches your editor the format.
";

pub(super) fn file(draft: Draft<'_>, sections: &[(String, Vec<Entry>)]) -> FirstTests {
    let mut body = String::new();
    let (mut tests, mut gaps) = (0_usize, 0_usize);
    for (route, entries) in sections {
        if !route.is_empty() {
            let _ = writeln!(body, "\n  # {route}");
        }
        for entry in entries {
            match entry {
                Entry::Test(sketch, expect) => {
                    tests = tests.saturating_add(1);
                    test(&mut body, &sketch.name, &sketch.steps(expect));
                }
                Entry::Gap(words) => {
                    gaps = gaps.saturating_add(1);
                    let _ = writeln!(body, "  # not written: {words}");
                }
            }
        }
    }
    let mut text = HEAD.to_owned();
    head(&mut text, draft, &body);
    let _ = write!(text, "tests:{body}");
    FirstTests { text, tests, gaps }
}

fn test(text: &mut String, name: &str, steps: &[Value]) {
    let _ = writeln!(text, "  - name: {}", yaml::line(name));
    let field = |step: &Value, name: &str| step.get(name).map(yaml::flow).unwrap_or_default();
    if let [step] = steps {
        let _ = writeln!(
            text,
            "    request: {}\n    expect: {}",
            field(step, "request"),
            field(step, "expect")
        );
        return;
    }
    text.push_str("    steps:\n");
    for step in steps {
        let _ = match step.get("advance") {
            Some(length) => writeln!(text, "      - advance: {}", yaml::flow(length)),
            None => writeln!(
                text,
                "      - request: {}\n        expect: {}",
                field(step, "request"),
                field(step, "expect")
            ),
        };
    }
}

/// What the tests name: nothing is described that none of them uses.
fn head(text: &mut String, mut draft: Draft<'_>, body: &str) {
    keep_used(&mut draft, body);
    let document = draft.document();
    for name in ["policy", "now", "environment", "keys", "tokens", "upstreams"] {
        let value = document.get(name).unwrap_or(&Value::Null);
        let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty);
        match (name, value) {
            (_, _) if is_empty => {}
            ("policy", Value::Array(files)) => {
                let one = match files.as_slice() {
                    [one] => one,
                    _ => value,
                };
                let _ = writeln!(text, "policy: {}", yaml::flow(one));
            }
            ("now", Value::String(now)) => {
                let _ = writeln!(text, "now: {now}    # what time it is for the policy");
            }
            ("keys", Value::Object(keys)) => {
                text.push_str("keys:    # made at each run, in place of the provider's\n");
                lines(text, keys);
            }
            ("tokens", Value::Object(tokens)) => {
                text.push_str("tokens:\n");
                for name in draft.order.iter().filter(|name| tokens.contains_key(*name)) {
                    let spec = tokens.get(name).map(yaml::flow).unwrap_or_default();
                    let _ = writeln!(text, "  {}: {spec}", yaml::text(name));
                }
            }
            (name, Value::Object(fields)) => {
                let _ = writeln!(text, "{name}:");
                lines(text, fields);
            }
            _ => {}
        }
    }
}

fn lines(text: &mut String, fields: &serde_json::Map<String, Value>) {
    for (name, value) in fields {
        match value.as_array() {
            Some(items) => {
                let _ = writeln!(text, "  {}:", yaml::text(name));
                for item in items {
                    let _ = writeln!(text, "    - {}", yaml::flow(item));
                }
            }
            None => {
                let _ = writeln!(text, "  {}: {}", yaml::text(name), yaml::flow(value));
            }
        }
    }
}

/// Leaves tokens out that no test sends and no other token is made from, and with them their answers and keys.
fn keep_used(draft: &mut Draft<'_>, body: &str) {
    let words: BTreeSet<&str> = body
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    let mut used: BTreeSet<String> = draft
        .tokens
        .keys()
        .filter(|name| words.contains(name.as_str()))
        .cloned()
        .collect();
    for _ in 0..draft.tokens.len() {
        let bases = used
            .iter()
            .filter_map(|name| draft.tokens.get(name)?.get("from")?.as_str());
        let bases: Vec<String> = bases.map(str::to_owned).collect();
        used.extend(bases);
    }
    let unused: Vec<String> = draft
        .tokens
        .keys()
        .filter(|name| !used.contains(*name))
        .cloned()
        .collect();
    draft.tokens.retain(|name, _| used.contains(name));
    let is_about = |answer: &Value, name: &String| {
        answer.pointer("/form/token").and_then(Value::as_str) == Some(format!("{{{{{name}}}}}").as_str())
    };
    for answers in draft.upstreams.values_mut() {
        answers.retain(|answer| !unused.iter().any(|name| is_about(answer, name)));
    }
    let all: String = draft
        .tokens
        .values()
        .chain(draft.upstreams.values().flatten())
        .map(Value::to_string)
        .collect();
    let is_named = |name: &str| all.contains(&format!("\"{name}\"")) || words.contains(name);
    draft
        .keys
        .retain(|name, spec| spec.get("provider").is_some() || is_named(name));
}
