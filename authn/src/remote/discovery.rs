//! Metadata that says where the keys of an issuer are (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2).

use serde_json::Value;

use scopegate_document::json;

use crate::endpoint::Endpoint;

/// Where the keys of `issuer` are, by the metadata that stands at `metadata`.
///
/// # Errors
/// Why the metadata is not believed: it is that of another issuer (OpenID Connect Discovery 1.0 section 4.3, RFC 8414
/// section 3.3), or the keys stand on another host: the fetch goes to the one upstream that the policy names.
pub(super) fn keys_endpoint(
    body: &[u8],
    issuer: &str,
    metadata: &Endpoint,
) -> Result<Endpoint, &'static str> {
    let document = json::parse_object(body).map_err(|_| "the metadata is not valid JSON")?;
    if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err("the metadata is that of another issuer");
    }
    let uri = document.get("jwks_uri").and_then(Value::as_str);
    let endpoint = Endpoint::parse(uri.ok_or("the metadata names no keys")?)
        .map_err(|_| "the metadata names keys at no URL that is fetched")?;
    if endpoint.scheme != metadata.scheme || endpoint.authority != metadata.authority {
        return Err("the metadata names keys on another host; write `jwks_uri` with an upstream of its own");
    }
    if endpoint.path == metadata.path {
        return Err("the metadata names itself as the keys");
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::keys_endpoint;
    use crate::endpoint::Endpoint;

    #[test]
    fn only_the_issuers_own_metadata_says_where_its_keys_are() {
        let metadata = Endpoint::parse("https://idp.example.com/.well-known/openid-configuration").unwrap();
        let keys = |body: &str| keys_endpoint(body.as_bytes(), "https://idp.example.com", &metadata);
        let good = r#"{"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/jwks?v=1"}"#;
        assert_eq!(
            keys(good).map(|endpoint| endpoint.path),
            Ok("/jwks?v=1".to_owned())
        );
        let bad = [
            r#"{"issuer": "https://idp.example.com/", "jwks_uri": "https://idp.example.com/jwks"}"#,
            r#"{"issuer": "https://evil.example.com", "jwks_uri": "https://idp.example.com/jwks"}"#,
            r#"{"jwks_uri": "https://idp.example.com/jwks"}"#,
            r#"{"issuer": "https://idp.example.com"}"#,
            r#"{"issuer": "https://idp.example.com", "jwks_uri": 7}"#,
            r#"{"issuer": "https://idp.example.com", "jwks_uri": "http://idp.example.com/jwks"}"#,
            r#"{"issuer": "https://idp.example.com", "jwks_uri": "https://evil.example.com/jwks"}"#,
            r#"{"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com:444/jwks"}"#,
            r#"{"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/.well-known/openid-configuration"}"#,
            r#"{"issuer": "a", "issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/jwks"}"#,
            r#"[]"#,
            r#"{"issuer": "https://idp"#,
        ];
        for body in bad {
            assert!(keys(body).is_err(), "{body}");
        }
    }
}
