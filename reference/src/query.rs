//! The query of a request, decoded, for whoever asks for a parameter by name.

use serde_json::{Map, Value};

use crate::target::Understood;

/// The values of a parameter. "A query that upstreams read in different ways there (bad escapes, `;` as separator,
/// `+`)" has none: nothing is the answer. So it is where the path hides a `?` or a `#` in an escape, and where a list
/// of that name, `name[]`, could be meant.
pub(crate) fn values(understood: &Understood, name: &str) -> Option<Vec<String>> {
    let hides = |letter: char| {
        let signs = understood.path.iter().flatten();
        signs
            .into_iter()
            .any(|sign| sign.escaped && sign.letter == letter)
    };
    if hides('?') || hides('#') {
        return None;
    }
    let query = understood.query.as_deref().unwrap_or_default();
    let mut values = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let parts: Vec<&str> = parameter.split(';').collect();
        if parts.len() > 1 && parts.iter().any(|part| could_be(name_of(part).0, name)) {
            return None;
        }
        let (written, value) = name_of(parameter);
        if could_be(written, name) {
            if clear(written)? != name {
                return None;
            }
            values.push(clear(value)?);
        }
    }
    Some(values)
}

/// "query (text to text, duplicates are an error of the condition)": all parameters, where every upstream reads them
/// alike; one that is there twice is null.
pub(crate) fn all(understood: &Understood) -> Option<Map<String, Value>> {
    let query = understood.query.as_deref().unwrap_or_default();
    let mut all = Map::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = name_of(parameter);
        let (name, value) = (clear(name)?, clear(value)?);
        if name.contains('[') {
            return None;
        }
        let is_one = values(understood, &name)?.len() == 1;
        all.insert(name, if is_one { Value::from(value) } else { Value::Null });
    }
    // The path may hide where the query begins.
    values(understood, "")?;
    Some(all)
}

/// Name and value as they are written.
fn name_of(parameter: &str) -> (&str, &str) {
    parameter.split_once('=').unwrap_or((parameter, ""))
}

/// Whether some upstream could take what is written for the name.
fn could_be(written: &str, name: &str) -> bool {
    let (decoded, _) = decode(written);
    let blanks: Vec<u8> = decoded
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    decoded == name.as_bytes()
        || blanks == name.as_bytes()
        || decoded.starts_with(format!("{name}[").as_bytes())
}

/// The text, where every upstream reads the same.
fn clear(written: &str) -> Option<String> {
    let (decoded, is_good) = decode(written);
    let text = String::from_utf8(decoded).ok()?;
    let is_plain = !written.contains(['+', ';']) && !text.contains(|letter: char| letter.is_ascii_control());
    (is_good && is_plain).then_some(text)
}

/// Decodes once; a bad escape stands as it is, and is told.
fn decode(written: &str) -> (Vec<u8>, bool) {
    let mut bytes = written.bytes();
    let mut decoded = Vec::new();
    let mut is_good = true;
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let escaped = crate::target::escaped(ahead.next(), ahead.next()).filter(|_| byte == b'%');
        is_good &= byte != b'%' || escaped.is_some();
        decoded.push(escaped.unwrap_or(byte));
        if escaped.is_some() {
            bytes = ahead;
        }
    }
    (decoded, is_good)
}
