//! HTTP/1.1 messages as bytes (RFC 9112): written exactly as given, read without interpretation.
//!
//! Here live the message and its reading and writing, for the client and the upstream alike. A library that
//! would refuse a hostile message, or mend it, is of no use to either; `httparse` splits the header fields.

use std::io::{self, BufRead, Read};

/// A header or trailer field as it stands in a message.
pub type Field = (Vec<u8>, Vec<u8>);

/// A message longer than this is no test of ours.
const MAX_HEAD: usize = 1024 * 1024;
const MAX_FIELDS: usize = 2048;

/// A message, request or response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The request line or status line, without its line end.
    pub start: Vec<u8>,
    /// The header fields, in order.
    pub headers: Vec<Field>,
    /// The body, its transfer coding undone.
    pub body: Vec<u8>,
    /// The trailer fields, in order.
    pub trailers: Vec<Field>,
}

impl Message {
    /// The first value of the header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }

    /// The bytes of a request. `Host` where there is an authority, framing and trailers are added; nothing is
    /// checked or escaped.
    #[must_use]
    pub fn request(
        method: &[u8],
        path: &[u8],
        authority: Option<&[u8]>,
        headers: &[Field],
        body: &[u8],
        trailers: &[Field],
    ) -> Vec<u8> {
        let mut bytes = [method, b" ", path, b" HTTP/1.1\r\n"].concat();
        let host = authority.map(|authority| (b"host".to_vec(), authority.to_vec()));
        write_fields(&mut bytes, host.as_slice());
        write_fields(&mut bytes, headers);
        if !trailers.is_empty() {
            bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
            if !body.is_empty() {
                bytes.extend(format!("{:x}\r\n", body.len()).into_bytes());
                bytes.extend(body);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n");
            write_fields(&mut bytes, trailers);
        } else if !body.is_empty() {
            bytes.extend(format!("content-length: {}\r\n", body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        if trailers.is_empty() {
            bytes.extend(body);
        }
        bytes
    }

    /// Reads one message; `None` where the connection ended before it began. `bodiless`: it is the answer to
    /// a HEAD request.
    ///
    /// # Errors
    /// The connection failed or ended early, or the bytes are no message.
    pub fn read(reader: &mut impl BufRead, bodiless: bool) -> io::Result<Option<Self>> {
        let Some(start) = read_line(reader)? else {
            return Ok(None);
        };
        let headers = read_fields(reader)?;
        let mut message = Self {
            start,
            headers,
            ..Self::default()
        };
        if !bodiless {
            message.read_body(reader)?;
        }
        Ok(Some(message))
    }

    fn read_body(&mut self, reader: &mut impl BufRead) -> io::Result<()> {
        let chunked = first(&self.headers, "transfer-encoding").is_some_and(|coding| coding == b"chunked");
        if chunked {
            return self.read_chunks(reader);
        }
        if let Some(length) = first(&self.headers, "content-length") {
            let length = number(length, 10)?;
            self.body = vec![0; length];
            return reader.read_exact(&mut self.body);
        }
        Ok(())
    }

    fn read_chunks(&mut self, reader: &mut impl BufRead) -> io::Result<()> {
        loop {
            let line = read_line(reader)?.ok_or_else(early)?;
            let length = number(line.split(|byte| *byte == b';').next().unwrap_or_default(), 16)?;
            if length == 0 {
                self.trailers = read_fields(reader)?;
                return Ok(());
            }
            let mut chunk = vec![0; length];
            reader.read_exact(&mut chunk)?;
            self.body.append(&mut chunk);
            read_line(reader)?;
        }
    }
}

/// The first value of that name, in any case.
#[must_use]
pub fn first<'f>(fields: &'f [Field], name: &str) -> Option<&'f [u8]> {
    fields
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.as_slice())
}

fn write_fields(bytes: &mut Vec<u8>, fields: &[Field]) {
    for (name, value) in fields {
        bytes.extend([name.as_slice(), b": ", value.as_slice(), b"\r\n"].concat());
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_HEAD).unwrap_or(u64::MAX);
    if reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let whole = line.strip_suffix(b"\r\n").ok_or_else(early)?;
    Ok(Some(whole.to_vec()))
}

fn read_fields(reader: &mut impl BufRead) -> io::Result<Vec<Field>> {
    let mut block = Vec::new();
    while let Some(line) = read_line(reader)? {
        block.extend(&line);
        block.extend(b"\r\n");
        if line.is_empty() {
            let mut room = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
            let parsed = httparse::parse_headers(&block, &mut room).map_err(io::Error::other)?;
            let httparse::Status::Complete((_, fields)) = parsed else {
                return Err(early());
            };
            return Ok(fields
                .iter()
                .map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec()))
                .collect());
        }
        if block.len() > MAX_HEAD {
            break;
        }
    }
    Err(early())
}

fn number(digits: &[u8], radix: u32) -> io::Result<usize> {
    let text = str::from_utf8(digits).map_err(io::Error::other)?;
    usize::from_str_radix(text.trim(), radix).map_err(io::Error::other)
}

fn early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the message ends early")
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_request_is_written_as_given_and_read_back_whole() {
        let headers = [(b"X-Odd".to_vec(), b"\xff\xfe".to_vec())];
        let trailers = [(b"grpc-status".to_vec(), b"0".to_vec())];
        let bytes = Message::request(b"POST", b"/a\xff//b", Some(b"h"), &headers, b"body", &trailers);
        let message = Message::read(&mut bytes.as_slice(), false).unwrap().unwrap();
        assert_eq!(message.start, b"POST /a\xff//b HTTP/1.1");
        assert_eq!(message.header("x-odd"), Some(&b"\xff\xfe"[..]));
        assert_eq!(message.body, b"body");
        assert_eq!(message.trailers, trailers);
    }

    #[test]
    fn a_message_that_ends_early_is_an_error_and_none_is_none() {
        assert_eq!(Message::read(&mut &b""[..], false).unwrap(), None);
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        for end in 1..whole.len() {
            assert!(Message::read(&mut &whole[..end], false).is_err(), "{end}");
        }
        assert_eq!(
            Message::read(&mut &whole[..], false).unwrap().unwrap().body,
            b"abc"
        );
    }
}
