//! The normative rules for signed bearer tokens, by number: a token or a key that breaks each, or meets it.
//!
//! Rules of other layers and of features that are not built are listed with where they belong, so that a rule
//! nobody looks after fails the test.

use std::collections::BTreeSet;

use scopegate_authn::{Algorithm, jws};
use scopegate_document::UnixTime;
use serde_json::{Value, json};

use crate::common::{
    self, AUDIENCE, NOW, answer, authenticator, claims, compile, encode, header_with, merge, private_jwk,
    provider, public_jwk, raw_token, sign, token, token_with,
};
use crate::vectors::{list, load, text};

const ALG: Algorithm = Algorithm::Es256;

/// Rules that are kept elsewhere, and where.
const ELSEWHERE: &[(&str, &str)] = &[
    ("R009", "keys are not fetched"),
    ("R041", "PBES2 is key management of JWE, which is not read"),
    ("R048", "the reply, in the engine"),
    ("R049", "the reply, in the engine"),
    ("R050", "the reply, in the engine"),
    ("R051", "the reply, in the engine"),
    ("R052", "the reply, in the engine"),
    ("R057", "DPoP is refused in a policy"),
    ("R059", "DPoP is refused in a policy"),
    ("R060", "DPoP is refused in a policy"),
    ("R061", "DPoP is refused in a policy"),
    ("R062", "certificate binding is refused in a policy"),
    ("R064", "`may_act` is never read"),
    ("R065", "introspection is refused in a policy"),
    ("R066", "introspection is refused in a policy"),
    ("R068", "the reply, in the engine"),
    ("R069", "routes, in authorization"),
    ("R078", "ML-DSA is not built"),
    ("R080", "paths, in authorization"),
    ("R081", "paths, in authorization"),
    ("R082", "paths, in authorization"),
    ("R083", "paths, in authorization"),
    ("R084", "methods, in authorization"),
    ("R085", "not a token format"),
];

/// What becomes of a token presented to a provider: rule, what is shown, settings of the provider, token, answer.
type Case = (
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
            none,
            at(json!({"act": {"sub": "gateway"}})),
            Ok("anna"),
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

fn cases() -> Vec<Case> {
    [
        signature_cases(),
        header_cases(),
        claim_cases(),
        key_cases(),
        profile_cases(),
    ]
    .concat()
}

/// Rules that ask for more than a token and an answer: a test of their own each, below.
const OWN_TESTS: &[&str] = &[
    "R015", "R016", "R017", "R019", "R032", "R035", "R044", "R045", "R047", "R072",
];

#[test]
fn every_rule_for_a_token_is_kept() {
    for (rule, what, settings, token, expected) in cases() {
        let authenticator = authenticator(&[provider(&[ALG], &settings)]);
        assert_eq!(
            answer(&authenticator, &token),
            expected.map(str::to_owned),
            "{rule}: {what}"
        );
    }
}

#[test]
fn every_rule_is_somebodys() {
    let test = "every_rule_is_somebodys";
    let Some(rules) = load(test, "../requirements.json") else {
        return;
    };
    let known: BTreeSet<String> = rules
        .as_array()
        .expect("a list")
        .iter()
        .map(|rule| text(rule, "id").to_owned())
        .collect();
    let here = cases()
        .into_iter()
        .map(|case| case.0)
        .chain(OWN_TESTS.iter().copied());
    let all: BTreeSet<String> = here
        .chain(ELSEWHERE.iter().map(|(rule, _)| *rule))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        known.difference(&all).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "rules nobody looks after"
    );
    assert_eq!(
        all.difference(&known).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "rules that do not exist"
    );
    assert!(!list(&json!({"r": rules}), "r").is_empty());
}

#[test]
fn r015_a_member_of_a_key_twice_is_refused() {
    let key = public_jwk(ALG).to_string();
    let twice = format!("{},\"use\":\"sig\",\"use\":\"sig\"}}", key.trim_end_matches('}'));
    assert_eq!(
        jws::usable_keys(format!("{{\"keys\":[{key}]}}").as_bytes()),
        Some(1)
    );
    assert_eq!(
        jws::usable_keys(format!("{{\"keys\":[{twice}]}}").as_bytes()),
        None
    );
}

#[test]
fn r016_r035_a_secret_is_at_least_as_long_as_the_hash() {
    for (algorithm, length) in [
        (Algorithm::Hs256, 32),
        (Algorithm::Hs384, 48),
        (Algorithm::Hs512, 64),
    ] {
        let usable = |length: usize| {
            let key = json!({"kty": "oct", "alg": algorithm.name(), "k": encode(&vec![1; length])});
            jws::usable_keys(json!({"keys": [key]}).to_string().as_bytes())
        };
        assert_eq!(
            (usable(length), usable(length - 1)),
            (Some(1), Some(0)),
            "{algorithm}"
        );
    }
}

