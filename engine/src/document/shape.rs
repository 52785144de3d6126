//! Faults of shape that a deserializer would let pass: mappings written as lists, and fields left empty.
//!
//! A deserializer takes the items of a list as fields by position, and an empty field as one that is not there.
//! The language does neither: a reader would not know which is which, and an end that is not written bounds
//! nothing.

use serde_json::Value;

use scopegate_document::PolicyError;

/// The first field that is left empty, as in `until:` with nothing after it.
pub(super) fn find_empty(written: &Value, path: &str) -> Option<PolicyError> {
    match written {
        Value::Null => Some(PolicyError::new(
            "missing_value",
            path,
            "the field is empty",
            "write its value, or remove the field",
        )),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(at, item)| find_empty(item, &format!("{path}[{at}]")))
        }
        // A key set is somebody else's text: one bad key of it is skipped, and never stops the policy.
        Value::Object(_) if path.ends_with(".keys.jwks") => None,
        Value::Object(members) => members
            .iter()
            .find_map(|(name, value)| find_empty(value, &child(path, name))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn child(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// The first place where `written` has a list and what was `read` from it is a mapping.
pub(super) fn find_positional(written: &Value, read: &Value, path: &str) -> Option<PolicyError> {
    match (written, read) {
        (Value::Array(_), Value::Object(_)) => Some(PolicyError::new(
            "wrong_type",
            path,
            "found a list",
            "write a mapping, with the name of each field",
        )),
        (Value::Array(written), Value::Array(read)) => {
            let mut items = written.iter().zip(read).enumerate();
            items.find_map(|(at, (written, read))| find_positional(written, read, &format!("{path}[{at}]")))
        }
        (Value::Object(written), Value::Object(read)) => written
            .iter()
            .find_map(|(name, written)| find_positional(written, read.get(name)?, &child(path, name))),
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _)
        | (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))
        | (Value::Object(_), Value::Array(_)) => None,
    }
}
