//! The test vectors of Envoy's JWT library, each decided: we agree, or `envoy_differences.json` says why not.
//!
//! A difference that is not listed fails the test, and so does a listed one that no longer differs.

use std::collections::BTreeMap;

use scopegate_authn::{Algorithm, Authenticator, Fields, Reject, jws};
use scopegate_document::UnixTime;
use serde_json::{Value, json};

use crate::common::{
    AUDIENCE, ISSUER, NOW, authenticator, claims, compile, encode, header, merge, prove, provider, token,
    token_with,
};
use crate::vectors::{list, load, text};

const DIFFERENCES: &str = include_str!("../envoy_differences.json");

/// What we answer to a vector: `Ok`, or a code.
fn ours(vector: &Value) -> String {
    match text(vector, "kind") {
        "audience" => audience(vector),
        "jwks" => key_set(vector),
        "jwt_parse" => form(text(vector, "token")),
        "time" => time(vector),
        "verify" | "verify_mutated" => signature(vector),
        kind => panic!("a kind of vector that nobody has looked at: {kind}"),
    }
}

fn word(answer: Result<(), Reject>) -> String {
    answer.map_or_else(Reject::code, |()| "Ok").to_owned()
}

fn audience(vector: &Value) -> String {
    let provider = provider(&[Algorithm::Es256], &json!({"audiences": vector["configured"]}));
    match compile(&json!({"providers": [provider]})) {
        Ok((authenticator, _)) => {
            let token = token(Algorithm::Es256, &json!({"aud": vector["token_aud"]}));
            word(
                crate::common::present(&authenticator, &token)
                    .map(|_| ())
                    .map_err(|rejection| rejection.reason),
            )
        }
        Err(_) => "policy refused".to_owned(),
    }
}

fn key_set(vector: &Value) -> String {
    match (
        text(vector, "format"),
        jws::usable_keys(text(vector, "jwks").as_bytes()),
    ) {
        ("JWKS", Some(count)) if count > 0 => format!("Ok {count}"),
        _ => "no keys".to_owned(),
    }
}

/// Whether the form of a token is good: it is taken apart and judged up to its key, whoever made it.
fn form(token: &str) -> String {
    let token = for_our_provider(token);
    let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    let settings = json!({"max_lifetime": "unlimited", "algorithms": names});
    let authenticator = authenticator(&[provider(&[Algorithm::Es256], &settings)]);
    let value = format!("Bearer {token}");
    let headers: &[(&[u8], &[u8])] = &[(b"authorization", value.as_bytes())];
    match prove(
        &authenticator,
        Fields {
            headers,
            ..Fields::default()
        },
        UnixTime(NOW),
    )
    .map_err(|it| it.reason)
    {
        Ok(_) | Err(Reject::SignatureInvalid | Reject::KeyNotFound) => "Ok".to_owned(),
        Err(reason) => reason.code().to_owned(),
    }
}

/// The same token for our provider and our time, where it can be read at all and says nothing odd there.
fn for_our_provider(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let payload = parts
        .get(1)
        .and_then(|part| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).ok());
    let claims: Option<Value> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    let Some(mut claims) = claims.filter(Value::is_object) else {
        return token.to_owned();
    };
    if claims.get("iss").is_none_or(Value::is_string) {
        claims["iss"] = json!(ISSUER);
    }
    if claims
        .get("aud")
        .is_none_or(|audience| audience.is_string() || audience.is_array())
    {
        let is_good = claims["aud"]
            .as_array()
            .is_none_or(|list| list.iter().all(Value::is_string));
        claims["aud"] = if is_good {
            json!(AUDIENCE)
        } else {
            claims["aud"].clone()
        };
    }
    if claims.get("exp").is_none_or(|time| time.as_i64() > Some(0)) {
        claims["exp"] = json!(NOW + 60);
    }
    let mut parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
    parts[1] = encode(claims.to_string().as_bytes());
    parts.join(".")
}

