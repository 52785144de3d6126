//! The order of the checks: of two faults, the one that comes first in the language is the answer.

use scopegate_authn::Algorithm;
use serde_json::{Value, json};

use crate::common::{NOW, answer, authenticator, claims, encode, header, merge, provider, sign, token_with};

/// One fault: what it does to the header, to the claims, to the signature, and its code.
struct Fault {
    code: &'static str,
    header: Value,
    claims: Value,
    is_forged: bool,
}

fn faults() -> Vec<Fault> {
    let fault = |code, header, claims| Fault {
        code,
        header,
        claims,
        is_forged: false,
    };
    let mut faults = vec![
        fault("token_malformed", json!({"kid": 1}), json!({})),
        fault("critical_header", json!({"crit": ["x"]}), json!({})),
        fault("algorithm_not_allowed", json!({"alg": "HS256"}), json!({})),
        fault(
            "issuer_unknown",
            json!({}),
            json!({"iss": "https://other.example"}),
        ),
        fault("type_mismatch", json!({"typ": "logout+jwt"}), json!({})),
        fault("audience_mismatch", json!({}), json!({"aud": "other"})),
        fault(
            "token_expired",
            json!({}),
            json!({"exp": NOW - 1000, "iat": NOW - 2000}),
        ),
        fault("claim_mismatch", json!({}), json!({"sub": 1})),
        fault("key_not_found", json!({"kid": "other"}), json!({})),
    ];
    faults.push(Fault {
        code: "signature_invalid",
        header: json!({}),
        claims: json!({}),
        is_forged: true,
    });
    faults.push(fault("binding_mismatch", json!({}), json!({"cnf": {"jkt": "x"}})));
    faults
}

fn token(first: &Fault, second: &Fault) -> String {
    let header = merge(merge(header(Algorithm::Es256), &second.header), &first.header);
    let claims = merge(claims(&merge(second.claims.clone(), &first.claims)), &json!({}));
    let token = token_with(Algorithm::Es256, &header, &claims);
    match first.is_forged || second.is_forged {
        true => {
            let (signed, _) = token.rsplit_once('.').expect("a signature");
            format!("{signed}.{}", encode(&sign(Algorithm::Es256, b"another message")))
        }
        false => token,
    }
}

#[test]
fn of_two_faults_the_earlier_check_answers() {
    let authenticator = authenticator(&[provider(&[Algorithm::Es256], &json!({}))]);
    let faults = faults();
    for (index, first) in faults.iter().enumerate() {
        for second in faults.iter().skip(index) {
            // Two faults of one member cannot stand in one token.
            let shares =
                |member: &str| first.header.get(member).is_some() && second.header.get(member).is_some();
            if first.code != second.code && shares("kid") {
                continue;
            }
            let answer = answer(&authenticator, &token(first, second));
            assert_eq!(answer, Err(first.code), "{} before {}", first.code, second.code);
        }
    }
}

#[test]
fn an_algorithm_of_another_provider_is_refused_after_the_issuer_is_known() {
    let other = json!({"name": "other", "issuer": "https://other.example"});
    let authenticator = authenticator(&[
        provider(&[Algorithm::Es256], &json!({})),
        provider(&[Algorithm::EdDsa], &other),
    ]);
    let with_issuer = |issuer: &str| {
        let claims = claims(&json!({"iss": issuer}));
        token_with(Algorithm::EdDsa, &header(Algorithm::EdDsa), &claims)
    };
    assert_eq!(
        answer(&authenticator, &with_issuer("https://other.example")),
        Ok("anna".to_owned())
    );
    assert_eq!(
        answer(&authenticator, &with_issuer("https://nobody.example")),
        Err("issuer_unknown")
    );
    assert_eq!(
        answer(&authenticator, &with_issuer("https://idp.example.com")),
        Err("algorithm_not_allowed")
    );
}

#[test]
fn a_key_belongs_to_its_issuer_whatever_its_id() {
    let mut key = crate::common::public_jwk(Algorithm::EdDsa);
    key["kid"] = json!("shared");
    let seed = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let theirs = merge(
        key.clone(),
        &json!({"x": encode(seed.verifying_key().as_bytes())}),
    );
    let set = |key: Value| json!({"jwks": {"keys": [key]}});
    let authenticator = authenticator(&[
        provider(&[Algorithm::EdDsa], &json!({"keys": set(key)})),
        provider(
            &[Algorithm::EdDsa],
            &json!({"name": "b", "issuer": "https://b.example", "keys": set(theirs)}),
        ),
    ]);
    let header = merge(header(Algorithm::EdDsa), &json!({"kid": "shared"}));
    let token = |issuer: &str| token_with(Algorithm::EdDsa, &header, &claims(&json!({"iss": issuer})));
    assert_eq!(
        answer(&authenticator, &token("https://idp.example.com")),
        Ok("anna".to_owned())
    );
    assert_eq!(
        answer(&authenticator, &token("https://b.example")),
        Err("signature_invalid")
    );
}
