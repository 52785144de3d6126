//! What the plugin tester sends, as a request of a test file.

use std::collections::BTreeSet;
use std::path::Path;

use prost_reflect::DynamicMessage;
use serde_json::{Map, Value, json};

use super::Losses;
use super::message::{bytes, many, one, text};

/// The most headers of a request that is written as HTTP.
const MOST_HEADERS: usize = 100;

/// What stands before the name of a token in a text.
const PLACEHOLDER: &str = "{{";

type Headers = Vec<(String, Vec<u8>)>;

/// The request of a test: its headers, and its body in one piece.
pub(super) fn of(
    headers: &DynamicMessage,
    bodies: &[DynamicMessage],
    base: &Path,
    losses: &mut Losses<'_>,
) -> Value {
    let mut request = Map::new();
    let mut plain = Vec::new();
    let mut hex = Vec::new();
    let mut pseudo = BTreeSet::new();
    let input = one(headers, "input");
    for (name, value) in input.map(|input| sent(&input, base, losses)).unwrap_or_default() {
        let value = match String::from_utf8(value) {
            // In text it would stand for a token.
            Ok(value) if value.contains(PLACEHOLDER) && !name.starts_with(':') => {
                hex.push(json!([name, in_hex(value.as_bytes())]));
                continue;
            }
            Ok(value) => value,
            Err(error) => {
                hex.push(json!([name, in_hex(error.as_bytes())]));
                continue;
            }
        };
        if name.starts_with(':') && !pseudo.insert(name.clone()) {
            losses.add("header", format!("`{name}` is sent twice: the last one counts"));
        }
        match name.as_str() {
            ":method" => drop(request.insert("method".to_owned(), json!(value))),
            ":path" => {
                let (field, other, value) = match value.contains(PLACEHOLDER) {
                    true => ("path_hex", "path", in_hex(value.as_bytes())),
                    false => ("path", "path_hex", value),
                };
                request.remove(other);
                request.insert(field.to_owned(), json!(value));
            }
            ":authority" => drop(request.insert("authority".to_owned(), json!(value))),
            ":scheme" => drop(request.insert("scheme".to_owned(), json!(value))),
            name if name.starts_with(':') => {
                losses.add(name, format!("`{name}` is no part of a request here"))
            }
            _ => plain.push(json!([name, value])),
        }
    }
    if !plain.is_empty() {
        request.insert("headers".to_owned(), plain.into());
    }
    if !hex.is_empty() {
        request.insert("headers_hex".to_owned(), hex.into());
    }
    let body: Vec<u8> = bodies
        .iter()
        .filter_map(|body| one(body, "input"))
        .flat_map(|input| content(&input, base, losses))
        .collect();
    if !body.is_empty() {
        match String::from_utf8(body) {
            Ok(body) if body.contains(PLACEHOLDER) => losses.add(
                "request_body",
                "`request_body`: `{{` would stand for a token, and a body has no other writing",
            ),
            Ok(body) => drop(request.insert("body".to_owned(), json!(body))),
            Err(_) => losses.add("request_body", "`request_body`: its bytes are no text"),
        }
    }
    Value::Object(request)
}

/// The properties that a test file can say: who is at the other end.
pub(super) fn properties(test: &DynamicMessage, request: &mut Value, losses: &mut Losses<'_>) {
    let mut peer = Map::new();
    for property in many(test, "properties") {
        let path = text(&property, "path").unwrap_or_default();
        let value = bytes(&property, "value").and_then(|value| String::from_utf8(value).ok());
        match (path.as_str(), value) {
            ("source.address", Some(address)) => drop(peer.insert("address".to_owned(), json!(address))),
            ("connection.uri_san_peer_certificate", Some(uri)) => {
                drop(peer.insert("uri_sans".to_owned(), json!([uri])));
            }
            ("connection.dns_san_peer_certificate", Some(name)) => {
                drop(peer.insert("dns_sans".to_owned(), json!([name])));
            }
            (path, _) => losses.add("properties", format!("the property `{path}` has no counterpart")),
        }
    }
    if let (false, Some(request)) = (peer.is_empty(), request.as_object_mut()) {
        request.insert("peer".to_owned(), Value::Object(peer));
    }
}

/// The headers that are sent, pseudo-headers with them.
fn sent(input: &DynamicMessage, base: &Path, losses: &mut Losses<'_>) -> Headers {
    let one =
        |header: DynamicMessage| Some((text(&header, "key")?, bytes(&header, "value").unwrap_or_default()));
    let mut headers: Headers = many(input, "header").into_iter().filter_map(one).collect();
    let raw = content(input, base, losses);
    if !raw.is_empty() {
        match parsed(&raw) {
            Some(parsed) => headers.extend(parsed),
            None => losses.add("content", "`content`: it is no HTTP/1.1 request"),
        }
    }
    headers
}

/// Bytes that stand in the file or in another one.
fn content(input: &DynamicMessage, base: &Path, losses: &mut Losses<'_>) -> Vec<u8> {
    let mut content = bytes(input, "content").unwrap_or_default();
    if let Some(file) = text(input, "file") {
        match std::fs::read(base.join(&file)) {
            Ok(read) => content.extend(read),
            Err(error) => losses.add("file", format!("`{file}` cannot be read: {error}")),
        }
    }
    content
}

/// The head of an HTTP/1.1 request as headers (RFC 9112 section 3).
fn parsed(raw: &[u8]) -> Option<Headers> {
    let mut text = raw.to_vec();
    // The tester takes a head without its last line.
    if !raw.windows(4).any(|end| end == b"\r\n\r\n") {
        text.extend_from_slice(b"\r\n");
    }
    let mut slots = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    request.parse(&text).ok()?;
    let mut headers = vec![
        (":method".to_owned(), request.method?.as_bytes().to_vec()),
        (":path".to_owned(), request.path?.as_bytes().to_vec()),
    ];
    for header in request.headers.iter() {
        let name = match header.name.eq_ignore_ascii_case("host") {
            true => ":authority".to_owned(),
            false => header.name.to_ascii_lowercase(),
        };
        headers.push((name, header.value.to_vec()));
    }
    Some(headers)
}

fn in_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
