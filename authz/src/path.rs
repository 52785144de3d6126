//! The path of a request, decoded once, and what makes it malformed whatever the route.
//!
//! Decoding keeps apart what an upstream might or might not decode or act on: an encoded slash is not a slash
//! yet. The readings that follow from such marks are made in `readings`.

use crate::RequestError;

/// The longest request target that is looked at, in bytes; with the headers, the most that is looked at of a
/// request. Proxies allow about as much (Envoy 60 KiB by default), and the work here is bounded by it.
pub(crate) const MAX_LOOKED_AT: usize = 64 * 1024;

/// Marks: bytes that stand for an escape in a decoded path. They are control characters, which no path may
/// hold, so that a mark is never mistaken for text.
pub(crate) mod mark {
    /// `%2F`.
    pub(crate) const SLASH: u8 = 1;
    /// `%5C`.
    pub(crate) const BACKSLASH: u8 = 2;
    /// `%3B`.
    pub(crate) const SEMICOLON: u8 = 3;
    /// `%3F`.
    pub(crate) const QUESTION: u8 = 4;
    /// `%23`.
    pub(crate) const HASH: u8 = 5;
    /// `%2E`.
    pub(crate) const DOT: u8 = 6;

    /// The mark for an escaped byte, where it has one.
    pub(super) const fn of(byte: u8) -> Option<u8> {
        match byte {
            b'/' => Some(SLASH),
            b'\\' => Some(BACKSLASH),
            b';' => Some(SEMICOLON),
            b'?' => Some(QUESTION),
            b'#' => Some(HASH),
            b'.' => Some(DOT),
            _ => None,
        }
    }

    /// The byte that a mark, or any other byte, stands for.
    pub(crate) const fn meaning(byte: u8) -> u8 {
        match byte {
            SLASH => b'/',
            BACKSLASH => b'\\',
            SEMICOLON => b';',
            QUESTION => b'?',
            HASH => b'#',
            DOT => b'.',
            other => other,
        }
    }
}

/// A path that is not malformed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Path<'r> {
    /// It has one reading: itself.
    Plain(&'r [u8]),
    /// Decoded once, with marks.
    Decoded(Vec<u8>),
}

impl<'r> Path<'r> {
    /// Reads a path, without its query.
    pub(crate) fn read(path: &'r [u8]) -> Result<Self, RequestError> {
        if !path.starts_with(b"/") || path.starts_with(b"//") {
            return Err(RequestError::MalformedRequest);
        }
        match is_plain(path) {
            true => Ok(Self::Plain(path)),
            false => decode(path).map(Self::Decoded),
        }
    }
}

/// Whether nothing in `path` can be read in two ways: no escape, no delimiter of segments but single slashes,
/// no dot segment, nothing outside printable ASCII.
fn is_plain(path: &[u8]) -> bool {
    let mut segment_start = true;
    let mut dots = 0_usize;
    let mut length = 0_usize;
    let bytes = path.get(1..).unwrap_or_default();
    for byte in bytes {
        match byte {
            b'/' if segment_start || is_dots(dots, length) => return false,
            b'/' => (segment_start, dots, length) = (true, 0, 0),
            b'%' | b'\\' | b';' | 0..=b' ' | 0x7f.. => return false,
            _ => {
                segment_start = false;
                dots = dots.saturating_add(usize::from(*byte == b'.'));
                length = length.saturating_add(1);
            }
        }
    }
    !is_dots(dots, length)
}

const fn is_dots(dots: usize, length: usize) -> bool {
    dots == length && matches!(length, 1 | 2)
}

fn decode(path: &[u8]) -> Result<Vec<u8>, RequestError> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.iter().copied();
    while let Some(byte) = bytes.next() {
        let escaped = byte == b'%';
        let byte = match escaped {
            true => escape(bytes.next(), bytes.next())?,
            false => byte,
        };
        if byte.is_ascii_control() || (byte == b' ' && !escaped) {
            return Err(RequestError::MalformedRequest);
        }
        decoded.push(mark::of(byte).filter(|_| escaped).unwrap_or(byte));
    }
    check_text(&decoded)?;
    Ok(decoded)
}

