//! Which policies coverage and mutation are told of, and what counts.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{command, stderr, stdout};

const AUTHENTICATION: &str = "scopegate: v1\nauthentication:\n  providers:\n    - {name: corp, type: jwt, issuer: \"https://idp.example.com\", audiences: [api], \
                              algorithms: [HS256], keys: {jwks: {keys: [{kty: oct, kid: k, alg: HS256, k: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}]}}}\n";

/// A file of the policy's with one public route.
fn routes(id: &str) -> String {
    format!(
        "authorization:\n  routes:\n    - {{id: {id}, match: {{methods: [GET], path: /{id}}}, access: public}}\n"
    )
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The status and the report of `scopegate test` in a folder.
fn report(folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&["test", "--format", "json"], more].concat();
    let output = command(&arguments).current_dir(folder).output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    assert!(report.is_ok(), "{}{}", stdout(&output), stderr(&output));
    (output.status.code(), report.unwrap())
}

/// The policies of a report, each with its share.
fn policies(list: &Value) -> Vec<(String, u64)> {
    let policies = list.as_array().unwrap().iter();
    let one = |policy: &Value| {
        let name = policy["policy"].as_str().unwrap().to_owned();
        (name, policy["percent"].as_u64().unwrap())
    };
    policies.map(one).collect()
}

#[test]
fn policies_that_share_a_file_are_two() {
    let folder = folder(&[
        ("authn.yaml", AUTHENTICATION),
        ("one.yaml", &routes("one")),
        (
            "two.yaml",
            &(routes("two")
                + "    - {id: secret, match: {methods: [GET], path: /secret}, access: {authenticated: true}}\n"),
        ),
        (
            "a.test.yaml",
            "policy: [authn.yaml, one.yaml]\ntests:\n  - {name: one, request: {path: /one}, expect: {allow: one}}\n  \
             - {name: none, request: {path: /none}, expect: {deny: no_route}}\n",
        ),
        (
            "b.test.yaml",
            "policy: [authn.yaml, two.yaml]\ntests: [{name: two, request: {path: /two}, expect: {allow: two}}]\n",
        ),
    ]);
    let (status, report) = report(folder.path(), &["--engine", "native", "--threshold", "100", "."]);
    let found = policies(&report["coverage"]);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["./authn.yaml, ./one.yaml", "./authn.yaml, ./two.yaml"]);
    assert_eq!((status, found[0].1), (Some(1), 100), "{found:?}");
    assert!(found[1].1 < 100, "{found:?}");
}

/// Two test files that name the three files of one policy otherwise. Each of its two routes is asked by one of them.
fn one_policy_named_twice(access: &str) -> tempfile::TempDir {
    let routes = |id: &str| routes(id).replace("access: public", access);
    let test = |policy: &str, name: &str| {
        format!(
            "policy: {policy}\nkeys: {{k1: {{alg: HS256, provider: corp}}}}\ntokens: {{anna: {{key: k1}}}}\ntests:\n  \
             - {{name: {name}, request: {{path: /{name}, token: anna}}, expect: {{allow: {name}}}}}\n  \
             - {{name: none, request: {{path: /none}}, expect: {{deny: no_route}}}}\n"
        )
    };
    folder(&[
        ("authn.yaml", AUTHENTICATION),
        ("one.yaml", &routes("one")),
        ("two.yaml", &routes("two")),
        (
            "sub/a.test.yaml",
            &test("[../two.yaml, ../authn.yaml, ../sub/../one.yaml]", "two"),
        ),
        ("b.test.yaml", &test("[authn.yaml, one.yaml, two.yaml]", "one")),
    ])
}

#[test]
fn a_policy_is_one_by_whatever_paths_and_in_whatever_order_its_files_are_named() {
    let one = "./authn.yaml, ./one.yaml, ./two.yaml".to_owned();
    let folder = one_policy_named_twice("access: public");
    let (_, report) = report(folder.path(), &["--engine", "native", "."]);
    assert_eq!(policies(&report["coverage"]), [(one, 100)]);
}

#[test]
fn a_rule_is_taken_out_of_a_policy_whatever_the_order_of_its_files() {
    let folder = one_policy_named_twice("access: {authenticated: true}");
    let (_, report) = report(folder.path(), &["--mutate", "."]);
    let found = policies(&report["policies"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "./authn.yaml, ./one.yaml, ./two.yaml");
    let killed_by = |path: &str| {
        let mut mutants = report["policies"][0]["mutants"].as_array().unwrap().iter();
        let gone = mutants.find(|mutant| mutant["path"] == path).unwrap();
        gone["by"]["case"].as_str().map(str::to_owned)
    };
    assert_eq!(killed_by("authorization.routes[0]").as_deref(), Some("one"));
    assert_eq!(killed_by("authorization.routes[1]").as_deref(), Some("two"));
}

#[test]
fn what_a_skipped_case_reaches_is_not_covered() {
    let folder = folder(&[
        ("policy.yaml", &(AUTHENTICATION.to_owned() + &routes("one"))),
        (
            "a.test.yaml",
            "policy: policy.yaml\ntests:\n  - {name: one, request: {path: /one}, expect: {allow: one}}\n  \
             - {name: none, request: {path: /none}, expect: {deny: no_route, metrics: {scopegate.authorization.none.deny.no_route: 1}}}\n",
        ),
    ]);
    for (engine, status, percent) in [("native", 1, 50), ("wasm", 0, 100)] {
        let arguments = ["--engine", engine, "--threshold", "100", "a.test.yaml"];
        let (ended, report) = report(folder.path(), &arguments);
        assert_eq!(
            (ended, report["summary"]["coverage"].as_u64()),
            (Some(status), Some(percent)),
            "{engine}"
        );
    }
}

#[test]
fn what_mutation_cannot_read_is_told_as_json_too() {
    let folder = folder(&[("a.test.yaml", "policy: absent.yaml\ntests: []\n")]);
    for more in [&["a.test.yaml"][..], &["--mutate", "a.test.yaml"]] {
        let (status, report) = report(folder.path(), more);
        assert_eq!(status, Some(3), "{more:?}");
        assert_eq!(report["diagnostics"][0]["path"], "policy", "{more:?}: {report}");
    }
}
