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
    let mut names = Vec::new();
    collect(policy, &mut names);
    names
        .into_iter()
        .filter_map(|name| Some((name.clone(), std::env::var(&name).ok()?)))
        .collect()
}

/// The variables that `policy` names and the environment does not have.
pub(crate) fn missing(policy: &Value) -> Vec<String> {
    let mut names = Vec::new();
    collect(policy, &mut names);
    names.retain(|name| std::env::var_os(name).is_none());
    names
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => match (members.len(), members.get("env").and_then(Value::as_str)) {
            (1, Some(name)) => names.push(name.to_owned()),
            _ => members.values().for_each(|value| collect(value, names)),
        },
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::collect;

    #[test]
    fn the_variables_of_a_policy_are_found_wherever_they_stand() {
        let policy =
            json!({"a": [{"secret": {"env": "ONE"}}], "b": {"env": "TWO"}, "c": {"env": "no", "d": 1}});
        let mut names = Vec::new();
        collect(&policy, &mut names);
        assert_eq!(names, ["ONE", "TWO"]);
    }
}
