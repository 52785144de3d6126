//! The load: some connections, each sending one request after the other, never two at once.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::BenchError;
use super::filters::Row;
use crate::client;
use crate::http1::Message;

/// Keeps `connections` busy for some seconds and returns how many requests were answered.
pub(super) fn run(
    address: SocketAddr,
    row: &Row,
    connections: usize,
    seconds: u64,
) -> Result<f64, BenchError> {
    let size = probe(address, row)?;
    let over = AtomicBool::new(false);
    let counts = thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| connection(address, &row.request, size, &over)))
            .collect();
        thread::sleep(Duration::from_secs(seconds));
        over.store(true, Ordering::Relaxed);
        let joined = workers.into_iter().map(|worker| worker.join());
        joined
            .map(|count| count.unwrap_or_else(|_| Err(io::Error::other("a connection failed"))))
            .collect::<Vec<_>>()
    });
    Ok(counts.into_iter().sum::<io::Result<u32>>().map(f64::from)?)
}

/// Checks one answer as a whole, and returns its size: every answer of a row has the same.
fn probe(address: SocketAddr, row: &Row) -> Result<usize, BenchError> {
    let answer = client::send(address, &row.request)?;
    if answer.status != row.status {
        let row_name = row.listener.name.clone();
        return Err(BenchError::Unexpected {
            row: row_name,
            seen: answer.status,
            expected: row.status,
        });
    }
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&row.request)?;
    let mut counted = BufReader::new(Counted { stream, bytes: 0 });
    Message::read(&mut counted, false)?;
    Ok(counted.get_ref().bytes)
}

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
fn connection(address: SocketAddr, request: &[u8], size: usize, over: &AtomicBool) -> io::Result<u32> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut answer = vec![0; size];
    let mut count: u32 = 0;
    while !over.load(Ordering::Relaxed) {
        stream.write_all(request)?;
        stream.read_exact(&mut answer)?;
        count = count.saturating_add(1);
    }
    Ok(count)
}
