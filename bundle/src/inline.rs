//! Secrets that stand in a policy in the open: private and shared keys in JWK form. Whoever has the file has them, so no bundle is
//! made of such a policy, and none is shown. Secrets from the environment (`{env: NAME}`) are no matter of this.

use serde_json::Value;

/// The members of a JWK that are secret (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1; RFC 8037 section 2; RFC 9964).
const SECRET_MEMBERS: [&str; 9] = ["k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// What is shown in place of a secret.
const REDACTED: &str = "(redacted)";

/// A secret that stands in a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineSecret {
    /// The path of the key that holds it, as in `authentication.providers[0].keys.jwks.keys[0]`.
    pub path: String,
    /// Whether the key is a shared one (`oct`); a private one otherwise.
    pub is_shared: bool,
}

impl std::fmt::Display for InlineSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, .. } = self;
        match self.is_shared {
            true => write!(f, "{path}: a shared secret stands in the policy"),
            false => write!(f, "{path}: a private key stands in the policy"),
        }
    }
}

/// The secrets that stand in a policy, in the order of their paths' members.
#[must_use]
pub fn inline_secrets(policy: &Value) -> Vec<InlineSecret> {
    let mut found = Vec::new();
    let mut policy = policy.clone();
    visit(&mut policy, "", false, &mut |path, key, is_shared| {
        if SECRET_MEMBERS.iter().any(|member| key.contains_key(*member)) {
            let path = path.to_owned();
            found.push(InlineSecret { path, is_shared });
        }
    });
    found
}

/// The policy with `(redacted)` in place of each secret.
#[must_use]
pub fn redacted(policy: &Value) -> Value {
    let mut policy = policy.clone();
    visit(&mut policy, "", false, &mut |_, key, _| {
        for member in SECRET_MEMBERS {
            if let Some(secret) = key.get_mut(member) {
                *secret = Value::from(REDACTED);
            }
        }
    });
    policy
}

type Keys<'k> = &'k mut dyn FnMut(&str, &mut serde_json::Map<String, Value>, bool);

/// Shows every JWK, whether a provider takes it or not: what has a `kty`, and whatever stands in a `jwks`.
fn visit(value: &mut Value, path: &str, is_in_set: bool, keys: Keys<'_>) {
    match value {
        Value::Object(members) => {
            let kty = members.get("kty");
            if is_in_set || kty.is_some_and(Value::is_string) {
                let is_shared = kty.is_some_and(|kty| kty == "oct");
                keys(path, members, is_shared);
            }
            for (name, value) in members {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                visit(value, &path, is_in_set || name == "jwks", keys);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                visit(item, &format!("{path}[{at}]"), is_in_set, keys);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{inline_secrets, redacted};

    #[test]
    fn every_secret_in_a_policy_is_found_and_redacted() {
        for (key, is_shared) in [
            (json!({"kty": "oct", "k": "SECRET"}), true),
            (
                json!({"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "d": "SECRET"}),
                false,
            ),
            (json!({"kty": "OKP", "x": "x", "d": "SECRET"}), false),
            (json!({"kty": "RSA", "n": "n", "e": "AQAB", "p": "SECRET"}), false),
            (
                json!({"kty": "RSA", "n": "n", "e": "AQAB", "oth": [{"r": "SECRET"}]}),
                false,
            ),
            (json!({"kty": "AKP", "pub": "x", "priv": "SECRET"}), false),
            (json!({"d": "SECRET"}), false),
        ] {
            let policy = json!({"authentication": {"providers": [{"keys": {"jwks": {"keys": [{"kty": "EC", "x": "open"}, key]}}}]}});
            let found = inline_secrets(&policy);
            assert_eq!(found.len(), 1, "{policy}");
            assert_eq!(found[0].path, "authentication.providers[0].keys.jwks.keys[1]");
            assert_eq!(found[0].is_shared, is_shared, "{policy}");
            let shown = redacted(&policy).to_string();
            assert!(!shown.contains("SECRET") && shown.contains("open"), "{shown}");
        }
    }

    #[test]
    fn what_is_public_or_comes_from_the_environment_is_no_secret_of_a_policy() {
        let policy = json!({"authentication": {"providers": [
            {"keys": [{"kid": "k", "secret": {"env": "K"}}]},
            {"keys": {"jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "x"}]}}},
        ]}, "d": 1});
        assert!(inline_secrets(&policy).is_empty());
        assert_eq!(redacted(&policy), policy);
    }
}
