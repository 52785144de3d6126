//! Turns a deserializer's complaint into an error a person can use. Nothing here judges a policy.

use scopegate_document::{PolicyError, ShapeError};

/// The complaint of serde, with the path of the field, in the words of the policy language. `schema` is the
/// command that prints what may stand in the document.
pub(super) fn policy_error(error: &ShapeError, schema: &str) -> PolicyError {
    let (path, text) = (error.path().to_owned(), error.message());
    if let Some(rest) = text.strip_prefix("unknown field ") {
        return unknown(path, "unknown_field", "field", rest);
    }
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        return unknown(path, "invalid_value", "value", rest);
    }
    if let Some(field) = text.strip_prefix("missing field ") {
        let message = format!("the field {field} is missing");
        return PolicyError::new("missing_field", path, message, format!("add {field} here"));
    }
    match text.split_once(", expected ") {
        Some((found, expected)) => wrong(path, found, expected),
        None => PolicyError::new(
            "invalid_value",
            path,
            text,
            format!("see `{schema}` for what may stand here"),
        ),
    }
}

fn wrong(path: String, found: &str, expected: &str) -> PolicyError {
    let found = found
        .trim_start_matches("invalid type: ")
        .trim_start_matches("invalid value: ");
    let message = format!("found {}", plain(found));
    PolicyError::new("wrong_type", path, message, format!("write {}", plain(expected)))
}

/// The names of Rust's types mean nothing to the author of a policy.
fn plain(text: &str) -> String {
    let text = text.replace("a sequence", "a list").replace("sequence", "a list");
    let text = text
        .replace("a mapping", "a map")
        .replace("a map", "a mapping")
        .replace("unit value", "nothing")
        .replace("null", "nothing");
    let words = text.split_whitespace().collect::<Vec<_>>();
    match words.as_slice() {
        ["struct" | "tuple" | "enum", ..] => "a mapping".to_owned(),
        ["map"] => "a mapping".to_owned(),
        ["integer" | "floating", rest @ ..] => format!("the number {}", rest.last().unwrap_or(&"")),
        ["boolean", value] => value.replace('"', "`").clone(),
        ["i64" | "i32" | "u64" | "u32" | "u16" | "usize"] => "a whole number".to_owned(),
        ["f64" | "f32"] => "a number".to_owned(),
        _ => text,
    }
}

/// `rest` reads "`foo`, expected one of `a`, `b`" or "`foo`, there are no fields".
fn unknown(path: String, code: &'static str, kind: &str, rest: &str) -> PolicyError {
    let (name, expected) = rest.split_once(", ").unwrap_or((rest, ""));
    let known = known(expected);
    let message = format!("unknown {kind} {name}");
    PolicyError::new(code, path, message, help(name.trim_matches('`'), &known))
}

fn known(expected: &str) -> Vec<&str> {
    expected.split('`').skip(1).step_by(2).collect()
}

fn help(name: &str, known: &[&str]) -> String {
    let close = known.iter().filter(|candidate| distance(name, candidate) <= 2);
    match close.min_by_key(|candidate| distance(name, candidate)) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None => {
            let names = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            format!("known here: {}", names.join(", "))
        }
    }
}

fn distance(left: &str, right: &str) -> usize {
    strsim::damerau_levenshtein(left, right)
}

#[cfg(test)]
mod tests {
    use crate::document::{parse, read};

    fn fault(text: &str) -> (String, &'static str, String, String) {
        let error = parse(text.as_bytes())
            .and_then(|value| read(&value))
            .expect_err(text);
        (error.path, error.code, error.message, error.help)
    }

