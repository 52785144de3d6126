use std::path::{Path, PathBuf};

use super::{Fate, MutationError, mutate};
use crate::suite::Suite;

const POLICY: &str = r#"
scopegate: v1
authentication:
  providers:
    - name: corp
      type: jwt
      issuer: https://idp.example.com
      audiences: [api]
      algorithms: [ES256]
      keys: {jwks: {"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "example", "x": "QHJVbxEgGRi9rzzF8Cg_xdVICIHhCJNVKN4popJQtcc", "y": "h5ezoOa7Tfl5AU9xuLXOsOaW84R5bfARLLTITrXB58E"}]}}
      claims: {tenant: tid}
authorization:
  scopes: {orders:read: Read orders}
  ceilings: [{provider: corp, scopes: ["*"]}]
  routes:
    - {id: list, match: {methods: [GET], path: "/t/{tenant}/orders"}, access: {scopes: {all: [orders:read]}, tenant: "{tenant}"}}
"#;

const TESTS: &str = r#"
policy: policy.yaml
keys: {k1: {alg: ES256, provider: corp}}
tokens:
  anna: {key: k1, claims: {scope: "orders:read", tid: acme}}
  bert: {key: k1, claims: {tid: acme}}
  carl: {from: anna, claims: {tid: other}}
tests:
  - name: a reader reads
    request: {path: /t/acme/orders, token: anna}
    expect: {allow: list}
  - name: nobody does
    request: {path: /t/acme/orders}
    expect: {deny: credential_missing}
  - name: another tenant's reader does not
    request: {path: /t/acme/orders, token: carl}
    expect: {deny: tenant_mismatch}
"#;

fn suite(folder: &Path, name: &str, text: &str) -> Suite {
    std::fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).unwrap();
    Suite::load(&path).unwrap()
}

#[test]
fn a_rule_that_no_test_would_miss_survives_and_is_found_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let found = mutate(&[suite(folder.path(), "a.test.yaml", TESTS)]).unwrap();
    let of = |path: &str| {
        let mutant = found.mutants.iter().find(|it| it.mutation.path == path).unwrap();
        (mutant.fate.clone(), mutant.place.as_ref().unwrap().1.line)
    };
    let (tenant, line) = of("authorization.routes[0].access.tenant");
    assert!(matches!(tenant, Fate::Killed(_, case) if case == "another tenant's reader does not"));
    assert_eq!(line, 16);
    assert_eq!(
        of("authorization.routes[0].access.scopes.all[0]"),
        (Fate::Survived, 16)
    );
    assert_eq!(of("authorization.routes[0].match.methods"), (Fate::Survived, 16));
    assert_eq!(of("authorization.ceilings[0].scopes").0, Fate::Equivalent);
    assert_eq!(of("authentication.providers[0].audiences").0, Fate::Survived);
    let (killed, all) = found.counts();
    assert!(killed < all && found.percent() < 100, "{killed} of {all}");
}

#[test]
fn a_test_that_misses_a_rule_kills_its_mutant() {
    let folder = tempfile::tempdir().unwrap();
    let more = format!(
        "{TESTS}  - name: who may not read does not\n    request: {{path: /t/acme/orders, token: bert}}\n    expect: {{deny: scope_missing}}\n"
    );
    let found = mutate(&[suite(folder.path(), "a.test.yaml", &more)]).unwrap();
    let scope = found
        .mutants
        .iter()
        .find(|it| it.mutation.rule == "scopes")
        .unwrap();
    assert!(matches!(&scope.fate, Fate::Killed(_, case) if case == "who may not read does not"));
}

#[test]
fn tests_that_fail_already_judge_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = TESTS.replace("credential_missing", "scope_missing");
    let error = mutate(&[suite(folder.path(), "a.test.yaml", &wrong)]).unwrap_err();
    assert!(
        matches!(&error, MutationError::Fails { case, .. } if case == "nobody does"),
        "{error}"
    );
}
