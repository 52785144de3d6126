//! What is done with a request: forwarded with proved identity, or answered. And what is recorded of it.

use serde::Serialize;

/// The decision on one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What to do.
    pub outcome: Outcome,
    /// `allow`, or the stable code of the refusal.
    pub code: &'static str,
    /// The layer that decided.
    pub layer: Layer,
    /// The id of the route, where one was selected.
    pub route: Option<String>,
    /// The audit records to write, in order; already thinned as the policy's `audit` asks.
    pub audit: Vec<serde_json::Value>,
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

/// Forward or reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Send the request on.
    Forward(Forward),
    /// Answer it here.
    Reply(Reply),
}

/// How a request is changed before it is sent on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forward {
    /// Names of headers to remove, as they stand in the request: identity headers and credentials.
    pub remove: Vec<Vec<u8>>,
    /// Headers to set after that: proved identity.
    pub set: Vec<(String, String)>,
}

/// An answer given in place of the upstream's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status (of the HTTP shape; a gRPC reply is 200).
    pub status: u16,
    /// Headers, in order: challenges, `content-type`, `cache-control`, `retry-after`.
    pub headers: Vec<(String, String)>,
    /// The body: `application/problem+json`; for gRPC, the message.
    pub body: Vec<u8>,
    /// The gRPC status, where the request is gRPC.
    pub grpc_status: Option<u8>,
}
