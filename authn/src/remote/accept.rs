//! Whether an answer is worth reading: whole, of the right kind, of bounded size. What stands in it is read
//! elsewhere.

use crate::limits;

/// What came back for a fetch. Header names and values are bytes from a stranger.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status; none where there was no answer at all.
    pub status: Option<u16>,
    /// The headers.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// The body, as far as it came.
    pub body: &'a [u8],
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted<'a> {
    /// A body to read.
    Body(&'a [u8]),
    /// 304: what we have is current.
    NotModified,
}

impl<'a> Answer<'a> {
    /// No answer: the fetch could not be sent, or nobody replied.
    pub const NONE: Self = Self {
        status: None,
        headers: &[],
        body: &[],
    };

    /// Checks everything but the content.
    ///
    /// # Errors
    /// Why the answer is worth nothing.
    pub(crate) fn accept(&self, types: &[&str], is_conditional: bool) -> Result<Accepted<'a>, &'static str> {
        match self.status {
            None => return Err("there was no answer"),
            Some(200) => {}
            Some(304) if is_conditional => return Ok(Accepted::NotModified),
            Some(300..=399) => return Err("it is a redirection, and redirections are not followed"),
            Some(_) => return Err("its status is not 200"),
        }
        if self.body.len() > limits::DOCUMENT_BYTES {
            return Err("it is larger than 1 MiB");
        }
        if self.is_truncated() {
            return Err("it is shorter than it says");
        }
        if self.body.is_empty() {
            return Err("it is empty");
        }
        match self.is_of(types) {
            true => Ok(Accepted::Body(self.body)),
            false => Err("its content type is another"),
        }
    }

    /// The values of the header called `name`, which is in lower case.
    pub(crate) fn values(&self, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let named = move |(found, _): &&(&[u8], &[u8])| found.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| *value)
    }

    /// The entity tag (RFC 9110 section 8.8.3), where it is one that can be sent back.
    pub(crate) fn etag(&self) -> Option<String> {
        let etag = std::str::from_utf8(self.values(b"etag").next()?).ok()?;
        let is_plain = etag.bytes().all(|byte| byte.is_ascii_graphic());
        (is_plain && !etag.is_empty() && etag.len() <= limits::ETAG_BYTES).then(|| etag.to_owned())
    }

    /// Whether the body is not as long as `Content-Length` says. A body that was decoded on the way has none.
    pub(crate) fn is_truncated(&self) -> bool {
        let says = |value: &[u8]| std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok();
        let mut lengths = self.values(b"content-length");
        lengths.any(|length| says(length) != Some(self.body.len()))
    }

    /// Whether the media type is one of `types`; one that is not named may be anything (RFC 9110 section 8.3).
    fn is_of(&self, types: &[&str]) -> bool {
        let mut fields = self.values(b"content-type");
        let Some(field) = fields.next() else { return true };
        let media_type = field
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let is_one = types
            .iter()
            .any(|name| media_type.eq_ignore_ascii_case(name.as_bytes()));
        is_one && fields.next().is_none()
    }
}

/// The media types of JSON documents.
pub(crate) const JSON: &[&str] = &["application/json", "application/jwk-set+json", "text/json"];

/// The media type of status lists.
pub(crate) const STATUS_LIST: &[&str] = &["application/statuslist+jwt"];

#[cfg(test)]
mod tests {
    use super::{Accepted, Answer, JSON};
    use crate::limits;

    fn accept<'a>(
        status: u16,
        headers: &'a [(&'a [u8], &'a [u8])],
        body: &'a [u8],
    ) -> Result<Accepted<'a>, &'static str> {
        let answer = Answer {
            status: Some(status),
            headers,
            body,
        };
        answer.accept(JSON, false)
    }

    #[test]
    fn only_a_whole_answer_of_the_right_kind_is_read() {
        let json: &[(&[u8], &[u8])] = &[(b"content-type", b"application/json; charset=utf-8")];
        assert_eq!(accept(200, json, b"{}"), Ok(Accepted::Body(b"{}")));
        assert_eq!(accept(200, &[], b"{}"), Ok(Accepted::Body(b"{}")));
        assert_eq!(
            accept(200, &[(b"Content-Type", b"Application/JWK-Set+json")], b"{}"),
            Ok(Accepted::Body(b"{}"))
        );
        for status in [0, 100, 201, 204, 206, 301, 302, 304, 307, 401, 404, 429, 500, 503] {
            assert!(accept(status, json, b"{}").is_err(), "{status}");
        }
        assert!(accept(200, json, b"").is_err());
        for kind in [
            &b"text/html"[..],
            b"application/jsonp",
            b"",
            b"\xff",
            b"application/jwt",
        ] {
            assert!(
                accept(200, &[(b"content-type", kind)], b"{}").is_err(),
                "{}",
                kind.escape_ascii()
            );
        }
        let twice: &[(&[u8], &[u8])] = &[
            (b"content-type", b"application/json"),
            (b"content-type", b"text/html"),
        ];
        assert!(accept(200, twice, b"{}").is_err());
        for length in [&b"3"[..], b"1", b"x", b"-1", b""] {
            assert!(accept(200, &[(b"content-length", length)], b"{}").is_err());
        }
        assert!(accept(200, &[(b"content-length", b"2")], b"{}").is_ok());
        let large = vec![b' '; limits::DOCUMENT_BYTES + 1];
        assert!(accept(200, json, &large).is_err() && accept(200, json, &large[1..]).is_ok());
        assert!(Answer::NONE.accept(JSON, true).is_err());
    }

    #[test]
    fn not_modified_counts_only_where_it_was_asked() {
        let answer = Answer {
            status: Some(304),
            headers: &[],
            body: b"",
        };
        assert_eq!(answer.accept(JSON, true), Ok(Accepted::NotModified));
        assert!(answer.accept(JSON, false).is_err());
    }

    #[test]
    fn a_tag_is_sent_back_only_if_it_is_short_and_plain() {
        let tag = |value: &'static [u8]| {
            let headers = [(&b"ETag"[..], value)];
            Answer {
                status: Some(200),
                headers: &headers,
                body: b"",
            }
            .etag()
        };
        assert_eq!(tag(b"W/\"7\"").as_deref(), Some("W/\"7\""));
        assert_eq!(tag(b"\"a b\""), None);
        assert_eq!(tag(b"\"\r\nx: y\""), None);
        assert_eq!(tag(&[b'x'; 300]), None);
        assert_eq!(tag(b""), None);
    }
}
