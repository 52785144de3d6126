//! Audit records in what a proxy has logged: JSON objects with an `event`, each at the end of a line, or the
//! `audit` of a decision that `scopegate serve` has logged.

use serde_json::Value;

/// The audit records in `text`, in order.
#[must_use]
pub fn records(text: &str) -> Vec<Value> {
    text.lines().filter_map(object).flat_map(own_records).collect()
}

fn own_records(mut object: Value) -> Vec<Value> {
    if object.get("event").is_some() {
        return vec![object];
    }
    object
        .get_mut("audit")
        .and_then(Value::as_array_mut)
        .map(std::mem::take)
        .unwrap_or_default()
}

fn object(line: &str) -> Option<Value> {
    let (_, rest) = line.split_once("{\"")?;
    let object = format!("{{\"{rest}");
    serde_json::Deserializer::from_str(&object)
        .into_iter()
        .next()?
        .ok()
}

#[cfg(test)]
mod tests {
    use super::records;

    #[test]
    fn records_are_found_behind_whatever_a_proxy_writes_before_them() {
        let text = "[info] wasm log scopegate: {\"event\":\"authorization\",\"path\":\"/{a}\"}\nnothing\n{\"x\":1}\n\
                    {\"id\":1,\"audit\":[{\"event\":\"authentication\"}]}\n";
        let found = records(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0]["path"], "/{a}");
    }
}
