//! Wycheproof's JOSE files, whole: every vector is right, but for those `SKIPS.json` shows to be wrong.

use scopegate_authn::jws;
use serde_json::Value;

use crate::vectors::{list, load, text};

/// Vectors that `SKIPS.json` declares wrong, or that ask for what is no access token's business.
fn is_excepted(skips: &Value, file: &str, vector: &Value) -> bool {
    let id = vector["tcId"].to_string();
    let listed = |kind: &str| !skips[file][kind][id.as_str()].is_null();
    listed("vector_errors") || listed("optional") || vector.get("jws").is_none()
}

fn run(test: &str, file: &str, expected: usize) {
    let (Some(vectors), Some(skips)) = (
        load(test, &format!("wycheproof/{file}")),
        load(test, "wycheproof/SKIPS.json"),
    ) else {
        return;
    };
    let (mut passed, mut wrong) = (0, Vec::new());
    for group in list(&vectors, "testGroups") {
        let keys = group.get("public").unwrap_or(&group["private"]).to_string();
        for vector in list(group, "tests")
            .iter()
            .filter(|vector| !is_excepted(&skips, file, vector))
        {
            // A token in the JSON serialisation stands there as an object.
            let token = vector["jws"]
                .as_str()
                .map_or_else(|| vector["jws"].to_string(), str::to_owned);
            let answer = jws::verify(token.as_bytes(), keys.as_bytes());
            match answer.is_ok() == (text(vector, "result") == "valid") {
                true => passed += 1,
                false => wrong.push(format!("{}: {:?}, {}", vector["tcId"], answer, vector["comment"])),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{file}: {passed} as expected, but not:\n{}",
        wrong.join("\n")
    );
    assert_eq!(
        passed, expected,
        "{file}: every vector that is not excepted was run"
    );
}

#[test]
fn every_signature_vector_is_answered_rightly() {
    run(
        "every_signature_vector_is_answered_rightly",
        "json_web_signature_test.json",
        393,
    );
}

#[test]
fn every_key_vector_is_answered_rightly() {
    run(
        "every_key_vector_is_answered_rightly",
        "json_web_key_test.json",
        25,
    );
}

#[test]
fn every_crypto_vector_is_answered_rightly() {
    run(
        "every_crypto_vector_is_answered_rightly",
        "json_web_crypto_test.json",
        48,
    );
}
