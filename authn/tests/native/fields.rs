//! Each field belongs to some types of provider, and is refused in the others.

use scopegate_authn::section::AuthenticationSection;
use scopegate_authn::{Algorithm, Authenticator};
use serde_json::{Map, Value, json};

use crate::common::{Environment, provider};

const TYPES: [&str; 4] = ["jwt", "api_key", "mtls", "introspection"];

/// Every field with a value it may have, and the types it belongs to.
fn fields() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let jwt = provider(&[Algorithm::Es256], &json!({}));
    vec![
        (
            "issuer",
            json!("https://idp.example.com"),
            &["jwt", "introspection"],
        ),
        ("trust_domains", json!(["prod.example.com"]), &["jwt", "mtls"]),
        ("dns_names", json!(["a.example.com"]), &["mtls"]),
        ("audiences", json!(["a"]), &["jwt", "introspection"]),
        ("algorithms", json!(["ES256"]), &["jwt"]),
        ("profile", json!("jwt"), &["jwt"]),
        ("keys", jwt["keys"].clone(), &["jwt", "api_key"]),
        ("clock_skew", json!("30s"), &["jwt", "introspection"]),
        ("max_lifetime", json!("1h"), &["jwt"]),
        (
            "require",
            json!({"claims": {"azp": "web"}}),
            &["jwt", "introspection"],
        ),
        ("claims", json!({}), &["jwt", "introspection"]),
        ("binding", json!("none"), &["jwt", "introspection"]),
        (
            "credential",
            json!({"cookie": "c"}),
            &["jwt", "api_key", "introspection"],
        ),
        (
            "forward_credential",
            json!(false),
            &["jwt", "api_key", "introspection"],
        ),
        ("proxy_verifies", json!(false), &["mtls"]),
        ("forwarded_by", json!(["spiffe://prod.example.com/in"]), &["mtls"]),
        ("endpoint", json!("https://idp.example.com/i"), &["introspection"]),
        ("upstream", json!("idp"), &["introspection"]),
        ("client_auth", json!({}), &["introspection"]),
        ("cache", json!("30s"), &["introspection"]),
    ]
}

fn refused(provider_type: &str, field: &str, value: &Value) -> Option<String> {
    let mut provider = Map::from_iter([
        ("name".to_owned(), json!("a")),
        ("type".to_owned(), json!(provider_type)),
    ]);
    provider.insert(field.to_owned(), value.clone());
    let section = json!({"providers": [provider]});
    let section: AuthenticationSection = serde_json::from_value(section).expect("a section");
    let faults = Authenticator::compile(&section, &Environment::default()).err()?;
    let path = format!("providers[0].{field}");
    let foreign = |code: &str, message: &str| code == "field_not_of_type" && message.contains("of type");
    faults
        .into_iter()
        .find(|fault| fault.path == path && foreign(fault.code, &fault.message))
        .map(|fault| fault.message)
}

#[test]
fn a_field_is_refused_by_the_types_it_does_not_belong_to() {
    for (field, value, owners) in fields() {
        for provider_type in TYPES {
            let message = refused(provider_type, field, &value);
            assert_eq!(
                message.is_none(),
                owners.contains(&provider_type),
                "{provider_type} {field}"
            );
        }
    }
    assert_eq!(
        refused("api_key", "audiences", &json!(["a"])).as_deref(),
        Some("`audiences` belongs to providers of type `jwt` and `introspection`")
    );
}
