//! Tokens and keys that break a rule each, or meet it.

use scopegate_authn::Algorithm;
use serde_json::{Value, json};

use crate::common::{
    self, AUDIENCE, NOW, claims, encode, header_with, merge, private_jwk, public_jwk, raw_token, sign,
    token_with,
};

const ALG: Algorithm = Algorithm::Es256;

/// What becomes of a token presented to a provider: rule, what is shown, settings of the provider, token, answer.
pub(super) type Case = (
    &'static str,
    &'static str,
    Value,
    String,
    Result<&'static str, &'static str>,
);

/// A token of [`ALG`] with changes to header and claims.
fn with(header: Value, changes: Value) -> String {
    token_with(ALG, &header_with(ALG, &header), &claims(&changes))
}

fn raw(header: &str, claims: &str) -> String {
    raw_token(ALG, header.as_bytes(), claims.as_bytes())
}

/// A provider with one key, changed.
fn key(changes: Value) -> Value {
    json!({"keys": {"jwks": {"keys": [merge(public_jwk(ALG), &changes), fallback()]}}})
}

/// A key that makes the set usable, and serves no token of these tests.
fn fallback() -> Value {
    let seed = p256::ecdsa::SigningKey::from_slice(&[3; 32]).expect("a key");
    let point = seed.verifying_key().to_sec1_point(false);
    let half = |from: usize| encode(&point.as_bytes()[from..from + 32]);
    json!({"kty": "EC", "crv": "P-256", "kid": "fallback", "x": half(1), "y": half(33)})
}

fn signature_cases() -> Vec<Case> {
    let good = with(json!({}), json!({}));
    let (signed, signature) = good.rsplit_once('.').expect("a signature");
    let bytes = crate::common::decode(signature);
    let with_signature = |bytes: &[u8]| format!("{signed}.{}", encode(bytes));
    let der = [
        &[0x30, 0x44, 0x02, 0x20][..],
        &bytes[..32],
        &[0x02, 0x20],
        &bytes[32..],
    ]
    .concat();
    let none = json!({});
    vec![
        (
            "R001",
            "padding",
            none.clone(),
            format!("{good}="),
            Err("token_malformed"),
        ),
        (
            "R001",
            "another alphabet",
            none.clone(),
            format!("{signed}.{}", signature.replace(['-', '_'], "+") + "+"),
            Err("token_malformed"),
        ),
        ("R007", "all steps hold", none.clone(), good.clone(), Ok("anna")),
        (
            "R007",
            "a signature over something else",
            none.clone(),
            with_signature(&sign(ALG, b"x")),
            Err("signature_invalid"),
        ),
        (
            "R018",
            "one byte short",
            none.clone(),
            with_signature(&bytes[..63]),
            Err("signature_invalid"),
        ),
        (
            "R018",
            "one byte long",
            none.clone(),
            with_signature(&[&bytes[..], &[0]].concat()),
            Err("signature_invalid"),
        ),
        (
            "R018",
            "DER",
            none.clone(),
            with_signature(&der),
            Err("signature_invalid"),
        ),
        (
            "R018",
            "zeros",
            none.clone(),
            with_signature(&[0; 64]),
            Err("signature_invalid"),
        ),
        (
            "R022",
            "four segments",
            none.clone(),
            format!("{good}.x"),
            Err("token_malformed"),
        ),
        (
            "R034",
            "five segments, as of a JWE",
            none.clone(),
            format!("{good}.AAAA.AAAA"),
            Err("token_malformed"),
        ),
        (
            "R034",
            "a member of a JWE",
            none.clone(),
            with(json!({"enc": "A256GCM"}), json!({})),
            Err("token_malformed"),
        ),
        (
            "R042",
            "a tilde, which b64token has and a JWT has not",
            none.clone(),
            format!("{good}~"),
            Err("token_malformed"),
        ),
        (
            "R046",
            "a slash, which b64token has and a JWT has not",
            none.clone(),
            format!("/{good}"),
            Err("token_malformed"),
        ),
        (
            "R070",
            "not compact",
            none,
            json!({"signatures": []}).to_string(),
            Err("token_malformed"),
        ),
    ]
}

