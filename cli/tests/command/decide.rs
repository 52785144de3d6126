//! `scopegate decide`: the machine door.

use crate::common::{run, stderr, stdout};
use serde_json::{Value, json};

const NOW: &str = "2026-11-22T09:00:00Z";

/// A request that is decided whatever comes after it.
const FIRST: &str = r#"{"method": "GET", "path": "/"}"#;

fn decide(lines: &[Value]) -> Vec<Value> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let output = run(&["decide", "--policy", "weak.yaml", "--now", NOW], &input);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn each_request_gets_one_line_with_every_field() {
    let decisions = decide(&[
        json!({"id": "a", "method": "GET", "path": "/healthz", "authority": "x.test"}),
        json!({"id": {"b": 1}, "method": "GET", "path": "/api", "authority": "x.test"}),
    ]);
    let [forwarded, refused] = decisions.as_slice() else {
        panic!("{decisions:?}")
    };
    for field in [
        "id",
        "outcome",
        "status",
        "code",
        "layer",
        "route",
        "reply_headers",
        "upstream",
        "audit",
        "elapsed_us",
    ] {
        assert!(
            forwarded.get(field).is_some() && refused.get(field).is_some(),
            "{field}"
        );
    }
    assert_eq!(
        (&forwarded["id"], &forwarded["outcome"]),
        (&json!("a"), &json!("forward"))
    );
    assert_eq!(
        (&forwarded["route"], &forwarded["upstream"]["path"]),
        (&json!("health"), &json!("/healthz"))
    );
    assert_eq!(
        (&refused["id"], &refused["outcome"]),
        (&json!({"b": 1}), &json!("reply"))
    );
    assert_eq!(
        (&refused["status"], &refused["code"]),
        (&json!(401), &json!("credential_missing"))
    );
    assert_eq!(
        (&refused["layer"], &refused["route"]),
        (&json!("authentication"), &json!("api"))
    );
    assert_eq!(refused["audit"][0]["reason"], "credential_missing");
}

#[test]
fn odd_requests_are_decided_and_never_refused_by_the_command() {
    let odd = [
        json!({"method": "", "path": "", "authority": ""}),
        json!({"method": "GE T", "path": "nowhere", "authority": "a,b@c"}),
        json!({"method": "GET", "path_hex": "00ff", "headers_hex": [["authorization", "ff00"]]}),
        json!({"method": "GET", "path": "/", "headers": [["", ""], [":path", "/x"]], "unheard_of": 1}),
    ];
    let decisions = decide(&odd);
    assert_eq!(decisions.len(), odd.len());
    assert!(
        decisions.iter().all(|decision| decision["outcome"] == "reply"),
        "{decisions:#?}"
    );
}

#[test]
fn the_world_changes_between_lines() {
    let request = |path: &str| json!({"method": "GET", "path": path, "authority": "x.test"});
    let decisions = decide(&[
        request("/healthz"),
        json!({"control": "reconfigure", "policy": "other.yaml"}),
        request("/healthz"),
        request("/alive"),
        json!({"control": "reconfigure", "policy": {"scopegate": "v1"}}),
        request("/alive"),
        json!({"control": "advance", "seconds": 61}),
        request("/api"),
    ]);
    let codes: Vec<&str> = decisions
        .iter()
        .map(|decision| decision["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["allow", "no_route", "allow", "allow", "credential_missing"]
    );
    assert_eq!(decisions[4]["audit"][0]["time"], "2026-11-22T09:01:01Z");
}

/// A policy whose keys come from elsewhere.
const REMOTE: &str = r#"{
  "scopegate": "v1",
  "metadata": {"name": "remote"},
  "authentication": {"providers": [{
    "name": "opaque", "type": "introspection", "endpoint": "https://idp.example.com/introspect", "upstream": "idp",
    "client_auth": {"basic": {"username": "orders", "password": {"env": "HOME"}}},
    "issuer": "https://idp.example.com", "audiences": ["api"], "cache": "0s"
  }]},
  "authorization": {
    "scopes": {"orders:read": "Read orders"},
    "routes": [{"id": "orders", "match": {"methods": ["GET"], "path": "/orders"}, "access": {"scopes": {"all": ["orders:read"]}}}]
  }
}"#;

