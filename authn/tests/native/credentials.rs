//! Finding exactly one credential in a request, and removing credentials before it is forwarded.

use scopegate_authn::{Algorithm, Authenticator, Challenge, CredentialLocation, Fields, Stripped};
use scopegate_document::UnixTime;
use serde_json::{Value, json};

use crate::common::{NOW, authenticator, prove, provider, token};

const ALG: Algorithm = Algorithm::Es256;

/// A request: headers, query.
type Request<'r> = (&'r [(&'r str, &'r str)], &'r str);

fn with_fields<T>((headers, query): Request<'_>, act: impl FnOnce(Fields<'_>) -> T) -> T {
    let headers: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(key, value)| (key.as_bytes(), value.as_bytes()))
        .collect();
    act(Fields {
        headers: &headers,
        query: Some(query.as_bytes()),
        ..Fields::default()
    })
}

fn code(authenticator: &Authenticator, request: Request<'_>) -> String {
    let answer = with_fields(request, |fields| prove(authenticator, fields, UnixTime(NOW)));
    answer
        .map_or_else(|rejection| rejection.reason.code(), |_| "ok")
        .to_owned()
}

fn at(name: &str, credential: &Value) -> Value {
    let issuer = format!("https://{name}.example");
    provider(
        &[ALG],
        &json!({"name": name, "issuer": issuer, "credential": credential}),
    )
}

#[test]
fn a_bearer_token_is_read_by_its_grammar() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    let t = &token(ALG, &json!({}));
    let one = |value: String| code(&authenticator, (&[("Authorization", &value)], ""));
    let cases = [
        (format!("Bearer {t}"), "ok"),
        (format!("bearer {t}"), "ok"),
        (format!("BEARER    {t}"), "ok"),
        (format!("  Bearer {t}\t"), "ok"),
        (format!("Bearer\t{t}"), "token_malformed"),
        (format!("Bearer \t{t}"), "token_malformed"),
        (format!("Bearer={t}"), "token_malformed"),
        (format!("Bearer:{t}"), "token_malformed"),
        (format!("Bearer \"{t}\""), "token_malformed"),
        ("Bearer".to_owned(), "token_malformed"),
        ("Bearer ".to_owned(), "token_malformed"),
        (format!("Bearer {t} {t}"), "token_malformed"),
        (format!("Bearer {t},"), "token_malformed"),
        (format!("Bearer {t},{t}"), "token_malformed"),
        (format!("Bearer {t}, realm=x"), "token_malformed"),
        (format!("Bearer token={t}"), "token_malformed"),
        (format!("Bearer {t}, Bearer {t}"), "credential_multiple"),
        (format!("Bearer {t},Basic eDp5"), "credential_multiple"),
        (format!("Basic eDp5, Bearer {t}"), "credential_multiple"),
        (format!("Basic eDp5,bearer {t}"), "credential_multiple"),
        (format!("Bearer {t}, Bearer"), "credential_multiple"),
        ("Basic eDp5".to_owned(), "credential_missing"),
        (format!("DPoP {t}"), "credential_missing"),
        (format!("Bearer{t}"), "credential_missing"),
        (format!("XBearer {t}"), "credential_missing"),
        (format!("Token Bearer {t}"), "credential_missing"),
        (t.clone(), "credential_missing"),
        (String::new(), "credential_missing"),
        (
            "Digest username=\"a\", realm=\"b\"".to_owned(),
            "credential_missing",
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(one(value.clone()), expected, "{value}");
    }
}

