//! Media types (RFC 9110 section 8.3.1): of a body, and the ranges of them that routes name.

use crate::pattern::Fault;
use crate::request::is_token;

/// The media type of a body, without its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MediaType<'r> {
    main: &'r str,
    subtype: &'r str,
}

/// `application/json`, or `application/*` for all of a type; in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaRange {
    main: String,
    /// `None`: all of them.
    subtype: Option<String>,
}

impl<'r> MediaType<'r> {
    /// Reads the value of a `Content-Type`. `None`: it is no media type, or a list of them, which an upstream could
    /// take the first or the last of.
    pub(crate) fn parse(value: &'r [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (essence, parameters) = match text.split_once(';') {
            Some((essence, parameters)) => (essence, parameters),
            None => (text, ""),
        };
        let (main, subtype) = essence.trim_matches([' ', '\t']).split_once('/')?;
        let is_one = !could_be_several(parameters);
        (is_token(main) && is_token(subtype) && is_one).then_some(Self { main, subtype })
    }
}

impl MediaRange {
    /// Reads a content type of a policy.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let shown = text.escape_debug();
        if text.contains(';') {
            return Err(Fault::new(
                format!("the content type `{shown}` has a parameter"),
                "leave the parameters out: they are ignored in requests",
            ));
        }
        let parts = text.split_once('/');
        let valid = parts.filter(|(main, subtype)| is_name(main) && (*subtype == "*" || is_name(subtype)));
        let (main, subtype) = valid.ok_or_else(|| {
            Fault::new(
                format!("`{shown}` is no content type"),
                "write a media type, as in `application/json`, or `application/*`; leave the field out for any",
            )
        })?;
        Ok(Self {
            main: main.to_ascii_lowercase(),
            subtype: (subtype != "*").then(|| subtype.to_ascii_lowercase()),
        })
    }

    pub(crate) fn covers(&self, media: &MediaType<'_>) -> bool {
        let subtype = self.subtype.as_deref();
        self.main.eq_ignore_ascii_case(media.main)
            && subtype.is_none_or(|subtype| subtype.eq_ignore_ascii_case(media.subtype))
    }

    /// Whether a media type can be in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let subtypes = self.subtype.as_ref().zip(other.subtype.as_ref());
        self.main == other.main && subtypes.is_none_or(|(one, other)| one == other)
    }
}

fn is_name(text: &str) -> bool {
    is_token(text) && !text.contains('*')
}

/// Whether there is a comma outside of quotes, or quotes that are not closed, which hide one from some only.
fn could_be_several(parameters: &str) -> bool {
    let mut quoted = false;
    let mut escaped = false;
    let has_comma = parameters.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return true,
            _ => {}
        }
        false
    });
    has_comma || quoted
}

#[cfg(test)]
mod tests {
    use super::{MediaRange, MediaType};

    #[test]
    fn a_media_type_is_read_without_its_parameters() {
        let rows: &[(&str, Option<(&str, &str)>)] = &[
            ("application/json", Some(("application", "json"))),
            ("application/json;charset=utf-8", Some(("application", "json"))),
            ("application/json ; charset=utf-8", Some(("application", "json"))),
            ("application/json;", Some(("application", "json"))),
            (
                "multipart/form-data; boundary=\"a,b\\\",c\"",
                Some(("multipart", "form-data")),
            ),
            ("application/vnd.api+json", Some(("application", "vnd.api+json"))),
            ("*/*", Some(("*", "*"))),
            ("", None),
            ("json", None),
            ("/json", None),
            ("application/", None),
            ("application/json/x", None),
            ("application/ json", None),
            ("application /json", None),
            ("application/json text/plain", None),
            ("application/json, text/plain", None),
            ("application/json; charset=utf-8, text/plain", None),
            ("application/json; a=\"b\", text/plain", None),
            ("application/json; a=\"b, text/plain", None),
            ("application/json; a=\"b\\\"", None),
            ("\u{e9}/a", None),
        ];
        for (text, expected) in rows {
            let read = MediaType::parse(text.as_bytes()).map(|media| (media.main, media.subtype));
            assert_eq!(read, *expected, "{text}");
        }
        assert_eq!(MediaType::parse(b"a/\xff"), None);
    }

    #[test]
    fn a_range_covers_its_type() {
        let covers = |range: &str, media: &str| {
            let media = MediaType::parse(media.as_bytes()).expect(media);
            MediaRange::parse(range).expect(range).covers(&media)
        };
        assert!(covers("application/json", "APPLICATION/Json;x=y"));
        assert!(covers("Application/*", "application/json"));
        assert!(!covers("application/json", "application/jsonx"));
        assert!(!covers("application/*", "text/plain"));
        assert!(!covers("application/json", "*/*"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "*",
            "*/*",
            "*/json",
            "json",
            "application/",
            "application/json; charset=utf-8",
            "application/js*",
            "a/b/c",
            " application/json",
            "a/b, c/d",
        ] {
            assert!(MediaRange::parse(text).is_err(), "{text}");
        }
    }
}
