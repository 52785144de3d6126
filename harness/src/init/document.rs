//! Reading a policy document by the names of its fields. Whatever is not there is empty.

use serde_json::Value;

pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

pub(super) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub(super) fn texts<'v>(value: &'v Value, pointer: &str) -> Vec<&'v str> {
    list(value, pointer).iter().filter_map(Value::as_str).collect()
}

pub(super) fn members<'v>(
    value: &'v Value,
    pointer: &str,
) -> impl Iterator<Item = (&'v str, &'v Value)> + use<'v> {
    let members = value.pointer(pointer).and_then(Value::as_object);
    members
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

/// The providers, in order.
pub(super) fn providers(policy: &Value) -> &[Value] {
    list(policy, "/authentication/providers")
}

pub(super) fn provider<'v>(policy: &'v Value, name: &str) -> Option<&'v Value> {
    providers(policy)
        .iter()
        .find(|provider| text(provider, "/name") == Some(name))
}

/// The path of a URL.
pub(super) fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("/{path}")
}