#[test]
fn one_credential_in_a_request_is_enough_and_more_are_refused() {
    let providers = [
        at("a", &Value::Null),
        at("b", &json!({"header": "X-Token"})),
        at("c", &json!({"cookie": "session"})),
        at("d", &json!({"query": "access_token"})),
    ];
    let authenticator = authenticator(&providers);
    let of = |name: &str| token(ALG, &json!({"iss": format!("https://{name}.example")}));
    let (a, b, c, d) = (format!("Bearer {}", of("a")), of("b"), of("c"), of("d"));
    let (cookie, two_cookies) = (
        format!("x=1; session={c}; y=2"),
        format!("session={c}; session={c}"),
    );
    let (query, encoded) = (
        format!("p=1&access_token={d}"),
        format!("access%5Ftoken={}", d.replace('.', "%2E")),
    );
    let two = format!("{query}&access%5ftoken={d}");
    let (quoted, half_quoted) = (format!("session=\"{c}\""), format!("session=\"{c}"));
    let cases: [(&str, Request<'_>, &str); 19] = [
        ("quoted cookie", (&[("cookie", &quoted)], ""), "ok"),
        (
            "half a quoted cookie",
            (&[("cookie", &half_quoted)], ""),
            "token_malformed",
        ),
        ("header", (&[("authorization", &a)], ""), "ok"),
        ("own header", (&[("x-token", &b)], ""), "ok"),
        ("cookie", (&[("cookie", &cookie)], ""), "ok"),
        (
            "cookie in the second field",
            (&[("cookie", "z=1"), ("Cookie", &cookie)], ""),
            "ok",
        ),
        ("query", (&[], &query), "ok"),
        ("encoded query", (&[], &encoded), "ok"),
        (
            "two fields",
            (&[("authorization", &a), ("Authorization", &a)], ""),
            "credential_multiple",
        ),
        (
            "two schemes in two fields",
            (&[("authorization", "Basic eDp5"), ("authorization", &a)], ""),
            "credential_multiple",
        ),
        (
            "two own headers",
            (&[("x-token", &b), ("X-TOKEN", &b)], ""),
            "credential_multiple",
        ),
        (
            "header and cookie",
            (&[("authorization", &a), ("cookie", &cookie)], ""),
            "credential_multiple",
        ),
        (
            "header and query",
            (&[("authorization", &a)], &query),
            "credential_multiple",
        ),
        (
            "two cookies",
            (&[("cookie", &two_cookies)], ""),
            "credential_multiple",
        ),
        ("two parameters", (&[], &two), "credential_multiple"),
        (
            "an empty cookie beside a header",
            (&[("authorization", &a), ("cookie", "session=")], ""),
            "credential_multiple",
        ),
        (
            "a cookie of another case",
            (&[("cookie", "Session=x")], ""),
            "credential_missing",
        ),
        (
            "a token where its provider does not read",
            (&[("x-token", &of("a"))], ""),
            "issuer_unknown",
        ),
        ("nothing", (&[("x-other", "y")], "p=1"), "credential_missing"),
    ];
    for (what, request, expected) in cases {
        assert_eq!(code(&authenticator, request), expected, "{what}");
    }
}

#[test]
fn credentials_are_removed_and_nothing_else_is() {
    let providers = [
        at("a", &Value::Null),
        at("c", &json!({"cookie": "session"})),
        at("d", &json!({"query": "access_token"})),
    ];
    let authenticator = authenticator(&providers);
    let strip = |request: Request<'_>| with_fields(request, |fields| authenticator.strip(&fields));
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        strip((&[("accept", "*/*"), ("cookie", "x=1")], "p=1")),
        Stripped::default()
    );
    assert_eq!(
        strip((&[("authorization", "Basic eDp5")], "")),
        Stripped::default(),
        "not a scheme of ours"
    );
    let stripped = strip((
        &[("Authorization", "Bearer x"), ("authorization", "Bearer y")],
        "",
    ));
    assert_eq!(stripped.remove, names(&["Authorization", "authorization"]));
    let hidden = strip((&[("authorization", "Basic eDp5, Bearer x")], ""));
    assert_eq!(hidden.remove, names(&["authorization"]));
    let cookies = strip((
        &[("Cookie", "a=1; session=x; b=2"), ("cookie", "session=y; c=3")],
        "",
    ));
    assert_eq!(
        (cookies.remove, cookies.cookie),
        (names(&["Cookie", "cookie"]), Some(b"a=1; b=2; c=3".to_vec()))
    );
    let only = strip((&[("cookie", "session=x")], ""));
    assert_eq!((only.remove, only.cookie), (names(&["cookie"]), None));
    assert_eq!(
        strip((&[], "a=1&access%5Ftoken=x&b=2&access_token=y")).query,
        Some(b"a=1&b=2".to_vec())
    );
    assert_eq!(strip((&[], "access_token=x")).query, Some(Vec::new()));
}