#[test]
fn upstreams_are_down_until_they_are_said_to_answer() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("remote.json");
    std::fs::write(&policy, REMOTE).unwrap();
    let request = r#"{"method": "GET", "path": "/orders", "authority": "a", "headers": [["authorization", "Bearer x"]]}"#;
    let says = |members: &str| format!(r#"{{"control": "http_response", "upstream": "idp", {members}}}"#);
    let active = r#""path": "/introspect", "body": {"active": true, "sub": "anna", "scope": "orders:read", "iss": "https://idp.example.com", "aud": "api", "exp": 4102444800}"#;
    let lines = [
        request.to_owned(),
        says(active),
        request.to_owned(),
        says(r#""path": "/introspect", "body": {"active": false}"#),
        request.to_owned(),
        says(r#""path": "/introspect", "status": 500, "headers": [["x", "y"]], "body": "no""#),
        request.to_owned(),
        says(r#""path": "/introspect", "fails": "silent""#),
        request.to_owned(),
    ];
    let output = run(
        &["decide", "--policy", policy.to_str().unwrap(), "--now", NOW],
        &lines.join("\n"),
    );
    let codes: Vec<String> = stdout(&output)
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["code"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let expected = [
        "introspection_unavailable",
        "allow",
        "token_inactive",
        "introspection_unavailable",
        "introspection_unavailable",
    ];
    assert_eq!(codes, expected, "{}", stderr(&output));
    for members in [
        r#""fails": "never""#,
        r#""status": "x""#,
        r#""headers": {}"#,
        r#""paths": "/""#,
    ] {
        let output = run(
            &["decide", "--policy", policy.to_str().unwrap(), "--now", NOW],
            &says(members),
        );
        assert_eq!(output.status.code(), Some(2), "{members}");
    }
}

#[test]
fn a_line_that_is_no_request_is_named_by_its_number() {
    for (line, message) in [
        ("nonsense", "not a JSON object"),
        ("[1]", "not a JSON object"),
        (r#"{"id": 1, "id": 2}"#, "not a JSON object"),
        (r#"{"method": "GET", "path": "/", "headers": {}}"#, "`headers`"),
        (r#"{"method": "GET", "path_hex": "x"}"#, "hex digits"),
        ("{}", "`method`: it is missing"),
        (r#"{"path": "/"}"#, "`method`: it is missing"),
        (r#"{"method": "GET"}"#, "`path`: it is missing"),
        (r#"{"control": "unheard-of"}"#, "unknown control `unheard-of`"),
        (r#"{"control": "http_response"}"#, "`upstream` is missing"),
        (r#"{"control": "advance"}"#, "`seconds`"),
        (
            r#"{"control": "advance", "seconds": 18446744073}"#,
            "a hundred years",
        ),
    ] {
        let output = run(
            &["decide", "--policy", "weak.yaml", "--now", NOW],
            &format!("{FIRST}\n\n{line}\n{FIRST}\n"),
        );
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert_eq!(
            stdout(&output).lines().count(),
            1,
            "{line}: what came before is decided"
        );
        let said = stderr(&output);
        assert!(
            said.contains("line 3: ") && said.contains(message),
            "{line}: {said}"
        );
    }
}

#[test]
fn the_exit_status_tells_what_went_wrong() {
    for (arguments, status) in [
        (&["decide", "--policy", "faulty.yaml"][..], 2),
        (&["decide", "--policy", "absent.yaml"], 3),
        (&["decide", "--policy", "weak.yaml", "--wasm", "absent.wasm"], 3),
        (&["decide", "--policy", "weak.yaml", "--now", "tomorrow"], 2),
        (&["decide"], 2),
        (&["decide", "--policy", "weak.yaml", "--now", "1795338000"], 0),
    ] {
        let output = run(arguments, "");
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
    let output = run(&["decide", "--policy", "weak.yaml", "--wasm", "absent.wasm"], "");
    assert!(
        stderr(&output).contains("cargo xtask wasm"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_module_that_is_none_is_said_in_two_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.wasm");
    std::fs::write(&path, "this is no module").unwrap();
    let module = path.to_str().unwrap();
    let output = run(&["decide", "--policy", "weak.yaml", "--wasm", module], "");
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines.len() == 3 && lines[0].contains("cannot load `") && lines[1].contains("magic"),
        "{said}"
    );
}
