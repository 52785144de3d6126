//! HTTP callouts: what the module asked an upstream for, and what the test answers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::clock::nanos;
use crate::exchange::Response;
use crate::headers::{HeaderMap, Headers};
use crate::profile::Profile;
use crate::redact::Redacted;
use crate::slots::Kind;
use crate::upstreams::LocalUpstreams;

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

impl Callout {
    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let named = |(key, _): &&(Vec<u8>, Vec<u8>)| key.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().find(named).map(|(_, value)| value.as_slice())
    }

    /// The path that is asked for, without its query.
    #[must_use]
    pub fn path(&self) -> String {
        let path = self.header(":path").unwrap_or_default();
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        String::from_utf8_lossy(path).into_owned()
    }
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The upstream answers.
    Response(Response),
    /// The upstream answers, and the connection breaks inside of the body. Envoy makes a failure of it, with no headers
    /// at all and the status "reset"; NGINX hands the headers on and has no body to give.
    Truncated(Response),
    /// The connection breaks before there is an answer. Envoy itself answers 503 in place of the upstream; NGINX and
    /// the specification show no headers at all.
    Failure,
    /// Nothing yet: the test answers later with `Host::answer`, or the callout's time is over. Then Envoy itself answers
    /// 504; NGINX and the specification show no headers at all.
    Later,
    /// This answer, when the clock has gone on so far.
    After(Duration, Box<Answer>),
}

impl Answer {
    /// A response with this status and a JSON body.
    #[must_use]
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        let response = Response::new(status).header("content-type", "application/json");
        Self::Response(response.body(body))
    }

    /// A response with this status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Response(Response::new(status))
    }

    /// This answer, late.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self::After(delay, Box::new(self))
    }
}

pub(crate) type Script = Box<dyn FnMut(&Callout) -> Answer + Send>;

/// The callouts of one host.
#[derive(Default)]
pub(crate) struct Callouts {
    pub(crate) upstreams: BTreeMap<String, Script>,
    pub(crate) local: Option<LocalUpstreams>,
    /// What answers for all other names.
    pub(crate) any: Option<Script>,
    pub(crate) pending: BTreeMap<CalloutToken, Pending>,
    pub(crate) ready: VecDeque<(CalloutToken, Ended)>,
    last: CalloutToken,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) root: u32,
    /// The stream, where it is one that asks and not the root itself.
    pub(crate) stream: Option<u32>,
    /// What the clock shows.
    pub(crate) now: Option<u64>,
}

/// A callout under way.
pub(crate) struct Pending {
    pub(crate) asker: Asker,
    pub(crate) callout: Callout,
    /// What happens to it next if nobody does anything, and when.
    due: Option<(u64, Ended)>,
}

/// How a callout ended.
#[derive(Clone)]
pub(crate) enum Ended {
    Response(Response),
    Truncated(Response),
    Broken,
    TimedOut,
    Unresolved,
}

/// The answer that the module may read just now.
pub(crate) struct CallResponse {
    pub(crate) headers: HeaderMap,
    /// `None` where a host has none to give.
    pub(crate) body: Option<Vec<u8>>,
    /// `None` where there are none: then there is no such map.
    pub(crate) trailers: Option<HeaderMap>,
}

/// Whether a callout went out, and what the module is told where it did not.
pub(crate) enum Sent {
    Token(CalloutToken),
    BadArgument,
    /// The host ends the module, for this reason.
    Trap(&'static str),
}

/// Envoy's numbers leave room for the kind of a callout; those of ngx_wasm_module just count.
const ID_STEP: u32 = 4;

/// What ngx_wasm_module reads of the header block of an answer (`wasm_socket_large_buffers`, 4 of 8 KiB). With
/// more, it hands on a status and no body, and says `reader failure`.
const NGINX_HEADER_BYTES: usize = 32 * 1024;

/// How many headers Envoy takes of an answer (`max_headers_count`).
const ENVOY_HEADERS: usize = 100;

impl Callouts {
    /// Sends a callout, and lets the upstream's script answer.
    pub(crate) fn send(&mut self, asker: Asker, mut callout: Callout, profile: Profile) -> Sent {
        callout.headers = profile.callout_request(std::mem::take(&mut callout.headers), callout.body.len());
        let may_be_empty = !profile.bad_callouts_trap();
        let stated = |name: &str| {
            callout
                .header(name)
                .is_some_and(|value| may_be_empty || !value.is_empty())
        };
        let needed: &[&str] = profile.callout_headers();
        match needed.iter().all(|name| stated(name)) {
            false if profile.bad_callouts_trap() => return Sent::Trap("dispatch failed: bad argument"),
            false => return Sent::BadArgument,
            true => {}
        }
        callout.token = self.last + ID_STEP;
        let Some(answer) = self.answer(&callout, profile) else {
            return Sent::BadArgument;
        };
        self.last = callout.token;
        let timeout = Duration::from_millis(callout.timeout_ms.into());
        let mut due = (!timeout.is_zero())
            .then(|| Some((asker.now?.saturating_add(nanos(timeout)), Ended::TimedOut)))
            .flatten();
        match ended(answer) {
            Some((Duration::ZERO, ended)) => self.ready.push_back((self.last, ended)),
            Some((delay, ended)) => {
                let at = asker.now.map(|now| now.saturating_add(nanos(delay)));
                let first = at.filter(|at| due.as_ref().is_none_or(|(timeout, _)| at < timeout));
                due = first.map(|at| (at, ended)).or(due);
            }
            None => {}
        }
        let pending = Pending { asker, callout, due };
        self.pending.insert(self.last, pending);
        Sent::Token(self.last)
    }