#[test]
fn a_credential_is_forwarded_only_where_its_provider_says_so() {
    let keep = |name: &str| {
        let mut provider = at(name, &Value::Null);
        provider["forward_credential"] = json!(true);
        provider
    };
    let strip = |authenticator: &Authenticator, issuer: &str| {
        let value = format!("Bearer {}", token(ALG, &json!({"iss": issuer})));
        with_fields((&[("authorization", &value)], ""), |fields| {
            authenticator.strip(&fields).remove.is_empty()
        })
    };
    let kept = authenticator(&[keep("a")]);
    assert!(strip(&kept, "https://a.example") && strip(&kept, "https://nobody.example"));
    let mixed = authenticator(&[keep("a"), at("b", &Value::Null)]);
    assert!(strip(&mixed, "https://a.example"));
    assert!(!strip(&mixed, "https://b.example") && !strip(&mixed, "https://nobody.example"));
}

#[test]
fn challenges_are_one_per_scheme() {
    let authenticator = authenticator(&[
        at("a", &Value::Null),
        at("b", &json!({"cookie": "session"})),
        at("c", &json!({"header": "authorization", "scheme": "Token"})),
    ]);
    let schemes = |providers: &[&str]| -> Vec<String> {
        let providers: Vec<String> = providers.iter().map(|name| (*name).to_owned()).collect();
        authenticator
            .challenges(&providers)
            .into_iter()
            .map(|Challenge { scheme, .. }| scheme)
            .collect()
    };
    assert_eq!(schemes(&[]), ["Bearer", "Token"]);
    assert_eq!(schemes(&["a", "b"]), ["Bearer"]);
    assert_eq!(schemes(&["c"]), ["Token"]);
    assert_eq!(authenticator.credential_locations().len(), 3);
    assert!(matches!(
        &authenticator.credential_locations()[0],
        CredentialLocation::Header { name, scheme: Some(scheme) } if name == "authorization" && scheme == "Bearer"
    ));
}

#[test]
fn a_credential_has_one_fingerprint_whether_it_is_good_or_not() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    let of = |value: &str| {
        with_fields((&[("authorization", value)], ""), |fields| {
            authenticator.fingerprint(fields)
        })
    };
    let token = token(ALG, &json!({}));
    let caller = crate::common::present(&authenticator, &token).expect("a verified caller");
    assert_eq!(
        of(&format!("Bearer {token}")).as_deref(),
        Some(caller.evidence().fingerprint.as_str())
    );
    // The SHA-256 of `abc` is in FIPS 180-4's examples.
    assert_eq!(
        of("Bearer abc").as_deref(),
        Some("sha256:ba7816bf8f01cfea414140de5dae2223")
    );
    assert_eq!((of("Basic eDp5"), of("Bearer a, Bearer b")), (None, None));
}

#[test]
fn what_an_upstream_could_read_as_the_credential_is_one() {
    let authenticator = authenticator(&[
        at("b", &json!({"header": "x-token"})),
        at("c", &json!({"cookie": "session"})),
        at("d", &json!({"query": "access_token"})),
    ]);
    let of = |name: &str| token(ALG, &json!({"iss": format!("https://{name}.example")}));
    let (header, cookie, query) = (of("b"), of("c"), of("d"));
    let (spaced, cut) = (
        format!("session={cookie}; session =evil"),
        format!("a=1&access_token={query};access_token=evil"),
    );
    let requests: [Request<'_>; 3] = [
        (&[("x-token", &header), ("x_token", "evil")], ""),
        (&[("cookie", &spaced)], ""),
        (&[], &cut),
    ];
    for request in requests {
        assert_eq!(
            code(&authenticator, request),
            "credential_multiple",
            "{request:?}"
        );
    }
    let stripped = with_fields(
        (
            &[("X_Token", "evil"), ("cookie", "session =evil; a=b")],
            "x=1;access_token=evil",
        ),
        |fields| authenticator.strip(&fields),
    );
    assert_eq!(stripped.remove, [b"X_Token".to_vec(), b"cookie".to_vec()]);
    assert_eq!(
        (stripped.cookie, stripped.query),
        (Some(b"a=b".to_vec()), Some(b"x=1".to_vec()))
    );
}

#[test]
fn a_header_that_proxies_write_or_a_scheme_that_promises_a_proof_holds_no_credential() {
    for (credential, field) in [
        (json!({"header": "x-request-id"}), "header"),
        (json!({"header": "X-Envoy-Original-Path"}), "header"),
        (json!({"header": "x-forwarded-for"}), "header"),
        (json!({"header": "authorization", "scheme": "dpop"}), "scheme"),
    ] {
        let faults =
            crate::common::compile(&json!({"providers": [at("a", &credential)]})).expect_err("a fault");
        assert_eq!(faults[0].path, format!("providers[0].credential.{field}"));
    }
}