fn time(vector: &Value) -> String {
    let payload = decode_leniently(text(vector, "token").split('.').nth(1).expect("a payload"));
    let mut times: Value = serde_json::from_slice(&payload).expect("claims");
    for (name, value) in vector["claim_overrides"].as_object().into_iter().flatten() {
        times[name.trim_end_matches('_')] = value.clone();
    }
    let times = json!({"exp": times["exp"], "nbf": times["nbf"], "iat": null});
    let skew = format!("{}s", vector["clock_skew"]);
    let settings = json!({"clock_skew": skew, "max_lifetime": "unlimited"});
    let authenticator = authenticator(&[provider(&[Algorithm::Es256], &settings)]);
    let token = token_with(
        Algorithm::Es256,
        &header(Algorithm::Es256),
        &merge(claims(&json!({})), &times),
    );
    word_at(&authenticator, &token, vector["now"].as_i64().unwrap_or(i64::MAX))
}

/// The answer to a bearer token at a time.
fn word_at(authenticator: &Authenticator, token: &str, now: i64) -> String {
    let value = format!("Bearer {token}");
    let headers: &[(&[u8], &[u8])] = &[(b"authorization", value.as_bytes())];
    let answer = prove(
        authenticator,
        Fields {
            headers,
            ..Fields::default()
        },
        UnixTime(now),
    );
    word(answer.map(|_| ()).map_err(|rejection| rejection.reason))
}

/// Some tokens of this file are not quite base64url, which matters elsewhere.
fn decode_leniently(text: &str) -> Vec<u8> {
    let text = text.replace('-', "+").replace('_', "/");
    base64_simd::forgiving_decode_to_vec(text.as_bytes()).expect("base64")
}

fn signature(vector: &Value) -> String {
    let Some(keys) = vector["jwks"].as_str().filter(|_| vector["format"] == "JWKS") else {
        return "no keys".to_owned();
    };
    let token = text(vector, "token");
    let verify = |token: &str| jws::verify(token.as_bytes(), keys.as_bytes());
    if vector["kind"] == "verify" {
        return word(verify(token));
    }
    let answers = mutations(token, text(vector, "mutate_signature")).map(|token| word(verify(&token)));
    let accepted = answers.filter(|answer| answer == "Ok").count();
    if accepted == 0 {
        "signature_invalid".to_owned()
    } else {
        "Ok".to_owned()
    }
}

/// The token with each bit of its signature flipped in turn, or cut after each byte.
fn mutations(token: &str, kind: &str) -> impl Iterator<Item = String> {
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let (signed, signature) = (signed.to_owned(), decode_leniently(signature));
    let bits = if kind.contains("Bits") {
        signature.len() * 8
    } else {
        0
    };
    let lengths = if kind.contains("Length") {
        1..signature.len()
    } else {
        0..0
    };
    let flipped = (0..bits).map({
        let signature = signature.clone();
        move |bit| {
            let mut signature = signature.clone();
            signature[bit / 8] ^= 1 << (bit % 8);
            signature
        }
    });
    let cut = lengths.map(move |length| signature[..length].to_vec());
    flipped
        .chain(cut)
        .map(move |signature| format!("{signed}.{}", encode(&signature)))
}

/// What Envoy's library answers, in the same words.
fn theirs(vector: &Value) -> String {
    match (&vector["expect"], vector["n_keys"].as_u64()) {
        (Value::Bool(true), _) => "Ok".to_owned(),
        (Value::Bool(false), _) => "audience_mismatch".to_owned(),
        (Value::String(ok), Some(count)) if ok == "Ok" && vector["kind"] == "jwks" => format!("Ok {count}"),
        (expected, _) => expected.as_str().expect("an expectation").to_owned(),
    }
}

fn is_same(ours: &str, theirs: &str) -> bool {
    match (ours.starts_with("Ok"), theirs.starts_with("Ok")) {
        (true, true) => ours == theirs || !theirs.contains(' '),
        (ours, theirs) => ours == theirs,
    }
}

