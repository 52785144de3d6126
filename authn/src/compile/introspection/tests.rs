use serde_json::{Value, json};

use super::compile;
use crate::authenticator::Secrets;
use crate::compile::{Context, Faults};
use crate::introspection::IntrospectionRules;
use crate::section::ProviderSection;

/// The environment of a test.
struct Environment;

impl Secrets for Environment {
    fn get(&self, name: &str) -> Option<String> {
        let value = match name {
            "PASSWORD" => "s3cret/with+signs",
            "TOKEN" => "2YotnFZFEjr1zCsicMWpAA",
            "EMPTY" => "",
            "LINES" => "s3cret\n",
            _ => return None,
        };
        Some(value.to_owned())
    }
}

fn section(changes: &Value) -> ProviderSection {
    let mut section = json!({
        "name": "opaque", "type": "introspection", "endpoint": "https://idp.example.com/introspect",
        "upstream": "idp", "audiences": ["https://api.example.com"],
        "client_auth": {"basic": {"username": "orders", "password": {"env": "PASSWORD"}}},
    });
    let members = section.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value.is_null() {
            true => members.remove(name),
            false => members.insert(name.clone(), value.clone()),
        };
    }
    serde_json::from_value(section).expect("a section")
}

/// The compiled provider, or the path, the code and the message of each fault.
fn compiled(changes: &Value) -> Result<IntrospectionRules, Vec<(String, &'static str, String)>> {
    let mut context = Context {
        secrets: &Environment,
        faults: Faults::default(),
        notices: Vec::new(),
        origins: None,
        sources: Vec::new(),
    };
    let rules = compile(&mut context, "providers[0]", &section(changes));
    let faults = |faults: Vec<scopegate_document::PolicyError>| {
        faults
            .into_iter()
            .map(|fault| (fault.path, fault.code, fault.message))
            .collect::<Vec<_>>()
    };
    context.faults.or(()).map_err(faults)?;
    Ok(rules.expect("no faults, so rules"))
}

#[test]
fn a_good_provider_becomes_rules() {
    let rules = compiled(&json!({})).expect("no faults");
    assert_eq!(rules.endpoint.to_string(), "https://idp.example.com/introspect");
    assert_eq!(
        (rules.upstream.as_str(), rules.cache, rules.clock_skew),
        ("idp", 0, 30)
    );
    assert_eq!(rules.issuer, None);
    let expected = base64_simd::STANDARD.encode_to_string("orders:s3cret%2Fwith%2Bsigns");
    assert_eq!(*rules.authorization, format!("Basic {expected}"));

    let rules = compiled(&json!({
        "client_auth": {"bearer": {"env": "TOKEN"}}, "cache": "1h", "clock_skew": "0s", "issuer": "https://a",
        "require": {"claims": {"azp": "web"}}, "claims": {"tenant": "tid"},
    }))
    .expect("no faults");
    assert_eq!(*rules.authorization, "Bearer 2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(
        (rules.cache, rules.clock_skew, rules.issuer.as_deref()),
        (3_600, 0, Some("https://a"))
    );
    assert_eq!((rules.required.len(), rules.mapping.tenant.is_some()), (1, true));
}

#[test]
fn a_fault_names_its_field_and_no_secret() {
    let basic = |username: &str, env: &str| json!({"client_auth": {"basic": {"username": username, "password": {"env": env}}}});
    let bearer = |env: &str| json!({"client_auth": {"bearer": {"env": env}}});
    let both = json!({
        "basic": {"username": "a", "password": {"env": "PASSWORD"}}, "bearer": {"env": "TOKEN"},
    });
    let cases = [
        (json!({"endpoint": null}), "endpoint", "missing_field"),
        (
            json!({"endpoint": "http://idp.example.com/"}),
            "endpoint",
            "invalid_value",
        ),
        (json!({"endpoint": "introspect"}), "endpoint", "invalid_value"),
        (json!({"upstream": null}), "upstream", "missing_field"),
        (json!({"upstream": ""}), "upstream", "invalid_value"),
        (json!({"audiences": null}), "audiences", "missing_field"),
        (json!({"audiences": []}), "audiences", "empty_list"),
        (json!({"issuer": ""}), "issuer", "invalid_value"),
        (json!({"cache": "61m"}), "cache", "invalid_value"),
        (json!({"clock_skew": "6m"}), "clock_skew", "invalid_value"),
        (json!({"client_auth": null}), "client_auth", "missing_field"),
        (json!({"client_auth": {}}), "client_auth", "invalid_value"),
        (json!({"client_auth": both}), "client_auth", "invalid_value"),
        (
            basic("", "PASSWORD"),
            "client_auth.basic.username",
            "invalid_value",
        ),
        (
            basic("a", "ABSENT"),
            "client_auth.basic.password.env",
            "secret_missing",
        ),
        (
            basic("a", "s3cret!"),
            "client_auth.basic.password.env",
            "invalid_value",
        ),
        (
            basic("a", "s3cret"),
            "client_auth.basic.password.env",
            "secret_missing",
        ),
        (
            basic("a", "EMPTY"),
            "client_auth.basic.password.env",
            "secret_malformed",
        ),
        (
            basic("a", "LINES"),
            "client_auth.basic.password.env",
            "secret_malformed",
        ),
        (bearer("ABSENT"), "client_auth.bearer.env", "secret_missing"),
        (bearer("EMPTY"), "client_auth.bearer.env", "secret_malformed"),
        (bearer("LINES"), "client_auth.bearer.env", "secret_malformed"),
    ];
    for (changes, path, code) in cases {
        let faults = compiled(&changes).map(|_| ()).expect_err(path);
        let found: Vec<(&str, &str)> = faults
            .iter()
            .map(|(path, code, _)| (path.as_str(), *code))
            .collect();
        assert_eq!(
            found,
            [(format!("providers[0].{path}").as_str(), code)],
            "{changes}"
        );
        assert!(
            faults.iter().all(|(_, _, message)| !message.contains("s3cret")),
            "{faults:?}"
        );
    }
}
