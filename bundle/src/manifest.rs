//! What a bundle says of itself: a JSON object in a custom section. Nothing in it is believed that the bundle's own engine
//! does not confirm.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the form of bundles that is made and read here.
pub(crate) const VERSION: u32 = 1;

/// What a bundle is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub bundle: u32,
    /// The policy.
    pub policy: PolicyFacts,
    /// How the policy stands in it.
    pub form: crate::Form,
    /// What a proxy's configuration may set.
    pub open: Vec<Open>,
    /// The upstreams that the policy names.
    pub upstreams: Vec<String>,
    /// The variables of the proxy's environment from which the policy takes secrets.
    pub secrets: Vec<String>,
    /// The plugin.
    pub plugin: PluginFacts,
    /// What made it.
    pub built: Built,
}

/// The policy of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFacts {
    /// The version of the policy's format, as in `v1`.
    pub format: String,
    /// Its name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// `sha256:` and the digest of its canonical form, as audit records show it.
    pub digest: String,
}

/// The plugin of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFacts {
    /// Its version.
    pub version: String,
    /// `sha256:` and the digest of the module that the bundle was made from.
    pub digest: String,
}

/// What made a bundle. Where and when is left out: the same input gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The tool and its version.
    pub by: String,
    /// The time that `SOURCE_DATE_EPOCH` gave, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<u64>,
}

/// A field that a proxy's configuration may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// The proxy's names of the upstreams that the policy names.
    Upstreams,
    /// The least level of the plugin's own lines in the proxy's log; audit records are not among them.
    LogLevel,
}

impl Open {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstreams => "upstreams",
            Self::LogLevel => "log_level",
        }
    }
}

/// The variables that a policy takes secrets from: wherever a value is `{env: NAME}`. In order, each once.
#[must_use]
pub fn secrets(policy: &Value) -> Vec<String> {
    let mut names = Vec::new();
    collect(policy, &mut names);
    names.sort();
    names.dedup();
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

/// The upstreams that a policy names, whatever for. In order, each once.
pub(crate) fn upstreams(policy: &Value) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(section) = policy.get("authentication") {
        collect_upstreams(section, &mut names);
    }
    names.sort();
    names.dedup();
    names
}

fn collect_upstreams(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            names.extend(members.get("upstream").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| collect_upstreams(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_upstreams(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{secrets, upstreams};

    #[test]
    fn the_variables_of_a_policy_are_found_wherever_they_stand() {
        let policy = json!({"a": [{"secret": {"env": "TWO"}}], "b": {"env": "ONE"}, "c": {"env": "no", "d": 1}, "d": {"env": "ONE"}});
        assert_eq!(secrets(&policy), ["ONE", "TWO"]);
    }

    #[test]
    fn the_upstreams_of_a_policy_are_found_wherever_callers_are_proved() {
        let policy = json!({
            "authentication": {"providers": [{"keys": {"upstream": "b"}}, {"upstream": "a"}], "revocation": {"feed": {"upstream": "b"}}},
            "authorization": {"upstream": "not one"},
        });
        assert_eq!(upstreams(&policy), ["a", "b"]);
    }
}