#[test]
fn every_vector_of_envoys_library_is_agreed_with_or_the_difference_is_explained() {
    let test = "every_vector_of_envoys_library_is_agreed_with_or_the_difference_is_explained";
    let Some(vectors) = load(test, "jwt_verify_lib.json") else {
        return;
    };
    let listed: Vec<Value> = serde_json::from_str(DIFFERENCES).expect("a list of differences");
    let mut listed: BTreeMap<u64, &Value> = listed
        .iter()
        .map(|entry| (entry["id"].as_u64().expect("an id"), entry))
        .collect();
    let mut wrong = Vec::new();
    for vector in list(&vectors, "vectors")
        .iter()
        .filter(|vector| vector["kind"] != "verify_mutated")
    {
        let (ours, theirs) = (ours(vector), theirs(vector));
        let id = vector["id"].as_u64().expect("an id");
        match (is_same(&ours, &theirs), listed.remove(&id)) {
            (true, None) => {}
            (false, Some(entry)) if entry["ours"] == ours.as_str() && entry["envoy"] == theirs.as_str() => {
                assert!(!text(entry, "reason").is_empty(), "{id} has a reason");
            }
            (_, entry) => wrong.push(
                json!({"id": id, "envoy": theirs, "ours": ours, "source": vector["source"], "listed": entry})
                    .to_string(),
            ),
        }
    }
    assert!(wrong.is_empty(), "not as listed:\n{}", wrong.join("\n"));
    assert!(
        listed.is_empty(),
        "listed, but there are no such vectors: {:?}",
        listed.keys()
    );
}

#[test]
fn no_signature_holds_with_one_bit_flipped_or_its_end_cut_off() {
    let test = "no_signature_holds_with_one_bit_flipped_or_its_end_cut_off";
    let Some(vectors) = load(test, "jwt_verify_lib.json") else {
        return;
    };
    let mutated = list(&vectors, "vectors")
        .iter()
        .filter(|vector| vector["kind"] == "verify_mutated");
    let accepted: Vec<&Value> = mutated
        .clone()
        .filter(|vector| ours(vector) == "Ok")
        .map(|vector| &vector["id"])
        .collect();
    assert_eq!((mutated.count(), accepted), (32, Vec::new()));
}

/// The tokens of Envoy's filter tests, and what a provider of theirs answers here.
const FILTER_TOKENS: &[(&str, &str)] = &[
    ("GoodToken", "Ok"),
    ("GoodTokenWithSpaces", "Ok"),
    // Envoy takes a token without `aud` and `exp`.
    ("NonExpiringToken", "audience_mismatch"),
    ("ExpiredToken", "token_expired"),
    ("InvalidAudToken", "audience_mismatch"),
    ("OtherGoodToken", "issuer_unknown"),
    ("NestedGoodToken", "Ok"),
    ("ES256WithoutIssToken", "issuer_unknown"),
];

#[test]
fn the_tokens_of_envoys_filter_tests_are_answered_as_listed() {
    let test = "the_tokens_of_envoys_filter_tests_are_answered_as_listed";
    let Some(vectors) = load(test, "envoy_jwt_authn.json") else {
        return;
    };
    let mut answers = Vec::new();
    for vector in list(&vectors, "tokens") {
        let Some(jwks) = vectors["jwks"].get(text(vector, "jwks")) else {
            continue;
        };
        let settings = json!({
            "issuer": "https://example.com", "audiences": ["example_service"], "max_lifetime": "unlimited",
            "algorithms": ["RS256", "ES256"], "keys": {"jwks": jwks},
        });
        let authenticator = authenticator(&[provider(&[Algorithm::Es256], &settings)]);
        answers.push((
            text(vector, "name"),
            word_at(&authenticator, text(vector, "token"), 1_700_000_000),
        ));
    }
    let answers: Vec<(&str, &str)> = answers
        .iter()
        .map(|(name, answer)| (*name, answer.as_str()))
        .collect();
    assert_eq!(answers, FILTER_TOKENS);
}
