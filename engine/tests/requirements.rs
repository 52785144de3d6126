//! The normative rules for replies, by number: what a client is told, and what nobody is.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use base64_simd::URL_SAFE_NO_PAD;
use scopegate_authn::{Algorithm, Attempt, Nonces};
use scopegate_engine::{Decision, Engine, Outcome, Progress, Reply, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{NOW, decide, engine, policy, token};

const LIST: &str = "/tenants/acme/orders";

fn reply(decision: &Decision) -> &Reply {
    match &decision.outcome {
        Outcome::Reply(reply) => reply,
        Outcome::Forward(forward) => panic!("forwarded: {forward:?}"),
    }
}

fn values<'r>(reply: &'r Reply, name: &str) -> Vec<&'r str> {
    let named = reply.headers.iter().filter(|(found, _)| *found == name);
    named.map(|(_, value)| value.as_str()).collect()
}

fn challenges(decision: &Decision) -> Vec<&str> {
    values(reply(decision), "www-authenticate")
}

fn with_provider(changes: &Value) -> Value {
    let mut policy = policy();
    for (name, value) in changes.as_object().expect("an object") {
        policy["authentication"]["providers"][0][name] = value.clone();
    }
    policy["authentication"]["origins"] = json!(["https://api.example.com"]);
    policy
}

fn bearer(claims: Value) -> String {
    format!("Bearer {}", token(claims))
}

