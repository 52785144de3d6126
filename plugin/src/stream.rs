//! One request: facts in, the engine's decision out, applied by host calls. Any host call that fails closes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use scopegate_authn::remote::SourceId;
use scopegate_authn::{Answered, Attempt, Claimed, Need, Peer, Reject};
use scopegate_engine::{Decision, Engine, Forward, Outcome, Pending, Progress, Reply, Request, Unready};

use crate::clock::Time;
use crate::documents::Prospect;
use crate::facts::{Facts, decode_pairs};
use crate::host::{self, HostError, Level, LocalResponse, Map};
use crate::policy::Policy;
use crate::root::State;
use crate::{peer, proofs};

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
    /// What waiting has come to.
    attempt: RefCell<Attempt>,
}

/// What a need came to.
enum Met {
    /// The request is held.
    Held,
    /// What is needed is here.
    Now,
    /// It will not come.
    Never,
}

impl From<bool> for Met {
    fn from(is_held: bool) -> Self {
        match is_held {
            true => Self::Held,
            false => Self::Never,
        }
    }
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
            attempt: RefCell::default(),
        };
        Self { held: Rc::new(held) }
    }
}

impl Held {
    /// The host's number of the stream.
    pub(crate) const fn context(&self) -> u32 {
        self.context
    }

    /// Decides anew, now that waiting for a document is over. See [`Held::go_on`].
    pub(crate) fn resume(self: &Rc<Self>, source: SourceId) {
        self.attempt.borrow_mut().waited_for(source);
        self.go_on();
    }

    /// Decides anew, now that its question is answered, or will not be. See [`Held::go_on`].
    pub(crate) fn answer(self: &Rc<Self>, answered: Option<Answered>) {
        self.attempt.borrow_mut().asked(answered);
        self.go_on();
    }

    /// Decides anew, and lets the request go on or answers it. Called in another context than the stream's own.
    fn go_on(self: &Rc<Self>) {
        // A stream that is gone has nobody to answer.
        if host::set_effective_context(self.context).is_err() {
            return;
        }
        if let Action::Continue = self.run() {
            // The policy may be another one than when the trailers came.
            let going = self.strip_trailers().and_then(|()| host::continue_request());
            if let Err(error) = going {
                self.permitted.set(false);
                close(error);
            }
        }
    }

    fn run(self: &Rc<Self>) -> Action {
        let done = match self.decide() {
            Ok(Headers::Decided(decision)) => self.apply(&decision),
            Ok(Headers::Waiting) => Ok(Action::Pause),
            Err(error) => Err(error),
        };
        done.unwrap_or_else(|error| {
            self.permitted.set(false);
            close(error)
        })
    }

    fn decide(self: &Rc<Self>) -> Result<Headers, HostError> {
        let time = Time::now();
        let now = time.believed();
        let pairs = host::header_pairs(Map::RequestHeaders)?;
        let facts = decode_pairs(&pairs).and_then(Facts::from_pairs);
        let policy = self.state.policy();
        let earlier = self.policy.replace(policy.clone());
        if earlier.is_some() && !is_same(earlier.as_ref(), policy.as_ref()) {
            // What was learnt was learnt for another policy.
            self.attempt.replace(Attempt::last());
        }
        let peer = match policy.as_ref().is_some_and(|policy| policy.reads_peer) {
            true => peer::of_connection()?,
            false => None,
        };
        let number = self.state.next_number();
        let made = || format!("{:x}-{number:x}", time.nanoseconds());
        let serial = time.nanoseconds().wrapping_add(number);
        let unready = match (&facts, policy) {
            (Some(facts), Some(policy)) => {
                let offered = facts.request_id.and_then(Request::id_from).map(str::to_owned);
                let id = offered.unwrap_or_else(made);
                return Ok(self.ask(&policy, &request(facts, peer.as_ref(), &id, serial), time));
            }
            (Some(facts), None) => Engine::unready(
                &request(facts, None, &made(), serial),
                Unready::NotConfigured,
                now,
            ),
            (None, _) => Engine::unready(&Request::unseen(&made()), Unready::HeadersTruncated, now),
        };
        Ok(Headers::Decided(Box::new(unready)))
    }

    /// Asks the policy. What it needs to know is waited for once, if it can come.
    fn ask(self: &Rc<Self>, policy: &Rc<Policy>, request: &Request<'_>, time: Time) -> Headers {
        policy.prepare();
        let mut has_looked = false;
        loop {
            let mut attempt = self.attempt.borrow_mut();
            let mut live = policy.live.borrow_mut();
            let progress = policy
                .engine
                .decide(request, &mut live, &attempt, time.believed());
            drop(live);
            let met = match progress {
                Progress::Decided(decision) => return Headers::Decided(decision),
                Progress::Claim(pending) => return Headers::Decided(Box::new(settled(*pending, time))),
                Progress::Wait(Need::Source(id)) if attempt.may_wait_for(id) => self.wait(policy, id, time),
                Progress::Wait(Need::Answer(question)) if attempt.may_ask() => {
                    self.state.questions.put(self, policy, *question).into()
                }
                Progress::Wait(_) => Met::Never,
            };
            match met {
                Met::Held => return Headers::Waiting,
                Met::Now if !has_looked => has_looked = true,
                // INVARIANT: after this no need is named again.
                Met::Now | Met::Never => *attempt = Attempt::last(),
            }
        }
    }

    fn wait(self: &Rc<Self>, policy: &Policy, id: SourceId, time: Time) -> Met {
        match policy.want(&self.state.metrics, time, id) {
            Prospect::Newer => Met::Now,
            Prospect::Soon => policy.waiting.hold(Rc::clone(self), id).into(),
            Prospect::None => Met::Never,
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
        if let Some(code) = decision.would_deny {
            host::set_property("scopegate.would_deny", code)?;
        }
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

fn request<'r>(facts: &'r Facts<'r>, peer: Option<&'r Peer>, id: &'r str, serial: u64) -> Request<'r> {
    Request {
        method: facts.method,
        path: facts.path,
        authority: facts.authority,
        headers: &facts.headers,
        peer,
        source: None,
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

/// The decision, once it is known whether the proof was used before.
fn settled(pending: Pending<'_>, time: Time) -> Decision {
    let claimed = match time.believed() {
        Some(now) => proofs::claim(pending.claim(), now),
        None => Claimed::Unknown,
    };
    pending.finish(claimed)
}

fn is_same(one: Option<&Rc<Policy>>, other: Option<&Rc<Policy>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Rc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, _body: usize, _trailers: usize) {
        self.held.state.answered(token);
    }

    /// A stream that ends waits no longer.
    fn on_done(&mut self) -> bool {
        if let Some(policy) = self.held.policy.borrow().as_ref() {
            policy.waiting.forget(self.held.context);
        }
        self.held.state.questions.forget(self.held.context);
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.held.run()
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
