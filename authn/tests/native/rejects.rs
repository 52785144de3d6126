//! Each rejection of a signed token, by what brings it about; and the list of codes, which is a promise.

use scopegate_authn::{Algorithm, Fields, Reject};
use scopegate_document::UnixTime;
use serde_json::{Value, json};

use crate::common::{
    AUDIENCE, ISSUER, NOW, answer, authenticator, claims, encode, header, header_with, merge, present,
    private_jwk, prove, provider, public_jwk, raw_token, sign, token, token_with,
};

const ALG: Algorithm = Algorithm::Es256;

#[test]
fn codes_and_statuses_are_a_promise() {
    let codes: Vec<(&str, u16)> = Reject::ALL
        .iter()
        .map(|reject| (reject.code(), reject.status()))
        .collect();
    let promised = [
        ("credential_missing", 401),
        ("credential_multiple", 400),
        ("token_malformed", 401),
        ("token_too_large", 401),
        ("critical_header", 401),
        ("algorithm_not_allowed", 401),
        ("issuer_unknown", 401),
        ("type_mismatch", 401),
        ("audience_mismatch", 401),
        ("token_expired", 401),
        ("token_not_yet_valid", 401),
        ("lifetime_too_long", 401),
        ("claim_missing", 401),
        ("claim_mismatch", 401),
        ("key_not_found", 401),
        ("signature_invalid", 401),
        ("token_revoked", 401),
        ("key_revoked", 401),
        ("api_key_unknown", 401),
        ("api_key_expired", 401),
        ("peer_unidentified", 401),
        ("token_inactive", 401),
        ("binding_mismatch", 401),
        ("proof_missing", 401),
        ("proof_invalid", 401),
        ("proof_replayed", 401),
        ("proof_nonce", 401),
        ("keys_unavailable", 503),
        ("introspection_unavailable", 503),
        ("revocation_unavailable", 503),
        ("replay_unavailable", 503),
        ("clock_unavailable", 503),
        ("not_configured", 503),
    ];
    assert_eq!(codes, promised);
}

#[test]
fn a_good_token_of_every_algorithm_is_verified() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let authenticator = authenticator(&[provider(&[algorithm], &json!({}))]);
        assert_eq!(
            answer(&authenticator, &token(algorithm, &json!({}))),
            Ok("anna".to_owned()),
            "{algorithm}"
        );
        let forged = token(algorithm, &json!({}));
        let (signed, _) = forged.rsplit_once('.').unwrap();
        let other = encode(&sign(algorithm, b"another message"));
        assert_eq!(
            answer(&authenticator, &format!("{signed}.{other}")),
            Err("signature_invalid"),
            "{algorithm}"
        );
    }
}

#[test]
fn a_caller_is_what_the_token_says_and_the_evidence_cannot_be_replayed() {
    let mapping = json!({"claims": {
        "scopes": ["scope", "scp"], "subject": "sub", "client": "azp", "tenant": "tid", "roles": ["realm_access.roles"],
    }});
    let authenticator = authenticator(&[provider(&[ALG], &mapping)]);
    let token = token(
        ALG,
        &json!({
            "scope": "orders:read  orders:write", "scp": ["orders:write", "x y"], "azp": "web", "tid": "acme",
            "realm_access": {"roles": ["clerk", "clerk"]}, "act": {"sub": "gateway"},
        }),
    );
    let caller = present(&authenticator, &token).expect("a verified caller");
    assert_eq!(caller.provider(), "corp");
    assert_eq!(
        (caller.subject(), caller.client(), caller.tenant()),
        (Some("anna"), Some("web"), Some("acme"))
    );
    assert_eq!(caller.scopes(), ["orders:read", "orders:write", "x y"]);
    assert_eq!(caller.roles(), ["clerk"]);
    assert!(caller.has_actor());
    let evidence = caller.evidence();
    assert_eq!(
        (evidence.kind, evidence.algorithm, evidence.key_id.as_deref()),
        ("jwt", Some("ES256"), Some("es256"))
    );
    assert_eq!(
        (evidence.issued_at, evidence.expires_at),
        (Some(UnixTime(NOW - 60)), Some(UnixTime(NOW + 300)))
    );
    assert_eq!(evidence.fingerprint.len(), "sha256:".len() + 32);
    let signature = token.rsplit('.').next().unwrap();
    assert!(
        !format!("{caller:?}").contains(signature),
        "no part of a credential is shown"
    );
}

