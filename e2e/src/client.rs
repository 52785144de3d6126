//! A client that sends exactly the bytes it is given, over one connection of its own for each request.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

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
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    // A server that answers before it has read everything may close: what it said still counts.
    let sent = stream.write_all(request);
    let mut reader = BufReader::new(stream);
    loop {
        let answer = Message::read(&mut reader, request.starts_with(b"HEAD "));
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
