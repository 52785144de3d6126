//! Every way in which a server that takes a connection fails to answer as it should.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use super::document::Reply;

/// What becomes of requests for a path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// All is well.
    #[default]
    Up,
    /// The request is read and never answered.
    Hang,
    /// The request is read, and answered once the mode is another one: as that one has it.
    Withheld,
    /// The connection ends where an answer was due.
    Reset,
    /// This status, with a body that is no JSON.
    Status(u16),
    /// The right head, and bytes that mean nothing.
    Garbage,
    /// The right body, said to be HTML.
    WrongContentType,
    /// The right head, half of the body, and the end of the connection.
    Truncated,
    /// Half of the body, said to be all of it.
    HalfJson,
    /// The right head and no body.
    Empty,
    /// A redirect to this URL (RFC 9110 section 15.4.3).
    Redirect(String),
    /// The right body, and white space after it until it is over 1 MiB.
    Oversize,
    /// All is well, and comes this late.
    Slow(Duration),
}

/// What becomes of the connection.
pub(super) enum Then {
    Next,
    Close,
    Silence,
}

/// More than any answer may have that a policy asks for.
const OVER_A_MEBIBYTE: usize = 1024 * 1024 + 1;

impl Mode {
    /// The status that is answered where all would be well with `status`.
    pub(super) const fn status(&self, status: u16) -> Option<u16> {
        match self {
            Self::Hang | Self::Withheld | Self::Reset => None,
            Self::Status(status) => Some(*status),
            Self::Redirect(_) => Some(302),
            Self::Up
            | Self::Garbage
            | Self::WrongContentType
            | Self::Truncated
            | Self::HalfJson
            | Self::Empty
            | Self::Oversize
            | Self::Slow(_) => Some(status),
        }
    }

    /// Sends `reply` in its own way.
    pub(super) fn send(&self, reply: &Reply, stream: &mut impl Write) -> io::Result<Then> {
        let half = || {
            reply
                .body
                .get(..reply.body.len() / 2)
                .unwrap_or_default()
                .to_vec()
        };
        let sent = match self {
            Self::Up => reply.clone(),
            Self::Hang | Self::Withheld => return Ok(Then::Silence),
            Self::Reset => return Ok(Then::Close),
            Self::Status(status) => Reply::new(*status, "text/plain", b"out of order".to_vec()),
            Self::Garbage => with_body(reply, b"\xff\xfe<!doctype \0".to_vec()),
            Self::WrongContentType => Reply::new(reply.status, "text/html", reply.body.clone()),
            Self::HalfJson => with_body(reply, half()),
            Self::Empty => with_body(reply, Vec::new()),
            Self::Redirect(target) => Reply {
                status: 302,
                headers: vec![(b"location".to_vec(), target.clone().into())],
                body: Vec::new(),
            },
            Self::Oversize => {
                let mut body = reply.body.clone();
                body.resize(OVER_A_MEBIBYTE.max(body.len()), b' ');
                with_body(reply, body)
            }
            Self::Truncated => {
                stream.write_all(&reply.head(reply.body.len()))?;
                stream.write_all(&half())?;
                return Ok(Then::Close);
            }
            Self::Slow(delay) => {
                thread::sleep(*delay);
                reply.clone()
            }
        };
        stream.write_all(&sent.head(sent.body.len()))?;
        stream.write_all(&sent.body)?;
        Ok(Then::Next)
    }
}

fn with_body(reply: &Reply, body: Vec<u8>) -> Reply {
    Reply {
        body,
        ..reply.clone()
    }
}