fn escape(high: Option<u8>, low: Option<u8>) -> Result<u8, RequestError> {
    let digit = |byte: Option<u8>| char::from(byte.unwrap_or_default()).to_digit(16);
    let (high, low) = digit(high)
        .zip(digit(low))
        .ok_or(RequestError::MalformedRequest)?;
    u8::try_from(high.saturating_mul(16).saturating_add(low)).map_err(|_| RequestError::MalformedRequest)
}

/// What decoding once must leave: UTF-8, no control characters beyond ASCII either, and no escape.
fn check_text(decoded: &[u8]) -> Result<(), RequestError> {
    let text = std::str::from_utf8(decoded).map_err(|_| RequestError::MalformedRequest)?;
    let has_control = !text.is_ascii()
        && text
            .chars()
            .any(|character| ('\u{80}'..='\u{9f}').contains(&character));
    let is_escape = |window: &[u8]| matches!(window, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    match has_control || decoded.windows(3).any(is_escape) {
        true => Err(RequestError::MalformedRequest),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, mark};
    use crate::RequestError;

    #[test]
    fn a_plain_path_is_not_copied() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/tenants/acme/orders",
            "/.well-known/x",
            "/a/...",
            "/a.b/..c/d..",
            "/a:b@c!$&'()*+,=d",
        ] {
            assert_eq!(
                Path::read(path.as_bytes()),
                Ok(Path::Plain(path.as_bytes())),
                "{path}"
            );
        }
    }

    #[test]
    fn other_paths_are_decoded_once_with_marks() {
        let table: &[(&[u8], &[u8])] = &[
            (b"/caf%C3%A9", "/caf\u{e9}".as_bytes()),
            ("/caf\u{e9}".as_bytes(), "/caf\u{e9}".as_bytes()),
            (b"/a%20b", b"/a b"),
            (b"/%61%7E%7e", b"/a~~"),
            (b"/100%25", b"/100%"),
            (b"/100%25zz", b"/100%zz"),
            (
                b"/a%2fb%5Cc",
                &[b'/', b'a', mark::SLASH, b'b', mark::BACKSLASH, b'c'],
            ),
            (
                b"/%3b%3F%23%2e",
                &[b'/', mark::SEMICOLON, mark::QUESTION, mark::HASH, mark::DOT],
            ),
            (b"/a;b\\c", b"/a;b\\c"),
            (b"/a//b", b"/a//b"),
            (b"/a/.", b"/a/."),
            (b"/a/../b", b"/a/../b"),
        ];
        for (path, decoded) in table {
            assert_eq!(
                Path::read(path),
                Ok(Path::Decoded(decoded.to_vec())),
                "{}",
                String::from_utf8_lossy(path)
            );
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        let refused: &[&[u8]] = &[
            b"",
            b"a",
            b"*",
            b"//",
            b"//a",
            b"/%",
            b"/%4",
            b"/%zz",
            b"/%4g",
            b"/%u002f",
            b"/%U002f",
            b"/% 41",
            b"/%+4",
            b"/a b",
            b"/a\0",
            b"/a\x7f",
            b"/a\t",
            b"/%00",
            b"/%0a",
            b"/%7F",
            b"/%1f",
            b"/%c0%af",
            b"/%ff",
            b"/\xff",
            b"/%c3",
            b"/%ed%a0%80",
            b"/%C2%85",
            "/\u{85}".as_bytes(),
            b"/admin%252fx",
            b"/%25%34%31",
            b"/%2541",
            b"/%252e%252e/x",
        ];
        for path in refused {
            assert_eq!(
                Path::read(path),
                Err(RequestError::MalformedRequest),
                "{}",
                String::from_utf8_lossy(path)
            );
        }
    }
}
