//! What is said of test files that are wrong: every kind of fault, as its author sees it.

use std::fmt::Write as _;
use std::fs;

use crate::common::{command, stderr, stdout};

/// What is said of `a.test.yaml` in a folder with these files and a policy.
fn said(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        crate::common::fixtures().join("weak.yaml"),
        folder.path().join("policy.yaml"),
    )
    .unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut command = command(&["test", "--engine", "native", "a.test.yaml"]);
    let output = command.current_dir(folder.path()).output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{files:?}: {}", stdout(&output));
    assert_eq!(stdout(&output), "");
    stderr(&output)
}

/// A test of a policy, with `more` in it.
fn test(more: &str) -> String {
    format!(
        "policy: policy.yaml\nkeys: {{k1: {{alg: ES256}}}}\ntokens: {{reader: {{raw: a.b.c}}}}\n{more}\n\
         tests:\n  - name: nobody\n    request: {{path: /healthz}}\n    expect: {{allow: true}}\n"
    )
}

#[test]
fn every_fault_says_what_is_wrong_where_and_what_would_be_right() {
    let with = |from: &str, to: &str| test("").replace(from, to);
    let faults = [
        (
            "a field that is misspelt",
            with("request: {path", "request: {pth"),
        ),
        (
            "a token that nobody describes",
            with("{path: /healthz}", "{path: /healthz, token: raeder}"),
        ),
        (
            "a place for a token that nobody describes",
            with("/healthz}", "\"/healthz?t={{raeder}}\"}"),
        ),
        (
            "a token made from one that is not there",
            with("{raw: a.b.c}", "{from: writer}"),
        ),
        ("a token made from itself", with("{raw: a.b.c}", "{from: reader}")),
        ("a key that is not there", with("{raw: a.b.c}", "{key: k2}")),
        (
            "a token without a key",
            with("{raw: a.b.c}", "{claims: {sub: anna}}"),
        ),
        (
            "a key to be bound to that is not there",
            with("{raw: a.b.c}", "{key: k1, bound_to: fone}"),
        ),
        ("an algorithm that is none", with("ES256", "ES255")),
        (
            "a provider that is not there",
            with("{alg: ES256}", "{alg: ES256, provider: crop}"),
        ),
        (
            "an API key that is not there",
            with("{raw: a.b.c}", "{api_key: acme}"),
        ),
        (
            "a proof by a key that is not there",
            with("{path: /healthz}", "{path: /healthz, dpop: {key: phone}}"),
        ),
        (
            "two decisions",
            with("{allow: true}", "{allow: true, deny: no_route}"),
        ),
        (
            "a refusal of no kind and no status",
            with("{allow: true}", "{allow: false}"),
        ),
        (
            "neither request nor steps",
            with("    request: {path: /healthz}\n    expect: {allow: true}\n", ""),
        ),
        (
            "a step that does two things",
            with(
                "    request: {path: /healthz}\n    expect: {allow: true}\n",
                "    steps: [{advance: 1m, reconfigure: policy.yaml}]\n",
            ),
        ),
        (
            "an answer of an upstream that is not there",
            with(
                "    request: {path: /healthz}\n    expect: {allow: true}\n",
                "    steps: [{answer: {idp: [{status: 200}]}}]\n",
            ),
        ),
        (
            "an answer with two bodies",
            test("upstreams: {idp: [{body: a, json: {}}]}"),
        ),
        (
            "an answer with a key that is not there",
            test("upstreams: {idp: [{jwks: [k2]}]}"),
        ),
        (
            "a caller of a matrix that is not there",
            test("matrix: {callers: [reader, none], cells: {GET /healthz: {raeder: allow}}}"),
        ),
        (
            "a row of a matrix that is no request",
            test("matrix: {callers: [none], cells: {/healthz: {none: allow}}}"),
        ),
        ("a token called none", with("reader: ", "none: ")),
        (
            "a policy that is not there",
            with("policy: policy.yaml", "policy: absent.yaml"),
        ),
        (
            "a policy that is a folder",
            with("policy: policy.yaml", "policy: [.]"),
        ),
        ("no policy at all", with("policy: policy.yaml", "policy: []")),
        ("an empty file", "# to be written\n".to_owned()),
        ("a list", "- policy.yaml\n".to_owned()),
        (
            "the policy in place of its tests",
            "scopegate: v1\nauthorization: {routes: []}\n".to_owned(),
        ),
        (
            "a request of which nothing is expected",
            with("    expect: {allow: true}\n", ""),
        ),
        (
            "an expectation without a request",
            with("    request: {path: /healthz}\n", ""),
        ),
        (
            "a route that is not there",
            with("{allow: true}", "{allow: \"health \"}"),
        ),
        (
            "a cell with a route that is not there",
            test("matrix: {callers: [none], cells: {GET /healthz: {none: \"allow:helth\"}}}"),
        ),
        (
            "a path in hex that is none",
            with("{path: /healthz}", "{path_hex: 2fzz}"),
        ),
        (
            "a header in hex that is none",
            with(
                "{path: /healthz}",
                "{path: /healthz, headers_hex: [[x-a, \"41\"], [x-b, \"4\"]]}",
            ),
        ),
        (
            "a header in hex that is none, for every cell",
            test(
                "matrix: {callers: [none], request: {headers_hex: [[x, g0]]}, cells: {GET /healthz: {none: allow}}}",
            ),
        ),
        (
            "a test with the name of a cell",
            test("matrix: {callers: [none], cells: {GET /healthz: {none: allow}}}")
                .replace("name: nobody", "name: GET /healthz as none"),
        ),
        (
            "a code that is none",
            with("{allow: true}", "{deny: tokn_expired}"),
        ),
        (
            "cells that are neither allow nor a code",
            test("matrix: {callers: [none, reader], cells: {GET /healthz: {none: Allow, reader: deny}}}"),
        ),
        (
            "an address that is none",
            with("{path: /healthz}", "{path: /healthz, peer: {address: banana}}"),
        ),
        (
            "an address with a dot too many, and a digest in no hex",
            with(
                "{path: /healthz}",
                "{path: /healthz, peer: {address: \"10.0.0.1.:80\", cert_sha256: zz}}",
            ),
        ),
        (
            "a digest that is too short, for every cell",
            test(
                "matrix: {callers: [none], request: {peer: {cert_sha256: abcd}}, cells: {GET /healthz: {none: allow}}}",
            ),
        ),
        (
            "an end that is stated twice",
            with(
                "{raw: a.b.c}",
                "{key: k1, provider: corp, expires_in: 1m, claims: {exp: 5}}",
            ),
        ),
        (
            "an end that the token it is made from states",
            with(
                "{raw: a.b.c}",
                "{from: ended, expires_in: 1m}, ended: {key: k1, provider: corp, claims: {exp: 5}}",
            ),
        ),
        (
            "a header member to stand twice that is not there",
            with(
                "{raw: a.b.c}",
                "{key: k1, provider: corp, duplicate_header: [nosuch]}",
            ),
        ),
        (
            "a claim to stand twice that is not there",
            with(
                "{raw: a.b.c}",
                "{key: k1, provider: corp, duplicate_claims: [nosuch]}",
            ),
        ),
        (
            "a callout to an upstream that is not there, never asked",
            with(
                "{allow: true}",
                "{allow: true, callouts: [{upstream: ux, times: 0}]}",
            ),
        ),
        (
            "metrics that there never are",
            with(
                "{allow: true}",
                "{allow: true, metrics: {scopegate.authorization.helth.allow: 0, scopegate.authorization.health.allowed.deny: 0, \
                 scopegate.authorization.health.allow.none: 0, scopegate.authorization.health.deny: 0, scopegate.fetch.x: 0, \
                 scopegate.authentication.crop.success: 0, scopegate.host_signatures.XS256: 0}}",
            ),
        ),
        (
            "members of an audit record's members that there never are",
            with(
                "{allow: true}",
                "{allow: true, audit: [{policy: {nmae: null}, credential: {knd: null}}]}",
            ),
        ),
        (
            "headers that are never there, and never expected to be",
            with(
                "{allow: true}",
                "{deny: no_route, headers: {www-autenticate: null}, upstream: {x-never-heard-of: null}}",
            ),
        ),
        (
            "what every value contains",
            with(
                "{allow: true}",
                "{allow: true, upstream: {x-a: {contains: \"\"}}}",
            ),
        ),
        (
            "a route of no policy, though one is replaced",
            with(
                "    request: {path: /healthz}\n    expect: {allow: true}\n",
                "    steps: [{reconfigure: policy.yaml}, {request: {path: /healthz}, expect: {allow: helth}}]\n",
            ),
        ),
        ("an anchor", with("{raw: a.b.c}", "&a {raw: a.b.c}")),
        (
            "a control character",
            with("{path: /healthz}", "{path: /healthz, token: \"\\e[2J\\u202e\"}"),
        ),
    ];
    let mut all = String::new();
    for (what, text) in faults {
        assert_ne!(text, test(""), "{what}");
        let _ = writeln!(all, "== {what}\n{}", said(&[("a.test.yaml", &text)]));
    }
    insta::assert_snapshot!("faults", all);
}

