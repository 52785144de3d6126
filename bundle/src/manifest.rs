//! What a bundle says of itself: a JSON object in a custom section. Nothing in it is believed that the bundle's own engine
//! does not confirm.

use std::cell::RefCell;
use std::collections::BTreeSet;

use scopegate_authn::Secrets;
use scopegate_engine::Engine;
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

/// The variables that a policy takes secrets from: those that are asked for when it is compiled. What merely looks like it,
/// as a claim with the name `env`, is none. In order, each once.
#[must_use]
pub fn secrets(policy: &Value) -> Vec<String> {
    let asked = Asked::default();
    // Where the policy has faults, what was asked for until then is what it takes.
    let _ = Engine::from_value(policy, &asked);
    asked.0.into_inner().into_iter().collect()
}

/// An environment that has everything, and remembers what it was asked for.
#[derive(Default)]
struct Asked(RefCell<BTreeSet<String>>);

impl Secrets for Asked {
    fn get(&self, name: &str) -> Option<String> {
        self.0.borrow_mut().insert(name.to_owned());
        Some("A".repeat(86))
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
    fn the_variables_of_a_policy_are_those_that_it_takes_secrets_from() {
        let key = |kid: &str, name: &str| json!({"kid": kid, "alg": "HS256", "secret": {"env": name}});
        let policy = json!({
            "scopegate": "v1",
            "metadata": {"name": "orders"},
            "authentication": {
                "identity_headers": {"env": "x-env"},
                "providers": [{
                    "name": "corp",
                    "type": "jwt",
                    "issuer": "https://idp.example.com",
                    "audiences": ["orders"],
                    "algorithms": ["HS256"],
                    "require": {"claims": {"env": "NEITHER"}},
                    "keys": [key("1", "TWO"), key("2", "ONE"), key("3", "ONE")],
                }],
            },
            "authorization": {"routes": [{"id": "a", "match": {"path": "/"}, "access": "public"}]},
        });
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
