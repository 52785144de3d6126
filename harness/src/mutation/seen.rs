//! What tests try against a policy: the audiences, trust domains and actors that stand in them. A rule can only be
//! loosened towards callers that some test sends.

use std::collections::BTreeSet;

use serde_json::Value;

/// Every text at or below a field called `field`, wherever that is.
pub(super) fn texts_under(field: &str, described: &[&Value]) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for value in described {
        search(field, value, &mut texts);
    }
    texts
}

/// The trust domains of all SPIFFE IDs.
pub(super) fn trust_domains(described: &[&Value]) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for value in described {
        collect(value, &mut texts);
    }
    let domain = |text: &String| {
        let (domain, _) = text.strip_prefix("spiffe://")?.split_once('/')?;
        Some(domain.to_owned())
    };
    texts.iter().filter_map(domain).collect()
}

fn search(field: &str, value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match name == field {
                    true => collect(value, texts),
                    false => search(field, value, texts),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| search(field, item, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn collect(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| collect(value, texts)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::String(text) => {
            texts.insert(text.clone());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{texts_under, trust_domains};

    #[test]
    fn what_tests_send_is_found_wherever_it_stands() {
        let described = json!({
            "tokens": {"a": {"claims": {"aud": ["x", "y"], "sub": "spiffe://one.test/a"}}},
            "tests": [{"request": {"peer": {"uri_sans": ["spiffe://two.test/b"]}}}, {"aud": "z"}],
        });
        let list = |texts: std::collections::BTreeSet<String>| texts.into_iter().collect::<Vec<_>>();
        assert_eq!(list(texts_under("aud", &[&described])), ["x", "y", "z"]);
        assert_eq!(list(trust_domains(&[&described])), ["one.test", "two.test"]);
    }
}
