//! A reader that goes away is no fault of the command: `scopegate ... | head -1` never panics.

use std::io::Write as _;
use std::process::Stdio;

use crate::common::command;

/// Runs the command with a standard output that nobody reads: its exit status, and what it said beside it.
fn unread(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = command(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(writer)
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that ends without reading closes the pipe: that is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn nobody_has_to_read_what_the_command_says() {
    let requests = "{\"method\": \"GET\", \"path\": \"/healthz\"}\n".repeat(3);
    for (arguments, status) in [
        (&["schema"][..], 0),
        (&["schema", "--tests"], 0),
        (&["check", "weak.yaml"], 0),
        (&["check", "faulty.yaml"], 2),
        (&["check", "--format", "json", "weak.yaml"], 0),
        (&["test", "--engine", "native", "weak.test.yaml"], 0),
        (&["test", "--engine", "native", "../failing/wrong.test.yaml"], 1),
        (
            &[
                "test",
                "--engine",
                "native",
                "--format",
                "junit",
                "weak.test.yaml",
            ],
            0,
        ),
        (&["decide", "--policy", "weak.yaml"], 0),
        (&["--help"], 0),
    ] {
        let (ended, said) = unread(arguments, &requests);
        assert_eq!(ended, Some(status), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}
