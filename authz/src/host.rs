//! Hosts: the authority of a request, and the hosts that routes name.
//!
//! Both are brought to one form: lower case, one final dot dropped, the port apart. What cannot be brought to
//! it is malformed (RFC 9112 section 3.2), never guessed.

use std::borrow::Cow;

use crate::pattern::Fault;

/// The most characters of a host name (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 255;

/// The authority of a request: host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority<'r> {
    pub(crate) host: Cow<'r, str>,
    pub(crate) port: Option<u16>,
}

/// A host that a route names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostPattern {
    /// Whether it is `*.` and a suffix: then `host` is the suffix, without the dot.
    pub(crate) wildcard: bool,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl<'r> Authority<'r> {
    /// Reads `:authority`, `Host`, or the authority of an absolute-form target. `None`: it is malformed, by
    /// user information, by being empty or a list, or by a character that no host has.
    pub(crate) fn parse(bytes: &'r [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (host, port) = match bytes.iter().any(|byte| matches!(byte, b':' | b']')) {
            true => split_port(text)?,
            false => (text, None),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        if let Some(literal) = host.strip_prefix('[') {
            let address: std::net::Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
            return Some(Self {
                host: Cow::Owned(format!("[{address}]")),
                port,
            });
        }
        if !is_name(host) {
            return None;
        }
        let host = match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(host.to_ascii_lowercase()),
            false => Cow::Borrowed(host),
        };
        Some(Self { host, port })
    }
}

impl HostPattern {
    /// Reads a host of a policy.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let shown = text.escape_debug();
        if !text.is_ascii() {
            return Err(Fault::new(
                format!("the host `{shown}` is not in A-labels"),
                "write its ASCII form (punycode), as in `xn--bcher-kva.example`",
            ));
        }
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Fault::new(
                format!("the host `{shown}` is not in lower case"),
                format!("write `{}`", text.to_ascii_lowercase().escape_debug()),
            ));
        }
        if text == "*" {
            return Err(Fault::new(
                "`*` is no host",
                "leave `hosts` out to match any host",
            ));
        }
        let (wildcard, rest) = match text.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, text),
        };
        let invalid = || {
            Fault::new(
                format!("`{shown}` is no host"),
                "write a host, as in `api.example.com`, `api.example.com:8443` or `*.example.com`",
            )
        };
        let authority = Authority::parse(rest.as_bytes()).ok_or_else(invalid)?;
        if rest.ends_with(':') || (wildcard && authority.host.starts_with('[')) {
            return Err(invalid());
        }
        Ok(Self {
            wildcard,
            host: authority.host.into_owned(),
            port: authority.port,
        })
    }
}

/// Splits the port off: `None` where it is not a number of 16 bits. An empty port is no port (RFC 3986
/// section 3.2.3).
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let end_of_literal = text.rfind(']').unwrap_or_default();
    let Some(colon) = text.rfind(':').filter(|colon| *colon >= end_of_literal) else {
        return Some((text, None));
    };
    let (host, port) = text.split_at_checked(colon)?;
    let digits = port.strip_prefix(':')?;
    if digits.is_empty() {
        return Some((host, None));
    }
    match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Some((host, Some(digits.parse().ok()?))),
        false => None,
    }
}

fn is_name(host: &str) -> bool {
    let in_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut before = b'.';
    let fits = host.bytes().all(|byte| {
        let fits = in_label(byte) || (byte == b'.' && before != b'.');
        before = byte;
        fits
    });
    fits && before != b'.' && host.len() <= MAX_HOST
}

#[cfg(test)]
mod tests {
    use super::{Authority, HostPattern};

    fn seen(text: &[u8]) -> Option<(String, Option<u16>)> {
        Authority::parse(text).map(|authority| (authority.host.into_owned(), authority.port))
    }

    #[test]
    fn an_authority_has_one_form() {
        let table: &[(&str, &str, Option<u16>)] = &[
            ("api.example.com", "api.example.com", None),
            ("API.Example.com.:8443", "api.example.com", Some(8443)),
            ("api.example.com:", "api.example.com", None),
            ("api.example.com:0443", "api.example.com", Some(443)),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[::1]:80", "[::1]", Some(80)),
            ("[2001:DB8:0::1]", "[2001:db8::1]", None),
            ("my_service", "my_service", None),
        ];
        for (text, host, port) in table {
            assert_eq!(seen(text.as_bytes()), Some(((*host).to_owned(), *port)), "{text}");
        }
    }

    #[test]
    fn a_malformed_authority_is_refused() {
        let refused: &[&[u8]] = &[
            b"",
            b".",
            b":80",
            b"a..b",
            b".a",
            b"a.b..",
            b"user@a",
            b"user:pw@a",
            b"a,b",
            b"a, b",
            b"a b",
            b"a/b",
            b"a\\b",
            b"a?b",
            b"a#b",
            b"a%2eb",
            b"a:80:80",
            b"a:65536",
            b"a:x",
            b"a:-1",
            b"a:+1",
            b"[::1",
            b"::1",
            b"[zz]",
            b"[]",
            b"b\xc3\xbccher.example",
            b"\xff",
            b"a\0",
            b"*",
            b"*.a",
        ];
        for text in refused {
            assert_eq!(seen(text), None, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(seen("a.".repeat(200).as_bytes()), None);
    }

    #[test]
    fn hosts_of_a_policy_are_read() {
        let read = |text: &str| {
            HostPattern::parse(text)
                .map(|host| (host.wildcard, host.host, host.port))
                .ok()
        };
        assert_eq!(
            read("api.example.com"),
            Some((false, "api.example.com".to_owned(), None))
        );
        assert_eq!(
            read("api.example.com."),
            Some((false, "api.example.com".to_owned(), None))
        );
        assert_eq!(
            read("api.example.com:8443"),
            Some((false, "api.example.com".to_owned(), Some(8443)))
        );
        assert_eq!(
            read("*.example.com"),
            Some((true, "example.com".to_owned(), None))
        );
        assert_eq!(read("[::1]:80"), Some((false, "[::1]".to_owned(), Some(80))));
        for bad in [
            "",
            "*",
            "*.",
            "*.*.a",
            "a.*",
            "API.example.com",
            "b\u{fc}cher.example",
            "https://a",
            "a/b",
            "a:",
            "a b",
            "*.[::1]",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
