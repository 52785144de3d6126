//! Requests and answers as every executor takes and gives them, and their JSON lines: the format of
//! `scopegate decide`. Bytes that are no UTF-8 travel as hex.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::observed::Observed;

/// The layer in the details of a refusal with this code, as the plugin writes them: `scopegate:<layer>:<code>`. None in details
/// of anybody else's, or of another code.
#[must_use]
pub fn refusing_layer<'d>(details: &'d str, code: &str) -> Option<&'d str> {
    let (layer, told) = details.strip_prefix("scopegate:")?.split_once(':')?;
    (told == code).then_some(layer)
}

/// Header names and values, in order, in bytes.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// One request, in bytes: nothing in it need be UTF-8, or sensible.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What the caller calls it; goes into the answer unchanged.
    pub id: Value,
    /// The method.
    pub method: Vec<u8>,
    /// The request target: path and query.
    pub path: Vec<u8>,
    /// `:authority`, where there is one.
    pub authority: Option<Vec<u8>>,
    /// `:scheme`.
    pub scheme: Vec<u8>,
    /// The headers, pseudo-headers left out.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// Who is at the other end of the connection.
    pub peer: Option<Peer>,
}

/// What the proxy knows of the other end of the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Peer {
    /// The URI names of its certificate.
    pub uri_sans: Vec<String>,
    /// The DNS names of its certificate.
    pub dns_sans: Vec<String>,
    /// The SHA-256 of its certificate, in hex.
    pub cert_sha256: Option<String>,
    /// Whether the proxy verified the certificate.
    pub verified: bool,
    /// Its address, as in `192.0.2.1:4711`.
    pub address: Option<String>,
}

/// What was done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was sent on.
    Forward,
    /// It was answered.
    Reply,
}

/// The answer of an executor to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The id of the request.
    pub id: Value,
    /// What was done.
    pub outcome: Outcome,
    /// The status of the reply, as the client sees it (200 for gRPC); `None` where the request was forwarded.
    pub status: Option<u16>,
    /// `allow`, or the stable code of the refusal; `None` where the executor cannot tell.
    pub code: Option<String>,
    /// The code of what would have been refused, were the route not in a dry run.
    pub would_deny: Option<String>,
    /// The layer that decided: `request`, `authentication` or `authorization`.
    pub layer: Option<String>,
    /// The id of the route, where one was selected.
    pub route: Option<String>,
    /// The headers of the reply.
    pub reply_headers: Headers,
    /// The body of the reply.
    pub reply_body: Vec<u8>,
    /// What the upstream was sent, where the request was forwarded.
    pub upstream: Option<Upstream>,
    /// The audit records.
    pub audit: Vec<Value>,
    /// What else could be seen.
    pub observed: Observed,
    /// How long the decision took, in microseconds.
    pub elapsed_us: u64,
}

/// What the upstream was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The request target.
    pub path: Vec<u8>,
    /// The headers, pseudo-headers left out.
    pub headers: Headers,
}

/// A line that is no request.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LineError {
    /// It is not JSON, or names a member twice.
    #[error("not a JSON object: {0}")]
    Json(String),
    /// A member has the wrong shape.
    #[error("`{member}`: {message}")]
    Member {
        /// The member.
        member: String,
        /// What is wrong with it.
        message: String,
    },
}

/// The members of a request line.
const MEMBERS: [&str; 10] = [
    "id",
    "method",
    "path",
    "path_hex",
    "authority",
    "scheme",
    "headers",
    "headers_hex",
    "body",
    "peer",
];

impl Request {
    /// A `GET` of `path` with no headers.
    #[must_use]
    pub fn get(authority: &str, path: &str) -> Self {
        Self {
            id: Value::Null,
            method: b"GET".to_vec(),
            path: path.as_bytes().to_vec(),
            authority: Some(authority.as_bytes().to_vec()),
            scheme: b"https".to_vec(),
            headers: Vec::new(),
            body: Vec::new(),
            peer: None,
        }
    }

