//! What the tests of this folder share: sections from JSON, requests from text, answers as text.

use scopegate_authz::section::AuthorizationSection;
use scopegate_authz::{Action, Authorizer, ProviderFacts, Target};
use serde_json::{Value, json};

/// The section as the plugin would read it.
pub(crate) fn section(value: &Value) -> AuthorizationSection {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// One provider, `corp`, whose tokens carry scopes.
pub(crate) fn corp() -> Vec<ProviderFacts> {
    vec![ProviderFacts {
        name: "corp".to_owned(),
        carries_scopes: true,
    }]
}

pub(crate) fn authorizer(value: &Value) -> Authorizer {
    let compiled = Authorizer::compile(&section(value), &corp());
    compiled.unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// A public route for each pattern, with the pattern as its id.
pub(crate) fn public(patterns: &[&str]) -> Authorizer {
    let route = |pattern: &&str| json!({"id": pattern, "match": {"path": pattern}, "access": "public"});
    authorizer(&json!({"routes": patterns.iter().map(route).collect::<Vec<_>>()}))
}

/// The id of the route for GET of `path`, or the code of the refusal.
pub(crate) fn get(authorizer: &Authorizer, path: impl AsRef<[u8]>) -> String {
    select(authorizer, "GET", path, "api.example.com", &[])
}

pub(crate) fn select(
    authorizer: &Authorizer,
    method: &str,
    path: impl AsRef<[u8]>,
    authority: &str,
    headers: &[(&str, &str)],
) -> String {
    let headers: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let target = Target {
        method: method.as_bytes(),
        path: path.as_ref(),
        authority: Some(authority.as_bytes()),
        headers: &headers,
    };
    answer(authorizer.select(target))
}

pub(crate) fn answer(selected: Result<Action<'_>, scopegate_authz::Unrouted>) -> String {
    match selected {
        Ok(action) => action.route().id.to_owned(),
        Err(unrouted) => unrouted.code().to_owned(),
    }
}
