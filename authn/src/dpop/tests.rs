//! Every check of RFC 9449 section 4.3, broken alone; good proofs of every algorithm; bytes of any kind.
#![cfg(not(target_arch = "wasm32"))]

use std::sync::LazyLock;

use proptest::prelude::*;
use scopegate_document::UnixTime;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Bound, Claim, Nonces, Origin, Request, Rules, check};
use crate::test_support::common::{NOW, encode, merge, private_jwk, public_jwk, raw_token, sign, token_with};
use crate::{Algorithm, Reject, base64url, limits, thumbprint};

const ALG: Algorithm = Algorithm::Es256;
const TOKEN: &[u8] = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const MAX_AGE: i64 = 60;
const SKEW: i64 = 30;

fn rules() -> Rules {
    Rules {
        algorithms: asymmetric().collect(),
        max_age: MAX_AGE,
        clock_skew: SKEW,
        requires_nonce: false,
        origins: vec![Origin::parse("https://api.example.com").expect("an origin")],
    }
}

fn asymmetric() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL
        .iter()
        .copied()
        .filter(|algorithm| !algorithm.is_symmetric())
}

/// The key of a proof, without what a proof need not say.
fn key(algorithm: Algorithm) -> Value {
    merge(public_jwk(algorithm), &json!({"kid": null}))
}

fn header(algorithm: Algorithm, changes: &Value) -> Value {
    let base = json!({"typ": "dpop+jwt", "alg": algorithm.name(), "jwk": key(algorithm)});
    merge(base, changes)
}

fn claims(changes: &Value) -> Value {
    let base = json!({
        "jti": "e1j3V_bKic8-LAEB",
        "htm": "GET",
        "htu": "https://api.example.com/orders",
        "iat": NOW,
        "ath": encode(&Sha256::digest(TOKEN)),
    });
    merge(base, changes)
}

/// A proof with changes to header and claims; `null` removes a member.
fn proof(header_changes: &Value, claim_changes: &Value) -> String {
    token_with(ALG, &header(ALG, header_changes), &claims(claim_changes))
}

/// The answer to header fields beside a `GET` of `/orders?page=2` with a token bound to the key of `algorithm`.
fn answer_to(
    rules: &Rules,
    algorithm: Algorithm,
    headers: &[(&[u8], &[u8])],
    nonces: Option<&Nonces>,
    now: i64,
) -> Result<Claim, Reject> {
    let request = Request {
        headers,
        method: b"GET",
        target: b"/orders?page=2",
        authority: Some(b"api.example.com"),
    };
    let key = thumbprint::sha256(&public_jwk(algorithm)).expect("a public key");
    let bound = Bound {
        access_token: TOKEN,
        key: &key,
    };
    check(rules, &request, &bound, (nonces, None), UnixTime(now))
}

fn answer(proof: &str) -> Result<(), Reject> {
    let headers: &[(&[u8], &[u8])] = &[(b"dpop", proof.as_bytes())];
    answer_to(&rules(), ALG, headers, None, NOW).map(|_| ())
}

#[test]
fn a_good_proof_of_every_algorithm_is_taken() {
    for algorithm in asymmetric() {
        let proof = token_with(algorithm, &header(algorithm, &json!({})), &claims(&json!({})));
        let headers: &[(&[u8], &[u8])] = &[
            (b":method", b"GET"),
            (b"authorization", b"DPoP x"),
            (b"DPoP", proof.as_bytes()),
            (b"dpop-nonce", b"x"),
        ];
        let claim = answer_to(&rules(), algorithm, headers, None, NOW);
        assert_eq!(
            claim.map(|claim| claim.until()),
            Ok(UnixTime(NOW + MAX_AGE + SKEW)),
            "{algorithm}"
        );
        let (signed, _) = proof.rsplit_once('.').expect("three segments");
        let forged = format!("{signed}.{}", encode(&sign(algorithm, b"another message")));
        let headers: &[(&[u8], &[u8])] = &[(b"dpop", forged.as_bytes())];
        let answer = answer_to(&rules(), algorithm, headers, None, NOW);
        assert_eq!(answer, Err(Reject::ProofInvalid), "{algorithm}");
    }
}

