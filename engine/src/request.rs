//! The request as the host shows it, in bytes. Nothing here interprets it.

use std::net::{IpAddr, SocketAddr};

use scopegate_authn::Peer;

/// One request, as the host will forward it. Nothing in it is trusted, nothing need be UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The method.
    pub method: &'r [u8],
    /// The request target: path and query.
    pub path: &'r [u8],
    /// `:authority` or `Host`, where the host shows one.
    pub authority: Option<&'r [u8]>,
    /// The headers, pseudo-headers left out, in order, names as sent.
    pub headers: &'r [(&'r [u8], &'r [u8])],
    /// What the host says of the client certificate of the connection; nothing where there is none.
    pub peer: Option<&'r Peer>,
    /// The address the request came from, as the host names it; nothing where it does not, or nobody asks.
    pub source: Option<IpAddr>,
    /// The id that joins both audit records and the reply. Make it with [`Request::id_from`].
    pub id: &'r str,
    /// A number that no client chooses, another for each request: sampling depends on it.
    pub serial: u64,
}

/// How long a request id of the client's making may be: longer ones would bloat every record.
const MAX_ID_LENGTH: usize = 128;

impl<'r> Request<'r> {
    /// A request of which the host shows nothing.
    #[must_use]
    pub const fn unseen(id: &'r str) -> Self {
        Self {
            method: b"",
            path: b"",
            authority: None,
            headers: &[],
            peer: None,
            source: None,
            id,
            serial: 0,
        }
    }

    /// The id that a header such as `x-request-id` offers, where it is short and plain.
    #[must_use]
    pub fn id_from(offered: &[u8]) -> Option<&str> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        let fits = !offered.is_empty() && offered.len() <= MAX_ID_LENGTH && offered.iter().all(plain);
        std::str::from_utf8(offered).ok().filter(|_| fits)
    }

    /// The address in a text such as `192.0.2.1:4711`, `[2001:db8::1]:4711` or `192.0.2.1`.
    #[must_use]
    pub fn source_from(offered: &[u8]) -> Option<IpAddr> {
        let text = std::str::from_utf8(offered).ok()?;
        let with_port = text.parse::<SocketAddr>().map(|address| address.ip());
        with_port.or_else(|_| text.parse()).ok()
    }

    /// The first value of the header called `name`, which must be in lower case.
    #[must_use]
    pub fn header(&self, name: &[u8]) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        headers
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// Whether the client speaks gRPC, told as Envoy tells it: only the shape of a reply depends on it.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        let rest = self
            .header(b"content-type")
            .and_then(|value| value.strip_prefix(b"application/grpc"));
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn only_short_and_plain_ids_are_taken() {
        assert_eq!(Request::id_from(b"5f1e-a_b.c:1"), Some("5f1e-a_b.c:1"));
        for hostile in [&b""[..], b"a b", b"a\nb", b"a\"b", b"\xff", &[b'a'; 129]] {
            assert_eq!(Request::id_from(hostile), None);
        }
    }

    #[test]
    fn an_address_is_read_with_its_port_and_without() {
        let rows = [
            ("192.0.2.1:4711", Some("192.0.2.1")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("@/run/proxy.sock", None),
            ("", None),
        ];
        for (text, address) in rows {
            let read = Request::source_from(text.as_bytes()).map(|address| address.to_string());
            assert_eq!(read.as_deref(), address, "{text}");
        }
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let grpc = |value: &'static [u8]| {
            let headers = [(&b"Content-Type"[..], value)];
            Request {
                method: b"POST",
                path: b"/",
                authority: None,
                headers: &headers,
                peer: None,
                source: None,
                id: "",
                serial: 0,
            }
            .is_grpc()
        };
        assert!(grpc(b"application/grpc"));
        assert!(grpc(b"application/grpc+proto"));
        assert!(!grpc(b"application/grpc-web"));
        assert!(!grpc(b"application/grpc;a=b"));
        assert!(!grpc(b"application/json"));
    }
}
