use scopegate_engine::source::{Location, SourceFile};
use serde_json::json;

use super::{Disagreement, Mismatch, RunReport};
use crate::exchange::{Answer, Outcome};
use crate::observed::Observed;
use crate::redact::Redactor;
use crate::run::{CaseReport, SuiteReport, Verdict};

const TOKEN: &str = "eyJhbGciOiJub25lIn0.e30.c2lnbmF0dXJl";

fn place(line: usize, column: usize) -> Location {
    Location {
        file: 0,
        line,
        column,
        offset: 0,
        length: 1,
    }
}

fn case(name: &str, verdict: Verdict) -> CaseReport {
    CaseReport {
        name: name.to_owned(),
        line: Some(7),
        place: Some(place(7, 5)),
        verdict,
        requests: Vec::new(),
        answers: Vec::new(),
        records: Vec::new(),
        elsewhere: std::collections::BTreeSet::new(),
        elapsed_us: 1_500,
    }
}

fn answer() -> Answer {
    Answer {
        id: json!("bad #1#1"),
        outcome: Outcome::Reply,
        status: Some(401),
        code: Some("token_expired".to_owned()),
        would_deny: None,
        layer: Some("authentication".to_owned()),
        route: Some("orders".to_owned()),
        reply_headers: vec![(b"x-echo".to_vec(), TOKEN.as_bytes().to_vec())],
        reply_body: Vec::new(),
        upstream: None,
        audit: Vec::new(),
        observed: Observed::default(),
        elapsed_us: 42,
    }
}

fn report() -> RunReport {
    let status = Mismatch {
        place: Some(place(9, 21)),
        answer: Some(0),
        field: "status".to_owned(),
        ..Mismatch::new("status", "<401>", "\"403\" & 100 %")
    };
    let header = Mismatch {
        place: Some(place(10, 3)),
        answer: Some(0),
        field: "upstream.x".to_owned(),
        ..Mismatch::new("upstream header x", "absent", format!("`Bearer {TOKEN}`"))
    };
    let failed = CaseReport {
        requests: vec!["GET /orders\ntoken: reader".to_owned()],
        answers: vec![answer()],
        ..case("bad #1", Verdict::Failed(vec![status, header]))
    };
    let tokens = [("reader".to_owned(), TOKEN.to_owned())];
    let suite = SuiteReport {
        name: "a.test.yaml".to_owned(),
        executor: "native".to_owned(),
        cases: vec![
            case("good & \"plain\", really: \u{1}", Verdict::Passed),
            failed,
            case("elsewhere", Verdict::Skipped("no proxy #2".to_owned())),
        ],
        files: [SourceFile {
            name: "a.test.yaml".to_owned(),
            text: String::new(),
        }]
        .into(),
        redactor: Redactor::of(&tokens.into()),
    };
    RunReport {
        suites: vec![suite],
        disagreements: vec![Disagreement {
            suite: "a.test.yaml".to_owned(),
            case: "good & \"plain\", really: \u{1}".to_owned(),
            what: "status".to_owned(),
            left: "401".to_owned(),
            right: "403".to_owned(),
        }],
        ..RunReport::default()
    }
}

#[test]
fn no_report_holds_a_token() {
    let report = report();
    for text in [
        report.junit(),
        report.tap(),
        report.github(),
        report.json().to_string(),
    ] {
        assert!(!text.contains("eyJ"), "{text}");
    }
}

#[test]
fn junit_names_every_case_and_is_read_by_a_parser() {
    let text = report().junit();
    insta::assert_snapshot!("junit", text);
    let document = roxmltree::Document::parse(&text).unwrap();
    let named = |name: &str| {
        document
            .descendants()
            .filter(|node| node.has_tag_name(name))
            .count()
    };
    assert_eq!(
        (
            named("testsuite"),
            named("testcase"),
            named("failure"),
            named("skipped")
        ),
        (2, 4, 2, 1)
    );
    // What the schema that Jenkins and its kin read requires and allows.
    let root = document.root_element();
    assert_eq!(
        (root.attribute("tests"), root.attribute("failures")),
        (Some("4"), Some("2"))
    );
    for node in root.descendants().filter(roxmltree::Node::is_element) {
        let (required, allowed): (&[&str], &[&str]) = match node.tag_name().name() {
            "testsuites" => (&[], &["name", "tests", "failures", "errors", "time"]),
            "testsuite" => (
                &["name", "tests"],
                &["name", "tests", "failures", "errors", "skipped", "time"],
            ),
            "testcase" => (&["name", "classname"], &["name", "classname", "time"]),
            "failure" => (&[], &["message", "type"]),
            "skipped" => (&[], &["message"]),
            "property" => (&["name", "value"], &["name", "value"]),
            "properties" => (&[], &[]),
            other => panic!("no reader knows <{other}>"),
        };
        for name in required {
            assert!(node.has_attribute(*name), "{node:?}");
        }
        for attribute in node.attributes() {
            assert!(allowed.contains(&attribute.name()), "{attribute:?}");
        }
    }
}

#[test]
fn tap_is_read_line_by_line_and_its_blocks_are_yaml() {
    let text = report().tap();
    insta::assert_snapshot!("tap", text);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("TAP version 14"));
    assert_eq!(lines.next(), Some("1..4"));
    let points: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("ok ") || line.starts_with("not ok "))
        .collect();
    assert_eq!(points.len(), 4);
    let mut blocks = 0;
    for block in text.split("  ---\n").skip(1) {
        let (yaml, _) = block.split_once("  ...\n").unwrap();
        let value: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(value["severity"], "fail", "{yaml}");
        assert!(value["data"][0]["expect"].is_string(), "{yaml}");
        blocks += 1;
    }
    assert_eq!(blocks, 2);
}

#[test]
fn github_is_told_of_the_line_that_expected_something_else() {
    let text = report().github();
    insta::assert_snapshot!("github", text);
    for line in text.lines() {
        let rest = line.strip_prefix("::").unwrap();
        let (command, message) = rest.split_once("::").unwrap();
        assert!(!message.is_empty() && !message.contains('\n'));
        let (name, properties) = command.split_once(' ').unwrap();
        assert!(["error", "notice"].contains(&name), "{line}");
        for property in properties.split(',') {
            assert_eq!(property.split('=').count(), 2, "{line}");
        }
    }
}

#[test]
fn json_counts_and_lists() {
    let json = report().json();
    insta::assert_json_snapshot!("json", json);
    assert_eq!(json["summary"]["failed"], 1);
    assert!(!report().is_fine());
}
