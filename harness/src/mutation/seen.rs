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

/// The SPIFFE IDs of those who pass on a certificate (`x-forwarded-client-cert`).
pub(super) fn forwarders(described: &[&Value]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for value in described {
        passed_on(value, &mut ids);
    }
    ids
}

fn passed_on(value: &Value, ids: &mut BTreeSet<String>) {
    let inner: Vec<&Value> = match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(items) => items.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    inner.into_iter().for_each(|value| passed_on(value, ids));
    if let Some(names) = value.pointer("/peer/uri_sans")
        && ["headers", "headers_hex"]
            .iter()
            .filter_map(|field| value.get(field))
            .any(forwards)
    {
        let mut names_of_peer = BTreeSet::new();
        collect(names, &mut names_of_peer);
        ids.extend(
            names_of_peer
                .into_iter()
                .filter(|name| name.starts_with("spiffe://")),
        );
    }
}

/// Whether headers, a mapping or a list of pairs, hold a certificate that was passed on.
fn forwards(headers: &Value) -> bool {
    let is_field = |name: &str| name.eq_ignore_ascii_case("x-forwarded-client-cert");
    match headers {
        Value::Object(members) => members.keys().any(|name| is_field(name)),
        Value::Array(pairs) => {
            let names = pairs.iter().filter_map(|pair| pair.get(0)?.as_str());
            names.into_iter().any(is_field)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
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

    use super::{forwarders, texts_under, trust_domains};

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

    #[test]
    fn only_who_passes_on_a_certificate_is_a_hop() {
        let described = json!({"tests": [
            {"request": {"peer": {"uri_sans": ["spiffe://a/1"]}, "headers": {"x-a": "b"}}},
            {"request": {"peer": {"uri_sans": ["spiffe://a/2"]}, "headers": {"X-Forwarded-Client-Cert": "URI=spiffe://a/3"}}},
            {"steps": [{"request": {"peer": {"uri_sans": ["https://a/4", "spiffe://a/5"]}, "headers": [["x-forwarded-client-cert", "x"]]}}]},
        ]});
        let found: Vec<String> = forwarders(&[&described]).into_iter().collect();
        assert_eq!(found, ["spiffe://a/2", "spiffe://a/5"]);
    }
}
