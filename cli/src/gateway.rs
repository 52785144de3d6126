//! A development gateway: HTTP/1.1 in front, the real module in wasmtime, an upstream behind.
//!
//! It decides nothing itself. Whatever fails on the way to a decision is answered with 503, never forwarded.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::service::service_fn;
use hyper::{Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;

use scopegate_harness::exchange::{Answer, Headers, Outcome, Peer, Request};
use scopegate_harness::executor::{ExecutorError, Session as _};
use scopegate_harness::wasm::WasmSession;

/// The largest body that is passed on: this gateway is for development, and holds bodies in memory.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Headers that belong to one connection and are not passed on (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
];

type Body = Either<Incoming, Full<Bytes>>;

/// What became of one request, for a log.
#[derive(Debug)]
pub struct Served {
    /// The request.
    pub request: Request,
    /// The decision on it.
    pub answer: Answer,
    /// The status that the client got.
    pub status: u16,
}

/// What is told of each request.
pub type Observer = Arc<dyn Fn(&Served) + Send + Sync>;

/// A gateway: a plugin and an upstream.
#[derive(Clone)]
pub struct Gateway {
    session: Arc<Mutex<WasmSession>>,
    upstream: Authority,
    client: Client<HttpConnector, Full<Bytes>>,
    observer: Observer,
}

/// A gateway could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The upstream's URL is of no use.
    #[error("`{0}` is no upstream; write `http://HOST:PORT`")]
    Upstream(String),
}

impl Gateway {
    /// A gateway to `upstream` (`http://HOST:PORT`), which asks `session` and tells `observer`.
    ///
    /// # Errors
    /// When the upstream is no such URL.
    pub fn new(session: WasmSession, upstream: &str, observer: Observer) -> Result<Self, GatewayError> {
        let fault = || GatewayError::Upstream(upstream.to_owned());
        let uri: Uri = upstream.parse().map_err(|_| fault())?;
        let is_plain = uri.scheme() == Some(&Scheme::HTTP) && uri.path() == "/" && uri.query().is_none();
        let authority = uri.authority().filter(|_| is_plain).cloned().ok_or_else(fault)?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self {
            session: Arc::new(Mutex::new(session)),
            upstream: authority,
            client,
            observer,
        })
    }

    /// Gives the plugin another policy, in JSON. `false` where it was refused: the old one then stays.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn reconfigure(&self, policy: &[u8]) -> Result<bool, ExecutorError> {
        self.session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reconfigure(policy)
    }

    /// Serves connections of `listener` for ever.
    ///
    /// # Errors
    /// When no connection can be accepted any more.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        loop {
            let (stream, peer) = listener.accept().await?;
            let gateway = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let gateway = gateway.clone();
                    async move { Ok::<_, Infallible>(gateway.handle(request, peer).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                // A client that breaks off is no concern of anybody else.
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn handle(&self, incoming: hyper::Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let (parts, body) = incoming.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            return plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large for this gateway\n",
            );
        };
        let request = read(&parts, body.to_bytes(), peer);
        let decided = self
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .decide(&request);
        let Ok(answer) = decided else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "the plugin failed\n");
        };
        let response = match answer.outcome {
            Outcome::Reply => reply(&answer),
            Outcome::Forward => self.forward(&request, &answer).await,
        };
        let status = response.status().as_u16();
        (self.observer)(&Served {
            request,
            answer,
            status,
        });
        response
    }

    async fn forward(&self, request: &Request, answer: &Answer) -> Response<Body> {
        let Some(outgoing) = self.outgoing(request, answer) else {
            return plain(
                StatusCode::BAD_REQUEST,
                "this gateway cannot pass the request on\n",
            );
        };
        match self.client.request(outgoing).await {
            Ok(response) => {
                let (mut parts, body) = response.into_parts();
                parts.version = hyper::Version::HTTP_11;
                for name in HOP_BY_HOP {
                    parts.headers.remove(name);
                }
                Response::from_parts(parts, Either::Left(body))
            }
            Err(_) => plain(StatusCode::BAD_GATEWAY, "the upstream cannot be reached\n"),
        }
    }

    fn outgoing(&self, request: &Request, answer: &Answer) -> Option<hyper::Request<Full<Bytes>>> {
        let upstream = answer.upstream.as_ref()?;
        let path = PathAndQuery::try_from(upstream.path.as_slice()).ok()?;
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.upstream.clone())
            .path_and_query(path);
        let mut builder = hyper::Request::builder()
            .method(request.method.as_slice())
            .uri(uri.build().ok()?);
        let headers = builder.headers_mut()?;
        copy(&upstream.headers, headers)?;
        if let Some(authority) = &request.authority {
            headers.insert(hyper::header::HOST, HeaderValue::from_bytes(authority).ok()?);
        }
        builder.body(Full::new(Bytes::from(request.body.clone()))).ok()
    }
}

/// The request in bytes. hyper has parsed it already: what it cannot read it has answered with 400.
fn read(parts: &hyper::http::request::Parts, body: Bytes, peer: SocketAddr) -> Request {
    let host = parts
        .headers
        .get(hyper::header::HOST)
        .map(|host| host.as_bytes().to_vec());
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()));
    // The first `Host` is the authority; a second one stays among the headers, to be judged.
    let mut is_first_host = true;
    let headers: Headers = headers
        .filter(|(name, _): &(Vec<u8>, Vec<u8>)| name != b"host" || !std::mem::take(&mut is_first_host))
        .collect();
    Request {
        id: Value::Null,
        method: parts.method.as_str().as_bytes().to_vec(),
        path: parts.uri.to_string().into_bytes(),
        authority: host,
        scheme: b"http".to_vec(),
        headers,
        body: body.to_vec(),
        peer: Some(Peer {
            address: Some(peer.to_string()),
            ..Peer::default()
        }),
    }
}

fn reply(answer: &Answer) -> Response<Body> {
    let status = answer.status.and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = Response::new(Either::Right(Full::new(Bytes::from(answer.reply_body.clone()))));
    *response.status_mut() = status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    match copy(&answer.reply_headers, response.headers_mut()) {
        Some(()) => response,
        None => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the plugin's answer has no form\n",
        ),
    }
}

fn copy(from: &Headers, to: &mut hyper::HeaderMap) -> Option<()> {
    for (name, value) in from {
        let name = HeaderName::from_bytes(name).ok()?;
        if !HOP_BY_HOP.contains(&name.as_str()) {
            to.append(name, HeaderValue::from_bytes(value).ok()?);
        }
    }
    Some(())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::new(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = status;
    response
}
