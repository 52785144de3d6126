//! The first five minutes of somebody who has a policy and no tests, with no other help than what the command says.

use std::fs;
use std::path::Path;

use crate::common::{run, stderr, stdout};

/// A copy of a shipped policy without its tests.
fn policy(name: &str, folder: &Path) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../policies")
        .join(name);
    for file in ["policy.yaml", "jwks.json"] {
        fs::copy(shipped.join(file), folder.join(file)).unwrap();
    }
}

#[test]
fn a_first_test_file_is_written_passes_fails_when_the_claim_is_wrong_and_passes_again() {
    let folder = tempfile::tempdir().unwrap();
    policy("rest-api-tenants", folder.path());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();

    let help = stdout(&run(&["test", "--help"], ""));
    assert!(help.contains("scopegate test --init policy.yaml"), "{help}");

    let written = run(&["test", "--init", &at("policy.yaml")], "");
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    assert!(
        stdout(&written).contains(&format!("scopegate test {}", at("policy.test.yaml"))),
        "{}",
        stdout(&written)
    );

    let first = run(&["test", &at("policy.test.yaml")], "");
    assert_eq!(
        first.status.code(),
        Some(0),
        "{}{}",
        stdout(&first),
        stderr(&first)
    );

    let text = fs::read_to_string(at("policy.test.yaml")).unwrap();
    let claim = "orders.list, nobody of another tenant";
    let (before, after) = text.split_once(claim).unwrap();
    let wrong = format!(
        "{before}{claim}{}",
        after.replacen("{deny: tenant_mismatch}", "{allow: orders.list}", 1)
    );
    fs::write(at("policy.test.yaml"), &wrong).unwrap();
    let failed = run(&["test", &at("policy.test.yaml")], "");
    assert_eq!(failed.status.code(), Some(1), "{}", stdout(&failed));
    for said in [claim, "allowed, route orders.list", "tenant_mismatch"] {
        assert!(
            stdout(&failed).contains(said),
            "no `{said}` in {}",
            stdout(&failed)
        );
    }

    fs::write(at("policy.test.yaml"), text).unwrap();
    assert_eq!(run(&["test", &at("policy.test.yaml")], "").status.code(), Some(0));
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    policy("public-site-admin", folder.path());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("policy.test.yaml"), "mine").unwrap();
    let refused = run(&["test", "--init", &at("policy.yaml")], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("is there already, and is not written over"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(fs::read_to_string(at("policy.test.yaml")).unwrap(), "mine");

    let elsewhere = run(
        &[
            "test",
            "--init",
            &at("policy.yaml"),
            "-o",
            &at("first.test.yaml"),
            "--format",
            "json",
        ],
        "",
    );
    assert_eq!(elsewhere.status.code(), Some(0), "{}", stderr(&elsewhere));
    let said: serde_json::Value = serde_json::from_slice(&elsewhere.stdout).unwrap();
    assert!(
        said["tests"].as_u64().unwrap() > 20 && said["gaps"] == 0,
        "{said}"
    );
    assert_eq!(run(&["test", &at("first.test.yaml")], "").status.code(), Some(0));
}

#[test]
fn a_policy_in_this_folder_is_named_as_it_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    policy("rest-api-tenants", folder.path());
    fs::create_dir(folder.path().join("below")).unwrap();
    fs::write(folder.path().join("tests.textpb"), "test { name: \"one\" }\n").unwrap();
    let in_it = |arguments: &[&str]| {
        let mut command = crate::common::command(arguments);
        let output = command.current_dir(folder.path()).output().unwrap();
        assert!(output.status.code() < Some(2), "{}", stderr(&output));
    };
    in_it(&["test", "--init", "policy.yaml"]);
    in_it(&["test", "--init", "policy.yaml", "-o", "below/a.test.yaml"]);
    let import = [
        "import",
        "plugin-tester",
        "tests.textpb",
        "--policy",
        "policy.yaml",
    ];
    in_it(&[&import[..], &["-o", "b.test.yaml"]].concat());
    for (file, policy) in [
        ("policy.test.yaml", "policy.yaml"),
        ("below/a.test.yaml", "../policy.yaml"),
        ("b.test.yaml", "policy.yaml"),
    ] {
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        let line = text.lines().find(|line| line.starts_with("policy: ")).unwrap();
        let named = line.trim_start_matches("policy: ").trim_matches('"');
        assert_eq!(named.trim_start_matches("./"), policy, "{file}");
    }
}

