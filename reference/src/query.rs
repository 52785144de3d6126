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
        let is_one = values(understood, &name).is_some_and(|values| values.len() == 1);
        // Whether a name that some upstream reads as another is there under that one is open.
        let mut other = String::from_utf8(formed(name.as_bytes())).ok()?;
        other.truncate(other.trim_end_matches(['_', ']']).len());
        all.insert(other, Value::Null);
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

/// Whether some upstream could take what is written for the name: as it is, as a list, with `_` for a blank, `+`, `.`
/// or `[`, without what is odd around it, without or cut at control characters; whatever begins like the name, where
/// it goes on with a bad escape or no UTF-8.
fn could_be(written: &str, name: &str) -> bool {
    let (decoded, _) = decode(written);
    if decoded == name.as_bytes() {
        return true;
    }
    let wanted = formed(name.as_bytes());
    let valid = match std::str::from_utf8(&decoded) {
        Ok(_) => decoded.len(),
        Err(fault) => fault.valid_up_to(),
    };
    let good = broken_from(written).unwrap_or(valid).min(valid);
    if good < decoded.len() && wanted.starts_with(&formed(decoded.get(..good).unwrap_or_default())) {
        return true;
    }
    (0..=decoded.len()).any(|end| {
        let (before, rest) = decoded.split_at(end);
        let is_over = rest
            .first()
            .is_none_or(|byte| matches!(byte, b'[' | b']') || byte.is_ascii_control())
            || rest.iter().all(|byte| matches!(byte, b' ' | b'+'))
            || end >= good;
        is_over && formed(before) == wanted
    })
}

/// A name as the sloppiest of upstreams reads it.
fn formed(name: &[u8]) -> Vec<u8> {
    let is_dropped = |byte: &&u8| matches!(byte, b' ' | b'+' | b'[' | b']' | b'?') || byte.is_ascii_control();
    let kept = name
        .iter()
        .skip_while(is_dropped)
        .filter(|byte| !byte.is_ascii_control());
    kept.map(|byte| {
        if matches!(byte, b' ' | b'+' | b'.' | b'[') {
            b'_'
        } else {
            *byte
        }
    })
    .collect()
}

/// How many decoded bytes there are before the first bad escape.
fn broken_from(written: &str) -> Option<usize> {
    let signs = written.match_indices('%');
    let mut bad = signs.filter(|(at, _)| {
        let mut digits = written.bytes().skip(at.saturating_add(1));
        crate::target::escaped(digits.next(), digits.next()).is_none()
    });
    let (at, _) = bad.next()?;
    written.get(..at).map(|before| decode(before).0.len())
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
