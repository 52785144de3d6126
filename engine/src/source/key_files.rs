//! `jwks_file`: key sets that stand in files of their own are read into the document.
//!
//! Only the command line does this: a proxy reads no files, so the plugin is given the keys inline.

use std::path::Path;

use serde_json::Value;

use scopegate_document::{PolicyError, json};

/// Replaces every `jwks_file` by the `jwks` it names, looked up from `base`.
pub(super) fn resolve(document: &mut Value, base: &Path) -> Vec<PolicyError> {
    let providers = document
        .pointer_mut("/authentication/providers")
        .and_then(Value::as_array_mut);
    let mut faults = Vec::new();
    for (at, provider) in providers.into_iter().flatten().enumerate() {
        let Some(keys) = provider.get_mut("keys").and_then(Value::as_object_mut) else {
            continue;
        };
        let Some(name) = keys.get("jwks_file").and_then(Value::as_str) else {
            continue;
        };
        match read(&base.join(name)) {
            Ok(jwks) if !keys.contains_key("jwks") => {
                keys.remove("jwks_file");
                keys.insert("jwks".to_owned(), jwks);
            }
            Ok(_) => {}
            Err(reason) => {
                let path = format!("authentication.providers[{at}].keys.jwks_file");
                let message = format!("cannot use `{name}`: {reason}");
                faults.push(PolicyError::new(
                    "file_unreadable",
                    path,
                    message,
                    "name a JWK Set (RFC 7517 section 5)",
                ));
            }
        }
    }
    faults
}

fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    json::parse(&text).map_err(|error| error.to_string())
}
