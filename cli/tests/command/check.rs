//! `scopegate check` as a person and a script see it.

use crate::common::{run, stderr, stdout};
use serde_json::Value;

#[test]
fn a_fault_is_shown_where_it_stands() {
    insta::assert_snapshot!("faulty", stdout(&run(&["check", "faulty.yaml"], "")));
    insta::assert_snapshot!("typo", stdout(&run(&["check", "typo.yaml"], "")));
    insta::assert_snapshot!("syntax", stdout(&run(&["check", "syntax.yaml"], "")));
}

#[test]
fn a_warning_is_no_fault_unless_it_is_denied() {
    let warned = run(&["check", "weak.yaml"], "");
    insta::assert_snapshot!("weak", stdout(&warned));
    assert_eq!(warned.status.code(), Some(0));
    assert_eq!(
        run(&["check", "--deny", "warnings", "weak.yaml"], "")
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn json_names_file_line_and_column() {
    let output = run(&["check", "--format", "json", "typo.yaml"], "");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &report["diagnostics"][0];
    assert_eq!(found["code"], "unknown_field");
    assert_eq!(found["location"]["file"], "typo.yaml");
    assert_eq!(
        (&found["location"]["line"], &found["location"]["column"]),
        (&2.into(), &1.into())
    );
    assert_eq!(report["summary"]["errors"], 1);
}

#[test]
fn the_exit_status_tells_what_went_wrong() {
    for (arguments, status) in [
        (&["check", "weak.yaml"][..], 0),
        (&["check", "faulty.yaml"], 2),
        (&["check", "syntax.yaml"], 2),
        (&["check", "absent.yaml"], 3),
        (&["check"], 2),
        (&["check", "--unheard-of", "weak.yaml"], 2),
        (&["unheard-of"], 2),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["check", "--help"], 0),
        (&["schema"], 0),
        (&["schema", "--tests"], 0),
    ] {
        let output = run(arguments, "");
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn what_cannot_be_read_is_said_on_standard_error() {
    let output = run(&["check", "absent.yaml"], "");
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).contains("cannot read `absent.yaml`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_schemas_are_json() {
    for arguments in [
        &["schema"][..],
        &["schema", "--tests"],
        &["schema", "--format", "json"],
    ] {
        let schema: Value = serde_json::from_slice(&run(arguments, "").stdout).unwrap();
        assert!(
            schema["title"].as_str().unwrap().starts_with("Scopegate policy"),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_script_gets_an_object_whatever_is_wrong() {
    for (arguments, status, code) in [
        (
            &["check", "--format", "json", "absent.yaml"][..],
            3,
            "file_unreadable",
        ),
        (&["check", "--format", "json", "syntax.yaml"], 2, "invalid_yaml"),
        (
            &["test", "--format", "json", "../failing/shape.test.yaml"],
            2,
            "invalid_test",
        ),
    ] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["diagnostics"][0]["code"], code, "{arguments:?}");
        assert!(report["summary"]["errors"].as_u64() >= Some(1), "{arguments:?}");
    }
}

#[test]
fn a_field_that_stands_twice_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.yaml");
    std::fs::write(&path, "scopegate: v1\nscopegate: v1\n").unwrap();
    let said = stdout(&run(&["check", path.to_str().unwrap()], ""));
    assert!(said.contains("the field `scopegate` stands here twice"), "{said}");
    assert!(!said.contains("DuplicateKeyPolicy"), "{said}");
}
