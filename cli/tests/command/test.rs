//! `scopegate test` as a person and a script see it.

use crate::common::{run, stderr, stdout};
use serde_json::Value;

#[test]
fn tests_that_hold_end_with_0_in_the_module_and_natively() {
    for engine in ["wasm", "native", "both"] {
        let output = run(&["test", "--engine", engine, "."], "");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{engine}: {}{}",
            stdout(&output),
            stderr(&output)
        );
        assert!(
            stdout(&output).contains(" passed, 0 failed, 0 skipped"),
            "{}",
            stdout(&output)
        );
    }
}

#[test]
fn a_failure_shows_what_was_expected_and_what_was_seen() {
    let output = run(&["test", "../failing/wrong.test.yaml"], "");
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("failing", stdout(&output));
}

#[test]
fn a_fault_of_a_test_file_is_shown_where_it_stands() {
    let output = run(&["test", "../failing/shape.test.yaml"], "");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    insta::assert_snapshot!("shape", stderr(&output));
}

#[test]
fn a_threshold_is_never_rounded_up() {
    let output = run(&["test", "--threshold", "100", "weak.test.yaml"], "");
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("below the threshold of 100 %"),
        "{}",
        stderr(&output)
    );
    assert_eq!(
        run(&["test", "--threshold", "10", "weak.test.yaml"], "")
            .status
            .code(),
        Some(0)
    );
}

#[test]
fn a_filter_chooses_cases() {
    let output = run(
        &["test", "--filter", "nobody", "--format", "json", "weak.test.yaml"],
        "",
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["summary"]["passed"], 1);
    assert_eq!(report["suites"][0]["cases"][0]["name"], "nobody else is");
}

#[test]
fn reports_for_machines_stand_alone_on_standard_output() {
    for (format, start) in [
        ("junit", "<?xml"),
        ("tap", "TAP version 14"),
        ("github", "::notice"),
        ("json", "{"),
    ] {
        let output = run(&["test", "--format", format, "weak.test.yaml"], "");
        assert!(
            stdout(&output).starts_with(start),
            "{format}: {}",
            stdout(&output)
        );
    }
}

#[test]
fn no_tests_and_no_files_are_told_apart() {
    assert_eq!(run(&["test", "../command"], "").status.code(), Some(2));
    assert_eq!(run(&["test", "absent"], "").status.code(), Some(3));
}

#[test]
fn tests_that_did_not_run_are_never_green() {
    let output = run(&["test", "--filter", "no such name", "weak.test.yaml"], "");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(
        stderr(&output).contains("no case ran: no name contains `no such name`"),
        "{}",
        stderr(&output)
    );
}

/// What is said of a test file, with `text` after its policy.
fn said_of(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let policy = crate::common::fixtures().join("weak.yaml");
    let path = folder.path().join("a.test.yaml");
    std::fs::write(&path, format!("policy: {}\n{text}", policy.display())).unwrap();
    let output = run(&["test", "--engine", "native", path.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(2), "{text}: {}", stdout(&output));
    stderr(&output)
}

#[test]
fn a_test_file_that_says_less_than_it_seems_to_is_faulty() {
    let one = "{name: one, request: {path: /healthz}, expect: {allow: true}}";
    for (text, message) in [
        (String::new(), "the file tests nothing"),
        ("tests: []".to_owned(), "the file tests nothing"),
        (
            "matrix: {callers: [], cells: {GET /healthz: {}}}".to_owned(),
            "the matrix has no callers",
        ),
        (
            "matrix: {callers: [none], cells: {}}".to_owned(),
            "the matrix has no cells",
        ),
        (
            "matrix: {callers: [none, none], cells: {GET /healthz: {none: allow}}}".to_owned(),
            "`none` is listed twice",
        ),
        (
            format!("tests: [{one}, {one}]"),
            "another test is called `one` already",
        ),
        (
            "tests: [{name: one, steps: [{advance: 1m}]}]".to_owned(),
            "the test `one` sends no request",
        ),
        (
            format!("tests: [{}]", one.replace("/healthz", "\"/healthz?{{who}}\"")),
            "tests[0].request.path: there is no token `who`",
        ),
        (
            format!(
                "tests: [{}]",
                one.replace("/healthz", "/healthz, headers: {x-a: \"{{who}}\"}")
            ),
            "tests[0].request.headers.x-a: there is no token `who`",
        ),
        (
            format!(
                "tests: [{}]",
                one.replace("/healthz", "/healthz, body: \"{{who}}\"")
            ),
            "tests[0].request.body: there is no token `who`",
        ),
    ] {
        let said = said_of(&text);
        let joined = said
            .lines()
            .map(|line| line.trim_start_matches([' ', '│', '×']))
            .collect::<Vec<_>>()
            .join(" ");
        assert!(joined.contains(message), "{text}: {said}");
    }
}
