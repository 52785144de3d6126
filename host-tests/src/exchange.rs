//! What goes into a host and what comes out of it: requests, responses, and the outcome of an exchange.

use std::collections::BTreeMap;
use std::fmt;

use crate::headers::Headers;
use crate::redact::Redacted;
use crate::stream::StreamId;

/// A request, as the proxy shows it to the module. All in bytes; nothing need be UTF-8.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Headers in order, the pseudo-headers `:method`, `:path`, `:authority` and `:scheme` among them.
    pub headers: Headers,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// Trailers; empty for none.
    pub trailers: Headers,
    /// Properties of the proxy, by path: the parts are separated by a NUL. They come before the host's own.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Request {
    /// A request over https with no further header.
    pub fn new(method: impl AsRef<[u8]>, authority: impl AsRef<[u8]>, path: impl AsRef<[u8]>) -> Self {
        Self::default()
            .header(":authority", authority)
            .header(":path", path)
            .header(":method", method)
            .header(":scheme", "https")
    }

    /// A GET over https.
    pub fn get(authority: impl AsRef<[u8]>, path: impl AsRef<[u8]>) -> Self {
        Self::new("GET", authority, path)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sets a property by its dotted path: `source.address`.
    #[must_use]
    pub fn property(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.properties
            .insert(path.replace('.', "\0").into_bytes(), value.as_ref().to_vec());
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("headers", &Redacted(&self.headers))
            .field("body_bytes", &self.body.len())
            .field("trailers", &Redacted(&self.trailers))
            .finish_non_exhaustive()
    }
}

/// A response of an upstream, scripted by the test.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Headers in order, `:status` first.
    pub headers: Headers,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// Trailers; empty for none.
    pub trailers: Headers,
}

impl Response {
    /// A response with this status and nothing else.
    #[must_use]
    pub fn new(status: u16) -> Self {
        let headers = vec![(b":status".to_vec(), status.to_string().into_bytes())];
        Self {
            headers,
            body: Vec::new(),
            trailers: Headers::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }
}

impl Default for Response {
    /// 200 and nothing else.
    fn default() -> Self {
        Self::new(200)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("headers", &Redacted(&self.headers))
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// One direction of a stream as the next hop gets it: a request at the upstream, a response at the client.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Headers with pseudo-headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Headers,
}

impl Message {
    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }

    /// All values of a header, whatever the case of its name.
    #[must_use]
    pub fn header_values(&self, name: &str) -> Vec<&[u8]> {
        let named = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| value.as_slice()).collect()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("headers", &Redacted(&self.headers))
            .field("body", &format_args!("{}", self.body.escape_ascii()))
            .field("trailers", &Redacted(&self.trailers))
            .finish()
    }
}

/// An answer that the module gave in place of the upstream, as the client gets it.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalReply {
    /// The HTTP status on the wire: 200 for a gRPC answer.
    pub status: u16,
    /// Headers with `:status`, after the host's shaping and the module's own response callbacks.
    pub headers: Headers,
    /// The body on the wire: empty for HEAD and for gRPC.
    pub body: Vec<u8>,
    /// The value of `grpc-status`, where the answer is a gRPC one.
    pub grpc_status: Option<u32>,
    /// The reason that the module gave for the proxy's access log, spaces replaced as Envoy does.
    pub details: String,
    /// The status that the module asked for.
    pub asked_status: u32,
    /// The body that the module gave.
    pub asked_body: Vec<u8>,
}

impl LocalReply {
    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }
}

impl fmt::Debug for LocalReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalReply")
            .field("status", &self.status)
            .field("headers", &Redacted(&self.headers))
            .field("body", &format_args!("{}", self.body.escape_ascii()))
            .field("grpc_status", &self.grpc_status)
            .field("details", &self.details)
            .finish_non_exhaustive()
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It went to the upstream, as the message says.
    Forwarded(Message),
    /// The module answered it.
    LocalReply(LocalReply),
    /// The module failed, or was never configured, and the failure policy does not let the request past it.
    Failed {
        /// Why, for people.
        reason: String,
        /// What the client gets: 503.
        reply_status: u16,
    },
    /// The module closed the stream, or failed when the client had the response's headers: the client gets no answer, or
    /// no whole one.
    Reset,
    /// The module holds the stream and waits. `Host::resume` goes on with it. It stays so where the machine fails
    /// meanwhile, until it has been idle for too long ([`crate::HostBuilder::stream_idle_timeout`]).
    Paused,
}

/// The whole of one exchange.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What became of the request.
    pub outcome: Outcome,
    /// The request as it reached the upstream, whatever became of the answer; none where it did not.
    pub asked: Option<Message>,
    /// The upstream's response as the client gets it, where the request was forwarded.
    pub response: Option<Message>,
    /// The properties that the module set, by raw path.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How many host calls the module made.
    pub host_calls: usize,
    /// The fuel it burnt, about one unit for each instruction: the same for the same request.
    pub fuel: u64,
    /// The stream, still open where the outcome is `Paused`.
    pub stream: StreamId,
    /// Which plugin answered, failed, closed or holds the stream, by its position; `None` where all let it pass.
    pub decided_by: Option<usize>,
}

impl Exchange {
    /// The message at the upstream, where there is one.
    #[must_use]
    pub fn forwarded(&self) -> Option<&Message> {
        if let Outcome::Forwarded(message) = &self.outcome {
            Some(message)
        } else {
            None
        }
    }

    /// The module's own answer, where it gave one.
    #[must_use]
    pub fn local_reply(&self) -> Option<&LocalReply> {
        if let Outcome::LocalReply(reply) = &self.outcome {
            Some(reply)
        } else {
            None
        }
    }

    /// A property that the module set, by its dotted path or, failing that, by the path as it is.
    #[must_use]
    pub fn property(&self, path: &str) -> Option<&[u8]> {
        let parts = path.replace('.', "\0");
        let found = self
            .properties
            .get(parts.as_bytes())
            .or_else(|| self.properties.get(path.as_bytes()));
        found.map(Vec::as_slice)
    }
}

fn first<'h>(headers: &'h Headers, name: &str) -> Option<&'h [u8]> {
    let named = |(key, _): &&(Vec<u8>, Vec<u8>)| key.eq_ignore_ascii_case(name.as_bytes());
    headers.iter().find(named).map(|(_, value)| value.as_slice())
}
