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

/// What is said of a text that cannot be read.
fn said(text: &str) -> Option<(String, String)> {
    let unreadable = sources(&[text]).err()?;
    let first = unreadable.diagnostics.into_iter().next().expect("a reason");
    assert!(first.location.is_some(), "{text:?}: {first:?}");
    Some((first.message, first.help))
}

#[test]
fn what_yaml_has_and_policies_do_not_is_named() {
    let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
    for (text, message) in [
        (
            "a: &x 1",
            "anchors and aliases (`&name`, `*name`) are not read here",
        ),
        (
            "a: *x",
            "anchors and aliases (`&name`, `*name`) are not read here",
        ),
        ("a: {<<: {b: 1}}", "merge keys (`<<`) are not read here"),
        ("a: 1\n---\nb: 2", "a second document begins here"),
        ("a: 1\na: 2", "the field `a` stands here twice"),
        ("a: !!binary \"%\"", "tags have no meaning here"),
        ("a: .inf", "`.inf` is no finite number"),
        (deep.as_str(), "this is nested too deep"),
        ("", "the file is empty"),
        ("- a", "the file is a list, and no mapping"),
        ("text", "the file is one value, and no mapping"),
    ] {
        assert_eq!(
            said(text).map(|(message, _)| message).as_deref(),
            Some(message),
            "{text:?}"
        );
    }
}

#[test]
fn no_name_of_a_type_gets_out_whatever_is_written() {
    let parts = [
        "a",
        ": ",
        "\n",
        "  ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "!t ",
        "!!binary ",
        "!!int ",
        "<<: ",
        "'",
        "\"",
        "|\n",
        ">\n",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "~",
        "1e999",
        ".nan",
        "0x",
        "true",
        "\t",
        "\0",
        "\u{feff}",
        "#",
        "\\x",
    ];
    let mut refused = 0;
    for one in parts {
        for two in parts {
            for three in parts {
                let text = format!("{one}{two}{three}");
                let nested = format!("k: {text}");
                for text in [text, nested] {
                    let Some((message, help)) = said(&text) else {
                        continue;
                    };
                    refused += 1;
                    let ours = format!("{message} {help}");
                    for word in [
                        "::", "budget", "Options", "Option<", "serde", "struct", " {", "Policy",
                    ] {
                        assert!(!ours.contains(word), "{text:?}: {ours}");
                    }
                    assert!(
                        !message.is_empty() && !message.contains('\n'),
                        "{text:?}: {message:?}"
                    );
                }
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
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
