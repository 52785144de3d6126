//! The examples of the IETF's own documents, each answered as a verifier of access tokens should.

use scopegate_authn::{Algorithm, jws};

use crate::vectors::{list, load, text};

#[test]
fn every_example_is_answered_as_an_access_token_verifier_should() {
    let test = "every_example_is_answered_as_an_access_token_verifier_should";
    let Some(vectors) = load(test, "ietf/vectors.json") else {
        return;
    };
    let (mut run, mut wrong) = (0, Vec::new());
    for vector in list(&vectors, "vectors") {
        let (Some(token), Some(expected)) = (vector["token"].as_str(), vector["expect_strict"].as_str())
        else {
            continue;
        };
        run += 1;
        let answer = jws::verify(token.as_bytes(), vector["jwk"].to_string().as_bytes());
        let is_valid = match expected {
            "invalid unless ML-DSA is built" => Algorithm::MlDsa44.is_built_in(),
            expected => expected == "valid",
        };
        if answer.is_ok() != is_valid {
            wrong.push(format!(
                "{}: expected {expected}, got {answer:?}",
                text(vector, "id")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(run, 37, "every example with an expectation was run");
}