#[test]
fn an_unsecured_token_is_refused_for_that_and_a_stripped_signature_for_its_form() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    let unsecured = |header: Value| {
        let part = |value: &Value| encode(value.to_string().as_bytes());
        answer(
            &authenticator,
            &format!("{}.{}.", part(&header), part(&claims(&json!({})))),
        )
    };
    assert_eq!(unsecured(json!({"alg": "none"})), Err("algorithm_not_allowed"));
    assert_eq!(unsecured(json!({"alg": "nOnE"})), Err("algorithm_not_allowed"));
    assert_eq!(unsecured(json!({"alg": "ES256"})), Err("token_malformed"));
    assert_eq!(unsecured(json!({"typ": "JWT"})), Err("token_malformed"));
}

#[test]
fn each_fault_of_the_header_has_its_code() {
    let cases = [
        (json!({"alg": "none"}), "algorithm_not_allowed"),
        (json!({"alg": "noNE"}), "algorithm_not_allowed"),
        (json!({"alg": "es256"}), "algorithm_not_allowed"),
        (json!({"alg": "RS256"}), "algorithm_not_allowed"),
        (json!({"alg": "HS256"}), "algorithm_not_allowed"),
        (json!({"alg": "ML-DSA-44"}), "algorithm_not_allowed"),
        (json!({"alg": null}), "token_malformed"),
        (json!({"alg": 256}), "token_malformed"),
        (json!({"alg": ["ES256"]}), "token_malformed"),
        (json!({"kid": 1}), "token_malformed"),
        (json!({"kid": "es256 "}), "key_not_found"),
        (json!({"kid": "ES256"}), "key_not_found"),
        (json!({"kid": ""}), "key_not_found"),
        (json!({"kid": "../../dev/null"}), "key_not_found"),
        (json!({"typ": 1}), "token_malformed"),
        (json!({"typ": "logout+jwt"}), "type_mismatch"),
        (json!({"typ": "dpop+jwt"}), "type_mismatch"),
        (json!({"typ": "token-introspection+jwt"}), "type_mismatch"),
        (json!({"typ": ""}), "type_mismatch"),
        (json!({"typ": "text/jwt"}), "type_mismatch"),
        (json!({"cty": "JWT"}), "type_mismatch"),
        (json!({"crit": ["exp"]}), "critical_header"),
        (json!({"crit": ["b64"], "b64": true}), "critical_header"),
        (json!({"crit": []}), "critical_header"),
        (json!({"crit": "exp"}), "critical_header"),
        (json!({"b64": false}), "critical_header"),
        (json!({"enc": "A128GCM"}), "token_malformed"),
    ];
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    for (changes, expected) in cases {
        let token = token_with(ALG, &header_with(ALG, &changes), &claims(&json!({})));
        assert_eq!(answer(&authenticator, &token), Err(expected), "{changes}");
    }
}

