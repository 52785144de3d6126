//! The load: some connections, each sending one request after the other, never two at once.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::BenchError;
use crate::http1::Message;

/// Requests to send, one after the other, and again from the first where there are fewer than are to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requests<'a> {
    pub(super) requests: &'a [Vec<u8>],
    pub(super) count: usize,
}

impl<'a> Requests<'a> {
    fn get(&self, number: usize) -> Option<&'a Vec<u8>> {
        match self.requests {
            [only] => Some(only),
            each => each.get(number.checked_rem(each.len())?),
        }
    }
}

/// Sends them all over so many connections. Every answer must have this status; all of them have one size.
pub(super) fn run(
    (row, address): (&str, SocketAddr),
    requests: Requests<'_>,
    (first, status): (&[u8], u16),
    connections: usize,
) -> Result<(), BenchError> {
    let answer = Expected {
        size: probe(row, address, first, status)?,
        status,
    };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| connection(address, requests, answer, &next)))
            .collect();
        let ends = workers.into_iter().map(|worker| worker.join());
        ends.map(|end| end.unwrap_or_else(|_| Err(io::Error::other("a connection failed"))))
            .collect::<io::Result<Vec<()>>>()
    })?;
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Expected {
    size: usize,
    status: u16,
}

/// Checks one answer as a whole, and returns its size.
fn probe(row: &str, address: SocketAddr, request: &[u8], status: u16) -> Result<usize, BenchError> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut counted = BufReader::new(Counted { stream, bytes: 0 });
    let message = Message::read(&mut counted, false)?;
    let seen = message
        .and_then(|message| status_of(&message.start))
        .unwrap_or_default();
    match seen == status {
        true => Ok(counted.get_ref().bytes),
        false => Err(BenchError::Unexpected {
            row: row.to_owned(),
            seen,
            expected: status,
        }),
    }
}

/// The status in a status line (RFC 9112 section 4).
fn status_of(line: &[u8]) -> Option<u16> {
    let code = line.split(|byte| *byte == b' ').nth(1)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

/// How long an answer may take, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

struct Counted {
    stream: TcpStream,
    bytes: usize,
}

impl io::Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.bytes = self.bytes.saturating_add(count);
        Ok(count)
    }
}

/// One connection: the client's own work is as small as can be, so that Envoy is what is busy.
fn connection(
    address: SocketAddr,
    requests: Requests<'_>,
    expected: Expected,
    next: &AtomicUsize,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let begin = format!("HTTP/1.1 {} ", expected.status);
    let mut answer = vec![0; expected.size];
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(number).filter(|_| number < requests.count) else {
            return Ok(());
        };
        stream.write_all(request)?;
        stream.read_exact(&mut answer)?;
        if !answer.starts_with(begin.as_bytes()) {
            return Err(io::Error::other("an answer has another status than the first"));
        }
    }
}
