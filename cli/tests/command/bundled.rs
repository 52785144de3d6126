//! Deciding and testing with bundles, as scripts do it.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::common::{module, run, stderr, stdout};

const NOW: &str = "2026-11-22T09:00:00Z";
const POLICY: &str = "../../../policies/partner-api-keys/policy.yaml";

/// A bundle of which the level of the log alone may be set.
fn bundle() -> &'static Path {
    static FOLDER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("partners.wasm");
        let made = run(
            &[
                "bundle",
                POLICY,
                "-o",
                path.to_str().unwrap(),
                "--open",
                "log_level",
            ],
            "",
        );
        assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
        (folder, path)
    });
    path
}

fn decide(file: &Path, lines: &[Value]) -> Output {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    run(
        &["decide", "--now", NOW, "--bundle", file.to_str().unwrap()],
        &input,
    )
}

fn orders(key: &str) -> Value {
    json!({
        "method": "GET",
        "path": "/partners/acme/orders",
        "authority": "api.example.com",
        "headers": [["x-api-key", key]],
    })
}

/// The outcomes with their codes, one for each request.
fn outcomes(output: &Output) -> Vec<(String, String)> {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let text = |answer: &Value, member: &str| {
        answer
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let lines = stdout(output);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|answer| (text(&answer, "outcome"), text(&answer, "code")))
        .collect()
}

#[test]
fn a_bundle_decides_by_the_policy_that_is_in_it() {
    let output = decide(
        bundle(),
        &[
            orders("acme-example-key-5f3c9a"),
            orders("globex-example-key-81d2e7"),
            orders("initech-example-key-00aa11"),
            json!({"method": "GET", "path": "/else", "headers": [["x-api-key", "acme-example-key-5f3c9a"]]}),
        ],
    );
    let [allowed, foreign, revoked, elsewhere] = outcomes(&output).try_into().unwrap();
    assert_eq!(allowed.0, "forward");
    for (denied, code) in [
        (foreign, "tenant_mismatch"),
        (revoked, "key_revoked"),
        (elsewhere, "no_route"),
    ] {
        assert_eq!(denied, ("reply".to_owned(), code.to_owned()));
    }
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn what_is_no_bundle_decides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(bundle()).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let plain = std::fs::read(module()).unwrap();
    for (bytes, status, why) in [
        (
            &plain[..],
            2,
            "is the plain plugin: give it a policy with `--policy`",
        ),
        (b"scopegate: v1\n", 2, "this is no WebAssembly module"),
        (&whole[..whole.len() / 2], 2, "the module is damaged or cut off"),
        (&changed[..], 2, ""),
    ] {
        let file = folder.path().join("x.wasm");
        std::fs::write(&file, bytes).unwrap();
        let output = decide(&file, &[orders("acme-example-key-5f3c9a")]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{why}: {said}");
        assert!(said.contains("x.wasm") && said.contains(why), "{said}");
        assert!(stdout(&output).is_empty(), "{}", stdout(&output));
    }
    let output = decide(&folder.path().join("absent.wasm"), &[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let both = run(&["decide", "--bundle", "x.wasm", "--policy", "weak.yaml"], "");
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
}

#[test]
fn a_configuration_sets_what_is_open_and_nothing_else() {
    const REFUSED: &str = "note: the plugin refused the new policy; the old one stays in force\n";
    let public = json!({"scopegate": "v1", "authorization": {"routes": [
        {"id": "all", "match": {"methods": ["GET"], "path": "/partners/acme/orders"}, "access": "public"},
    ]}});
    for (configuration, said) in [
        (json!({"log_level": "warn"}), ""),
        (json!({"upstreams": {"idp": "cluster"}}), REFUSED),
        (json!({"log_level": "warn", "upstreams": {}}), REFUSED),
        (json!({"log_level": "silent"}), REFUSED),
        (json!({"audiences": ["anyone"]}), REFUSED),
        (public, REFUSED),
        (json!("weak.yaml"), REFUSED),
    ] {
        let change = json!({"control": "reconfigure", "policy": configuration});
        let output = decide(
            bundle(),
            &[change, orders("nobody"), orders("acme-example-key-5f3c9a")],
        );
        assert_eq!(stderr(&output), said, "{configuration}");
        let [unknown, known] = outcomes(&output).try_into().unwrap();
        assert_eq!(
            unknown,
            ("reply".to_owned(), "api_key_unknown".to_owned()),
            "{configuration}"
        );
        assert_eq!(known.0, "forward", "{configuration}");
    }
}

#[test]
fn the_tests_of_a_policy_run_on_its_bundle_and_fail_there_as_elsewhere() {
    let folder = "../../../policies/partner-api-keys";
    let passed = run(&["test", "--bundled", folder], "");
    assert_eq!(
        passed.status.code(),
        Some(0),
        "{}{}",
        stdout(&passed),
        stderr(&passed)
    );
    assert!(stdout(&passed).contains("(bundle)"), "{}", stdout(&passed));
    let plain = run(&["test", folder], "");
    let count = |output: &Output| {
        let text = stdout(output);
        let line = text
            .lines()
            .find(|line| line.contains(" passed, 0 failed, 0 skipped"));
        line.unwrap().rsplit("): ").next().unwrap().to_owned()
    };
    assert_eq!(count(&passed), count(&plain));

    let failed = run(&["test", "--bundled", "../failing/wrong.test.yaml"], "");
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    let native = run(&["test", "--bundled", "--engine", "native", folder], "");
    assert_eq!(native.status.code(), Some(2));
    assert!(
        stderr(&native).contains("leave `--engine native` out"),
        "{}",
        stderr(&native)
    );
}
