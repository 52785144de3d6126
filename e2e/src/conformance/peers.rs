//! The other ends of a case's connections: its upstream, and the upstreams of callouts.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use scopegate_conformance::cases::{self, Case, Traffic};
use scopegate_conformance::transcript;

use super::traffic::fields;
use crate::http1::Message;

/// What the upstream of callouts answers that does.
const CALLEE: &str = "HTTP/1.1 200 x\r\nx-callee: 1\r\ntransfer-encoding: chunked\r\n\r\n\
                      6\r\ncallee\r\n0\r\nx-end: 2\r\n\r\n";

/// An upstream that remembers what reached it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// The upstream of a case.
    pub(crate) fn of(case: &Case) -> io::Result<Self> {
        let connections: Vec<String> = case.traffic.iter().filter_map(answer_to_connection).collect();
        if connections.is_empty() {
            return Self::answering(response(&case.response));
        }
        Self::conversing(connections)
    }

    /// What reached it, a line each.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One that gives every request the same answer.
    fn answering(answer: Vec<u8>) -> io::Result<Self> {
        Self::start(move |mut stream, seen| {
            let (seen, answer) = (Arc::clone(seen), answer.clone());
            thread::spawn(move || answer_all(&mut stream, &seen, &answer));
        })
    }

    /// One of connections: it reads what a client sends, answers, and goes when the client goes.
    fn conversing(answers: Vec<String>) -> io::Result<Self> {
        let mut answers = answers.into_iter();
        Self::start(move |mut stream, seen| {
            let mut buffer = [0; 1024];
            let first = stream.read(&mut buffer).unwrap_or(0);
            let line = format!("\"{}\"", buffer.get(..first).unwrap_or_default().escape_ascii());
            remember(seen, line);
            // A client that has gone needs no answer.
            let _ = stream.write_all(answers.next().unwrap_or_default().as_bytes());
            while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
        })
    }

    fn start(
        mut serve: impl FnMut(TcpStream, &Arc<Mutex<Vec<String>>>) + Send + 'static,
    ) -> io::Result<Self> {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let remembered = Arc::clone(&seen);
        let address = listen(move |stream| serve(stream, &remembered))?;
        Ok(Self { address, seen })
    }
}

fn answer_to_connection(traffic: &Traffic) -> Option<String> {
    match traffic {
        Traffic::Connection { answers, .. } => Some(answers.clone()),
        Traffic::Request { .. } => None,
    }
}

fn remember(seen: &Mutex<Vec<String>>, line: String) {
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
}

fn answer_all(stream: &mut TcpStream, seen: &Mutex<Vec<String>>, answer: &[u8]) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(message) = Message::read(&mut reader, false)? {
        let start = String::from_utf8_lossy(&message.start);
        let start = start.replace(" HTTP/1.1", "").replace(" HTTP/1.0", "");
        remember(
            seen,
            transcript::message(&start, &message.headers, &message.body, &message.trailers),
        );
        stream.write_all(answer)?;
    }
    Ok(())
}

/// Hands every connection to a free port of loopback on.
fn listen(mut serve: impl FnMut(TcpStream) + Send + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || listener.incoming().flatten().for_each(&mut serve));
    Ok(address)
}

/// An address at which nobody listens.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// An upstream that answers as soon as something comes, whether or not more follows.
pub(crate) fn eager(answer: &'static str) -> io::Result<SocketAddr> {
    let mut kept = Vec::new();
    listen(move |mut stream| {
        // One that goes at once is answered in vain.
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer.as_bytes());
        kept.push(stream);
    })
}

/// The upstreams of callouts: one answers, one is silent, one breaks the connection, and nobody listens at the last.
pub(crate) fn callees() -> io::Result<[(&'static str, SocketAddr); 4]> {
    Ok([
        (
            "answers",
            Upstream::answering(CALLEE.as_bytes().to_vec())?.address,
        ),
        ("silent", unanswering(true)?),
        ("breaks", unanswering(false)?),
        ("nobody", free_address()?),
    ])
}

fn unanswering(keeps: bool) -> io::Result<SocketAddr> {
    let mut kept = Vec::new();
    listen(move |stream| {
        if let Ok(clone) = stream.try_clone() {
            // What it asks is not looked at.
            let _ = Message::read(&mut BufReader::new(clone), false);
        }
        kept.extend(Some(stream).filter(|_| keeps));
    })
}

/// A response as bytes.
fn response(message: &cases::Message) -> Vec<u8> {
    // What follows the first line is written as in a request.
    let (headers, trailers) = (fields(&message.headers), fields(&message.trailers));
    let empty = [(b"content-length".to_vec(), b"0".to_vec())];
    let is_empty = message.body.is_empty() && trailers.is_empty() && !matches!(message.status, 204 | 304);
    let headers = [&headers[..], if is_empty { &empty } else { &[] }].concat();
    let request = Message::request(b"X", b"/", None, &headers, message.body.as_bytes(), &trailers);
    let rest = request.strip_prefix(b"X / HTTP/1.1\r\n").unwrap_or_default();
    [format!("HTTP/1.1 {} x\r\n", message.status).as_bytes(), rest].concat()
}