/// A request that is refused: what it shows, method, credentials, status and the error that is named.
type Refused = (&'static str, &'static str, Vec<String>, u16, Option<&'static str>);

/// Requests that are refused in every way that has a challenge of its own.
fn refusals() -> Vec<Refused> {
    let good = bearer(json!({}));
    vec![
        ("nothing", "GET", vec![], 401, None),
        ("another scheme", "GET", vec!["Basic YTpi".to_owned()], 401, None),
        (
            "nonsense",
            "GET",
            vec!["Bearer x".to_owned()],
            401,
            Some("invalid_token"),
        ),
        (
            "expired",
            "GET",
            vec![bearer(json!({"exp": 1, "iat": 0}))],
            401,
            Some("invalid_token"),
        ),
        (
            "revoked",
            "GET",
            vec![bearer(json!({"jti": "t-1"}))],
            401,
            Some("invalid_token"),
        ),
        (
            "bound",
            "GET",
            vec![bearer(json!({"cnf": {"jkt": "x"}}))],
            401,
            Some("invalid_token"),
        ),
        (
            "two",
            "GET",
            vec![good.clone(), good.clone()],
            400,
            Some("invalid_request"),
        ),
        (
            "too few scopes",
            "POST",
            vec![good],
            403,
            Some("insufficient_scope"),
        ),
    ]
}

fn revoking() -> Value {
    let mut policy = policy();
    policy["authentication"]["revocation"] = json!({"tokens": [{"provider": "corp", "jti": "t-1"}]});
    policy
}

fn asked(engine: &Engine, method: &str, credentials: &[String]) -> Decision {
    let headers: Vec<(&str, &str)> = credentials
        .iter()
        .map(|value| ("authorization", value.as_str()))
        .collect();
    decide(engine, method, LIST, &headers)
}

#[test]
fn r048_r050_r051_a_refusal_names_its_error_in_a_challenge_and_nothing_where_nothing_was_sent() {
    let engine = engine(&revoking());
    for (what, method, credentials, status, error) in refusals() {
        let decision = asked(&engine, method, &credentials);
        assert_eq!(reply(&decision).status, status, "{what}");
        let challenges = challenges(&decision);
        let [challenge] = challenges.as_slice() else {
            panic!("{what}: one challenge, not {challenges:?}");
        };
        assert!(
            challenge.starts_with(r#"Bearer realm="orders""#),
            "{what}: {challenge}"
        );
        let named = challenge
            .split_once("error=\"")
            .and_then(|(_, rest)| rest.split('"').next());
        assert_eq!(named, error, "{what}: {challenge}");
        assert_eq!(
            challenge.contains("scope=\""),
            error == Some("insufficient_scope"),
            "{what}: {challenge}"
        );
    }
}

#[test]
fn r049_a_challenge_holds_nothing_that_a_quoted_string_may_not_and_no_description() {
    let mut policy = revoking();
    policy["authentication"]["realm"].take();
    policy["authentication"]
        .as_object_mut()
        .expect("an object")
        .remove("realm");
    policy["metadata"]["name"] = json!("or\"de\\rs\r\n ö\u{0}\u{7f}");
    let engine = engine(&policy);
    for (what, method, credentials, _, _) in refusals() {
        let decision = asked(&engine, method, &credentials);
        for challenge in challenges(&decision) {
            assert!(
                challenge.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                "{what}: {challenge}"
            );
            assert!(
                challenge.starts_with(r#"Bearer realm="or\"de\\rs ""#),
                "{what}: {challenge}"
            );
            assert!(!challenge.contains("error_description"), "{what}: {challenge}");
        }
    }
}

#[test]
fn r052_no_refusal_is_stored_by_a_cache() {
    let in_query = with_provider(&json!({"credential": {"query": "access_token"}}));
    let decision = decide(
        &engine(&in_query),
        "GET",
        "/tenants/acme/orders?access_token=x",
        &[],
    );
    assert_eq!(
        (decision.code, values(reply(&decision), "cache-control")),
        ("token_malformed", vec!["no-store"])
    );
    let engine = engine(&revoking());
    for (what, method, credentials, _, _) in refusals() {
        let decision = asked(&engine, method, &credentials);
        assert_eq!(values(reply(&decision), "cache-control"), ["no-store"], "{what}");
    }
}

#[test]
fn r059_a_challenge_for_bound_tokens_says_which_algorithms_proofs_may_have() {
    let settings = json!({"binding": "dpop", "dpop": {"algorithms": ["ES256", "EdDSA"]}});
    let decision = decide(&engine(&with_provider(&settings)), "GET", LIST, &[]);
    assert_eq!(
        challenges(&decision),
        [r#"DPoP realm="orders", algs="ES256 EdDSA""#]
    );
    let either = decide(
        &engine(&with_provider(&json!({"binding": "any"}))),
        "GET",
        LIST,
        &[],
    );
    let [bearer, dpop] = challenges(&either)[..] else {
        panic!("two challenges: {either:?}");
    };
    assert_eq!(bearer, r#"Bearer realm="orders""#);
    let asymmetric = Algorithm::ALL
        .iter()
        .filter(|algorithm| algorithm.is_built_in() && !algorithm.is_symmetric())
        .map(|algorithm| algorithm.name())
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(dpop, format!(r#"DPoP realm="orders", algs="{asymmetric}""#));
}

/// A proof for `token` that holds in all but its signature: a nonce is asked for before that is looked at.
fn unsigned_proof(token: &str, jwk: &Value) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode_to_string(text);
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
    let claims = json!({
        "jti": "p-1", "htm": "GET", "htu": format!("https://api.example.com{LIST}"), "iat": NOW.0,
        "ath": URL_SAFE_NO_PAD.encode_to_string(Sha256::digest(token)),
    });
    let signature = URL_SAFE_NO_PAD.encode_to_string([1; 64]);
    format!(
        "{}.{}.{signature}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

#[test]
fn r060_whoever_lacks_a_nonce_is_given_one_and_told_so() {
    let engine = engine(&with_provider(
        &json!({"binding": "dpop", "dpop": {"nonce": "required"}}),
    ));
    // The key of RFC 7515 appendix A.3.
    let (x, y) = (
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    );
    let thumbprint = Sha256::digest(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
    let token = token(json!({"cnf": {"jkt": URL_SAFE_NO_PAD.encode_to_string(thumbprint)}}));
    let proof = unsigned_proof(&token, &json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}));
    let (credential, stale) = (format!("DPoP {token}"), proof.replace('.', ".."));
    let mut live = engine.authenticator().live();
    live.set_nonces(Nonces::new(&zeroize::Zeroizing::new([5; 32])));
    let cases = [
        (
            "no nonce in the proof",
            Some(&proof),
            "proof_nonce",
            "use_dpop_nonce",
            true,
        ),
        (
            "no proof at all",
            None,
            "proof_missing",
            "invalid_dpop_proof",
            true,
        ),
        (
            "no proof worth the name",
            Some(&stale),
            "proof_invalid",
            "invalid_dpop_proof",
            false,
        ),
    ];
    for (what, proof, code, error, is_given_a_nonce) in cases {
        let mut headers: Vec<(&[u8], &[u8])> = vec![(b"authorization", credential.as_bytes())];
        headers.extend(proof.map(|proof| (&b"dpop"[..], proof.as_bytes())));
        let request = Request {
            method: b"GET",
            path: LIST.as_bytes(),
            authority: Some(b"api.example.com"),
            headers: &headers,
            peer: None,
            source: None,
            id: "r-1",
            serial: 1,
        };
        let Progress::Decided(decision) = engine.decide(&request, &mut live, &Attempt::default(), Some(NOW))
        else {
            panic!("{what}: decided");
        };
        assert_eq!((decision.code, reply(&decision).status), (code, 401), "{what}");
        assert!(
            challenges(&decision)[0].contains(&format!("error=\"{error}\"")),
            "{what}"
        );
        assert_eq!(
            values(reply(&decision), "dpop-nonce").len(),
            usize::from(is_given_a_nonce),
            "{what}"
        );
    }
    let nothing = decide(&engine, "GET", LIST, &[]);
    assert_eq!(values(reply(&nothing), "dpop-nonce"), [""; 0]);
}

#[test]
fn r068_every_challenge_says_where_the_metadata_stands() {
    let mut policy = revoking();
    policy["authentication"]["resource"] = json!("https://api.example.com/orders");
    let engine = engine(&policy);
    let url = "https://api.example.com/.well-known/oauth-protected-resource/orders";
    for (what, method, credentials, _, _) in refusals() {
        let decision = asked(&engine, method, &credentials);
        let named = format!("resource_metadata=\"{url}\"");
        assert!(challenges(&decision)[0].contains(&named), "{what}: {decision:?}");
    }
}

/// The metadata of a policy for `resource` with these settings of its provider, asked for at `path`.
fn metadata(resource: &str, settings: &Value, path: &str) -> Value {
    let mut policy = with_provider(settings);
    policy["authentication"]["resource"] = json!(resource);
    let engine = engine(&policy);
    let decision = decide(&engine, "GET", path, &[("authorization", "Bearer nonsense")]);
    assert_eq!(
        (decision.code, reply(&decision).status),
        ("resource_metadata", 200),
        "{path}"
    );
    assert_eq!(values(reply(&decision), "content-type"), ["application/json"]);
    serde_json::from_slice(&reply(&decision).body).expect("JSON")
}

#[test]
fn r069_the_metadata_is_public_at_its_own_place_and_says_what_callers_need() {
    let path = "/.well-known/oauth-protected-resource/orders";
    let document = metadata("https://api.example.com/orders", &json!({}), path);
    let expected = json!({
        "resource": "https://api.example.com/orders", "resource_name": "orders-api",
        "authorization_servers": ["https://idp.example.com"], "scopes_supported": ["orders:read", "orders:write"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(document, expected);
    let root = "/.well-known/oauth-protected-resource";
    for resource in [
        "https://api.example.com",
        "https://api.example.com/",
        "https://api.example.com?a=1",
    ] {
        assert_eq!(metadata(resource, &json!({}), root)["resource"], json!(resource));
    }
    let of = |settings: Value, member: &str| {
        let document = metadata("https://api.example.com/orders", &settings, path);
        document.get(member).cloned().unwrap_or(Value::Null)
    };
    let methods = "bearer_methods_supported";
    assert_eq!(
        of(json!({"credential": {"query": "access_token"}}), methods),
        json!(["query"])
    );
    assert_eq!(
        of(json!({"credential": {"cookie": "session"}}), methods),
        json!([])
    );
    let certificates = "tls_client_certificate_bound_access_tokens";
    let required = "dpop_bound_access_tokens_required";
    let expected = [
        ("none", Value::Null, Value::Null),
        ("dpop", Value::Null, json!(true)),
        ("mtls", json!(true), Value::Null),
        ("any", json!(true), Value::Null),
    ];
    for (binding, bound_to_certificates, bound_to_keys) in expected {
        let settings = json!({"binding": binding});
        assert_eq!(
            of(settings.clone(), certificates),
            bound_to_certificates,
            "{binding}"
        );
        assert_eq!(of(settings, required), bound_to_keys, "{binding}");
    }
    let settings = json!({"binding": "dpop", "dpop": {"algorithms": ["ES256"]}});
    assert_eq!(
        of(settings, "dpop_signing_alg_values_supported"),
        json!(["ES256"])
    );
}

#[test]
fn r069_nothing_but_a_plain_question_for_the_metadata_is_answered_with_it() {
    let mut policy = policy();
    policy["authentication"]["resource"] = json!("https://api.example.com/orders");
    let engine = engine(&policy);
    let path = "/.well-known/oauth-protected-resource/orders";
    let code = |method: &str, path: &str| decide(&engine, method, path, &[]).code;
    assert_eq!(code("GET", path), "resource_metadata");
    assert_eq!(code("GET", &format!("{path}?a=1")), "resource_metadata");
    assert_eq!(code("HEAD", path), "resource_metadata");
    let others = [
        ("POST", path.to_owned()),
        ("OPTIONS", path.to_owned()),
        ("get", path.to_owned()),
        ("GET", format!("{path}/")),
        ("GET", format!("{path}/x")),
        ("GET", format!("{path}%2F..%2F..")),
        ("GET", path.replace("orders", "Orders")),
        ("GET", path.replace("orders", "%6Frders")),
        ("GET", "/.well-known/oauth-protected-resource".to_owned()),
    ];
    for (method, path) in others {
        assert_ne!(code(method, &path), "resource_metadata", "{method} {path}");
        assert_ne!(code(method, &path), "allow", "{method} {path}");
    }
}
