//! The normative rules for signed bearer tokens, by number: a token or a key that breaks each, or meets it.
//!
//! Rules of other layers are listed with where they belong, so that a rule nobody looks after fails the test.

mod cases;

use std::collections::BTreeSet;

use scopegate_authn::{Algorithm, jws};
use scopegate_document::UnixTime;
use serde_json::{Value, json};

use crate::common::{
    NOW, answer, authenticator, claims, compile, encode, header_with, merge, prove, provider, public_jwk,
    sign, token, token_with,
};
use crate::vectors::{load, text};
use cases::cases;

const ALG: Algorithm = Algorithm::Es256;

/// Rules that other crates keep, and the files whose tests name or show them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("R048", "engine/tests/requirements.rs"),
    ("R049", "engine/tests/requirements.rs"),
    ("R050", "engine/tests/requirements.rs"),
    ("R051", "engine/tests/requirements.rs"),
    ("R052", "engine/tests/requirements.rs"),
    ("R059", "engine/tests/requirements.rs"),
    ("R068", "engine/tests/requirements.rs"),
    ("R069", "engine/tests/requirements.rs"),
    ("R080", "authz/tests/authz/paths.rs"),
    ("R081", "authz/tests/authz/paths.rs"),
    ("R082", "authz/tests/authz/requests.rs"),
    ("R083", "authz/tests/authz/requests.rs"),
    ("R084", "authz/tests/authz/routing.rs"),
];

/// Rules for what is not read at all.
const NOT_READ: &[(&str, &str)] = &[
    ("R041", "PBES2 is key management of JWE, and no JWE is read"),
    ("R085", "HTTP message signatures are no format of tokens"),
];

/// Where rules have tests of their own, whose names begin with them: they ask for more than a token and an answer.
const OWN_TESTS: &[&str] = &[
    include_str!("requirements.rs"),
    include_str!("bound.rs"),
    include_str!("discovered.rs"),
    include_str!("introspection.rs"),
    include_str!("several.rs"),
    include_str!("../../src/dpop/tests.rs"),
];

/// The rules in the names of tests, as in `fn r016_r035_a_secret_...`.
fn rules_with_own_tests() -> BTreeSet<String> {
    let names = OWN_TESTS
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.strip_prefix("fn "));
    let is_rule = |part: &&str| part.len() == 4 && part.starts_with('r') && part[1..].parse::<u8>().is_ok();
    names
        .flat_map(|name| name.split('_').take_while(is_rule))
        .map(str::to_uppercase)
        .collect()
}

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
    let others = ELSEWHERE.iter().chain(NOT_READ).map(|(rule, _)| *rule);
    let mut all: BTreeSet<String> = cases()
        .into_iter()
        .map(|case| case.0)
        .chain(others)
        .map(str::to_owned)
        .collect();
    all.extend(rules_with_own_tests());
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
}

#[test]
fn what_other_crates_keep_is_tested_there() {
    for (rule, file) in ELSEWHERE {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{rule}: {file}: {error}"));
        let is_named = text.to_uppercase().contains(rule);
        assert!(
            is_named || !file.starts_with("engine"),
            "{rule} is not named in {file}"
        );
        assert!(text.contains("#[test]"), "{file} has no tests");
    }
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
            ..scopegate_authn::Fields::default()
        };
        prove(&authenticator, fields, UnixTime(NOW))
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
        ..scopegate_authn::Fields::default()
    };
    let answer = prove(&two, fields, UnixTime(NOW))
        .map(|_| ())
        .map_err(|it| it.reason.code());
    assert_eq!(answer, Err("credential_multiple"));
}

#[test]
fn r078_a_key_of_ml_dsa_carries_its_algorithm_and_has_the_size_of_it() {
    for (algorithm, length) in [
        (Algorithm::MlDsa44, 1_312),
        (Algorithm::MlDsa65, 1_952),
        (Algorithm::MlDsa87, 2_592),
    ] {
        let usable = |key: Value| jws::usable_keys(json!({"keys": [key]}).to_string().as_bytes());
        let key =
            |length: usize| json!({"kty": "AKP", "alg": algorithm.name(), "pub": encode(&vec![1; length])});
        let expected = Some(usize::from(algorithm.is_built_in()));
        assert_eq!(usable(key(length)), expected, "{algorithm}");
        for (what, changes) in [
            ("one byte less", json!({"pub": encode(&vec![1; length - 1])})),
            ("one byte more", json!({"pub": encode(&vec![1; length + 1])})),
            ("no algorithm", json!({"alg": null})),
            ("another algorithm", json!({"alg": "ES256"})),
            ("no algorithm that exists", json!({"alg": "ML-DSA-45"})),
            ("no public key", json!({"pub": null})),
            ("another type", json!({"kty": "OKP"})),
        ] {
            assert_eq!(
                usable(merge(key(length), &changes)),
                Some(0),
                "{algorithm}: {what}"
            );
        }
    }
}

#[test]
fn r079_a_build_without_ml_dsa_refuses_its_name() {
    for name in ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"] {
        let settings = json!({"algorithms": [name]});
        let compiled = compile(&json!({"providers": [provider(&[ALG], &settings)]}));
        let is_named = compiled
            .err()
            .into_iter()
            .flatten()
            .any(|fault| fault.message == format!("`{name}` is not part of this build"));
        assert_eq!(is_named, !Algorithm::MlDsa44.is_built_in(), "{name}");
    }
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
