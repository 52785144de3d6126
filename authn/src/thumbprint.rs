//! The thumbprint of a public key (RFC 7638): how a token names the key it is bound to.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The SHA-256 thumbprint of a public JWK; nothing where its kind is not known here or a member it needs is absent.
///
/// What is hashed is a JSON object with the members that make the key what it is and no others, in the order of
/// their names, without blanks (RFC 7638 section 3).
pub(crate) fn sha256(jwk: &Value) -> Option<[u8; 32]> {
    let mut hash = Sha256::new();
    for (index, name) in required_members(jwk)?.iter().enumerate() {
        let value = jwk.get(*name)?.as_str()?;
        if !value.bytes().all(is_unescaped) {
            return None;
        }
        let opening = if index == 0 { "{\"" } else { ",\"" };
        for part in [opening, name, "\":\"", value, "\""] {
            hash.update(part);
        }
    }
    hash.update("}");
    Some(hash.finalize().into())
}

/// RFC 7638 section 3.2 (`EC`, `RSA`), RFC 8037 section 2 (`OKP`), RFC 9964 section 6 (`AKP`).
fn required_members(jwk: &Value) -> Option<&'static [&'static str]> {
    match jwk.get("kty")?.as_str()? {
        "EC" => Some(&["crv", "kty", "x", "y"]),
        "RSA" => Some(&["e", "kty", "n"]),
        "OKP" => Some(&["crv", "kty", "x"]),
        "AKP" => Some(&["alg", "kty", "pub"]),
        _ => None,
    }
}

/// The characters of base64url and of registered names: none of them has a second form in JSON.
const fn is_unescaped(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::sha256;
    use crate::base64url;
    use crate::test_support::vectors::{list, load, text};

    fn thumbprint(jwk: &Value) -> Option<String> {
        sha256(jwk).map(|digest| base64url::encode(&digest))
    }

    #[test]
    fn the_examples_of_the_standards_have_their_thumbprints() {
        let cases = [
            (
                "RFC 7638 section 3.1",
                json!({
                    "kty": "RSA",
                    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
                    "e": "AQAB",
                    "alg": "RS256",
                    "kid": "2011-04-29",
                }),
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            (
                "RFC 8037 appendix A.3",
                json!({"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "crv": "Ed25519", "kty": "OKP"}),
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
            (
                "RFC 9449 section 6.1",
                json!({
                    "kty": "EC",
                    "crv": "P-256",
                    "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
                    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
                    "use": "sig",
                }),
                "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            ),
        ];
        for (reference, jwk, expected) in cases {
            assert_eq!(thumbprint(&jwk).as_deref(), Some(expected), "{reference}");
        }
    }

    #[test]
    fn the_examples_of_ml_dsa_have_their_thumbprints() {
        let test = "the_examples_of_ml_dsa_have_their_thumbprints";
        let Some(vectors) = load(test, "ietf/vectors.json") else {
            return;
        };
        // Their `kid` is their thumbprint.
        let mut run = 0;
        for jwk in list(&vectors, "vectors").iter().map(|vector| &vector["jwk"]) {
            if jwk["kty"] == "AKP" {
                assert_eq!(
                    thumbprint(jwk).as_deref(),
                    Some(text(jwk, "kid")),
                    "{}",
                    jwk["alg"]
                );
                run += 1;
            }
        }
        assert_eq!(run, 3, "all sizes");
    }

    #[test]
    fn what_is_no_public_key_has_no_thumbprint() {
        for jwk in [
            json!({"kty": "oct", "k": "AAAA"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AAAA"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": 1}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "\"}"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "\u{e9}"}),
            json!({"kty": ["EC"]}),
            json!({}),
            json!("EC"),
        ] {
            assert_eq!(thumbprint(&jwk), None, "{jwk}");
        }
    }
}