    /// What the upstream of that name does; `None` where the host knows no such upstream and says so at once.
    fn answer(&mut self, callout: &Callout, profile: Profile) -> Option<Answer> {
        let names = profile.upstream_names(&callout.upstream, callout.header(":scheme"));
        for name in &names {
            if let Some(script) = self.upstreams.get_mut(name) {
                return Some(script(callout));
            }
        }
        let local = self.local.as_ref();
        let found = names.iter().find_map(|name| local?.answer(name, callout));
        let found = found.or_else(|| self.any.as_mut().map(|script| script(callout)));
        match found {
            None if profile.unknown_upstreams_fail_later() => {
                self.ready.push_back((callout.token, Ended::Unresolved));
                Some(Answer::Later)
            }
            found => found,
        }
    }

    /// The next instant at which a callout ends by itself.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.pending
            .values()
            .filter_map(|pending| pending.due.as_ref().map(|(at, _)| *at))
            .min()
    }

    /// Makes ready what has fallen due.
    pub(crate) fn fall_due(&mut self, now: u64) {
        for (token, pending) in &mut self.pending {
            if let Some((_, ended)) = pending.due.take_if(|(at, _)| *at <= now) {
                self.ready.push_back((*token, ended));
            }
        }
    }

    /// Whether a callout of that stream is under way.
    pub(crate) fn has_pending(&self, stream: u32) -> bool {
        self.pending
            .values()
            .any(|pending| pending.asker.stream == Some(stream))
    }
}

/// How late an answer comes, and what it is; `None` where it never comes by itself.
pub(crate) fn ended(answer: Answer) -> Option<(Duration, Ended)> {
    Some(match answer {
        Answer::Response(response) => (Duration::ZERO, Ended::Response(response)),
        Answer::Truncated(response) => (Duration::ZERO, Ended::Truncated(response)),
        Answer::Failure => (Duration::ZERO, Ended::Broken),
        Answer::Later => return None,
        Answer::After(delay, answer) => {
            let (further, ended) = ended(*answer)?;
            (delay.saturating_add(further), ended)
        }
    })
}

impl Ended {
    /// What the module may read of it; nothing where there are no headers.
    pub(crate) fn response(self, profile: Profile) -> Option<CallResponse> {
        let status = self.dispatch_status();
        if let Some(reply) = self.proxys_own(profile) {
            return Some(CallResponse::new(reply, profile));
        }
        let mut response = match self {
            Self::Response(response) => CallResponse::new(response, profile),
            Self::Truncated(response) if profile.truncated_answers_have_headers() => CallResponse {
                body: None,
                ..CallResponse::new(response, profile)
            },
            Self::Truncated(_) | Self::Broken | Self::TimedOut | Self::Unresolved => profile
                .tells_dispatch_status()
                .then(|| CallResponse::nothing(profile))?,
        };
        if profile.tells_dispatch_status() {
            let oversize = response.headers.byte_size() > NGINX_HEADER_BYTES;
            if oversize {
                response.headers = HeaderMap::new(Kind::Response, Response::new(200).headers, profile);
                response.body = Some(Vec::new());
            }
            let status = if oversize { "reader failure" } else { status };
            response.headers.make_up(b":dispatch_status", status.as_bytes());
        }
        Some(response)
    }

    /// What Envoy answers in place of an upstream of which it has no headers (`Filter::onUpstreamReset` and
    /// `onUpstreamTimeoutAbort` of its router).
    fn proxys_own(&self, profile: Profile) -> Option<Response> {
        const NO_HEADERS: &str = "upstream connect error or disconnect/reset before headers. reset reason: ";
        let (status, body) = match self {
            Self::Response(response) | Self::Truncated(response) => {
                let named = response
                    .headers
                    .iter()
                    .filter(|(name, _)| name.first() != Some(&b':'));
                if named.count() <= ENVOY_HEADERS {
                    return None;
                }
                (502, format!("{NO_HEADERS}protocol error"))
            }
            Self::Broken => (503, format!("{NO_HEADERS}connection termination")),
            Self::TimedOut => (504, "upstream request timeout".to_owned()),
            Self::Unresolved => return None,
        };
        profile.replies_for_upstreams().then(|| {
            Response::new(status)
                .header("content-length", body.len().to_string())
                .header("content-type", "text/plain")
                .body(body)
        })
    }

    /// Whether there was an answer, cut or not.
    pub(crate) const fn is_whole(&self) -> bool {
        match self {
            Self::Response(_) | Self::Truncated(_) => true,
            Self::Broken | Self::TimedOut | Self::Unresolved => false,
        }
    }

    /// The names of ngx_wasm_module (`src/common/ngx_wasm_socket_tcp.c`).
    fn dispatch_status(&self) -> &'static str {
        match self {
            Self::Response(_) | Self::Truncated(_) => "ok",
            Self::Broken => "broken connection",
            Self::TimedOut => "timeout",
            Self::Unresolved => "resolver failure",
        }
    }
}

impl CallResponse {
    fn new(response: Response, profile: Profile) -> Self {
        Self {
            headers: HeaderMap::new(Kind::Response, response.headers, profile),
            body: Some(response.body),
            trailers: (profile.keeps_empty_trailers() || !response.trailers.is_empty())
                .then(|| HeaderMap::new(Kind::ResponseTrailers, response.trailers, profile)),
        }
    }

    /// Whether the host could not read all of the headers.
    pub(crate) fn is_cut(&self) -> bool {
        self.headers.get(b":dispatch_status") == Some(b"reader failure")
    }

    fn nothing(profile: Profile) -> Self {
        Self {
            headers: HeaderMap::new(Kind::Response, Headers::new(), profile),
            body: None,
            trailers: Some(HeaderMap::default()),
        }
    }
}
