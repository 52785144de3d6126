use serde_json::{Value, json};

use super::Facts;
use crate::exchange::{Answer, Outcome, Request, Upstream};

fn facts() -> Facts {
    Facts::of(&json!({"authentication": {
        "identity_headers": {"subject": "x-auth-subject", "email": "X_Auth_Email"},
        "providers": [
            {"name": "corp"},
            {"name": "browser", "credential": {"cookie": "session"}},
            {"name": "link", "credential": {"query": "access_token"}},
            {"name": "device", "credential": {"header": "x-device"}},
            {"name": "kept", "credential": {"header": "x-kept"}, "forward_credential": true},
        ],
    }}))
}

fn forwarded(path: &str, headers: &[(&str, &str)]) -> Answer {
    let pair = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    Answer {
        id: Value::Null,
        outcome: Outcome::Forward,
        status: None,
        code: Some("allow".to_owned()),
        layer: None,
        would_deny: None,
        route: None,
        reply_headers: Vec::new(),
        reply_body: Vec::new(),
        upstream: Some(Upstream {
            path: path.as_bytes().to_vec(),
            headers: headers.iter().map(pair).collect(),
        }),
        audit: Vec::new(),
        observed: crate::observed::Observed::default(),
        elapsed_us: 1,
    }
}

fn refused(code: &str, status: u16) -> Answer {
    Answer {
        outcome: Outcome::Reply,
        status: Some(status),
        code: Some(code.to_owned()),
        upstream: None,
        ..forwarded("", &[])
    }
}

fn mismatches(expect: &Value, request: &Request, answer: &Answer) -> Vec<String> {
    let expect = serde_json::from_value(expect.clone()).unwrap();
    let found = facts().check(&expect, request, answer);
    found.into_iter().map(|mismatch| mismatch.what).collect()
}

#[test]
fn a_code_has_one_status() {
    let request = Request::get("a", "/");
    let grpc = request.clone().header("content-type", "application/grpc+proto");
    for (code, right, wrong) in [
        ("credential_missing", 401, 403),
        ("credential_multiple", 400, 401),
        ("ambiguous_path", 400, 403),
        ("headers_truncated", 431, 400),
        ("no_route", 403, 404),
        ("scope_missing", 403, 401),
        ("step_up_required", 401, 403),
        ("keys_unavailable", 503, 401),
    ] {
        let expect = json!({"deny": code});
        let none = Vec::<String>::new();
        assert_eq!(
            mismatches(&expect, &request, &refused(code, right)),
            none,
            "{code}"
        );
        assert_eq!(mismatches(&expect, &grpc, &refused(code, 200)), none, "{code}");
        let named = [format!("status of {code}")];
        assert_eq!(
            mismatches(&expect, &request, &refused(code, wrong)),
            named,
            "{code}"
        );
        assert_eq!(mismatches(&expect, &grpc, &refused(code, right)), named, "{code}");
        let stated = json!({"reject": code, "status": wrong});
        assert_eq!(
            mismatches(&stated, &request, &refused(code, wrong)),
            none,
            "{code}"
        );
    }
    let unknown = mismatches(&json!({"deny": "x"}), &request, &refused("x", 400));
    assert_eq!(unknown, ["status of x"]);
}

#[test]
fn a_path_goes_on_as_it_came() {
    let expect = json!({"allow": true});
    let sent = |path: &str| Request::get("a", path);
    for (came, went, holds) in [
        ("/a%62?x=1", "/a%62?x=1", true),
        ("/a%62", "/ab", false),
        ("/a?x=1", "/a", false),
        ("/a?x=1&access_token=t", "/a?x=1", true),
        ("/a?access%5Ftoken=t", "/a", true),
        ("/a?access_token=t", "/b", false),
    ] {
        let found = mismatches(&expect, &sent(came), &forwarded(went, &[]));
        assert_eq!(found.is_empty(), holds, "{came} {went}: {found:?}");
    }
    let stated = json!({"allow": true, "upstream_path": "/b"});
    assert!(mismatches(&stated, &sent("/a"), &forwarded("/b", &[])).is_empty());
}

#[test]
fn what_the_client_says_of_itself_never_goes_on() {
    let request = Request::get("a", "/")
        .header("X_AUTH-Subject", "root")
        .header("x-auth-email", "root@x");
    let found = |name: &str, value: &str| {
        mismatches(
            &json!({"allow": true}),
            &request,
            &forwarded("/", &[(name, value)]),
        )
    };
    for (name, value) in [
        ("x-auth-subject", "root"),
        ("x_auth_subject", "root"),
        ("X-Auth-Email", "root@x"),
        ("x-auth-subject", "anna, root"),
    ] {
        assert_eq!(found(name, value), [format!("upstream header {name}")], "{value}");
    }
    assert!(found("x-auth-subject", "anna").is_empty());
    assert!(found("x-auth", "root").is_empty());
}

#[test]
fn no_credential_goes_on() {
    let found = |path: &str, headers: &[(&str, &str)]| {
        let request = Request::get("a", path);
        mismatches(&json!({"allow": true}), &request, &forwarded(path, headers))
    };
    for (path, name, value, what) in [
        ("/", "Authorization", "bearer t", "upstream header authorization"),
        ("/", "cookie", "a=b; session=t", "upstream cookie session"),
        ("/", "X-Device", "t", "upstream header x-device"),
        ("/?a=1&access%5ftoken=t", "a", "b", "upstream query access_token"),
    ] {
        assert_eq!(found(path, &[(name, value)]), [what]);
    }
    let innocent = [
        ("authorization", "Basic dTpw"),
        ("cookie", "sessions=1; a=session"),
        ("x-kept", "t"),
    ];
    assert_eq!(found("/access_token", &innocent), Vec::<String>::new());
}
