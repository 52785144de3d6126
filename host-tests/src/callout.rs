//! HTTP callouts: what the module asked an upstream for, and what the test answers.

use std::collections::{BTreeMap, VecDeque};

use crate::abi::Status;
use crate::exchange::Response;
use crate::headers::{HeaderMap, Headers};
use crate::profile::Profile;
use crate::redact::Redacted;

/// The number by which the module knows a callout.
pub type CalloutToken = u32;

/// A request that the module sent to an upstream with `proxy_http_call`.
#[derive(Clone, PartialEq, Eq)]
pub struct Callout {
    /// Its number.
    pub token: CalloutToken,
    /// The upstream's name in the proxy: a cluster of Envoy, a `host:port` of NGINX.
    pub upstream: String,
    /// Headers, with `:method`, `:path` and `:authority`.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Headers,
    /// After how many milliseconds the module wants to be told of a failure; 0 leaves it to the proxy.
    pub timeout_ms: u32,
}

impl std::fmt::Debug for Callout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callout")
            .field("token", &self.token)
            .field("upstream", &self.upstream)
            .field("headers", &Redacted(&self.headers))
            .field("body_bytes", &self.body.len())
            .field("timeout_ms", &self.timeout_ms)
            .finish_non_exhaustive()
    }
}

/// What becomes of a callout.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The upstream answers.
    Response(Response),
    /// The connection breaks or the time is over: the module sees no headers at all.
    Failure,
    /// Nothing yet: the test answers later with `Host::answer`.
    Later,
}

pub(crate) type Script = Box<dyn FnMut(&Callout) -> Answer + Send>;

/// The callouts of one host.
#[derive(Default)]
pub(crate) struct Callouts {
    pub(crate) upstreams: BTreeMap<String, Script>,
    pub(crate) pending: BTreeMap<CalloutToken, (u32, Callout)>,
    pub(crate) ready: VecDeque<(CalloutToken, Answer)>,
    last: CalloutToken,
}

/// The answer that the module may read just now.
pub(crate) struct CallResponse {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl CallResponse {
    pub(crate) fn new(response: Response, profile: Profile) -> Self {
        Self {
            headers: HeaderMap::new(response.headers, profile),
            body: response.body,
            trailers: HeaderMap::new(response.trailers, profile),
        }
    }
}

const ID_STEP: u32 = 4;

impl Callouts {
    /// Sends a callout, and lets the upstream's script answer.
    pub(crate) fn send(&mut self, root: u32, mut callout: Callout) -> Result<CalloutToken, Status> {
        let script = self
            .upstreams
            .get_mut(&callout.upstream)
            .ok_or(Status::BadArgument)?;
        let named = |name: &[u8]| {
            callout
                .headers
                .iter()
                .any(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        if ![&b":method"[..], b":path", b":authority"].into_iter().all(named) {
            return Err(Status::BadArgument);
        }
        self.last += ID_STEP;
        callout.token = self.last;
        match script(&callout) {
            Answer::Later => {}
            answer @ (Answer::Response(_) | Answer::Failure) => self.ready.push_back((self.last, answer)),
        }
        self.pending.insert(self.last, (root, callout));
        Ok(self.last)
    }
}
