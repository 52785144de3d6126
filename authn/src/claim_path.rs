//! The name of a claim: a dotted path, or a JSON Pointer where it begins with `/` (RFC 6901).

use std::fmt;

use serde_json::{Map, Value};

/// A compiled claim name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    steps: Vec<String>,
}

impl ClaimPath {
    /// Reads a name; nothing where a step is empty or a `~` of a pointer escapes nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let steps: Option<Vec<String>> = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(unescape).collect(),
            None => text.split('.').map(|step| Some(step.to_owned())).collect(),
        };
        let steps = steps.filter(|steps| steps.iter().all(|step| !step.is_empty()))?;
        Some(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The claim, where `claims` has it. Only objects are entered.
    #[must_use]
    pub fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        let (first, rest) = self.steps.split_first()?;
        rest.iter()
            .try_fold(claims.get(first)?, |value, step| value.as_object()?.get(step))
    }

    /// The claim as text, for a header: a string, a number or a boolean; nothing for other types.
    #[must_use]
    pub fn text_in(&self, claims: &Map<String, Value>) -> Option<String> {
        match self.find(claims)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(boolean) => Some(boolean.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A step of a JSON Pointer: `~1` is `/`, `~0` is `~` (RFC 6901 section 4).
fn unescape(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.try_fold(first, |text, part| {
        let (plain, rest) = match part.strip_prefix('0') {
            Some(rest) => ("~", rest),
            None => ("/", part.strip_prefix('1')?),
        };
        Some(text + plain + rest)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::ClaimPath;

    #[test]
    fn a_name_leads_to_a_claim() {
        let claims = json!({
            "sub": "anna", "n": 1.5, "b": true, "list": ["x"],
            "realm_access": {"roles": ["a"]}, "kubernetes.io": {"namespace": "default"}, "a/b": {"~": 1},
        });
        let found = |name: &str| ClaimPath::parse(name)?.find(claims.as_object()?).cloned();
        assert_eq!(found("sub"), Some(json!("anna")));
        assert_eq!(found("realm_access.roles"), Some(json!(["a"])));
        assert_eq!(found("/kubernetes.io/namespace"), Some(json!("default")));
        assert_eq!(found("/a~1b/~0"), Some(json!(1)));
        for absent in [
            "kubernetes.io",
            "sub.x",
            "list.0",
            "/list/0",
            "SUB",
            "",
            ".sub",
            "sub.",
            "a..b",
            "/",
            "/~2",
        ] {
            assert_eq!(found(absent), None, "{absent}");
        }
    }

    #[test]
    fn only_plain_values_are_text() {
        let claims = json!({"s": "x", "n": 1.5, "b": true, "l": ["x"], "o": {}, "z": null});
        let text =
            |name: &str| ClaimPath::parse(name)?.text_in(claims.as_object().unwrap_or(&Default::default()));
        assert_eq!(
            [text("s"), text("n"), text("b")],
            ["x", "1.5", "true"].map(|text| Some(text.to_owned()))
        );
        assert_eq!(
            [text("l"), text("o"), text("z"), text("missing")],
            [None, None, None, None]
        );
        assert_eq!(Value::Null, json!(null));
    }
}
