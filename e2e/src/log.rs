//! Audit records in what a proxy has logged: JSON objects with an `event`, each at the end of a line.

use serde_json::Value;

/// The audit records in `text`, in order.
#[must_use]
pub fn records(text: &str) -> Vec<Value> {
    text.lines().filter_map(record).collect()
}

fn record(line: &str) -> Option<Value> {
    let (_, rest) = line.split_once("{\"")?;
    let object = format!("{{\"{rest}");
    let value: Value = serde_json::Deserializer::from_str(&object)
        .into_iter()
        .next()?
        .ok()?;
    value.get("event").is_some().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::records;

    #[test]
    fn records_are_found_behind_whatever_a_proxy_writes_before_them() {
        let text = "[info] wasm log scopegate: {\"event\":\"authorization\",\"path\":\"/{a}\"}\nnothing\n{\"x\":1}\n";
        let found = records(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["path"], "/{a}");
    }
}
