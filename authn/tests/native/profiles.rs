//! The profiles: what each asks for beyond a plain JWT, and that they exclude each other.

use scopegate_authn::Algorithm;
use serde_json::{Value, json};

use crate::common::{NOW, answer, authenticator, claims, header_with, provider, public_jwk, token_with};

const ALG: Algorithm = Algorithm::Es256;

#[test]
fn rfc9068_wants_its_type_and_its_claims() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({"profile": "rfc9068"}))]);
    let token = |header: Value, changes: Value| {
        let mut claims = claims(&json!({"client_id": "web", "jti": "1"}));
        for (name, value) in changes.as_object().expect("changes") {
            match value {
                Value::Null => drop(claims.as_object_mut().expect("claims").remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        token_with(ALG, &header_with(ALG, &header), &claims)
    };
    let typed = || json!({"typ": "at+jwt"});
    let cases = [
        (typed(), json!({}), Ok("anna".to_owned())),
        (
            json!({"typ": "application/at+jwt"}),
            json!({}),
            Ok("anna".to_owned()),
        ),
        (json!({"typ": "AT+JWT"}), json!({}), Ok("anna".to_owned())),
        (json!({"typ": "JWT"}), json!({}), Err("type_mismatch")),
        (json!({"typ": null}), json!({}), Err("type_mismatch")),
        (typed(), json!({"sub": null}), Err("claim_missing")),
        (typed(), json!({"client_id": null}), Err("claim_missing")),
        (typed(), json!({"jti": null}), Err("claim_missing")),
        (typed(), json!({"iat": null}), Err("claim_missing")),
        (typed(), json!({"exp": null}), Err("claim_missing")),
        (typed(), json!({"aud": null}), Err("audience_mismatch")),
        (typed(), json!({"iss": null}), Err("issuer_unknown")),
        (typed(), json!({"client_id": 1}), Err("claim_mismatch")),
        (typed(), json!({"jti": 1}), Err("claim_mismatch")),
    ];
    for (header, changes, expected) in cases {
        assert_eq!(
            answer(&authenticator, &token(header.clone(), changes.clone())),
            expected,
            "{header} {changes}"
        );
    }
}

fn mesh() -> Value {
    let mut key = public_jwk(ALG);
    key["use"] = json!("jwt-svid");
    json!({
        "name": "mesh", "profile": "spiffe", "issuer": null, "trust_domains": ["prod.example.com"],
        "keys": {"jwks": {"keys": [key]}},
    })
}

#[test]
fn spiffe_wants_a_workload_of_the_trust_domain_and_a_bare_header() {
    let authenticator = authenticator(&[provider(&[ALG], &mesh())]);
    let id = "spiffe://prod.example.com/api";
    let token = |header: &Value, changes: &Value| {
        token_with(
            ALG,
            &header_with(ALG, header),
            &claims(&crate::common::changes(&json!({"iss": null}), changes)),
        )
    };
    let cases = [
        (json!({}), json!({"sub": id, "iss": null}), Ok(id.to_owned())),
        (json!({"typ": null}), json!({"sub": id}), Ok(id.to_owned())),
        (json!({"typ": "JOSE"}), json!({"sub": id}), Ok(id.to_owned())),
        (json!({"typ": "at+jwt"}), json!({"sub": id}), Err("type_mismatch")),
        (
            json!({"jku": "https://x.example"}),
            json!({"sub": id}),
            Err("type_mismatch"),
        ),
        (
            json!({}),
            json!({"sub": "spiffe://prod.example.com"}),
            Err("claim_mismatch"),
        ),
        (
            json!({}),
            json!({"sub": "spiffe://prod.example.com//x"}),
            Err("claim_mismatch"),
        ),
        (
            json!({}),
            json!({"sub": "spiffe://prod.example.com.evil/x"}),
            Err("issuer_unknown"),
        ),
        (
            json!({}),
            json!({"sub": "spiffe://PROD.example.com/x"}),
            Err("issuer_unknown"),
        ),
        (json!({}), json!({"sub": "anna"}), Err("issuer_unknown")),
        (
            json!({}),
            json!({"sub": id, "aud": "other"}),
            Err("audience_mismatch"),
        ),
        (
            json!({}),
            json!({"sub": id, "exp": NOW - 60}),
            Err("token_expired"),
        ),
    ];
    for (header, changes, expected) in cases {
        assert_eq!(
            answer(&authenticator, &token(&header, &changes)),
            expected,
            "{header} {changes}"
        );
    }
}

#[test]
fn an_issuer_is_asked_before_a_trust_domain_and_neither_for_the_other() {
    let authenticator = authenticator(&[provider(&[ALG], &mesh()), provider(&[ALG], &json!({}))]);
    let id = "spiffe://prod.example.com/api";
    let caller = |changes: &Value| {
        let token = token_with(ALG, &header_with(ALG, &json!({})), &claims(changes));
        crate::common::present(&authenticator, &token).map(|caller| caller.provider().to_owned())
    };
    assert_eq!(caller(&json!({"sub": id})).ok().as_deref(), Some("corp"));
    assert_eq!(
        caller(&json!({"sub": id, "iss": null})).ok().as_deref(),
        Some("mesh")
    );
    let unknown = caller(&json!({"sub": "anna", "iss": "https://other.example"}));
    assert_eq!(
        unknown.map_err(|rejection| rejection.reason.code()),
        Err("issuer_unknown")
    );
}