#[test]
fn each_fault_of_the_claims_has_its_code() {
    let cases = [
        (json!({"iss": "https://idp.example.com/"}), "issuer_unknown"),
        (
            json!({"iss": "https://idp.example.com.evil.example"}),
            "issuer_unknown",
        ),
        (json!({"iss": "HTTPS://IDP.EXAMPLE.COM"}), "issuer_unknown"),
        (json!({"iss": null}), "issuer_unknown"),
        (json!({"iss": [ISSUER]}), "issuer_unknown"),
        (json!({"aud": null}), "audience_mismatch"),
        (json!({"aud": "https://other.example.com"}), "audience_mismatch"),
        (
            json!({"aud": "https://api.example.com/orders/"}),
            "audience_mismatch",
        ),
        (json!({"aud": []}), "audience_mismatch"),
        (json!({"aud": [AUDIENCE, 1]}), "audience_mismatch"),
        (json!({"aud": {"0": AUDIENCE}}), "audience_mismatch"),
        (json!({"exp": null}), "claim_missing"),
        (json!({"exp": (NOW + 60).to_string()}), "claim_mismatch"),
        (json!({"exp": NOW - 30}), "token_expired"),
        (json!({"exp": 0}), "token_expired"),
        (json!({"exp": -1}), "token_expired"),
        (json!({"nbf": NOW + 31}), "token_not_yet_valid"),
        (json!({"nbf": "0"}), "claim_mismatch"),
        (json!({"iat": NOW + 31}), "token_not_yet_valid"),
        (json!({"iat": true}), "claim_mismatch"),
        (json!({"exp": NOW + 86_400, "iat": NOW - 1}), "lifetime_too_long"),
        (json!({"exp": NOW + 86_401, "iat": null}), "lifetime_too_long"),
        (json!({"sub": 1}), "claim_mismatch"),
        (json!({"client_id": ["web"]}), "claim_mismatch"),
        (json!({"jti": 1}), "claim_mismatch"),
        (json!({"scope": 1}), "claim_mismatch"),
        (json!({"scope": {"orders:read": true}}), "claim_mismatch"),
        (json!({"scp": ["orders:read", 1]}), "claim_mismatch"),
        (json!({"cnf": {"jkt": "x"}}), "binding_mismatch"),
        (json!({"cnf": {}}), "binding_mismatch"),
    ];
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    for (changes, expected) in cases {
        assert_eq!(
            answer(&authenticator, &token(ALG, &changes)),
            Err(expected),
            "{changes}"
        );
    }
    let null_claims = merge(claims(&json!({})), &json!({}));
    let with_null = |name: &str| {
        let mut claims = null_claims.clone();
        claims[name] = Value::Null;
        token_with(ALG, &header(ALG), &claims)
    };
    assert_eq!(answer(&authenticator, &with_null("exp")), Err("claim_mismatch"));
    assert_eq!(answer(&authenticator, &with_null("sub")), Err("claim_mismatch"));
    assert_eq!(
        answer(&authenticator, &with_null("aud")),
        Err("audience_mismatch")
    );
}

#[test]
fn what_a_good_token_may_say_is_not_refused() {
    let claims_may = [
        json!({"aud": ["https://other.example.com", AUDIENCE]}),
        json!({"exp": NOW - 29}),
        json!({"exp": NOW as f64 + 300.5}),
        json!({"nbf": NOW + 30}),
        json!({"nbf": -8_334_601_228_800_i64}),
        json!({"iat": null, "exp": NOW + 86_400}),
        json!({"sub": null}),
        json!({"scope": ""}),
        json!({"tid": ["a", "b"]}),
    ];
    let header_may = [
        json!({"typ": null}),
        json!({"typ": "jwt"}),
        json!({"typ": "application/jwt"}),
        json!({"typ": "at+jwt"}),
        json!({"typ": "Application/AT+JWT"}),
        json!({"cty": "json"}),
        json!({"kid": null}),
        json!({"jku": "https://evil.example/jwks", "jwk": private_jwk(ALG), "x5u": "https://evil.example"}),
        json!({"b64": true}),
    ];
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    for changes in &claims_may {
        assert!(present(&authenticator, &token(ALG, changes)).is_ok(), "{changes}");
    }
    for changes in &header_may {
        let token = token_with(ALG, &header_with(ALG, changes), &claims(&json!({})));
        assert_eq!(answer(&authenticator, &token), Ok("anna".to_owned()), "{changes}");
    }
}

