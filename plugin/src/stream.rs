//! One request: facts in, the engine's decision out, applied by host calls. Any host call that fails closes.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use scopegate_authn::Reject;
use scopegate_document::UnixTime;
use scopegate_engine::{Decision, Engine, Forward, Outcome, Reply, Request, Unready};

use crate::facts::{Facts, decode_pairs};
use crate::host::{self, HostError, Level, LocalResponse, Map};
use crate::root::State;

const NANOSECONDS: u64 = 1_000_000_000;

/// A year after 1970: a clock that shows less was never set, and is not believed.
const EARLIEST: UnixTime = UnixTime(365 * 24 * 60 * 60);

/// One HTTP stream.
#[derive(Debug)]
pub(crate) struct Stream {
    state: Rc<State>,
    /// The policy that decided on the headers: it also strips the trailers, whatever is configured since.
    engine: Option<Rc<Engine>>,
    /// Whether the request was permitted: nothing of it passes before.
    permitted: bool,
}

impl Stream {
    pub(crate) const fn new(state: Rc<State>) -> Self {
        Self {
            state,
            engine: None,
            permitted: false,
        }
    }

    fn decide(&mut self) -> Result<Decision, HostError> {
        let time = host::now_nanoseconds().ok();
        let now = time
            .and_then(|time| i64::try_from(time.checked_div(NANOSECONDS)?).ok())
            .map(UnixTime)
            .filter(|now| *now >= EARLIEST);
        let pairs = host::header_pairs(Map::RequestHeaders)?;
        let facts = decode_pairs(&pairs).and_then(Facts::from_pairs);
        self.engine = self.state.engine();
        let number = self.state.next_number();
        let made = || format!("{:x}-{number:x}", time.unwrap_or_default());
        let serial = time.unwrap_or_default().wrapping_add(number);
        Ok(match (&facts, &self.engine) {
            (Some(facts), Some(engine)) => {
                let offered = facts.request_id.and_then(Request::id_from).map(str::to_owned);
                let id = offered.unwrap_or_else(made);
                engine.decide(&request(facts, &id, serial), now)
            }
            (Some(facts), None) => {
                Engine::unready(&request(facts, &made(), serial), Unready::NotConfigured, now)
            }
            (None, _) => Engine::unready(&Request::unseen(&made()), Unready::HeadersTruncated, now),
        })
    }

    fn apply(&mut self, decision: &Decision) -> Result<Action, HostError> {
        self.state.metrics.count(decision)?;
        for record in &decision.audit {
            host::log(Level::Info, &record.to_string())?;
        }
        host::set_property("scopegate.layer", decision.layer.name())?;
        host::set_property("scopegate.code", decision.code)?;
        host::set_property("scopegate.route", decision.route.as_deref().unwrap_or_default())?;
        match &decision.outcome {
            Outcome::Forward(change) => forward(change)?,
            Outcome::Reply(answer) => return reply(decision, answer).map(|()| Action::Pause),
        }
        self.permitted = true;
        Ok(Action::Continue)
    }

    fn strip_trailers(&self) -> Result<(), HostError> {
        let bytes = host::header_pairs(Map::RequestTrailers)?;
        let undecodable = HostError {
            function: "proxy_get_header_map_pairs",
            status: 0,
        };
        let pairs = decode_pairs(&bytes).ok_or(undecodable)?;
        let engine = self.engine.as_ref().ok_or(undecodable)?;
        let spoofed = pairs.iter().filter(|(name, _)| engine.is_identity_header(name));
        spoofed
            .map(|(name, _)| name)
            .try_for_each(|name| host::remove_header(Map::RequestTrailers, name))
    }
}

fn request<'r>(facts: &'r Facts<'r>, id: &'r str, serial: u64) -> Request<'r> {
    Request {
        method: facts.method,
        path: facts.path,
        authority: facts.authority,
        headers: &facts.headers,
        id,
        serial,
    }
}

fn forward(change: &Forward) -> Result<(), HostError> {
    for name in &change.remove {
        host::remove_header(Map::RequestHeaders, name)?;
    }
    for (name, value) in &change.set {
        host::set_request_header(name.as_bytes(), value)?;
    }
    change
        .path
        .as_ref()
        .map_or(Ok(()), |path| host::set_request_header(b":path", path))
}

fn reply(decision: &Decision, answer: &Reply) -> Result<(), HostError> {
    let details = format!("scopegate:{}:{}", decision.layer.name(), decision.code);
    // A host that is told a gRPC status writes these three itself.
    let is_hosts =
        |name: &str| answer.grpc.is_some() && (name == "content-type" || name.starts_with("grpc-"));
    let headers = answer.headers.iter().filter(|(name, _)| !is_hosts(name));
    let headers: Vec<(&str, &str)> = headers.map(|(name, value)| (*name, value.as_str())).collect();
    host::send_local_response(&LocalResponse {
        status: answer.status,
        details: &details,
        headers: &headers,
        body: answer
            .grpc
            .map_or(answer.body.as_slice(), |(_, message)| message.as_bytes()),
        grpc_status: answer.grpc.map(|(status, _)| status),
    })
}

/// The answer when the host failed: as plain as can be, so that little more can fail.
fn close(error: HostError) -> Action {
    let message = format!(
        "scopegate: {} answered {}: the request is refused",
        error.function, error.status
    );
    let _ = host::log(Level::Error, &message);
    let _ = host::send_local_response(&LocalResponse {
        status: Reject::NotConfigured.status(),
        details: "scopegate:request:host_failed",
        headers: &[("cache-control", "no-store"), ("retry-after", "5")],
        body: b"",
        grpc_status: None,
    });
    Action::Pause
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        match self.decide().and_then(|decision| self.apply(&decision)) {
            Ok(action) => action,
            Err(error) => {
                self.permitted = false;
                close(error)
            }
        }
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        match self.permitted {
            true => Action::Continue,
            false => Action::Pause,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match (self.permitted, self.strip_trailers()) {
            (true, Ok(())) => Action::Continue,
            (false, Ok(())) => Action::Pause,
            (_, Err(error)) => close(error),
        }
    }
}
