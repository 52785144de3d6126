//! How a local reply looks on the wire: Envoy's shaping for plain HTTP, for HEAD and for gRPC
//! (`Utility::prepareLocalReply` in Envoy's `source/common/http/utility.cc`).

use crate::exchange::LocalReply;
use crate::headers::{HeaderMap, Headers};
use crate::profile::Profile;
use crate::slots::Kind;

/// What the module asked for with `proxy_send_local_response`.
#[derive(Clone)]
pub(crate) struct ReplyRequest {
    pub(crate) status: u32,
    pub(crate) details: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Headers,
    pub(crate) grpc_status: u32,
}

/// What of the request decides the shape of the reply.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    pub(crate) grpc: bool,
    pub(crate) head: bool,
}

/// What a gRPC answer has, whatever its own status is.
const GRPC_HTTP_STATUS: u32 = 200;

/// Statuses of gRPC that are taken as given; anything else stands for none.
const MAX_GRPC_STATUS: u32 = 16;

/// Whether a content type makes a request a gRPC one: `application/grpc`, alone or with `+` and a codec.
pub(crate) fn is_grpc(content_type: Option<&[u8]>) -> bool {
    let rest = content_type.and_then(|value| value.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
}

pub(crate) fn shape(asked: ReplyRequest, shape: Shape, profile: Profile) -> LocalReply {
    let mut headers = HeaderMap::new(Kind::Response, Headers::new(), profile);
    let grpc = shape.grpc && profile.shapes_grpc_replies();
    let status = if grpc { GRPC_HTTP_STATUS } else { asked.status };
    headers.add(b":status", status.to_string().as_bytes());
    for (name, value) in &asked.headers {
        // Envoy sets the status once more after these (`LocalReplyImpl::rewrite`).
        if name.eq_ignore_ascii_case(b":status") && !profile.merges_reply_headers() {
            continue;
        }
        match profile.merges_reply_headers() {
            true => headers.replace(name, value),
            false => headers.add(name, value),
        }
    }
    if grpc {
        shape_grpc(&mut headers, &asked, shape.head);
    } else if profile.drops_type_of_nothing() || !asked.body.is_empty() {
        shape_http(&mut headers, &asked.body);
    }
    let mut body = asked.body.clone();
    if !body.is_empty() {
        body.extend_from_slice(profile.local_reply_suffix());
    }
    LocalReply {
        status: 0,
        headers: headers.visible().cloned().collect(),
        body: if grpc || shape.head { Vec::new() } else { body },
        grpc_status: None,
        details: details(&asked.details),
        asked_status: asked.status,
        asked_body: asked.body,
    }
    .read_back()
}

impl LocalReply {
    /// Fills in what the headers say.
    pub(crate) fn read_back(mut self) -> Self {
        let number = |name| std::str::from_utf8(self.header(name)?).ok()?.parse::<u32>().ok();
        let grpc = self
            .header("content-type")
            .is_some_and(|value| is_grpc(Some(value)));
        let grpc_status = number("grpc-status").filter(|_| grpc);
        let status = number(":status")
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or(0);
        (self.status, self.grpc_status) = (status, grpc_status);
        self
    }
}

fn shape_http(headers: &mut HeaderMap, body: &[u8]) {
    if body.is_empty() {
        headers.remove(b"content-length");
        headers.remove(b"content-type");
        return;
    }
    headers.replace(b"content-length", body.len().to_string().as_bytes());
    if headers.get(b"content-type").is_none() {
        headers.add(b"content-type", b"text/plain");
    }
}

fn shape_grpc(headers: &mut HeaderMap, asked: &ReplyRequest, head: bool) {
    headers.replace(b"content-type", b"application/grpc");
    if headers.get(b"grpc-status").is_none_or(<[u8]>::is_empty) {
        let given = (asked.grpc_status <= MAX_GRPC_STATUS).then_some(asked.grpc_status);
        let status = given.unwrap_or_else(|| grpc_status_of(asked.status));
        headers.replace(b"grpc-status", status.to_string().as_bytes());
    }
    if !asked.body.is_empty() && !head {
        headers.replace(b"grpc-message", percent_encode(&asked.body).as_bytes());
    }
    headers.remove(b"content-length");
}

/// The mapping of `http-grpc-status-mapping.md` in the gRPC documentation.
pub(crate) fn grpc_status_of(http: u32) -> u32 {
    match http {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

fn percent_encode(text: &[u8]) -> String {
    let encode = |byte: &u8| match byte {
        b' '..b'~' if *byte != b'%' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.iter().map(encode).collect()
}

fn details(given: &[u8]) -> String {
    String::from_utf8_lossy(given)
        .chars()
        .map(|c| if c.is_ascii_whitespace() { '_' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u32, body: &str, headers: &[(&str, &str)], grpc_status: u32, form: Shape) -> LocalReply {
        let pairs = headers
            .iter()
            .map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec()))
            .collect();
        let body = body.as_bytes().to_vec();
        let asked = ReplyRequest {
            status,
            details: b"a b".to_vec(),
            body,
            headers: pairs,
            grpc_status,
        };
        shape(asked, form, Profile::Envoy)
    }

    const HTTP: Shape = Shape {
        grpc: false,
        head: false,
    };
    const GRPC: Shape = Shape {
        grpc: true,
        head: false,
    };
    const NONE: u32 = u32::MAX;

    #[test]
    fn a_plain_reply_gets_a_length_and_a_type_only_with_a_body() {
        let with_body = reply(403, "no", &[], NONE, HTTP);
        assert_eq!(with_body.status, 403);
        assert_eq!(with_body.header("content-length"), Some(&b"2"[..]));
        assert_eq!(with_body.header("content-type"), Some(&b"text/plain"[..]));
        assert_eq!(with_body.details, "a_b");
        let typed = reply(
            403,
            "{}",
            &[("Content-Type", "application/problem+json")],
            NONE,
            HTTP,
        );
        assert_eq!(
            typed.header("content-type"),
            Some(&b"application/problem+json"[..])
        );
        let empty = reply(403, "", &[("content-type", "text/html"), ("x", "y")], NONE, HTTP);
        assert_eq!(empty.header("content-type"), None);
        assert_eq!(empty.header("content-length"), None);
        assert_eq!(empty.header("x"), Some(&b"y"[..]));
    }

    #[test]
    fn a_status_among_the_headers_is_not_the_status() {
        let twice = reply(401, "", &[(":status", "418")], NONE, HTTP);
        assert_eq!((twice.status, twice.header(":status")), (401, Some(&b"401"[..])));
    }

    #[test]
    fn head_gets_the_headers_of_the_body_and_no_body() {
        let head = reply(
            401,
            "body",
            &[],
            NONE,
            Shape {
                grpc: false,
                head: true,
            },
        );
        assert_eq!(
            (head.body.as_slice(), head.header("content-length")),
            (&b""[..], Some(&b"4"[..]))
        );
    }

    #[test]
    fn a_grpc_reply_is_trailers_only_with_status_200() {
        let mapped = reply(
            403,
            "50% off~\n",
            &[("www-authenticate", "Bearer"), ("content-length", "9")],
            NONE,
            GRPC,
        );
        assert_eq!((mapped.status, mapped.grpc_status), (200, Some(7)));
        assert_eq!(mapped.header("grpc-message"), Some(&b"50%25 off%7E%0A"[..]));
        assert_eq!(mapped.header("content-type"), Some(&b"application/grpc"[..]));
        assert_eq!(mapped.header("www-authenticate"), Some(&b"Bearer"[..]));
        assert_eq!(mapped.header("content-length"), None);
        assert!(mapped.body.is_empty());
        assert_eq!(
            reply(403, "", &[], 16, GRPC).grpc_status,
            Some(16),
            "the given status wins over the mapped one"
        );
        assert_eq!(
            reply(403, "", &[("grpc-status", "5")], 16, GRPC).grpc_status,
            Some(5),
            "a header wins over both"
        );
        for (http, grpc) in [
            (400, 13),
            (401, 16),
            (404, 12),
            (429, 14),
            (502, 14),
            (503, 14),
            (504, 14),
            (500, 2),
        ] {
            assert_eq!(
                reply(http, "", &[], NONE, GRPC).grpc_status,
                Some(grpc),
                "HTTP {http}"
            );
        }
    }

    #[test]
    fn the_content_type_alone_makes_a_request_grpc() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc-web", false),
            ("application/grpcx", false),
            ("Application/grpc", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc(Some(value.as_bytes())), expected, "{value}");
        }
        assert!(!is_grpc(None));
    }
}
