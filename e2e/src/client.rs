//! A client that sends exactly the bytes it is given: over a connection of its own for each request, or over one that is
//! kept.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

use crate::certificates::{Authority, Identity};

use crate::http1::{Field, Message};

/// Long enough for a first request on a busy machine; a test that waits longer has found a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header fields, names in lower case.
    pub headers: Vec<Field>,
    /// The body.
    pub body: Vec<u8>,
    /// The trailer fields.
    pub trailers: Vec<Field>,
}

impl Answer {
    /// The first value of the header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        crate::http1::first(&self.headers, name)
    }

    /// The same as text, with bytes that are none replaced.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.header(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// Sends `request` and reads one answer; interim answers (1xx) are passed over.
///
/// # Errors
/// The connection failed, ended without an answer, or was silent for too long.
pub fn send(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    exchange(&mut BufReader::new(connect(address)?), request)
}

/// A connection that is kept: for one request after the other, and opened anew where the server has ended it by its
/// word.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    reader: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// A connection to `address`, opened with the first request.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            reader: None,
        }
    }

    /// Sends `request` and reads its answer, as [`send`] does.
    ///
    /// # Errors
    /// As [`send`]; a server that ends the connection without having said so is one of them.
    pub fn send(&mut self, request: &[u8]) -> io::Result<Answer> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => BufReader::new(connect(self.address)?),
        };
        let answer = exchange(&mut reader, request)?;
        if answer.header("connection") != Some(b"close") {
            self.reader = Some(reader);
        }
        Ok(answer)
    }
}

/// Sends `bytes` over a connection of their own and ends it without waiting for an answer.
///
/// # Errors
/// The connection failed before they were sent.
pub fn abandon(address: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    connect(address)?.write_all(bytes)
}

/// How a client speaks TLS.
#[derive(Debug, Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    host: ServerName<'static>,
}

impl TlsClient {
    /// A client that knows the server as `host`, by a certificate of `authority`. With an identity it shows that
    /// certificate where it is asked for one.
    ///
    /// # Errors
    /// The host is no DNS name, or a certificate is wrong.
    pub fn new(authority: &Authority, host: &str, identity: Option<&Identity>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from(authority.der().to_vec());
        roots.add(root).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(io::Error::other)?.with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let chain = vec![CertificateDer::from(identity.certificate().to_vec())];
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key().to_vec()));
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(io::Error::other)?
            }
        };
        let host = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Self {
            config: Arc::new(config),
            host,
        })
    }

    /// Sends `request` over a connection of its own and reads one answer, as [`send`] does.
    ///
    /// # Errors
    /// As [`send`], and where the server refuses the client's certificate, or has none that is trusted.
    pub fn send(&self, address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
        self.converse(address, request).map(|(answer, _)| answer)
    }

    /// The same, and whether the server resumed a session of before (RFC 8446 section 2.2).
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn converse(&self, address: SocketAddr, request: &[u8]) -> io::Result<(Answer, bool)> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.host.clone());
        let stream = StreamOwned::new(connection.map_err(io::Error::other)?, connect(address)?);
        let mut reader = BufReader::new(stream);
        let answer = exchange(&mut reader, request)?;
        Ok((
            answer,
            reader.get_ref().conn.handshake_kind() == Some(HandshakeKind::Resumed),
        ))
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn exchange(reader: &mut BufReader<impl Read + Write>, request: &[u8]) -> io::Result<Answer> {
    let stream = reader.get_mut();
    // A server that answers before it has read everything may close: what it said still counts.
    let sent = stream.write_all(request).and_then(|()| stream.flush());
    loop {
        let answer = Message::read(reader, request.starts_with(b"HEAD "));
        let Some(message) = answer? else {
            sent?;
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended without an answer",
            ));
        };
        let status = status(&message.start)?;
        if status >= 200 {
            let lower = |(name, value): Field| (name.to_ascii_lowercase(), value);
            let headers = message.headers.into_iter().map(lower).collect();
            return Ok(Answer {
                status,
                headers,
                body: message.body,
                trailers: message.trailers,
            });
        }
    }
}

fn status(line: &[u8]) -> io::Result<u16> {
    let digits = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let text = str::from_utf8(digits).map_err(io::Error::other)?;
    text.parse().map_err(io::Error::other)
}
