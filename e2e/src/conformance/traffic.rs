//! The client of a case: it sends what the case says, one thing after another, and writes down what it gets.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use scopegate_conformance::cases::{Case, Message, Traffic};
use scopegate_conformance::transcript;

use super::peers::Upstream;
use crate::http1::{self, Field};
use crate::wait;

/// How long a client waits that may never be answered; a case in which that happens is for the sake of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// The name under which the server is asked for.
const HOST: &[u8] = b"host.test";

/// What a proxy printed of a case so far.
pub(crate) trait Printed {
    /// The lines of the transcript.
    fn lines(&self) -> Vec<String>;

    /// Whether all that belongs to the first `requests` of them has been printed.
    fn is_through(&self, requests: usize) -> bool;
}

/// Runs the traffic of a case, and returns its transcript. What is waited for in vain is missing in the transcript.
pub(crate) fn play(
    case: &Case,
    address: SocketAddr,
    upstream: &Upstream,
    printed: &impl Printed,
) -> io::Result<String> {
    let mut answers = Vec::new();
    for traffic in &case.traffic {
        answers.push(send(address, traffic)?);
        let sent = answers.len();
        if case.until.is_none() {
            let _ = wait::briefly("the end of a stream", || printed.is_through(sent).then_some(()));
        }
    }
    if let Some(last) = &case.until {
        let is_there = || {
            printed
                .lines()
                .iter()
                .any(|line| line.starts_with(last))
                .then_some(())
        };
        let _ = wait::briefly("the last line", is_there);
    }
    Ok(transcript::whole(&printed.lines(), &upstream.seen(), &answers))
}

fn send(address: SocketAddr, traffic: &Traffic) -> io::Result<String> {
    match traffic {
        Traffic::Request {
            method,
            path,
            message,
        } => Ok(exchange(address, method, path, message).unwrap_or_else(|_| "no answer".to_owned())),
        Traffic::Connection { sends, answers } => converse(address, sends, answers.len()),
    }
}

/// Sends over a connection, reads what comes until it is enough or the connection ends, and goes.
fn converse(address: SocketAddr, sends: &str, enough: usize) -> io::Result<String> {
    let mut stream = connect(address)?;
    stream.write_all(sends.as_bytes())?;
    let (mut got, mut buffer) = (Vec::new(), [0; 1024]);
    while got.len() < enough {
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => got.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Ok(_) | Err(_) => break,
        }
    }
    Ok(format!("\"{}\"", got.escape_ascii()))
}

/// Sends a request and reads its answer. A client that is not answered goes away.
fn exchange(address: SocketAddr, method: &str, path: &str, message: &Message) -> io::Result<String> {
    let request = http1::Message::request(
        method.as_bytes(),
        path.as_bytes(),
        Some(HOST),
        &fields(&message.headers),
        message.body.as_bytes(),
        &fields(&message.trailers),
    );
    let mut stream = connect(address)?;
    stream.write_all(&request)?;
    let answer = http1::Message::read(&mut BufReader::new(stream), method == "HEAD")?;
    let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
    let start = String::from_utf8_lossy(&answer.start);
    let status = start.split(' ').nth(1).unwrap_or_default();
    let line = transcript::message(status, &answer.headers, &answer.body, &answer.trailers);
    Ok(transcript::without_page(line))
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Fields of a case as they stand in a message.
pub(crate) fn fields(fields: &[(String, String)]) -> Vec<Field> {
    let bytes = |text: &String| text.as_bytes().to_vec();
    fields
        .iter()
        .map(|(name, value)| (bytes(name), bytes(value)))
        .collect()
}