#[test]
fn r017_rsa_keys_have_2048_bits() {
    let usable = |bytes: usize| {
        let key = json!({"kty": "RSA", "n": encode(&vec![0xff; bytes]), "e": "AQAB"});
        jws::usable_keys(json!({"keys": [key]}).to_string().as_bytes())
    };
    assert_eq!(
        (usable(256), usable(255), usable(128)),
        (Some(1), Some(0), Some(0))
    );
}

#[test]
fn r019_a_pss_salt_is_as_long_as_the_hash() {
    // A signature with the padding of PKCS #1 v1.5, or with another hash, is none of PSS.
    for (algorithm, other) in [
        (Algorithm::Ps256, Algorithm::Rs256),
        (Algorithm::Ps256, Algorithm::Ps384),
    ] {
        let key = public_jwk(algorithm).to_string();
        assert_eq!(
            jws::holds(algorithm, key.as_bytes(), b"m", &sign(algorithm, b"m")),
            Some(true)
        );
        assert_eq!(
            jws::holds(algorithm, key.as_bytes(), b"m", &sign(other, b"m")),
            Some(false)
        );
    }
}

#[test]
fn r032_a_key_with_an_algorithm_serves_no_other() {
    let key = merge(public_jwk(Algorithm::Rs256), &json!({"alg": "PS256"}));
    let settings = json!({"algorithms": ["RS256", "PS256"], "keys": {"jwks": {"keys": [key]}}});
    let authenticator = authenticator(&[provider(&[Algorithm::Rs256], &settings)]);
    let named = |algorithm: Algorithm| {
        token_with(
            algorithm,
            &header_with(algorithm, &json!({"kid": "rs256"})),
            &claims(&json!({})),
        )
    };
    assert_eq!(
        answer(&authenticator, &named(Algorithm::Ps256)),
        Ok("anna".to_owned())
    );
    assert_eq!(
        answer(&authenticator, &named(Algorithm::Rs256)),
        Err("key_not_found")
    );
}

#[test]
fn r044_ed25519_is_known_by_both_names_and_a_provider_lists_what_it_takes() {
    for (listed, other) in [
        (Algorithm::Ed25519, Algorithm::EdDsa),
        (Algorithm::EdDsa, Algorithm::Ed25519),
    ] {
        let authenticator = authenticator(&[provider(&[listed], &json!({}))]);
        assert_eq!(
            answer(&authenticator, &token(listed, &json!({}))),
            Ok("anna".to_owned())
        );
        assert_eq!(
            answer(&authenticator, &token(other, &json!({}))),
            Err("algorithm_not_allowed")
        );
    }
}

#[test]
fn r045_r047_a_query_is_read_only_where_a_provider_says_so_and_never_beside_a_header() {
    let token = token(ALG, &json!({}));
    let (value, query) = (format!("Bearer {token}"), format!("access_token={token}"));
    let ask = |settings: &Value, headers: &[(&[u8], &[u8])]| {
        let authenticator = authenticator(&[provider(&[ALG], settings)]);
        let fields = scopegate_authn::Fields {
            headers,
            query: Some(query.as_bytes()),
        };
        authenticator
            .authenticate(fields, UnixTime(NOW))
            .map(|_| ())
            .map_err(|it| it.reason.code())
    };
    let header: &[(&[u8], &[u8])] = &[(b"authorization", value.as_bytes())];
    assert_eq!(ask(&json!({}), &[]), Err("credential_missing"));
    assert_eq!(
        ask(&json!({"credential": {"query": "access_token"}}), &[]),
        Ok(())
    );
    let both = json!({"name": "b", "issuer": "https://b.example", "credential": {"query": "access_token"}});
    let two = authenticator(&[provider(&[ALG], &json!({})), provider(&[ALG], &both)]);
    let fields = scopegate_authn::Fields {
        headers: header,
        query: Some(query.as_bytes()),
    };
    let answer = two
        .authenticate(fields, UnixTime(NOW))
        .map(|_| ())
        .map_err(|it| it.reason.code());
    assert_eq!(answer, Err("credential_multiple"));
}

#[test]
fn r072_a_jwt_svid_is_signed_with_rsa_or_ecdsa() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let mut key = public_jwk(algorithm);
        key["use"] = json!("jwt-svid");
        let settings = json!({
            "profile": "spiffe", "issuer": null, "trust_domains": ["a"], "keys": {"jwks": {"keys": [key]}},
        });
        let is_allowed = matches!(&algorithm.name()[..2], "RS" | "PS" | "ES");
        let compiled = compile(&json!({"providers": [provider(&[algorithm], &settings)]}));
        assert_eq!(compiled.is_ok(), is_allowed, "{algorithm}");
    }
}