fn header_cases() -> Vec<Case> {
    let none = json!({});
    let body = claims(&none).to_string();
    let typed = |typ: &str| with(json!({"typ": typ}), json!({}));
    vec![
        (
            "R002",
            "alg twice",
            none.clone(),
            raw(r#"{"alg":"ES256","alg":"ES256"}"#, &body),
            Err("token_malformed"),
        ),
        (
            "R003",
            "no alg",
            none.clone(),
            raw("{}", &body),
            Err("token_malformed"),
        ),
        (
            "R003",
            "alg in another case",
            none.clone(),
            with(json!({"alg": "es256"}), none.clone()),
            Err("algorithm_not_allowed"),
        ),
        (
            "R004",
            "kid in another case",
            none.clone(),
            with(json!({"kid": "ES256"}), none.clone()),
            Err("key_not_found"),
        ),
        (
            "R004",
            "kid a number",
            none.clone(),
            with(json!({"kid": 7}), none.clone()),
            Err("token_malformed"),
        ),
        (
            "R005",
            "typ with application/",
            none.clone(),
            typed("application/JWT"),
            Ok("anna"),
        ),
        (
            "R005",
            "typ of another tree",
            none.clone(),
            typed("x/jwt"),
            Err("type_mismatch"),
        ),
        (
            "R006",
            "crit unknown",
            none.clone(),
            with(json!({"crit": ["x"], "x": 1}), none.clone()),
            Err("critical_header"),
        ),
        (
            "R006",
            "crit empty",
            none.clone(),
            with(json!({"crit": []}), none.clone()),
            Err("critical_header"),
        ),
        (
            "R006",
            "crit twice the same",
            none.clone(),
            with(json!({"crit": ["x", "x"], "x": 1}), none.clone()),
            Err("critical_header"),
        ),
        (
            "R006",
            "crit registered",
            none.clone(),
            with(json!({"crit": ["alg"]}), none.clone()),
            Err("critical_header"),
        ),
        (
            "R006",
            "crit absent name",
            none.clone(),
            with(json!({"crit": ["x"]}), none.clone()),
            Err("critical_header"),
        ),
        (
            "R008",
            "alg not listed",
            none.clone(),
            with(json!({"alg": "ES384"}), none.clone()),
            Err("algorithm_not_allowed"),
        ),
        (
            "R010",
            "JSON with a comma too many",
            none.clone(),
            raw(r#"{"alg":"ES256",}"#, &body),
            Err("token_malformed"),
        ),
        (
            "R011",
            "b64 false",
            none.clone(),
            with(json!({"b64": false, "crit": ["b64"]}), none.clone()),
            Err("critical_header"),
        ),
        (
            "R020",
            "alg none",
            none.clone(),
            with(json!({"alg": "none"}), none.clone()),
            Err("algorithm_not_allowed"),
        ),
        (
            "R029",
            "nested",
            none.clone(),
            with(json!({"cty": "JWT"}), none.clone()),
            Err("type_mismatch"),
        ),
        (
            "R033",
            "alg None",
            none.clone(),
            with(json!({"alg": "None"}), none.clone()),
            Err("algorithm_not_allowed"),
        ),
        (
            "R039",
            "a key in the header",
            none.clone(),
            with(json!({"jwk": private_jwk(ALG), "kid": "x"}), none.clone()),
            Err("key_not_found"),
        ),
        (
            "R039",
            "kid as a path",
            none.clone(),
            with(json!({"kid": "../../etc/passwd"}), none.clone()),
            Err("key_not_found"),
        ),
        (
            "R040",
            "a token of another kind",
            none.clone(),
            typed("secevent+jwt"),
            Err("type_mismatch"),
        ),
        (
            "R043",
            "alg noNE",
            none.clone(),
            with(json!({"alg": "noNE"}), none.clone()),
            Err("algorithm_not_allowed"),
        ),
        (
            "R067",
            "an introspection answer",
            none.clone(),
            typed("token-introspection+jwt"),
            Err("type_mismatch"),
        ),
        (
            "R079",
            "ML-DSA",
            none.clone(),
            with(json!({"alg": "ML-DSA-44"}), none),
            Err("algorithm_not_allowed"),
        ),
    ]
}

fn claim_cases() -> Vec<Case> {
    let none = json!({});
    let header = header_with(ALG, &none).to_string();
    let at = |changes: Value| with(json!({}), changes);
    let not_utf8 = [&b"{\"iss\":\""[..], b"\xff", b"\"}"].concat();
    vec![
        (
            "R023",
            "a claim twice",
            none.clone(),
            raw(&header, r#"{"iss":"a","iss":"b"}"#),
            Err("token_malformed"),
        ),
        (
            "R024",
            "iss in another case",
            none.clone(),
            at(json!({"iss": "https://IDP.example.com"})),
            Err("issuer_unknown"),
        ),
        (
            "R025",
            "aud of somebody else",
            none.clone(),
            at(json!({"aud": ["x"]})),
            Err("audience_mismatch"),
        ),
        (
            "R025",
            "aud with us in it",
            none.clone(),
            at(json!({"aud": ["x", AUDIENCE]})),
            Ok("anna"),
        ),
        (
            "R026",
            "exp past, within the leeway",
            none.clone(),
            at(json!({"exp": NOW - 29})),
            Ok("anna"),
        ),
        (
            "R026",
            "exp past the leeway",
            none.clone(),
            at(json!({"exp": NOW - 30})),
            Err("token_expired"),
        ),
        (
            "R027",
            "exp a string",
            none.clone(),
            at(json!({"exp": "1795338300"})),
            Err("claim_mismatch"),
        ),
        (
            "R027",
            "nbf a string",
            none.clone(),
            at(json!({"nbf": "1"})),
            Err("claim_mismatch"),
        ),
        (
            "R027",
            "iat a string",
            none.clone(),
            at(json!({"iat": "1"})),
            Err("claim_mismatch"),
        ),
        (
            "R028",
            "nbf to come",
            none.clone(),
            at(json!({"nbf": NOW + 31})),
            Err("token_not_yet_valid"),
        ),
        (
            "R030",
            "claims that are no object",
            none.clone(),
            raw(&header, "[]"),
            Err("token_malformed"),
        ),
        (
            "R031",
            "exp with a fraction",
            none.clone(),
            at(json!({"exp": NOW as f64 + 0.5})),
            Ok("anna"),
        ),
        (
            "R036",
            "not UTF-8",
            none.clone(),
            raw_token(ALG, header.as_bytes(), &not_utf8),
            Err("token_malformed"),
        ),
        (
            "R038",
            "no aud",
            none.clone(),
            at(json!({"aud": null})),
            Err("audience_mismatch"),
        ),
        (
            "R058",
            "bound to a DPoP key",
            none.clone(),
            at(json!({"cnf": {"jkt": "x"}})),
            Err("binding_mismatch"),
        ),
        (
            "R063",
            "an actor is no claim of identity",
            none.clone(),
            at(json!({"act": {"sub": "gateway"}})),
            Ok("anna"),
        ),
        (
            "R064",
            "whoever may act is not the caller",
            none.clone(),
            at(json!({"may_act": {"sub": "gateway"}})),
            Ok("anna"),
        ),
        (
            "R064",
            "and stands for nobody who is missing",
            json!({"require": {"claims": {"sub": ["gateway"]}}}),
            at(json!({"sub": null, "may_act": {"sub": "gateway"}})),
            Err("claim_missing"),
        ),
    ]
}

fn key_cases() -> Vec<Case> {
    let good = with(json!({}), json!({}));
    let short = encode(&crate::common::decode(public_jwk(ALG)["x"].as_str().expect("x"))[..31]);
    vec![
        (
            "R012",
            "a key for encryption",
            key(json!({"use": "enc"})),
            good.clone(),
            Err("key_not_found"),
        ),
        (
            "R012",
            "a key that may only sign",
            key(json!({"key_ops": ["sign"]})),
            good.clone(),
            Err("key_not_found"),
        ),
        (
            "R013",
            "a key for another algorithm",
            key(json!({"alg": "ES384"})),
            good.clone(),
            Err("key_not_found"),
        ),
        (
            "R014",
            "a key of an unknown kind beside",
            key(json!({"kty": "??"})),
            good.clone(),
            Err("key_not_found"),
        ),
        (
            "R021",
            "a coordinate cut",
            key(json!({"x": short})),
            good.clone(),
            Err("key_not_found"),
        ),
        (
            "R037",
            "another key of the issuer",
            key(json!({"kid": "other"})),
            good.clone(),
            Err("key_not_found"),
        ),
        (
            "R077",
            "a key of SPIFFE for a plain JWT",
            key(json!({"use": "jwt-svid"})),
            good,
            Err("key_not_found"),
        ),
    ]
}

fn profile_cases() -> Vec<Case> {
    let rfc9068 = json!({"profile": "rfc9068"});
    let access = |header: Value, changes: Value| {
        with(
            merge(json!({"typ": "at+jwt"}), &header),
            merge(json!({"client_id": "web", "jti": "1"}), &changes),
        )
    };
    let mut svid_key = public_jwk(ALG);
    svid_key["use"] = json!("jwt-svid");
    let spiffe = json!({
        "profile": "spiffe", "issuer": null, "trust_domains": ["prod.example.com"],
        "keys": {"jwks": {"keys": [svid_key]}},
    });
    let id = "spiffe://prod.example.com/api";
    let svid = |header: Value, changes: Value| {
        with(
            header,
            common::changes(&json!({"iss": null, "sub": id}), &changes),
        )
    };
    let none = || json!({});
    let mut cases = vec![
        (
            "R053",
            "typ at+jwt",
            rfc9068.clone(),
            access(none(), none()),
            Ok("anna"),
        ),
        (
            "R053",
            "typ JWT",
            rfc9068.clone(),
            access(json!({"typ": "JWT"}), none()),
            Err("type_mismatch"),
        ),
        (
            "R055",
            "iss with a slash more",
            rfc9068.clone(),
            access(none(), json!({"iss": "https://idp.example.com/"})),
            Err("issuer_unknown"),
        ),
        (
            "R056",
            "scopes as words",
            rfc9068.clone(),
            access(none(), json!({"scope": "a b"})),
            Ok("anna"),
        ),
        (
            "R056",
            "scopes as something else",
            rfc9068.clone(),
            access(none(), json!({"scope": {}})),
            Err("claim_mismatch"),
        ),
        (
            "R071",
            "another header member",
            spiffe.clone(),
            svid(json!({"x": 1}), none()),
            Err("type_mismatch"),
        ),
        (
            "R073",
            "typ JOSE",
            spiffe.clone(),
            svid(json!({"typ": "JOSE"}), none()),
            Ok(id),
        ),
        (
            "R073",
            "typ at+jwt",
            spiffe.clone(),
            svid(json!({"typ": "at+jwt"}), none()),
            Err("type_mismatch"),
        ),
        (
            "R074",
            "sub no SPIFFE ID",
            spiffe.clone(),
            svid(none(), json!({"sub": "spiffe://prod.example.com/"})),
            Err("claim_mismatch"),
        ),
        (
            "R075",
            "no aud",
            spiffe.clone(),
            svid(none(), json!({"aud": null})),
            Err("audience_mismatch"),
        ),
        (
            "R076",
            "no exp",
            spiffe,
            svid(none(), json!({"exp": null})),
            Err("claim_missing"),
        ),
    ];
    for (name, code) in [
        ("sub", "claim_missing"),
        ("client_id", "claim_missing"),
        ("jti", "claim_missing"),
        ("iat", "claim_missing"),
        ("exp", "claim_missing"),
        ("aud", "audience_mismatch"),
        ("iss", "issuer_unknown"),
    ] {
        let mut body = claims(&json!({"client_id": "web", "jti": "1"}));
        body.as_object_mut().expect("claims").remove(name);
        let token = token_with(ALG, &header_with(ALG, &json!({"typ": "at+jwt"})), &body);
        cases.push(("R054", name, rfc9068.clone(), token, Err(code)));
    }
    cases
}

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    [
        signature_cases(),
        header_cases(),
        claim_cases(),
        key_cases(),
        profile_cases(),
    ]
    .concat()
}
