//! The digest of a policy: the same for the same meaning, whatever its layout. And a fraction of an id.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// `sha256:` and the hex digits of the SHA-256 of the document in its [`canonical`] form.
#[must_use]
pub fn of(document: &Value) -> String {
    let digest = Sha256::digest(canonical(document).as_bytes());
    digest.iter().fold("sha256:".to_owned(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A document in canonical form: members sorted, no spaces.
#[must_use]
pub fn canonical(document: &Value) -> String {
    let mut text = String::new();
    write_canonical(&mut text, document);
    text
}

/// A number from 0 to 1, evenly spread, always the same for one serial number.
pub(crate) fn fraction(serial: u64) -> f64 {
    let digest = Sha256::digest(serial.to_le_bytes());
    let head = digest
        .iter()
        .take(4)
        .fold(0_u32, |head, byte| (head << 8) | u32::from(*byte));
    f64::from(head) / f64::from(u32::MAX)
}

fn write_canonical(text: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut names = members.iter().collect::<Vec<_>>();
            names.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (at, (name, value)) in names.into_iter().enumerate() {
                separate(text, at);
                let _ = write!(text, "{}:", Value::from(name.as_str()));
                write_canonical(text, value);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                separate(text, at);
                write_canonical(text, item);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

fn separate(text: &mut String, at: usize) {
    if at > 0 {
        text.push(',');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{fraction, of};

    #[test]
    fn the_digest_is_of_the_meaning_and_not_of_the_layout() {
        let digest = |text: &str| serde_json::from_str(text).map(|value| of(&value)).ok();
        assert_eq!(
            digest(r#"{"b": [1, "x"], "a": null}"#),
            digest(r#"{"a":null,"b":[1,"x"]}"#)
        );
        assert_ne!(of(&json!({"a": 1})), of(&json!({"a": 2})));
        assert_eq!(
            of(&json!({})),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }

    #[test]
    fn sampling_is_even_and_stable() {
        let half = (0..1_000).filter(|serial| fraction(*serial) < 0.5).count();
        assert!((400..600).contains(&half), "{half}");
        assert!((fraction(7) - fraction(7)).abs() < f64::EPSILON);
    }
}