#[test]
fn r057_check_1_there_is_one_header_field() {
    let good = proof(&json!({}), &json!({}));
    let good = good.as_bytes();
    let twice = [good, b", ", good].concat();
    let padded = [b" ", good, b"\t"].concat();
    type Case<'c> = (&'c str, &'c [(&'c [u8], &'c [u8])], Result<(), Reject>);
    let cases: &[Case<'_>] = &[
        ("one", &[(b"dpop", good)], Ok(())),
        ("with case", &[(b"DPoP", good)], Ok(())),
        ("blanks around it", &[(b"dpop", &padded)], Ok(())),
        ("none", &[], Err(Reject::ProofMissing)),
        (
            "another name",
            &[(b"dpop-proof", good)],
            Err(Reject::ProofMissing),
        ),
        (
            "two fields",
            &[(b"dpop", good), (b"dpop", good)],
            Err(Reject::ProofInvalid),
        ),
        (
            "in two cases",
            &[(b"dpop", good), (b"DPOP", b"")],
            Err(Reject::ProofInvalid),
        ),
        ("a list", &[(b"dpop", &twice)], Err(Reject::ProofInvalid)),
    ];
    for (what, headers, expected) in cases {
        let answer = answer_to(&rules(), ALG, headers, None, NOW).map(|_| ());
        assert_eq!(answer, *expected, "{what}");
    }
}

