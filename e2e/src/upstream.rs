//! An upstream on loopback that answers 200 with a JSON account of what reached it, and remembers it.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::json;

use crate::http1::{Field, Message};

/// The header of an answer by which a test knows that it came from the upstream and from nothing before it.
pub const MARK: &str = "x-upstream";

/// A request that reached the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: Vec<u8>,
    /// The request target.
    pub path: Vec<u8>,
    /// The header fields, in order, names in lower case.
    pub headers: Vec<Field>,
    /// The body.
    pub body: Vec<u8>,
    /// The trailer fields.
    pub trailers: Vec<Field>,
}

impl Seen {
    /// The first value of the header of that name, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        crate::http1::first(&self.headers, name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub(crate) fn from_message(message: Message) -> Self {
        let mut parts = message.start.splitn(2, |byte| *byte == b' ').map(<[u8]>::to_vec);
        let method = parts.next().unwrap_or_default();
        let target = parts.next().unwrap_or_default();
        let path = target.strip_suffix(b" HTTP/1.1").unwrap_or(&target).to_vec();
        let lower = |(name, value): Field| (name.to_ascii_lowercase(), value);
        let headers = message.headers.into_iter().map(lower).collect();
        Self {
            method,
            path,
            headers,
            body: message.body,
            trailers: message.trailers,
        }
    }

    fn account(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| [text(name), text(value)])
            .collect();
        json!({"method": text(&self.method), "path": text(&self.path), "headers": headers}).to_string()
    }
}

/// A running upstream. It ends with the process.
#[derive(Debug, Clone)]
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Starts an upstream on a free port of loopback.
    ///
    /// # Errors
    /// No port could be had.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let upstream = Self {
            address: listener.local_addr()?,
            seen: Arc::default(),
        };
        let seen = Arc::clone(&upstream.seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || serve(stream, &seen));
            }
        });
        Ok(upstream)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What reached it since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers every request of a connection until the other side ends it.
fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(message) = Message::read(&mut reader, false)? {
        let request = Seen::from_message(message);
        let answer = answer(&request);
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        stream.write_all(&answer)?;
    }
    Ok(())
}

fn answer(request: &Seen) -> Vec<u8> {
    let account = request.account();
    let grpc = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/grpc"));
    let kind = if grpc {
        "application/grpc\r\ngrpc-status: 0"
    } else {
        "application/json"
    };
    let length = if grpc { 0 } else { account.len() };
    let head =
        format!("HTTP/1.1 200 OK\r\n{MARK}: 1\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    let bodiless = grpc || request.method == b"HEAD";
    [head.as_bytes(), if bodiless { b"" } else { account.as_bytes() }].concat()
}