#[test]
fn a_fault_of_fixtures_is_shown_in_the_file_that_has_it() {
    let main = |fixtures: &str| test(&format!("fixtures: {fixtures}"));
    let faults = [
        ("a file that is not there", main("absent.yaml"), "", ""),
        ("a file that is wrong", main("one.yaml"), "tokns: {}\n", ""),
        (
            "a circle",
            main("one.yaml"),
            "fixtures: two.yaml\n",
            "fixtures: one.yaml\n",
        ),
        (
            "a name of the test file's own",
            main("one.yaml"),
            "tokens: {reader: {raw: x}}\n",
            "",
        ),
        (
            "a name of two files",
            main("[one.yaml, two.yaml]"),
            "keys: {k2: {alg: ES256}}\n",
            "# two\nkeys: {k2: {alg: ES384}}\n",
        ),
        (
            "a token with a key that nobody has",
            main("one.yaml"),
            "# one\ntokens:\n  writer: {key: k7}\n",
            "",
        ),
        (
            "a key of no algorithm",
            main("one.yaml"),
            "keys: {k2: {alg: ES255}}\n",
            "",
        ),
    ];
    let mut all = String::new();
    for (what, text, one, two) in faults {
        let files = [
            ("a.test.yaml", text.as_str()),
            ("one.yaml", one),
            ("two.yaml", two),
        ];
        let _ = writeln!(all, "== {what}\n{}", said(&files));
    }
    insta::assert_snapshot!("fixtures", all);
}

#[test]
fn fixtures_are_shared_and_may_be_named_twice() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::copy(
        crate::common::fixtures().join("weak.yaml"),
        folder.path().join("policy.yaml"),
    )
    .unwrap();
    write("keys.yaml", "keys: {k2: {alg: ES256}}\n");
    write("one.yaml", "fixtures: keys.yaml\ntokens: {one: {raw: a}}\n");
    write("two.yaml", "fixtures: [keys.yaml]\ntokens: {two: {from: one}}\n");
    write(
        "a.test.yaml",
        &test("fixtures: [one.yaml, two.yaml]").replace("/healthz}", "/healthz, headers: {x: \"{{two}}\"}}"),
    );
    let mut command = command(&["test", "--engine", "native", "a.test.yaml"]);
    let output = command.current_dir(folder.path()).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
}