    /// The same request with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Reads a request from the members of its JSON line. Members nobody knows are returned beside it.
    ///
    /// # Errors
    /// When a member has the wrong type or is no hex, or there is no method or no path.
    pub fn from_members(mut members: Map<String, Value>) -> Result<(Self, Vec<String>), LineError> {
        let unknown = members
            .keys()
            .filter(|name| !MEMBERS.contains(&name.as_str()))
            .cloned()
            .collect();
        let method = take::<String>(&mut members, "method")?;
        let method =
            method.ok_or_else(|| missing("method", "it is missing; write the method, as in `GET`"))?;
        let path = take::<String>(&mut members, "path")?;
        let path = match (take::<String>(&mut members, "path_hex")?, path) {
            (Some(hex), _) => from_hex("path_hex", &hex)?,
            (None, Some(path)) => path.into_bytes(),
            (None, None) => return Err(missing("path", "it is missing; write the path, or `path_hex`")),
        };
        let headers = take::<Vec<(String, String)>>(&mut members, "headers")?.unwrap_or_default();
        let headers_hex = take::<Vec<(String, String)>>(&mut members, "headers_hex")?;
        let request = Self {
            id: members.remove("id").unwrap_or_default(),
            method: method.into_bytes(),
            path,
            authority: take::<String>(&mut members, "authority")?.map(String::into_bytes),
            scheme: take::<String>(&mut members, "scheme")?
                .unwrap_or_else(|| "https".to_owned())
                .into_bytes(),
            headers: match headers_hex {
                Some(pairs) => pairs.into_iter().map(hex_header).collect::<Result<_, _>>()?,
                None => headers
                    .into_iter()
                    .map(|(name, value)| (name.into_bytes(), value.into_bytes()))
                    .collect(),
            },
            body: take::<String>(&mut members, "body")?
                .unwrap_or_default()
                .into_bytes(),
            peer: take(&mut members, "peer")?,
        };
        Ok((request, unknown))
    }

    /// The first value of the header called `name`, whatever its case.
    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&[u8]> {
        value_of(&self.headers, name)
    }
}

impl Answer {
    /// The answer as one JSON object, as `scopegate decide` writes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut line = json!({
            "id": self.id,
            "outcome": self.outcome,
            "status": self.status,
            "code": self.code,
            "layer": self.layer,
            "route": self.route,
            "reply_headers": pairs(&self.reply_headers),
            "upstream": self.upstream.as_ref().map(Upstream::to_json),
            "audit": self.audit,
            "elapsed_us": self.elapsed_us,
        });
        if let (Some(code), Some(members)) = (&self.would_deny, line.as_object_mut()) {
            members.insert("would_deny".to_owned(), json!(code));
        }
        if let (Outcome::Reply, Some(members)) = (self.outcome, line.as_object_mut()) {
            members.insert("reply_body".to_owned(), json!(lossy(&self.reply_body)));
        }
        line
    }
}

impl Upstream {
    fn to_json(&self) -> Value {
        let mut upstream = json!({"path": lossy(&self.path), "headers": pairs(&self.headers)});
        let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
        if let Some(members) = upstream.as_object_mut() {
            if !is_text(&self.path) {
                members.insert("path_hex".to_owned(), json!(to_hex(&self.path)));
            }
            if !self
                .headers
                .iter()
                .all(|(name, value)| is_text(name) && is_text(value))
            {
                let hex = self
                    .headers
                    .iter()
                    .map(|(name, value)| json!([lossy(name), to_hex(value)]));
                members.insert("headers_hex".to_owned(), hex.collect());
            }
        }
        upstream
    }
}

/// The first value of the header called `name`, whatever its case.
#[must_use]
pub fn value_of<'h>(headers: &'h Headers, name: &str) -> Option<&'h [u8]> {
    values_of(headers, name).next()
}

/// All values of the header called `name`, whatever its case.
pub fn values_of<'h>(headers: &'h Headers, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let name = name.to_owned();
    let same = move |found: &[u8]| found.eq_ignore_ascii_case(name.as_bytes());
    headers
        .iter()
        .filter(move |(found, _)| same(found))
        .map(|(_, value)| value.as_slice())
}

/// Reads hex digits as bytes.
#[must_use]
pub fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?).ok(),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(pair).collect()
}

fn missing(member: &str, message: &str) -> LineError {
    LineError::Member {
        member: member.to_owned(),
        message: message.to_owned(),
    }
}

