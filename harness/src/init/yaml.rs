//! Values as YAML on one line, as people write it: plain where that is safe, quoted where it is not.

use serde_json::Value;

/// The value in YAML's flow style. Empty mappings and lists and nulls are written out.
pub(crate) fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| rank(name));
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", text(name), flow(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(plain) => text(plain),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Fields in the order in which people read them; all others follow by name.
const FIRST: [&str; 15] = [
    "from",
    "key",
    "method",
    "path",
    "form",
    "authority",
    "headers",
    "token",
    "dpop",
    "active",
    "iss",
    "aud",
    "sub",
    "alg",
    "days",
];

fn rank(name: &str) -> usize {
    FIRST
        .iter()
        .position(|first| *first == name)
        .unwrap_or(FIRST.len())
}

/// A text as a YAML scalar: plain where no reader could take it for something else.
pub(crate) fn text(text: &str) -> String {
    let is_safe = |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    match begins_well && !is_word && text.chars().all(is_safe) {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

/// A text as the value of a field of its own line: spaces and commas may stand plain there.
pub(crate) fn line(words: &str) -> String {
    let is_safe = |character: char| character.is_alphanumeric() || "-_./ ,()+:".contains(character);
    let is_plain = words.contains(' ')
        && words.starts_with(|first: char| first.is_alphabetic())
        && !words.ends_with([' ', ':'])
        && !words.contains(": ")
        && words.chars().all(is_safe);
    match is_plain {
        true => words.to_owned(),
        false => text(words),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{flow, line};

    #[test]
    fn what_is_written_is_what_is_read() {
        for value in [
            json!({"a": "b", "x-y": ["orders:read", "1", "true", "", "no", "a b", "é", "- x", "{{t}}", "*", "&a", "!t", "#", "a\"b\\c\n"]}),
            json!({"n": null, "t": true, "i": 7, "e": {}, "l": [], "kubernetes.io": {"a/b": -1.5}, "1": "~"}),
        ] {
            let read: Value = serde_saphyr::from_str(&flow(&value)).unwrap();
            assert_eq!(read, value, "{}", flow(&value));
        }
        for words in [
            "a b, c (d)",
            "a: b",
            "x #y",
            "yes",
            "two  words",
            "`a` b",
            "- a",
            "with a:b passes",
            "ends: ",
        ] {
            let read: Value = serde_saphyr::from_str(&format!("name: {}", line(words))).unwrap();
            assert_eq!(read["name"], *words);
        }
    }
}