#[test]
fn r057_check_2_the_proof_is_a_well_formed_jwt() {
    let good = proof(&json!({}), &json!({}));
    let (signed, signature) = good.rsplit_once('.').expect("three segments");
    let (head, body) = signed.split_once('.').expect("two segments");
    let raw = |header: &str, claims: &str| raw_token(ALG, header.as_bytes(), claims.as_bytes());
    let (header, claims) = (
        header(ALG, &json!({})).to_string(),
        claims(&json!({})).to_string(),
    );
    let with = |json: &str, more: &str| format!("{},{more}}}", json.strip_suffix('}').expect("an object"));
    let cases = [
        ("nothing", String::new()),
        ("two segments", signed.to_owned()),
        ("an empty signature", format!("{signed}.")),
        ("four segments", format!("{good}.{signature}")),
        ("padding", format!("{good}=")),
        ("another alphabet", format!("{head}.{body}.++++")),
        (
            "a byte that is no text",
            format!("{head}\u{e9}.{body}.{signature}"),
        ),
        ("a header that is no object", raw("[]", &claims)),
        ("claims that are no object", raw(&header, "[]")),
        ("claims that are no JSON", raw(&header, "{")),
        (
            "a member of the header twice",
            raw(&with(&header, r#""typ":"dpop+jwt""#), &claims),
        ),
        ("a claim twice", raw(&header, &with(&claims, r#""htm":"GET""#))),
        (
            "a claim twice, once escaped",
            raw(&header, &with(&claims, r#""\u0068tm":"GET""#)),
        ),
        (
            "a member of the key twice",
            raw(&header.replace(r#""kty":"#, r#""kty":"EC","kty":"#), &claims),
        ),
        ("an extension", proof(&json!({"crit": ["exp"]}), &json!({}))),
        ("a bare payload", proof(&json!({"b64": false}), &json!({}))),
        (
            "too long",
            proof(&json!({}), &json!({"x": "x".repeat(limits::PROOF_BYTES)})),
        ),
    ];
    for (what, proof) in cases {
        assert_eq!(answer(&proof), Err(Reject::ProofInvalid), "{what}");
    }
}

/// A change to header or claims that breaks one check, and what the answer is.
type Change = (&'static str, Value, Value, Result<(), Reject>);

fn assert_answers(cases: &[Change]) {
    for (what, header, claims, expected) in cases {
        let answer = answer(&proof(header, claims));
        assert_eq!(answer, *expected, "{what}: {header} {claims}");
    }
}

const INVALID: Result<(), Reject> = Err(Reject::ProofInvalid);

#[test]
fn r057_check_3_every_claim_is_there_and_of_its_type() {
    let none = json!({});
    let long = "j".repeat(limits::PROOF_ID_BYTES);
    assert_answers(&[
        ("a long id", none.clone(), json!({"jti": long}), Ok(())),
        (
            "more claims",
            none.clone(),
            json!({"sub": "anna", "nonce": "whatever"}),
            Ok(()),
        ),
        (
            "an id too long",
            none.clone(),
            json!({"jti": format!("{long}j")}),
            INVALID,
        ),
        ("an empty id", none.clone(), json!({"jti": ""}), INVALID),
        ("a number as id", none.clone(), json!({"jti": 7}), INVALID),
    ]);
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        for wrong in [json!(null), json!(true), json!([NOW]), json!({}), json!("x")] {
            let changes = Value::Object([(name.to_owned(), wrong.clone())].into_iter().collect());
            let expected = match (name, wrong.is_string()) {
                ("jti", true) => Ok(()),
                _ => INVALID,
            };
            assert_answers(&[(name, none.clone(), changes, expected)]);
        }
    }
    assert_eq!(
        answer(&raw_token(ALG, header(ALG, &none).to_string().as_bytes(), b"{}")),
        INVALID
    );
}

#[test]
fn r057_check_4_the_type_is_that_of_a_proof() {
    let none = json!({});
    for (typ, expected) in [
        (json!("dpop+jwt"), Ok(())),
        (json!("DPoP+JWT"), Ok(())),
        (json!("application/dpop+jwt"), Ok(())),
        (json!("Application/DPoP+jwt"), Ok(())),
        (json!(null), INVALID),
        (json!("JWT"), INVALID),
        (json!("at+jwt"), INVALID),
        (json!("dpop"), INVALID),
        (json!("text/dpop+jwt"), INVALID),
        (json!("application/application/dpop+jwt"), INVALID),
        (json!(["dpop+jwt"]), INVALID),
    ] {
        assert_answers(&[("typ", json!({"typ": typ}), none.clone(), expected)]);
    }
}

#[test]
fn r057_check_5_the_algorithm_is_asymmetric_and_allowed() {
    let none = json!({});
    for alg in [
        json!("none"),
        json!("HS256"),
        json!("es256"),
        json!("ES384"),
        json!("RS256"),
        json!(null),
        json!(1),
    ] {
        assert_answers(&[("alg", json!({"alg": alg}), none.clone(), INVALID)]);
    }
    let good = proof(&none, &none);
    let headers: &[(&[u8], &[u8])] = &[(b"dpop", good.as_bytes())];
    let narrow = Rules {
        algorithms: vec![Algorithm::EdDsa, Algorithm::Es384],
        ..rules()
    };
    assert_eq!(
        answer_to(&narrow, ALG, headers, None, NOW),
        Err(Reject::ProofInvalid),
        "not in the list"
    );
    // A proof with a shared secret, by rules that nobody can write.
    let open = Rules {
        algorithms: Algorithm::ALL.to_vec(),
        ..rules()
    };
    let header = json!({"typ": "dpop+jwt", "alg": "HS256", "jwk": private_jwk(Algorithm::Hs256)});
    let shared = token_with(Algorithm::Hs256, &header, &claims(&none));
    let headers: &[(&[u8], &[u8])] = &[(b"dpop", shared.as_bytes())];
    assert_eq!(
        answer_to(&open, ALG, headers, None, NOW),
        Err(Reject::ProofInvalid),
        "a secret"
    );
}

#[test]
fn r057_check_6_the_signature_is_made_with_the_key_it_brings() {
    let good = proof(&json!({}), &json!({}));
    let (signed, _) = good.rsplit_once('.').expect("three segments");
    let with_signature = |bytes: &[u8]| format!("{signed}.{}", encode(bytes));
    let signature = sign(ALG, signed.as_bytes());
    assert_eq!(answer(&with_signature(&signature)), Ok(()));
    let mut flipped = signature.clone();
    flipped[0] ^= 1;
    for (what, bytes) in [
        ("over something else", sign(ALG, b"x")),
        ("with another key", sign(Algorithm::EdDsa, signed.as_bytes())),
        ("one bit off", flipped),
        ("one byte short", signature[..63].to_vec()),
        ("zeros", vec![0; 64]),
    ] {
        assert_eq!(answer(&with_signature(&bytes)), INVALID, "{what}");
    }
    let none = json!({});
    for x in [[1; 32].as_slice(), &[1; 31], &[1; 33], &[]] {
        let jwk = merge(key(ALG), &json!({"x": encode(x)}));
        let text = proof(&json!({"jwk": jwk}), &none);
        let proof = super::Proof::parse(text.as_bytes()).expect("a proof");
        assert!(
            proof.key().is_none() && !proof.is_signed_with(ALG, None),
            "a point off the curve: {x:?}"
        );
    }
    assert_answers(&[
        ("no key", json!({"jwk": null}), none.clone(), INVALID),
        (
            "a list of keys",
            json!({"jwk": [key(ALG)]}),
            none.clone(),
            INVALID,
        ),
        (
            "a reference to a key",
            json!({"jwk": null, "jku": "https://keys.example.com"}),
            none.clone(),
            INVALID,
        ),
        (
            "a key to encrypt with",
            json!({"jwk": merge(key(ALG), &json!({"use": "enc"}))}),
            none.clone(),
            INVALID,
        ),
        (
            "a key for another algorithm",
            json!({"jwk": merge(key(ALG), &json!({"alg": "ES384"}))}),
            none.clone(),
            INVALID,
        ),
        (
            "a key as browsers export it",
            json!({"jwk": merge(key(ALG), &json!({"key_ops": ["verify"], "ext": true}))}),
            none,
            Ok(()),
        ),
    ]);
}

#[test]
fn r057_an_rsa_key_of_a_stranger_is_bounded() {
    let longest = limits::PROOF_RSA_BITS_MAX / 8;
    for (bytes, is_tried) in [(longest, true), (longest + 1, false), (8192 / 8, false)] {
        let jwk = json!({"kty": "RSA", "e": "AQAB", "n": encode(&vec![0xff; bytes])});
        let header = json!({"typ": "dpop+jwt", "alg": "RS256", "jwk": jwk});
        let text = token_with(Algorithm::Rs256, &header, &claims(&json!({})));
        let proof = super::Proof::parse(text.as_bytes()).expect("a proof");
        assert!(!proof.is_signed_with(Algorithm::Rs256, None));
        assert_eq!(proof.key().is_some(), is_tried, "{bytes} bytes");
    }
}

#[test]
fn r057_check_7_the_key_is_public() {
    let none = json!({});
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        let member = Value::Object([(name.to_owned(), json!("AAAA"))].into_iter().collect());
        assert_answers(&[(
            name,
            json!({"jwk": merge(key(ALG), &member)}),
            none.clone(),
            INVALID,
        )]);
    }
    assert_answers(&[("all of it", json!({"jwk": private_jwk(ALG)}), none, INVALID)]);
}

#[test]
fn r057_check_8_the_method_is_that_of_the_request() {
    let none = json!({});
    for (method, expected) in [
        ("GET", Ok(())),
        ("get", INVALID),
        ("POST", INVALID),
        ("", INVALID),
        ("GET ", INVALID),
    ] {
        assert_answers(&[("htm", none.clone(), json!({"htm": method}), expected)]);
    }
}

#[test]
fn r057_check_9_the_uri_is_that_of_the_request() {
    let none = json!({});
    for (uri, expected) in [
        ("https://api.example.com/orders", Ok(())),
        ("HTTPS://API.example.com:443/./orders?page=3#x", Ok(())),
        ("https://api.example.com/orders/", INVALID),
        ("https://api.example.com/invoices", INVALID),
        ("https://api.example.org/orders", INVALID),
        ("http://api.example.com/orders", INVALID),
        ("/orders", INVALID),
    ] {
        assert_answers(&[("htu", none.clone(), json!({"htu": uri}), expected)]);
    }
}

#[test]
fn r060_check_10_a_nonce_is_one_of_ours_where_it_is_required() {
    let strict = Rules {
        requires_nonce: true,
        ..rules()
    };
    let nonces = |byte: u8| Nonces::new(&Zeroizing::new([byte; 32]));
    let ours = nonces(1);
    let fresh = ours.issue(UnixTime(NOW));
    let stale = ours.issue(UnixTime(NOW - 2 * limits::NONCE_WINDOW));
    let asked = Err(Reject::ProofNonce);
    let cases = [
        ("fresh", json!(fresh), Ok(())),
        ("none", json!(null), asked),
        ("stale", json!(stale), asked),
        ("somebody else's", json!(nonces(2).issue(UnixTime(NOW))), asked),
        ("empty", json!(""), asked),
        ("no text", json!([fresh]), INVALID),
    ];
    let answer = |proof: &str, nonces: Option<&Nonces>| {
        let headers: &[(&[u8], &[u8])] = &[(b"dpop", proof.as_bytes())];
        answer_to(&strict, ALG, headers, nonces, NOW).map(|_| ())
    };
    for (what, nonce, expected) in cases {
        let proof = proof(&json!({}), &json!({"nonce": nonce}));
        assert_eq!(answer(&proof, Some(&ours)), expected, "{what}");
    }
    let good = proof(&json!({}), &json!({"nonce": fresh}));
    assert_eq!(
        answer(&good, None),
        Err(Reject::ReplayUnavailable),
        "a host without a secret"
    );
    // A nonce is no way around the other checks.
    let wrong = proof(&json!({}), &json!({"nonce": fresh, "htm": "POST"}));
    assert_eq!(answer(&wrong, Some(&ours)), INVALID);
    let other = proof(&json!({}), &json!({"nonce": fresh}));
    let forged = format!(
        "{}.{}",
        other.rsplit_once('.').expect("three segments").0,
        encode(&[1; 64])
    );
    assert_eq!(answer(&forged, Some(&ours)), INVALID);
}

#[test]
fn r057_check_11_the_proof_is_of_now() {
    let none = json!({});
    let oldest = NOW - MAX_AGE - SKEW;
    assert_answers(&[
        ("the oldest", none.clone(), json!({"iat": oldest}), Ok(())),
        ("older", none.clone(), json!({"iat": oldest - 1}), INVALID),
        ("the latest", none.clone(), json!({"iat": NOW + SKEW}), Ok(())),
        ("later", none.clone(), json!({"iat": NOW + SKEW + 1}), INVALID),
        (
            "a fraction",
            none.clone(),
            json!({"iat": NOW as f64 - 0.5}),
            Ok(()),
        ),
        (
            "a fraction too old",
            none.clone(),
            json!({"iat": oldest as f64 - 0.5}),
            INVALID,
        ),
        ("a text", none.clone(), json!({"iat": NOW.to_string()}), INVALID),
        ("milliseconds", none.clone(), json!({"iat": NOW * 1000}), INVALID),
        ("zero", none.clone(), json!({"iat": 0}), INVALID),
        ("the end of time", none.clone(), json!({"iat": i64::MAX}), INVALID),
        ("its beginning", none.clone(), json!({"iat": i64::MIN}), INVALID),
        ("beyond", none.clone(), json!({"iat": 1e300}), INVALID),
        (
            "not yet over",
            none.clone(),
            json!({"exp": NOW - SKEW + 1}),
            Ok(()),
        ),
        ("over", none.clone(), json!({"exp": NOW - SKEW}), INVALID),
        (
            "an end that is no time",
            none.clone(),
            json!({"exp": "never"}),
            INVALID,
        ),
        ("begun", none.clone(), json!({"nbf": NOW + SKEW}), Ok(())),
        ("not yet begun", none, json!({"nbf": NOW + SKEW + 1}), INVALID),
    ]);
}

#[test]
fn r057_check_12_the_proof_is_for_this_token_and_of_its_key() {
    let none = json!({});
    let hash = encode(&Sha256::digest(TOKEN));
    assert_answers(&[
        (
            "another token",
            none.clone(),
            json!({"ath": encode(&Sha256::digest(b"other"))}),
            INVALID,
        ),
        (
            "padded",
            none.clone(),
            json!({"ath": format!("{hash}=")}),
            INVALID,
        ),
        (
            "cut",
            none.clone(),
            json!({"ath": hash.chars().take(42).collect::<String>()}),
            INVALID,
        ),
        ("empty", none.clone(), json!({"ath": ""}), INVALID),
    ]);
    // A proof without fault, of a key that the token is not bound to.
    let other = Algorithm::EdDsa;
    let stolen = token_with(other, &header(other, &none), &claims(&none));
    assert_eq!(answer(&stolen), Err(Reject::BindingMismatch));
}

#[test]
fn r061_a_proof_is_known_again_by_its_key_and_its_id() {
    let claim = |algorithm: Algorithm, changes: Value, now: i64| {
        let proof = token_with(algorithm, &header(algorithm, &json!({})), &claims(&changes));
        let headers: &[(&[u8], &[u8])] = &[(b"dpop", proof.as_bytes())];
        answer_to(&rules(), algorithm, headers, None, now).expect("a good proof")
    };
    let first = claim(ALG, json!({}), NOW);
    let later = claim(ALG, json!({}), NOW + 20);
    assert_eq!(first, later, "whenever it comes");
    assert_eq!(
        first.key(),
        claim(ALG, json!({"iat": NOW - 5}), NOW).key(),
        "whatever else it says"
    );
    assert_ne!(first.key(), claim(ALG, json!({"jti": "other"}), NOW).key());
    assert_ne!(
        first.key(),
        claim(Algorithm::EdDsa, json!({}), NOW).key(),
        "an id of another key"
    );
}

#[test]
fn r061_a_proof_is_remembered_for_as_long_as_it_would_be_taken() {
    for changes in [
        json!({}),
        json!({"iat": NOW - 40}),
        json!({"iat": NOW + SKEW}),
        json!({"iat": NOW as f64 - 0.5}),
        json!({"exp": NOW + 10}),
    ] {
        let proof = proof(&json!({}), &changes);
        let headers: &[(&[u8], &[u8])] = &[(b"dpop", proof.as_bytes())];
        let at = |now: i64| answer_to(&rules(), ALG, headers, None, now).map(|claim| claim.until().0);
        let until = at(NOW).expect("a good proof");
        assert_eq!(at(until), Ok(until), "{changes}");
        assert_eq!(at(until + 1), Err(Reject::ProofInvalid), "{changes}");
    }
}

/// The proofs of RFC 9449, figures 2 and 12: their claims, and whether they are for a token.
#[test]
fn r057_the_examples_of_the_standard_hold() {
    const HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
    const TO_SERVER: &str = "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    const TO_RESOURCE: &str = "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let key = base64url::decode(b"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I").expect("base64url");
    let key: [u8; 32] = key.try_into().expect("a SHA-256");
    let answer = |host: &str, method: &str, path: &str, proof: &str, now: i64| {
        let proof = format!("{HEADER}.{proof}");
        let request = Request {
            headers: &[(b"DPoP", proof.as_bytes())],
            method: method.as_bytes(),
            target: path.as_bytes(),
            authority: Some(host.as_bytes()),
        };
        let bound = Bound {
            access_token: TOKEN,
            key: &key,
        };
        let origins = vec![Origin::parse(&format!("https://{host}")).expect("an origin")];
        let rules = Rules { origins, ..rules() };
        check(&rules, &request, &bound, (None, None), UnixTime(now)).map(|_| ())
    };
    let at_resource = |now: i64| {
        answer(
            "resource.example.org",
            "GET",
            "/protectedresource",
            TO_RESOURCE,
            now,
        )
    };
    assert_eq!(at_resource(1_562_262_618), Ok(()));
    assert_eq!(at_resource(NOW), INVALID, "long ago");
    // Without `ath`, it is for the token endpoint and no resource; its signature holds all the same.
    assert_eq!(
        answer("server.example.com", "POST", "/token", TO_SERVER, 1_562_262_616),
        INVALID
    );
    let text = format!("{HEADER}.{TO_SERVER}");
    let proof = super::Proof::parse(text.as_bytes()).expect("a proof");
    assert!(proof.is_signed_with(Algorithm::Es256, None));
}

static GOOD: LazyLock<String> = LazyLock::new(|| proof(&json!({}), &json!({})));

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 6, |inner| {
        let name = prop::sample::select(vec![
            "kty", "crv", "x", "y", "n", "e", "pub", "alg", "use", "key_ops",
        ]);
        let name = name.prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_are_a_proof(value in any::<Vec<u8>>(), now in any::<i64>()) {
        let headers: &[(&[u8], &[u8])] = &[(b"dpop", &value)];
        prop_assert!(answer_to(&rules(), ALG, headers, None, now).is_err());
    }

    #[test]
    fn no_json_panics(jwk in any_json(), name in "jti|htm|htu|iat|ath|exp|nbf|nonce", value in any_json(), now in any::<i64>()) {
        let changes = Value::Object([(name, value)].into_iter().collect());
        for proof in [
            token_with(ALG, &header(ALG, &json!({"jwk": jwk})), &claims(&json!({}))),
            token_with(ALG, &header(ALG, &json!({})), &claims(&changes)),
        ] {
            let headers: &[(&[u8], &[u8])] = &[(b"dpop", proof.as_bytes())];
            let _ = answer_to(&rules(), ALG, headers, None, now);
            if let Some(proof) = super::Proof::parse(proof.as_bytes()) {
                for algorithm in Algorithm::ALL {
                    let _ = proof.is_signed_with(*algorithm, None);
                }
            }
        }
    }

    #[test]
    fn a_proof_changed_anywhere_is_refused(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut changed = GOOD.clone().into_bytes();
        let index = position.index(changed.len());
        prop_assume!(changed[index] != byte);
        changed[index] = byte;
        let headers: &[(&[u8], &[u8])] = &[(b"dpop", &changed)];
        prop_assert!(answer_to(&rules(), ALG, headers, None, NOW).is_err());
    }

    #[test]
    fn no_target_panics_and_only_our_origins_are_targets(
        htu in "(https?://)?[a-z%\\[\\]:@.0-9]{0,12}[/?#][!-~é%]{0,24}",
        authority in prop::option::of(any::<Vec<u8>>()),
        target in prop_oneof!["/[!-~]{0,24}".prop_map(String::into_bytes), any::<Vec<u8>>()],
    ) {
        let ours = rules().origins;
        prop_assert!(!super::target::is_target(&htu, &ours, authority.as_deref(), &target));
    }

    #[test]
    fn a_path_of_any_bytes_is_its_own_target_or_none(path in "/[!-~]{0,32}") {
        let ours = rules().origins;
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let htu = format!("https://api.example.com{path}");
        let has_good_escapes = !path.contains('%') && !path.contains('\\');
        let answer = super::target::is_target(&htu, &ours, Some(b"api.example.com"), path.as_bytes());
        prop_assert!(answer || !has_good_escapes, "{htu}");
    }

    #[test]
    fn only_what_was_issued_is_fresh(nonce in ".{0,64}", secret in any::<[u8; 32]>(), now in any::<i64>()) {
        let nonces = Nonces::new(&Zeroizing::new(secret));
        prop_assert!(nonces.issue(UnixTime(now)) == nonce || !nonces.is_fresh(&nonce, UnixTime(now)));
    }
}