#[test]
fn each_fault_of_form_is_malformed() {
    let good = token(ALG, &json!({}));
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three segments")
    };
    let object = encode(b"{}");
    let last = signature.chars().last().unwrap();
    let non_canonical = match last {
        'A' | 'Q' | 'g' | 'w' => format!(
            "{header}.{payload}.{}{}",
            &signature[..85],
            char::from(last as u8 + 1)
        ),
        other => panic!("64 bytes end in a character with four unused bits, not {other}"),
    };
    let cases = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{signature}."),
        format!("{header}..{payload}.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{good}.{object}.{object}"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}.{signature} x"),
        format!("{header}\t.{payload}.{signature}"),
        format!("{header}.{payload}.{}+", &signature[..85]),
        format!("{header}.{payload}.{}", &signature[..85]),
        format!("{header}.{}.{signature}", encode(b"[]")),
        format!("{header}.{}.{signature}", encode(b"\"x\"")),
        format!("{header}.{}.{signature}", encode(b"{\"a\":1,\"a\":1}")),
        format!("{header}.{}.{signature}", encode(b"{\"a\":{\"b\":1,\"b\":1}}")),
        format!("{header}.{}.{signature}", encode(b"{\"a\":\"\xff\"}")),
        format!("{header}.{}.{signature}", encode(b"{\"exp\":1e400}")),
        format!("{header}.{}.{signature}", encode(b"{} {}")),
        format!(
            "{header}.{}.{signature}",
            encode(format!("{}{}", "[".repeat(40), "]".repeat(40)).as_bytes())
        ),
        format!(
            "{}.{payload}.{signature}",
            encode(b"{\"alg\":\"ES256\",\"alg\":\"none\"}")
        ),
        format!(
            "{}.{payload}.{signature}",
            encode(b"\xef\xbb\xbf{\"alg\":\"ES256\"}")
        ),
        json!({"payload": payload, "protected": header, "signature": signature})
            .to_string()
            .replace(' ', ""),
        non_canonical,
    ];
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    for token in &cases {
        assert_eq!(answer(&authenticator, token), Err("token_malformed"), "{token}");
    }
    assert_eq!(answer(&authenticator, &good), Ok("anna".to_owned()));
}

#[test]
fn a_token_that_does_not_fit_is_too_large() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    let padded = |length: usize| token(ALG, &json!({"padding": "x".repeat(length)}));
    let fitting = (11_000..12_300)
        .rev()
        .map(padded)
        .find(|token| token.len() <= 16 * 1024)
        .expect("one that fits");
    assert!(fitting.len() > 16 * 1024 - 4, "{}", fitting.len());
    assert_eq!(answer(&authenticator, &fitting), Ok("anna".to_owned()));
    assert_eq!(answer(&authenticator, &padded(12_300)), Err("token_too_large"));
    assert_eq!(
        answer(&authenticator, &"a".repeat(1_000_000)),
        Err("token_too_large")
    );
}

#[test]
fn keys_serve_only_whom_they_should() {
    let jwk = public_jwk(ALG);
    let with = |changes: Value| merge(jwk.clone(), &changes);
    let unnamed = json!({"kid": null});
    let cases = [
        (vec![jwk.clone()], json!({}), Ok("anna".to_owned())),
        (vec![jwk.clone()], unnamed.clone(), Ok("anna".to_owned())),
        (
            vec![with(unnamed.clone())],
            unnamed.clone(),
            Ok("anna".to_owned()),
        ),
        (vec![with(unnamed.clone())], json!({}), Err("key_not_found")),
        (
            vec![with(json!({"kid": "other"}))],
            json!({}),
            Err("key_not_found"),
        ),
        (
            vec![with(json!({"alg": "ES256"}))],
            json!({}),
            Ok("anna".to_owned()),
        ),
        (
            vec![with(json!({"use": "sig", "key_ops": ["verify"]}))],
            json!({}),
            Ok("anna".to_owned()),
        ),
    ];
    for (keys, changes, expected) in cases {
        let authenticator = authenticator(&[provider(&[ALG], &json!({"keys": {"jwks": {"keys": keys}}}))]);
        let token = token_with(ALG, &header_with(ALG, &changes), &claims(&json!({})));
        assert_eq!(answer(&authenticator, &token), expected, "{keys:?} {changes}");
    }
}

