//! How arguments and answers are written in scripts and transcripts. No host is known here.

use std::fmt::Write as _;

/// More bytes than this are printed as their number and their beginning.
const SHOWN: usize = 160;

/// The names of the statuses (`proxy_status_t`).
const STATUSES: [&str; 13] = [
    "OK",
    "NOT_FOUND",
    "BAD_ARGUMENT",
    "SERIALIZATION_FAILURE",
    "PARSE_FAILURE",
    "BAD_EXPRESSION",
    "INVALID_MEMORY_ACCESS",
    "EMPTY",
    "CAS_MISMATCH",
    "RESULT_MISMATCH",
    "INTERNAL_FAILURE",
    "BROKEN_CONNECTION",
    "UNIMPLEMENTED",
];

/// The name of a status.
pub(crate) fn status(code: u32) -> String {
    let known = usize::try_from(code).ok().and_then(|code| STATUSES.get(code));
    known.map_or_else(|| format!("status {code}"), |name| (*name).to_owned())
}

/// Bytes in quotation marks, escaped, and cut where they are many.
pub(crate) fn bytes(all: &[u8]) -> String {
    let shown = all.get(..SHOWN).unwrap_or(all);
    let mut text = format!("\"{}\"", shown.escape_ascii());
    if shown.len() < all.len() {
        let _ = write!(text, "... {} bytes", all.len());
    }
    text
}

/// The pairs of a map in its wire form; bytes where they are none.
pub(crate) fn pairs(all: &[u8]) -> String {
    read_pairs(all).map_or_else(|| bytes(all), |pairs| listed(&pairs))
}

/// The same, sorted by name.
pub(crate) fn sorted_pairs(all: &[u8]) -> String {
    let Some(mut pairs) = read_pairs(all) else {
        return bytes(all);
    };
    pairs.sort_unstable();
    listed(&pairs)
}

fn listed(pairs: &[Pair<'_>]) -> String {
    let text = |part: &[u8]| part.escape_ascii().to_string();
    let each: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", text(name), text(value)))
        .collect();
    format!("[{}]", each.join(", "))
}

type Pair<'a> = (&'a [u8], &'a [u8]);

fn read_pairs(all: &[u8]) -> Option<Vec<Pair<'_>>> {
    let (count, mut rest) = number(all)?;
    let mut lengths = Vec::new();
    for _ in 0..count {
        let (name, after) = number(rest)?;
        let (value, after) = number(after)?;
        lengths.push((name, value));
        rest = after;
    }
    let mut pairs = Vec::new();
    for (name, value) in lengths {
        let (name, after) = rest.split_at_checked(name)?;
        let (value, after) = after.get(1..)?.split_at_checked(value)?;
        pairs.push((name, value));
        rest = after.get(1..)?;
    }
    rest.is_empty().then_some(pairs)
}

fn number(all: &[u8]) -> Option<(usize, &[u8])> {
    let (head, tail) = all.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, tail))
}

/// Pairs `name=value`, separated by a comma and a space, in the wire form.
pub(crate) fn wire(pairs: &str) -> Vec<u8> {
    let pairs: Vec<(Vec<u8>, Vec<u8>)> = pairs
        .split(", ")
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescaped(name), unescaped(value))
        })
        .collect();
    let length = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = length(pairs.len()).to_vec();
    for (name, value) in &pairs {
        out.extend(length(name.len()));
        out.extend(length(value.len()));
    }
    for part in pairs.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(part);
        out.push(0);
    }
    out
}

/// Text with `\0`, `\n`, `\xNN` and any other escaped character replaced.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let next = if character == '\\' { rest.next() } else { None };
        match next {
            Some('0') => out.push(0),
            Some('n') => out.push(b'\n'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&digits, 16).unwrap_or_default());
            }
            next => out.extend(next.unwrap_or(character).to_string().bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_written_and_read_back() {
        assert_eq!(pairs(&wire("a=1, b=\\xff, c=")), "[a=1, b=\\xff, c=]");
        assert_eq!(pairs(&wire("")), "[]");
        assert_eq!(pairs(b"no pairs"), "\"no pairs\"");
        assert_eq!(pairs(b""), "\"\"");
        assert_eq!(sorted_pairs(&wire("b=1, a=2")), "[a=2, b=1]");
    }

    #[test]
    fn statuses_have_names() {
        assert_eq!(
            [status(0), status(12), status(13)],
            ["OK", "UNIMPLEMENTED", "status 13"]
        );
    }

    #[test]
    fn long_bytes_are_cut_and_counted() {
        assert_eq!(bytes(b"a\0\xff"), "\"a\\x00\\xff\"");
        assert!(bytes(&[b'x'; 1000]).ends_with("\"... 1000 bytes"));
    }

    #[test]
    fn escapes_stand_for_bytes() {
        assert_eq!(unescaped("a\\0b\\x7f\\\"\\n"), b"a\0b\x7f\"\n");
    }
}
