//! What is served at a path, and the plain answer to a request for it.

use serde_json::{Value, json};

use crate::http1::Field;
use crate::upstream::Seen;

/// A document: what a GET of its path gives while all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    content_type: String,
    body: Vec<u8>,
    etag: Option<String>,
    cache_control: Option<String>,
}

impl Document {
    /// A JSON document.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        Self::new("application/json", value.to_string())
    }

    /// A JWK Set (RFC 7517 section 5) of these keys.
    #[must_use]
    pub fn jwks(keys: &[Value]) -> Self {
        Self::new("application/jwk-set+json", json!({"keys": keys}).to_string())
    }

    /// The metadata of an issuer whose keys are at `jwks_uri` (OpenID Connect Discovery section 3).
    #[must_use]
    pub fn discovery(issuer: &str, jwks_uri: &str) -> Self {
        Self::json(&json!({"issuer": issuer, "jwks_uri": jwks_uri}))
    }

    /// A signed Token Status List (draft-ietf-oauth-status-list section 8.1).
    #[must_use]
    pub fn status_list(token: &str) -> Self {
        Self::new("application/statuslist+jwt", token)
    }

    /// Any document.
    #[must_use]
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            content_type: content_type.to_owned(),
            body: body.into(),
            etag: None,
            cache_control: None,
        }
    }

    /// The same with an entity tag, without its quotes (RFC 9110 section 8.8.3): who asks with it is answered 304.
    #[must_use]
    pub fn etag(self, tag: &str) -> Self {
        Self {
            etag: Some(format!("\"{tag}\"")),
            ..self
        }
    }

    /// The same with a `Cache-Control`, as in `max-age=60`.
    #[must_use]
    pub fn cache_control(self, value: &str) -> Self {
        Self {
            cache_control: Some(value.to_owned()),
            ..self
        }
    }

    pub(super) fn reply(&self, request: &Seen) -> Reply {
        let Self {
            content_type,
            body,
            etag,
            cache_control,
        } = self;
        let unchanged = etag.is_some() && request.header("if-none-match") == *etag;
        let mut reply = match unchanged {
            true => Reply::empty(304),
            false => Reply::new(200, content_type, body.clone()),
        };
        for (name, value) in [("etag", etag), ("cache-control", cache_control)] {
            if let Some(value) = value {
                reply.headers.push((name.into(), value.clone().into()));
            }
        }
        reply
    }
}

/// An answer while all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<Field>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![(b"content-type".to_vec(), content_type.into())];
        Self {
            status,
            headers,
            body,
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Its bytes, the body announced as `announced` bytes.
    pub(super) fn head(&self, announced: usize) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Any\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_slice(), b": ", value.as_slice(), b"\r\n"].concat());
        }
        // RFC 9110 section 8.6: a 304 has no content, and so no length of it.
        if self.status != 304 {
            bytes.extend(format!("content-length: {announced}\r\n").into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes
    }
}
