//! What is done with a request: forwarded with proved identity, or answered. And what is recorded of it.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use scopegate_authn::Verified;

use crate::written;

/// The decision on one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What to do.
    pub outcome: Outcome,
    /// `allow`, or the stable code of the refusal.
    pub code: &'static str,
    /// The layer that decided.
    pub layer: Layer,
    /// The code of what would have been refused, were the route not in a dry run.
    pub would_deny: Option<&'static str>,
    /// The id of the route, where one was selected.
    pub route: Option<Arc<str>>,
    /// Who is calling, where that was proved and the request permitted.
    pub caller: Option<Caller>,
    /// The audit records to write, in order; already thinned as the policy's `audit` asks.
    pub audit: Vec<Record>,
    /// What is counted for the authentication layer.
    pub authentication: Counted,
    /// What is counted for the authorization layer.
    pub authorization: Counted,
}

/// Who is calling, as access logs and later filters may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The provider that proved it.
    pub provider: Arc<str>,
    /// The subject.
    pub subject: Option<Arc<str>>,
    /// The client that acts for it.
    pub client: Option<Arc<str>>,
    /// The tenant.
    pub tenant: Option<Arc<str>>,
}

impl Caller {
    pub(crate) fn of(verified: &Verified) -> Self {
        Self {
            provider: Arc::clone(verified.shared_provider()),
            subject: verified.shared_subject().cloned(),
            client: verified.shared_client().cloned(),
            tenant: verified.shared_tenant().cloned(),
        }
    }
}

/// An audit record: fields in the order in which a person reads them. Displayed, it is one line of JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    fields: Vec<(&'static str, Field)>,
}

/// The value of a field. Most are words of ours, or stand in the policy: nobody copies those.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Field {
    Word(&'static str),
    Text(String),
    Shared(Arc<Value>),
    Value(Value),
}

impl From<&'static str> for Field {
    fn from(word: &'static str) -> Self {
        Self::Word(word)
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Value> for Field {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<&Arc<Value>> for Field {
    fn from(value: &Arc<Value>) -> Self {
        Self::Shared(Arc::clone(value))
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Word(word) => serializer.serialize_str(word),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Shared(value) => value.serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

/// Room for a record as most are, in bytes.
const LINE_BYTES: usize = 768;

/// Room for the fields of a record as most are.
const FIELDS: usize = 14;

impl Record {
    pub(crate) fn with_room() -> Self {
        Self {
            fields: Vec::with_capacity(FIELDS),
        }
    }

    pub(crate) fn push(&mut self, name: &'static str, value: impl Into<Field>) {
        self.fields.push((name, value.into()));
    }

    /// The record as one line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        // INVARIANT: JSON is UTF-8.
        String::from_utf8(written::json(self, LINE_BYTES)).unwrap_or_default()
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, value)| (name, value)))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

/// One step of a counter: labels from bounded sets only, never a subject or a key id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The provider (authentication) or the route (authorization), where there is one.
    pub name: Option<Arc<str>>,
    /// The outcome, as in the audit record.
    pub outcome: &'static str,
    /// The code of the refusal, where it is one.
    pub reason: Option<&'static str>,
}

/// The layer that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The request could not be understood.
    Request,
    /// Who is calling: 401 and its kin.
    Authentication,
    /// What they may do: 403 and its kin.
    Authorization,
}

impl Layer {
    /// Its name, as in records and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
        }
    }
}

/// Forward or reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Send the request on.
    Forward(Forward),
    /// Answer it here.
    Reply(Reply),
}

/// How a request is changed before it is sent on. Apply `remove` first, then `set`, then `path`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forward {
    /// Names of headers to remove, as they stand in the request: identity headers and credentials.
    pub remove: Vec<Vec<u8>>,
    /// Headers to set after that: proved identity, and cookies without the credential.
    pub set: Vec<(Arc<str>, Arc<[u8]>)>,
    /// The request target without the credential, where its query held one.
    pub path: Option<Vec<u8>>,
}

/// An answer given in place of the upstream's, as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status; 200 where the client speaks gRPC.
    pub status: u16,
    /// Headers, in order. For gRPC these include `grpc-status` and `grpc-message`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, `application/problem+json`; empty for gRPC.
    pub body: Vec<u8>,
    /// The gRPC status and message, where the client speaks gRPC: for hosts which write those themselves.
    pub grpc: Option<(u8, &'static str)>,
}