    #[test]
    fn an_error_names_the_field_and_what_would_be_right() {
        let (path, code, message, help) = fault(r#"{"scopegate":"v1","authorisation":{}}"#);
        assert_eq!((path.as_str(), code), ("authorisation", "unknown_field"));
        assert_eq!(message, "unknown field `authorisation`");
        assert_eq!(help, "did you mean `authorization`?");
    }

    #[test]
    fn a_newer_format_is_refused() {
        let (path, _, message, help) = fault(r#"{"scopegate":"v9","authorization":{}}"#);
        assert_eq!(path, "scopegate");
        assert_eq!(
            (message.as_str(), help.as_str()),
            ("unknown value `v9`", "did you mean `v1`?")
        );
    }

    #[test]
    fn a_missing_section_is_named() {
        let (path, code, message, _) = fault(r#"{"scopegate":"v1"}"#);
        assert_eq!((path.as_str(), code), ("", "missing_field"));
        assert_eq!(message, "the field `authorization` is missing");
    }

    #[test]
    fn no_rust_type_is_shown() {
        for text in [
            r#"{"scopegate":"v1","authorization":{},"metadata":5}"#,
            r#"{"scopegate":"v1","authorization":{},"metadata":{"name":[1]}}"#,
            r#"{"scopegate":"v1","authorization":7}"#,
            r#"{"scopegate":"v1","authorization":[]}"#,
            r#"{"scopegate":"v1","authorization":{},"audit":{"sample":"x"}}"#,
            r#"[]"#,
        ] {
            let (_, _, message, help) = fault(text);
            for word in ["struct", "Metadata", "f64", "Section", "enum", "sequence"] {
                assert!(
                    !message.contains(word) && !help.contains(word),
                    "{message} / {help}"
                );
            }
        }
    }

    #[test]
    fn a_mapping_is_never_written_as_a_list() {
        let (path, code, ..) = fault(r#"{"scopegate":"v1","metadata":["n","1","o"],"authorization":{}}"#);
        assert_eq!((path.as_str(), code), ("metadata", "wrong_type"));
        let routes =
            r#"{"scopegate":"v1","authorization":{"routes":[{"id":"a","match":[null,["GET"],"/"]}]}}"#;
        assert!(fault(routes).0.starts_with("authorization.routes[0]"));
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_shown() {
        let provider = r#"{"name":"a","type":"jwt","keys":[{"kid":"k","alg":"HS256","secret":"czNjcjN0"}]}"#;
        let text = format!(
            r#"{{"scopegate":"v1","authentication":{{"providers":[{provider}]}},"authorization":{{}}}}"#
        );
        let (path, _, message, help) = fault(&text);
        assert_eq!(path, "authentication.providers[0].keys[0].secret");
        assert!(
            !message.contains("czNjcjN0") && !help.contains("czNjcjN0"),
            "{message} {help}"
        );
    }

    #[test]
    fn a_field_is_never_left_empty() {
        let (path, code, ..) = fault(r#"{"scopegate":"v1","metadata":{"name":null},"authorization":{}}"#);
        assert_eq!((path.as_str(), code), ("metadata.name", "missing_value"));
        assert_eq!(
            fault(r#"{"scopegate":"v1","authorization":{"routes":[null]}}"#).0,
            "authorization.routes[0]"
        );
        assert_eq!(fault("null").0, "");
        let keys = r#"{"jwks":{"keys":[{"kty":"RSA","n":null}]}}"#;
        let provider = format!(r#"{{"name":"a","type":"jwt","keys":{keys}}}"#);
        let text = format!(
            r#"{{"scopegate":"v1","authentication":{{"providers":[{provider}]}},"authorization":{{}}}}"#
        );
        assert!(
            parse(text.as_bytes()).and_then(|value| read(&value)).is_ok(),
            "a bad key of a set is no fault here"
        );
    }

    #[test]
    fn a_share_is_between_nothing_and_all() {
        let (path, ..) = fault(r#"{"scopegate":"v1","authorization":{},"audit":{"sample":1.5}}"#);
        assert_eq!(path, "audit.sample");
    }

    #[test]
    fn a_property_is_known_and_named_once() {
        let properties = |list: &str| {
            format!(r#"{{"scopegate":"v1","authorization":{{}},"audit":{{"properties":{list}}}}}"#)
        };
        let (path, code, ..) = fault(&properties(r#"["subject","tenant","subject"]"#));
        assert_eq!((path.as_str(), code), ("audit.properties[2]", "duplicate"));
        let (path, code, _, help) = fault(&properties(r#"["subjct"]"#));
        assert_eq!((path.as_str(), code), ("audit.properties[0]", "invalid_value"));
        assert_eq!(help, "did you mean `subject`?");
        let all = properties(r#"["layer","provider","subject","client","tenant"]"#);
        for text in [all, properties("[]")] {
            assert!(
                parse(text.as_bytes()).and_then(|value| read(&value)).is_ok(),
                "{text}"
            );
        }
    }
}
