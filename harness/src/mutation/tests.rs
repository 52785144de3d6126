use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Fate, MutationError, mutate, mutations};
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
    let found = mutate(vec![suite(folder.path(), "a.test.yaml", TESTS)]).unwrap();
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
    let found = mutate(vec![suite(folder.path(), "a.test.yaml", &more)]).unwrap();
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
    let error = mutate(vec![suite(folder.path(), "a.test.yaml", &wrong)]).unwrap_err();
    assert!(
        matches!(&error, MutationError::Fails { case, .. } if case == "nobody does"),
        "{error}"
    );
}

/// The document after the mutation of the rule at `path` whose change says `change`.
fn mutated(document: &Value, described: &Value, path: &str, change: &str) -> Value {
    let all = mutations(document, &[described]);
    let found = all
        .iter()
        .find(|it| it.path == path && it.change.contains(change));
    found
        .unwrap_or_else(|| panic!("{path}: {change}"))
        .apply(document)
}

#[test]
fn a_list_is_widened_by_somebody_whom_no_test_names() {
    let document = json!({
        "authentication": {"providers": [
            {"name": "a", "type": "mtls", "trust_domains": ["a.test"], "forwarded_by": ["spiffe://a.test/in"]},
            {"name": "b", "type": "mtls", "dns_names": ["b.test"]},
            {"name": "c", "type": "mtls", "trust_domains": ["c.test"]},
        ]},
        "authorization": {"routes": [
            {"id": "one", "access": {"actors": {"allow": ["z", "y"]}}},
            {"id": "two", "access": {"providers": ["a", "b"], "actors": {"allow": [{"provider": "a", "subject": "z"}]}}},
        ]},
    });
    // A caller that passes nothing on is no hop, and what another provider claims stays its own.
    let described = json!({"tests": [
        {"request": {"peer": {"uri_sans": ["spiffe://a.test/x"]}}},
        {"request": {"peer": {"uri_sans": ["spiffe://c.test/x"]}}},
    ]});
    for (path, at, expected) in [
        (
            "authentication.providers[0].trust_domains",
            "/authentication/providers/0/trust_domains",
            json!(["a.test", "nobodys.invalid"]),
        ),
        (
            "authentication.providers[1].dns_names",
            "/authentication/providers/1/dns_names",
            json!(["b.test", "nobodys.invalid"]),
        ),
        (
            "authentication.providers[0].forwarded_by",
            "/authentication/providers/0/forwarded_by",
            json!(["spiffe://a.test/in", "spiffe://nobodys.invalid/hop"]),
        ),
        (
            "authorization.routes[0].access.actors.allow",
            "/authorization/routes/0/access/actors/allow",
            json!(["z", "y", "urn:scopegate:nobody"]),
        ),
        (
            "authorization.routes[1].access.actors.allow",
            "/authorization/routes/1/access/actors/allow",
            json!([
                {"provider": "a", "subject": "z"},
                {"provider": "a", "subject": "urn:scopegate:nobody"},
                {"provider": "b", "subject": "urn:scopegate:nobody"},
                {"provider": "b", "subject": "z"},
            ]),
        ),
    ] {
        let changed = mutated(&document, &described, path, "");
        assert_eq!(changed.pointer(at), Some(&expected), "{path}");
    }
}

#[test]
fn a_list_in_another_order_is_the_same_list() {
    let algorithms: Vec<&str> = crate::keys::Algorithm::ALL
        .iter()
        .filter(|algorithm| !algorithm.is_symmetric())
        .map(|algorithm| algorithm.name())
        .rev()
        .collect();
    let document =
        json!({"authentication": {"providers": [{"name": "a", "type": "jwt", "algorithms": algorithms}]}});
    let changed = mutated(
        &document,
        &json!({}),
        "authentication.providers[0].algorithms",
        "any algorithm",
    );
    assert_eq!(changed, document);
}

#[test]
fn what_only_bounds_or_delays_a_rule_has_a_mutant_too() {
    let document = json!({
        "authentication": {
            "providers": [{"name": "p", "type": "jwt"}],
            "revocation": {
                "subjects": [{"provider": "p", "subject": "s", "issued_before": "2026-01-01T00:00:00Z"}],
                "status_lists": [
                    {"provider": "p", "uri": "u", "max_stale": "1h", "optional": true},
                    {"provider": "q", "uri": "v"},
                ],
            },
        },
        "authorization": {
            "scopes": {"a": {"implies": ["b"]}, "b": "", "c": {"implies": ["a"]}, "d": ""},
            "ceilings": [{"provider": "p", "scopes": ["*"]}, {"provider": "p", "client": "k", "scopes": ["b"]}],
            "routes": [{
                "id": "r", "access": {"scopes": {"all": ["a"]}},
                "mode": {"shadow": {"until": "2027-01-01T00:00:00Z", "layers": ["authentication", "authorization"]}},
            }],
        },
    });
    for (path, change, at, expected) in [
        (
            "authentication.revocation.subjects[0].issued_before",
            "issued since",
            "/authentication/revocation/subjects/0/issued_before",
            Some(json!("2999-01-01T00:00:00Z")),
        ),
        (
            "authentication.revocation.status_lists[0].max_stale",
            "for ever",
            "/authentication/revocation/status_lists/0/max_stale",
            Some(json!("7d")),
        ),
        (
            "authentication.revocation.status_lists[0]",
            "without a `status` are refused",
            "/authentication/revocation/status_lists/0/optional",
            Some(json!(false)),
        ),
        (
            "authentication.revocation.status_lists[1]",
            "without a `status` pass",
            "/authentication/revocation/status_lists/1/optional",
            Some(json!(true)),
        ),
        (
            "authorization.ceilings[1].client",
            "others than `k`",
            "/authorization/ceilings/1/client",
            None,
        ),
        // What implies it cannot be implied by it.
        (
            "authorization.scopes.a.implies",
            "every other scope",
            "/authorization/scopes/a/implies",
            Some(json!(["b", "d"])),
        ),
        (
            "authorization.routes[0].mode.shadow.layers",
            "only what",
            "/authorization/routes/0/mode/shadow/layers",
            None,
        ),
        (
            "authorization.routes[0].access",
            "is public",
            "/authorization/routes/0/mode",
            None,
        ),
    ] {
        let changed = mutated(&document, &json!({}), path, change);
        assert_ne!(changed, document, "{path}");
        assert_eq!(changed.pointer(at), expected.as_ref(), "{path}");
    }
}