#[test]
fn a_policy_that_is_none_is_told_where_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.test.yaml");
    let refused = run(
        &["test", "--init", "faulty.yaml", "-o", target.to_str().unwrap()],
        "",
    );
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("faulty.yaml:"), "{}", stderr(&refused));
    assert!(!target.exists());
}

#[test]
fn what_cannot_be_written_or_read_is_blamed_by_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    policy("rest-api-tenants", folder.path());
    for (arguments, status, message) in [
        (
            &["test", "--init", "policy.yaml", "-o", "absent/x.test.yaml"][..],
            3,
            "cannot write `absent/x.test.yaml`: `absent` is no folder",
        ),
        (
            &["test", "--init", "."],
            2,
            "`.` is a folder: name the policy's file in it",
        ),
        (
            &["test", "--init"],
            2,
            "name the policy: `scopegate test --init policy.yaml`",
        ),
    ] {
        let (seen, said) = told(folder.path(), arguments);
        assert_eq!(seen, Some(status), "{said}");
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn what_a_first_test_file_leaves_open_is_said_with_the_test_that_would_not() {
    for (name, codes) in [
        ("github-actions", &["keys_unavailable"][..]),
        (
            "mobile-api-dpop",
            &["keys_unavailable", "proof_replayed", "token_revoked"],
        ),
        ("spiffe-mesh", &["token_expired", "signature_invalid"]),
        ("partner-api-keys", &["api_key_expired"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../policies")
            .join(name);
        fs::copy(shipped.join("policy.yaml"), folder.path().join("policy.yaml")).unwrap();
        let (status, said) = told(folder.path(), &["test", "--init", "policy.yaml"]);
        assert_eq!(status, Some(0), "{said}");
        let text = fs::read_to_string(folder.path().join("policy.test.yaml")).unwrap();
        for code in codes {
            let mut comments = text.lines().filter(|line| line.contains("# not written: "));
            let expects = format!("and `expect: {{deny: {code}}}`");
            assert!(
                comments.any(|line| line.contains(&expects)),
                "{name}: nothing of {code} in\n{text}"
            );
        }
        assert_eq!(
            told(folder.path(), &["test", "--engine", "native", "."]).0,
            Some(0)
        );
    }
}

/// Runs the command in a folder, and gives its status and all that it said.
fn told(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = crate::common::command(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    (output.status.code(), stdout(&output) + &stderr(&output))
}

#[test]
fn each_step_of_a_newcomer_says_what_the_next_one_is() {
    let folder = tempfile::tempdir().unwrap();
    policy("rest-api-tenants", folder.path());
    let tell = |arguments: &[&str]| told(folder.path(), arguments);

    // Nothing to run yet, and a policy in place of tests: both name the way in.
    for arguments in [&["test"][..], &["test", "policy.yaml"]] {
        let (status, said) = tell(arguments);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("scopegate test --init policy.yaml"), "{said}");
    }
    let (status, said) = tell(&["test", "--init", "policy.yaml"]);
    assert_eq!(status, Some(0), "{said}");
    let next = said
        .lines()
        .find(|line| line.contains("runs them through the plugin"))
        .unwrap();
    let words: Vec<&str> = next.split_whitespace().skip(1).take(2).collect();
    assert_eq!(tell(&words).0, Some(0));

    // A rule is broken: its line, what was expected, what came, and why.
    let good = fs::read_to_string(folder.path().join("policy.yaml")).unwrap();
    let broken = good.replacen("tenant: \"{tenant}\"", "authenticated: true", 1);
    assert_ne!(good, broken);
    fs::write(folder.path().join("policy.yaml"), broken).unwrap();
    let (status, said) = tell(&words);
    assert_eq!(status, Some(1), "{said}");
    for part in [
        "orders.list, nobody of another tenant",
        "expect: {deny: tenant_mismatch}",
        "- refused: tenant_mismatch",
        "+ allowed, route orders.list",
        "how it was decided",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }

    // It is mended, and green again.
    fs::write(folder.path().join("policy.yaml"), good).unwrap();
    assert_eq!(tell(&words).0, Some(0));
}
