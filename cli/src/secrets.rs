//! Secrets that a policy names by `{env: NAME}`. The process's own variables are looked at, and only those
//! that the policy names ever reach a plugin.

use std::collections::BTreeMap;

use serde_json::Value;

use scopegate_authn::Secrets;

/// What stands in for a secret that is not at hand when a policy is only checked: long enough for any HMAC.
const PLACEHOLDER: &str =
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Secrets for checking: the environment's, and a placeholder for what it lacks.
pub(crate) struct CheckedSecrets;

impl Secrets for CheckedSecrets {
    fn get(&self, name: &str) -> Option<String> {
        Some(std::env::var(name).unwrap_or_else(|_| PLACEHOLDER.to_owned()))
    }
}

/// The variables that `policy` names, as far as the environment has them.
pub(crate) fn environment(policy: &Value) -> BTreeMap<String, String> {
    named(&scopegate_bundle::secrets(policy))
}

/// These variables, as far as the environment has them.
pub(crate) fn named(names: &[String]) -> BTreeMap<String, String> {
    let value = |name: &String| Some((name.clone(), std::env::var(name).ok()?));
    names.iter().filter_map(value).collect()
}

/// The variables that `policy` names and the environment does not have.
pub(crate) fn missing(policy: &Value) -> Vec<String> {
    let mut names = scopegate_bundle::secrets(policy);
    names.retain(|name| std::env::var_os(name).is_none());
    names
}
