//! ML-DSA: Wycheproof's vectors and the examples of RFC 9964.
#![cfg(feature = "ml-dsa")]

use scopegate_authn::{Algorithm, jws};
use serde_json::{Value, json};

use crate::common::{encode, merge};
use crate::vectors::{hex, list, load, text};

const SETS: [(Algorithm, &str, usize); 3] = [
    (Algorithm::MlDsa44, "44", 180),
    (Algorithm::MlDsa65, "65", 210),
    (Algorithm::MlDsa87, "87", 241),
];

/// Valid vectors that are refused, by number, the same in each file, and why.
const REFUSED: [(u64, &str); 2] = [
    (3, "signed with a context; that of RFC 9964 section 3 is empty"),
    (4, "signed with a context; that of RFC 9964 section 3 is empty"),
];

#[test]
fn a_signature_of_ml_dsa_holds_where_wycheproof_says_so() {
    let test = "a_signature_of_ml_dsa_holds_where_wycheproof_says_so";
    for (algorithm, set, count) in SETS {
        let Some(vectors) = load(test, &format!("wycheproof/mldsa_{set}_verify_test.json")) else {
            return;
        };
        let (mut run, mut wrong) = (0, Vec::new());
        for group in list(&vectors, "testGroups") {
            let key = json!({
                "kty": "AKP", "alg": algorithm.name(), "pub": encode(&hex(text(group, "publicKey"))),
            });
            for vector in list(group, "tests") {
                run += 1;
                let (message, signature) = (hex(text(vector, "msg")), hex(text(vector, "sig")));
                let holds = jws::holds(algorithm, key.to_string().as_bytes(), &message, &signature);
                let id = vector["tcId"].as_u64().unwrap();
                let is_refused = REFUSED.iter().any(|(refused, _)| *refused == id);
                assert!(!is_refused || vector["ctx"].as_str().is_some_and(|context| !context.is_empty()));
                if holds.unwrap_or(false) != (text(vector, "result") == "valid" && !is_refused) {
                    wrong.push(format!("{id}: {holds:?}, {}", text(vector, "comment")));
                }
            }
        }
        assert!(wrong.is_empty(), "{algorithm}: {}", wrong.join("\n"));
        assert_eq!(run, count, "{algorithm}: every vector was run");
    }
}

#[test]
fn the_examples_of_rfc_9964_hold_with_their_own_key_alone() {
    let test = "the_examples_of_rfc_9964_hold_with_their_own_key_alone";
    let load = |set: &str| load(test, &format!("ietf/rfc9964_mldsa/ML_DSA_{set}.jose.json"));
    for (algorithm, set, _) in SETS {
        let Some(example) = load(set) else {
            return;
        };
        let (token, key) = (text(&example, "jws"), &example["jwk"]);
        let verify = |token: &str, key: &Value| jws::verify(token.as_bytes(), key.to_string().as_bytes());
        assert_eq!(verify(token, key), Ok(()), "{algorithm}");
        assert_eq!(
            jws::holds(
                algorithm,
                key.to_string().as_bytes(),
                &hex(text(&example, "raw_to_be_signed")),
                &hex(text(&example, "raw_signature")),
            ),
            Some(true),
            "{algorithm}"
        );
        let (start, end) = token.split_at(token.len() - 100);
        let forged = format!(
            "{start}{}{}",
            if end.starts_with('A') { 'B' } else { 'A' },
            &end[1..]
        );
        assert!(verify(&forged, key).is_err(), "{algorithm}: a changed signature");
        assert!(verify(start, key).is_err(), "{algorithm}: a shorter signature");
        for changes in [
            json!({"alg": null}),
            json!({"alg": "ML-DSA-45"}),
            json!({"use": "enc"}),
        ] {
            let key = merge(key.clone(), &changes);
            assert!(verify(token, &key).is_err(), "{algorithm}: {changes}");
        }
    }
}
