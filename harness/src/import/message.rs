//! Reading messages by the names of their fields. Whatever is not written is not there.

use prost_reflect::{DynamicMessage, ReflectMessage as _};

/// Whether the field is written.
pub(super) fn has(message: &DynamicMessage, field: &str) -> bool {
    message.has_field_by_name(field)
}

pub(super) fn text(message: &DynamicMessage, field: &str) -> Option<String> {
    let value = has(message, field).then(|| message.get_field_by_name(field))??;
    value.as_str().map(str::to_owned)
}

pub(super) fn bytes(message: &DynamicMessage, field: &str) -> Option<Vec<u8>> {
    let value = has(message, field).then(|| message.get_field_by_name(field))??;
    value.as_bytes().map(|bytes| bytes.to_vec())
}

pub(super) fn number(message: &DynamicMessage, field: &str) -> Option<u64> {
    let value = has(message, field).then(|| message.get_field_by_name(field))??;
    value.as_u64().or_else(|| value.as_u32().map(u64::from))
}

pub(super) fn flag(message: &DynamicMessage, field: &str) -> bool {
    let value = message.get_field_by_name(field);
    value.and_then(|value| value.as_bool()).unwrap_or_default()
}

pub(super) fn one(message: &DynamicMessage, field: &str) -> Option<DynamicMessage> {
    let value = has(message, field).then(|| message.get_field_by_name(field))??;
    value.as_message().cloned()
}

pub(super) fn many(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let value = message.get_field_by_name(field);
    let list = value
        .as_ref()
        .and_then(|value| value.as_list())
        .unwrap_or_default();
    list.iter()
        .filter_map(|item| item.as_message().cloned())
        .collect()
}

/// The names of all fields that are written.
pub(super) fn written(message: &DynamicMessage) -> Vec<String> {
    let descriptor = message.descriptor();
    let written = descriptor.fields().filter(|field| message.has_field(field));
    written.map(|field| field.name().to_owned()).collect()
}
