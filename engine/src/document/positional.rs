//! Finds mappings that were written as lists. A deserializer would take the items as fields by position;
//! the language does not, and a reader would not know which is which.

use serde_json::Value;

use scopegate_document::PolicyError;

/// The first place where `written` has a list and what was `read` from it is a mapping.
pub(super) fn find(written: &Value, read: &Value, path: &str) -> Option<PolicyError> {
    match (written, read) {
        (Value::Array(_), Value::Object(_)) => Some(PolicyError::new(
            "wrong_type",
            path,
            "found a list",
            "write a mapping, with the name of each field",
        )),
        (Value::Array(written), Value::Array(read)) => {
            let mut items = written.iter().zip(read).enumerate();
            items.find_map(|(at, (written, read))| find(written, read, &format!("{path}[{at}]")))
        }
        (Value::Object(written), Value::Object(read)) => written.iter().find_map(|(name, written)| {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            find(written, read.get(name)?, &path)
        }),
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _)
        | (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))
        | (Value::Object(_), Value::Array(_)) => None,
    }
}
