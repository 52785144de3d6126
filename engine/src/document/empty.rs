//! A fault that a deserializer would let pass: fields left empty.
//!
//! A deserializer takes an empty field as one that is not there. The language does not: an end that is not written
//! bounds nothing.

use serde_json::Value;

use scopegate_document::PolicyError;

/// The first field that is left empty, as in `until:` with nothing after it.
pub(super) fn find(written: &Value, path: &str) -> Option<PolicyError> {
    match written {
        Value::Null => Some(PolicyError::new(
            "missing_value",
            path,
            "the field is empty",
            "write its value, or remove the field",
        )),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(at, item)| find(item, &format!("{path}[{at}]")))
        }
        // A key set is somebody else's text: one bad key of it is skipped, and never stops the policy.
        Value::Object(_) if path.ends_with(".keys.jwks") => None,
        Value::Object(members) => members
            .iter()
            .find_map(|(name, value)| find(value, &child(path, name))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn child(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}
