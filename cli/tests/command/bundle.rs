//! `scopegate bundle` and `scopegate inspect` as a person and a script see them.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::common::{run, stderr, stdout};

const POLICY: &str = "../../../policies/partner-api-keys/policy.yaml";

fn bundle(to: &Path, further: &[&str]) -> Output {
    let to = to.to_str().unwrap();
    let arguments = [&["bundle", POLICY, "-o", to], further].concat();
    run(&arguments, "")
}

fn inspect(file: &Path, further: &[&str]) -> Output {
    let arguments = [&["inspect", file.to_str().unwrap()], further].concat();
    run(&arguments, "")
}

#[test]
fn a_bundle_is_the_same_wherever_it_is_made_and_shows_its_policy() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (one.path().join("one.wasm"), other.path().join("other.wasm"));
    for path in [&one, &other] {
        let made = bundle(path, &["--open", "log_level"]);
        assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    }
    assert!(std::fs::read(&one).unwrap() == std::fs::read(&other).unwrap());

    let shown: Value = serde_json::from_slice(&inspect(&one, &["--format", "json"]).stdout).unwrap();
    assert_eq!(shown["manifest"]["policy"]["name"], "partner-api");
    assert_eq!(shown["manifest"]["open"], serde_json::json!(["log_level"]));
    assert_eq!(shown["manifest"]["form"], "compiled");
    assert_eq!(shown["signature"], "absent");
    let policy: Value = serde_json::from_slice(&inspect(&one, &["--policy"]).stdout).unwrap();
    assert_eq!(policy, shown["policy"]);
    assert_eq!(policy["metadata"]["name"], "partner-api");
}

#[test]
fn a_policy_with_errors_makes_no_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faulty.wasm");
    let refused = run(&["bundle", "faulty.yaml", "-o", path.to_str().unwrap()], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("faulty.yaml"), "{}", stderr(&refused));
    assert!(stdout(&refused).is_empty());
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}
