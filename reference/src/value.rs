//! Reading JSON: what is not there, or is of another type, is nothing. The compiler of the engine refuses such
//! policies; nothing here judges them.

use serde_json::Value;

/// The text at `name`.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

/// The items at `name`; none where there is no list.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The texts of a list at `name`, where there is one.
pub(crate) fn texts(value: &Value, name: &str) -> Option<Vec<String>> {
    value.get(name)?.as_array().map(|items| strings(items))
}

/// The texts among `items`.
pub(crate) fn strings(items: &[Value]) -> Vec<String> {
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The members of the mapping at `name`.
pub(crate) fn members<'v>(value: &'v Value, name: &str) -> Vec<(&'v str, &'v Value)> {
    let mapping = value.get(name).and_then(Value::as_object);
    let members = mapping.into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value)).collect()
}

/// "Instants: RFC 3339", in seconds since 1970.
pub(crate) fn instant(value: &Value, name: &str) -> Option<i64> {
    let instant = chrono::DateTime::parse_from_rfc3339(text(value, name)?).ok()?;
    Some(instant.timestamp())
}

/// "Durations: `30s`, `10m`, `1h`, `7d`", in seconds.
pub(crate) fn duration(value: &Value, name: &str) -> Option<i64> {
    let written = text(value, name)?;
    let unit = written.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: i64 = written.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(seconds)
}

/// The routes of a policy.
pub(crate) fn routes(policy: &Value) -> &[Value] {
    policy
        .get("authorization")
        .map_or(&[], |section| list(section, "routes"))
}

/// The authorization section.
pub(crate) fn authorization(policy: &Value) -> &Value {
    policy.get("authorization").unwrap_or(&Value::Null)
}

/// The names of the providers, in the order of the file.
pub(crate) fn providers(policy: &Value) -> Vec<String> {
    let section = policy.get("authentication").unwrap_or(&Value::Null);
    let names = list(section, "providers")
        .iter()
        .filter_map(|provider| text(provider, "name"));
    names.map(str::to_owned).collect()
}