#[test]
fn at_most_eight_signatures_are_checked() {
    let wrong = |index: u8| {
        let seed = ed25519_dalek::SigningKey::from_bytes(&[index; 32]);
        json!({"kty": "OKP", "crv": "Ed25519", "kid": format!("k{index}"), "x": encode(seed.verifying_key().as_bytes())})
    };
    let unnamed = header_with(Algorithm::EdDsa, &json!({"kid": null}));
    let token = token_with(Algorithm::EdDsa, &unnamed, &claims(&json!({})));
    for (others, expected) in [(7, Ok("anna".to_owned())), (8, Err("signature_invalid"))] {
        let mut keys: Vec<Value> = (1..=others).map(wrong).collect();
        keys.push(public_jwk(Algorithm::EdDsa));
        let jwks = json!({"keys": {"jwks": {"keys": keys}}});
        let authenticator = authenticator(&[provider(&[Algorithm::EdDsa], &jwks)]);
        assert_eq!(
            answer(&authenticator, &token),
            expected,
            "the right key after {others}"
        );
    }
}

#[test]
fn a_public_key_is_no_secret() {
    // RS256 to HS256: the public key, as anybody can write it, used as an HMAC secret.
    let both =
        json!({"algorithms": ["RS256", "HS256"], "keys": {"jwks": {"keys": [public_jwk(Algorithm::Rs256)]}}});
    let authenticator = authenticator(&[provider(&[Algorithm::Rs256], &both)]);
    let token = raw_token(
        Algorithm::Hs256,
        header_with(Algorithm::Hs256, &json!({"kid": "rs256"}))
            .to_string()
            .as_bytes(),
        claims(&json!({})).to_string().as_bytes(),
    );
    assert_eq!(answer(&authenticator, &token), Err("key_not_found"));
}

#[test]
fn required_claims_are_compared_by_value_and_type() {
    let require = json!({"require": {"claims": {
        "azp": ["orders-web", "orders-batch"], "level": [2, true], "groups": "ops", "email_verified": [true],
    }}});
    let authenticator = authenticator(&[provider(&[ALG], &require)]);
    let good = json!({"azp": "orders-web", "level": 2, "groups": ["dev", "ops"], "email_verified": true});
    let cases = [
        (json!({}), Ok("anna".to_owned())),
        (json!({"level": true}), Ok("anna".to_owned())),
        (json!({"azp": null}), Err("claim_missing")),
        (json!({"azp": "orders"}), Err("claim_mismatch")),
        (json!({"azp": "Orders-Web"}), Err("claim_mismatch")),
        (json!({"level": "2"}), Err("claim_mismatch")),
        (json!({"groups": ["dev"]}), Err("claim_mismatch")),
        (json!({"groups": []}), Err("claim_mismatch")),
        (json!({"email_verified": "true"}), Err("claim_mismatch")),
    ];
    for (changes, expected) in cases {
        assert_eq!(
            answer(&authenticator, &token(ALG, &merge(good.clone(), &changes))),
            expected,
            "{changes}"
        );
    }
}

#[test]
fn a_rejection_names_the_provider_once_the_token_led_to_one() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    let provider_of = |token: &str| present(&authenticator, token).expect_err("a rejection").provider;
    assert_eq!(provider_of("a.b.c"), None);
    assert_eq!(
        provider_of(&token(ALG, &json!({"iss": "https://other.example"}))),
        None
    );
    assert_eq!(
        provider_of(&token(ALG, &json!({"exp": 1}))),
        Some("corp".to_owned())
    );
}

#[test]
fn bytes_that_are_no_text_are_refused_and_never_panic() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    for value in [
        &b"Bearer \xff\xfe"[..],
        b"Bearer a.b.\xc3\x28",
        b"Bearer \0",
        b"\xff",
    ] {
        let headers: &[(&[u8], &[u8])] = &[(b"authorization", value)];
        let answer = prove(
            &authenticator,
            Fields {
                headers,
                ..Fields::default()
            },
            UnixTime(NOW),
        );
        let expected = if value == b"\xff" {
            Reject::CredentialMissing
        } else {
            Reject::TokenMalformed
        };
        assert_eq!(
            answer.map(|_| ()).map_err(|rejection| rejection.reason),
            Err(expected),
            "{value:?}"
        );
    }
}
