use std::path::Path;

use serde_json::json;

use super::{Source, SourceFile, Unreadable};

fn sources(texts: &[&str]) -> Result<Source, Unreadable> {
    let file = |(at, text): (usize, &&str)| SourceFile {
        name: format!("{at}.yaml"),
        text: (*text).to_owned(),
    };
    Source::from_files(texts.iter().enumerate().map(file).collect(), Path::new(""))
}

fn source(text: &str) -> Source {
    sources(&[text]).expect("a readable policy")
}

/// The code, the path, and the file, line and column of a fault.
type Fault = (String, String, Option<(usize, usize, usize)>);

fn faults(texts: &[&str]) -> Vec<Fault> {
    let unreadable = sources(texts).expect_err("a fault");
    let place = |it: &super::Location| (it.file, it.line, it.column);
    let fault = |it: super::Diagnostic| (it.code, it.path, it.location.as_ref().map(place));
    unreadable.diagnostics.into_iter().map(fault).collect()
}

const POLICY: &str = "scopegate: v1
authorization:
  routes:
    - id: health
      match: {methods: [GET], path: /healthz}
      access: public
";

#[test]
fn yaml_and_json_say_the_same() {
    let json = r#"{"scopegate":"v1","authorization":{"routes":[{"id":"health",
        "match":{"methods":["GET"],"path":"/healthz"},"access":"public"}]}}"#;
    assert_eq!(source(POLICY).document(), source(json).document());
}

#[test]
fn every_field_has_its_place() {
    let source = source(POLICY);
    let place = |path: &str| source.locate(path).map(|it| (it.line, it.column, it.length));
    assert_eq!(place("scopegate"), Some((1, 12, 2)));
    assert_eq!(place("authorization.routes[0].id"), Some((4, 11, 6)));
    assert_eq!(place("authorization.routes[0].match.path"), Some((5, 37, 8)));
    assert_eq!(
        place("authorization.routes[0].match.methods[0]"),
        Some((5, 25, 3))
    );
    assert_eq!(
        place("authorization.routes[0].match.nothing"),
        place("authorization.routes[0].match")
    );
}

#[test]
fn yaml_means_what_yaml_1_2_says() {
    let document = source("a: no\nb: 010\nc: 1.5\nd: 2026-12-01T00:00:00Z\ne: ~\nf: true\ng: 'true'\n");
    let expected =
        json!({"a": "no", "c": 1.5, "d": "2026-12-01T00:00:00Z", "e": null, "f": true, "g": "true"});
    for (name, value) in expected.as_object().into_iter().flatten() {
        assert_eq!(document.document().get(name), Some(value), "{name}");
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    for text in [
        "a: 1\na: 2\n",
        "a: &x 1\nb: 2\n",
        "a: &x {c: 1}\nb: *x\n",
        "base: &b {c: 1}\na: {<<: *b}\n",
        "a: [1\n",
        "a: .nan\n",
        "a: 1\n---\nb: 2\n",
        "- a\n",
        "",
    ] {
        assert!(sources(&[text]).is_err(), "{text}");
    }
}

#[test]
fn a_syntax_error_has_a_place() {
    let faults = faults(&["a: 1\nb: [1, 2\nc: 3\n"]);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].2.is_some(), "{faults:?}");
}

#[test]
fn teams_can_keep_their_sections_apart() {
    let identity = "scopegate: v1\nauthentication: {realm: orders}\n";
    let one = "scopegate: v1\nauthorization:\n  scopes: {a: A}\n  routes: [{id: one}]\n";
    let two = "authorization:\n  scopes: {b: B}\n  routes:\n    - id: two\n";
    let joined = sources(&[identity, one, two]).expect("joined");
    assert_eq!(
        joined.document(),
        &json!({
            "scopegate": "v1",
            "authentication": {"realm": "orders"},
            "authorization": {"scopes": {"a": "A", "b": "B"}, "routes": [{"id": "one"}, {"id": "two"}]},
        })
    );
    let place = joined
        .locate("authorization.routes[1].id")
        .map(|it| (it.file, it.line, it.column));
    assert_eq!(place, Some((2, 4, 11)));
}

#[test]
fn a_field_is_set_by_one_file() {
    let one = "scopegate: v1\nauthorization: {cors_preflight: deny, scopes: {a: A}}\n";
    let two = "authorization:\n  cors_preflight: pass\n  scopes: {a: B}\n";
    let places = [
        (
            "duplicate_field".to_owned(),
            "authorization.cors_preflight".to_owned(),
            Some((1, 2, 3)),
        ),
        (
            "duplicate_field".to_owned(),
            "authorization.scopes.a".to_owned(),
            Some((1, 3, 12)),
        ),
    ];
    assert_eq!(faults(&[one, two]), places);
}

#[test]
fn a_key_file_that_is_not_there_is_named() {
    let text = "scopegate: v1\nauthentication:\n  providers:\n    - keys: {jwks_file: none.json}\n";
    let faults = faults(&[text]);
    assert_eq!(faults[0].0, "file_unreadable");
    assert_eq!(faults[0].1, "authentication.providers[0].keys.jwks_file");
    assert_eq!(faults[0].2, Some((0, 4, 25)));
}