fn take<T: serde::de::DeserializeOwned>(
    members: &mut Map<String, Value>,
    member: &str,
) -> Result<Option<T>, LineError> {
    let value = members.remove(member).unwrap_or_default();
    serde_json::from_value(value).map_err(|_| {
        let expected = match member {
            "headers" | "headers_hex" => "write a list of [name, value] pairs of text",
            "peer" => "write {uri_sans, dns_sans, cert_sha256, verified, address}",
            _ => "write text",
        };
        LineError::Member {
            member: member.to_owned(),
            message: expected.to_owned(),
        }
    })
}

fn hex_header((name, value): (String, String)) -> Result<(Vec<u8>, Vec<u8>), LineError> {
    let value = from_hex("headers_hex", &value)?;
    Ok((name.into_bytes(), value))
}

fn from_hex(member: &str, hex: &str) -> Result<Vec<u8>, LineError> {
    decode_hex(hex).ok_or_else(|| LineError::Member {
        member: member.to_owned(),
        message: "write an even number of hex digits".to_owned(),
    })
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn pairs(headers: &Headers) -> Value {
    headers
        .iter()
        .map(|(name, value)| json!([lossy(name), lossy(value)]))
        .collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Answer, LineError, Outcome, Request, Upstream};

    fn read(line: &Value) -> Result<(Request, Vec<String>), LineError> {
        Request::from_members(line.as_object().unwrap().clone())
    }

    #[test]
    fn a_request_line_may_be_odd() {
        let line = json!({"id": 7, "method": "", "path": "", "authority": "a@b:c", "headers": [["", "x"]]});
        let (request, unknown) = read(&line).unwrap();
        assert_eq!(
            (request.id, request.method, request.path),
            (json!(7), vec![], vec![])
        );
        assert_eq!((request.authority, unknown.len()), (Some(b"a@b:c".to_vec()), 0));
    }

    #[test]
    fn hex_replaces_text() {
        let line = json!({"method": "GET", "path": "/x", "path_hex": "2fff", "headers": [["a", "b"]], "headers_hex": [["a", "FE"]]});
        let (request, _) = read(&line).unwrap();
        assert_eq!(request.path, b"/\xff");
        assert_eq!(request.headers, [(b"a".to_vec(), vec![0xfe])]);
    }

    #[test]
    fn what_is_missing_is_plain_and_what_is_unknown_is_named() {
        let (request, unknown) = read(&json!({"method": "GET", "path_hex": "2f", "header": []})).unwrap();
        assert_eq!(
            (
                request.path.as_slice(),
                request.scheme.as_slice(),
                request.headers.len()
            ),
            (&b"/"[..], &b"https"[..], 0)
        );
        assert_eq!((request.authority, unknown), (None, vec!["header".to_owned()]));
    }

    #[test]
    fn a_wrong_member_is_named() {
        for (line, member) in [
            (
                json!({"method": "GET", "path": "/", "headers": {"a": "b"}}),
                "headers",
            ),
            (json!({"method": "GET", "path_hex": "2"}), "path_hex"),
            (
                json!({"method": "GET", "path": "/", "headers_hex": [["a", "zz"]]}),
                "headers_hex",
            ),
            (json!({"method": 1}), "method"),
            (json!({"path": "/"}), "method"),
            (json!({"method": "GET"}), "path"),
        ] {
            let error = read(&line).unwrap_err();
            assert!(
                matches!(&error, LineError::Member { member: found, .. } if found == member),
                "{error}"
            );
        }
    }

    #[test]
    fn an_answer_shows_bytes_that_are_no_text_as_hex() {
        let upstream = Upstream {
            path: b"/\xff".to_vec(),
            headers: vec![(b"a".to_vec(), b"\xfe".to_vec())],
        };
        let answer = Answer {
            id: json!("r1"),
            outcome: Outcome::Forward,
            status: None,
            code: Some("allow".to_owned()),
            layer: Some("authorization".to_owned()),
            route: Some("r".to_owned()),
            reply_headers: Vec::new(),
            reply_body: Vec::new(),
            upstream: Some(upstream),
            audit: Vec::new(),
            would_deny: None,
            observed: crate::observed::Observed::default(),
            elapsed_us: 3,
        };
        let line = answer.to_json();
        assert_eq!(line["outcome"], "forward");
        assert_eq!(line["upstream"]["path_hex"], "2fff");
        assert_eq!(line["upstream"]["headers_hex"], json!([["a", "fe"]]));
        assert_eq!(line.get("reply_body"), None);
    }
}
