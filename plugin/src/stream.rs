//! One request: facts in, the engine's decision out, applied by host calls. Any host call that fails closes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use scopegate_authn::{Attempt, Need, Reject};
use scopegate_engine::{Decision, Engine, Forward, Outcome, Progress, Reply, Request, Unready};

use crate::clock::Time;
use crate::documents::Prospect;
use crate::facts::{Facts, decode_pairs};
use crate::host::{self, HostError, Level, LocalResponse, Map};
use crate::policy::Policy;
use crate::root::State;

/// One HTTP stream, as the host calls it.
#[derive(Debug)]
pub(crate) struct Stream {
    held: Rc<Held>,
}

/// One HTTP stream, as whoever resumes it knows it.
#[derive(Debug)]
pub(crate) struct Held {
    context: u32,
    state: Rc<State>,
    /// The policy that decided on the headers: it also strips the trailers, whatever is configured since.
    policy: RefCell<Option<Rc<Policy>>>,
    /// Whether the request was permitted: nothing of it passes before.
    permitted: Cell<bool>,
}

/// What became of the headers.
enum Headers {
    /// Decided.
    Decided(Box<Decision>),
    /// Held until something is known.
    Waiting,
}

impl Stream {
    pub(crate) fn new(context: u32, state: Rc<State>) -> Self {
        let held = Held {
            context,
            state,
            policy: RefCell::default(),
            permitted: Cell::new(false),
        };
        Self { held: Rc::new(held) }
    }
}

impl Held {
    /// The host's number of the stream.
    pub(crate) const fn context(&self) -> u32 {
        self.context
    }

    /// Decides anew, now that waiting is over, and lets the request go on or answers it. Called in another context
    /// than the stream's own.
    pub(crate) fn resume(self: &Rc<Self>) {
        // A stream that is gone has nobody to answer.
        if host::set_effective_context(self.context).is_err() {
            return;
        }
        if let Action::Continue = self.run(&Attempt { has_waited: true }) {
            // The policy may be another one than when the trailers came.
            let going = self.strip_trailers().and_then(|()| host::continue_request());
            if let Err(error) = going {
                self.permitted.set(false);
                close(error);
            }
        }
    }

    fn run(self: &Rc<Self>, attempt: &Attempt) -> Action {
        let done = match self.decide(attempt) {
            Ok(Headers::Decided(decision)) => self.apply(&decision),
            Ok(Headers::Waiting) => Ok(Action::Pause),
            Err(error) => Err(error),
        };
        done.unwrap_or_else(|error| {
            self.permitted.set(false);
            close(error)
        })
    }

    fn decide(self: &Rc<Self>, attempt: &Attempt) -> Result<Headers, HostError> {
        let time = Time::now();
        let now = time.believed();
        let pairs = host::header_pairs(Map::RequestHeaders)?;
        let facts = decode_pairs(&pairs).and_then(Facts::from_pairs);
        let policy = self.state.policy();
        self.policy.replace(policy.clone());
        let number = self.state.next_number();
        let made = || format!("{:x}-{number:x}", time.nanoseconds());
        let serial = time.nanoseconds().wrapping_add(number);
        let unready = match (&facts, policy) {
            (Some(facts), Some(policy)) => {
                let offered = facts.request_id.and_then(Request::id_from).map(str::to_owned);
                let id = offered.unwrap_or_else(made);
                return Ok(self.ask(&policy, &request(facts, &id, serial), attempt, time));
            }
            (Some(facts), None) => {
                Engine::unready(&request(facts, &made(), serial), Unready::NotConfigured, now)
            }
            (None, _) => Engine::unready(&Request::unseen(&made()), Unready::HeadersTruncated, now),
        };
        Ok(Headers::Decided(Box::new(unready)))
    }

    /// Asks the policy, and waits once for what it needs, if that can come.
    fn ask(
        self: &Rc<Self>,
        policy: &Policy,
        request: &Request<'_>,
        attempt: &Attempt,
        time: Time,
    ) -> Headers {
        let ask = |attempt: &Attempt| {
            let mut live = policy.live.borrow_mut();
            policy.engine.decide(request, &mut live, attempt, time.believed())
        };
        let mut progress = ask(attempt);
        if let Progress::Wait(Need::Source(id)) = &progress {
            let prospect = policy.want(&self.state.metrics, time, *id);
            if prospect == Prospect::Newer {
                progress = ask(attempt);
            }
        }
        let Progress::Wait(Need::Source(id)) = &progress else {
            return decided(progress);
        };
        let is_coming = policy.want(&self.state.metrics, time, *id) == Prospect::Soon;
        match is_coming && policy.waiting.hold(Rc::clone(self), *id) {
            true => Headers::Waiting,
            false => decided(ask(&Attempt { has_waited: true })),
        }
    }

    fn apply(&self, decision: &Decision) -> Result<Action, HostError> {
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
        self.permitted.set(true);
        Ok(Action::Continue)
    }

    fn strip_trailers(&self) -> Result<(), HostError> {
        let bytes = host::header_pairs(Map::RequestTrailers)?;
        let undecodable = HostError {
            function: "proxy_get_header_map_pairs",
            status: 0,
        };
        let pairs = decode_pairs(&bytes).ok_or(undecodable)?;
        let policy = self.policy.borrow().clone().ok_or(undecodable)?;
        let spoofed = pairs
            .iter()
            .filter(|(name, _)| policy.engine.is_identity_header(name));
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

/// The decision that a request came to. One that still waits where nothing is left to wait for is refused.
fn decided(progress: Progress) -> Headers {
    match progress {
        Progress::Decided(decision) => Headers::Decided(decision),
        Progress::Wait(_) => {
            let refused = Engine::unready(&Request::unseen(""), Unready::NotConfigured, None);
            Headers::Decided(Box::new(refused))
        }
    }
}

impl Context for Stream {
    /// A stream that ends waits no longer.
    fn on_done(&mut self) -> bool {
        if let Some(policy) = self.held.policy.borrow().as_ref() {
            policy.waiting.forget(self.held.context);
        }
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.held.run(&Attempt::default())
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        match self.held.permitted.get() {
            true => Action::Continue,
            false => Action::Pause,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match (self.held.permitted.get(), self.held.strip_trailers()) {
            (true, Ok(())) => Action::Continue,
            (false, Ok(())) => Action::Pause,
            (_, Err(error)) => close(error),
        }
    }
}
