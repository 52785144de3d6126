//! One request: facts in, the engine's decision out, applied by host calls. Any host call that fails closes.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use scopegate_authn::remote::SourceId;
use scopegate_authn::{Answered, Attempt, Claimed, Need};
use scopegate_document::UnixTime;
use scopegate_engine::{Decision, Engine, Outcome, Pending, Progress, Request, Unready};

use crate::clock::Time;
use crate::documents::Prospect;
use crate::facts::{Facts, decode_pairs};
use crate::host::{self, HostError, Level, Map};
use crate::nginx::Target;
use crate::peer::Connection;
use crate::policy::Policy;
use crate::proxy::Proxy;
use crate::reply::{close, forward, reply, without_body};
use crate::root::State;
use crate::{proofs, verdict};

/// A request whose callout has ended, and that nobody decided on.
const UNDECIDED: HostError = HostError {
    function: "proxy_on_http_call_response",
    status: 0,
};

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
    /// Whether it was decided, or answered for want of a decision.
    is_over: Cell<bool>,
    /// Whether a reply must have no body: ngx_wasm_module loses one that is given in the answer to a callout that failed.
    is_silent: Cell<bool>,
    /// What waiting has come to.
    attempt: RefCell<Attempt>,
}

/// What a need came to.
enum Met {
    /// The request is held.
    Held,
    /// What is needed is here.
    Now,
    /// It will come, and the request cannot be held for it.
    Later,
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
            is_over: Cell::new(false),
            is_silent: Cell::new(false),
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

    /// Sees to it that a reply has no body.
    pub(crate) fn silence(&self) {
        self.is_silent.set(true);
    }

    /// Decides anew, now that its question is answered, or will not be. See [`Held::go_on`].
    pub(crate) fn answer(self: &Rc<Self>, answered: Option<Answered>) {
        self.attempt.borrow_mut().asked(answered);
        self.go_on();
    }

    /// Decides anew, and lets the request go on or answers it. Called in another context than the stream's own, but in
    /// NGINX, where there is no reaching a stream from another.
    fn go_on(self: &Rc<Self>) {
        // A stream that is gone has nobody to answer.
        if host::set_effective_context(self.context).is_err() {
            return;
        }
        if let Action::Continue = self.run() {
            // The policy may be another one than when the trailers came.
            let going = self.strip_trailers().and_then(|()| host::continue_request());
            if let Err(error) = going {
                self.fail(error);
            }
        }
    }

    /// Sees to it that nothing is left open: NGINX lets a request go on whose callouts have ended.
    fn close_if_open(&self) {
        let waits = self.state.questions.is_open(self.context);
        if self.state.is_nginx() && !self.is_over.get() && !waits {
            self.fail(UNDECIDED);
        }
    }

    /// Sees to it that it waits for nothing.
    fn forget(&self) {
        if let Some(policy) = self.policy.borrow().as_ref() {
            policy.waiting.forget(self.context);
        }
        self.state.questions.forget(self.context);
    }

    /// Answers for want of a decision.
    fn fail(&self, error: HostError) {
        self.permitted.set(false);
        self.is_over.set(true);
        close(error);
    }

    fn run(self: &Rc<Self>) -> Action {
        let done = self.state.proxy().and_then(|proxy| match self.decide(proxy)? {
            Headers::Decided(decision) => self.apply(proxy, &decision),
            Headers::Waiting => Ok(Action::Pause),
        });
        done.unwrap_or_else(|error| {
            self.fail(error);
            Action::Pause
        })
    }

    fn decide(self: &Rc<Self>, proxy: Proxy) -> Result<Headers, HostError> {
        let time = Time::now();
        let now = time.believed();
        let pairs = host::header_pairs(Map::RequestHeaders)?;
        let target = match proxy {
            Proxy::Envoy => None,
            Proxy::Nginx => Some(Target::read()?),
        };
        let facts = decode_pairs(&pairs).and_then(|pairs| match &target {
            None => Facts::from_pairs(pairs),
            Some(target) => target.facts(pairs),
        });
        let policy = self.state.policy();
        let earlier = self.policy.replace(policy.clone());
        if earlier.is_some() && !is_same(earlier.as_ref(), policy.as_ref()) {
            // What was learnt was learnt for another policy.
            self.attempt.replace(Attempt::last());
        }
        let connection = match &policy {
            Some(policy) => Connection::read(proxy, policy)?,
            None => Connection::default(),
        };
        let number = self.state.next_number();
        let made = || format!("{:x}-{number:x}", time.nanoseconds());
        let serial = time.nanoseconds().wrapping_add(number);
        let unready = match (&facts, policy) {
            (Some(facts), Some(policy)) => {
                let offered = facts.request_id.and_then(Request::id_from);
                let id = offered.map_or_else(|| Cow::Owned(made()), Cow::Borrowed);
                let request = request(facts, &connection, &id, serial);
                return Ok(match refused(proxy, &policy, (facts, &request), now) {
                    Some(decision) => Headers::Decided(Box::new(decision)),
                    None => self.ask(&policy, &request, time),
                });
            }
            (Some(facts), None) => Engine::unready(
                &request(facts, &connection, &made(), serial),
                Unready::NotConfigured,
                now,
            ),
            (None, _) => Engine::unready(&Request::unseen(&made()), Unready::HeadersTruncated, now),
        };
        Ok(Headers::Decided(Box::new(unready)))
    }

    /// Asks the policy. What it needs to know is waited for once, if it can come.
    fn ask(self: &Rc<Self>, policy: &Rc<Policy>, request: &Request<'_>, time: Time) -> Headers {
        policy.prepare(self.state.host_signatures());
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
                Met::Later => *attempt = Attempt::unheld(),
                // INVARIANT: after this no need is named again.
                Met::Now | Met::Never => *attempt = Attempt::last(),
            }
        }
    }

    fn wait(self: &Rc<Self>, policy: &Policy, id: SourceId, time: Time) -> Met {
        match policy.want(&self.state.metrics, time, id) {
            Prospect::Newer => Met::Now,
            Prospect::Soon if self.state.is_nginx() => Met::Later,
            Prospect::Soon => policy.waiting.hold(Rc::clone(self), id).into(),
            Prospect::None => Met::Never,
        }
    }

    fn apply(&self, proxy: Proxy, decision: &Decision) -> Result<Action, HostError> {
        self.state.metrics.count(decision)?;
        for record in &decision.audit {
            host::log(Level::Info, &record.line())?;
        }
        let policy = self.policy.borrow();
        let named = policy
            .as_ref()
            .map_or(&[][..], |policy| policy.engine.properties());
        verdict::show(proxy, decision, named)?;
        drop(policy);
        let action = match &decision.outcome {
            Outcome::Forward(change) => {
                forward(proxy, change)?;
                verdict::allow(proxy)?;
                self.permitted.set(true);
                Action::Continue
            }
            Outcome::Reply(answer) => {
                match proxy {
                    Proxy::Nginx if self.is_silent.get() => reply(proxy, decision, &without_body(answer))?,
                    Proxy::Envoy | Proxy::Nginx => reply(proxy, decision, answer)?,
                }
                Action::Pause
            }
        };
        self.is_over.set(true);
        Ok(action)
    }

    fn strip_trailers(&self) -> Result<(), HostError> {
        if self.state.is_nginx() {
            // There are none.
            return Ok(());
        }
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

/// What is refused because of what the host cannot do.
fn refused(
    proxy: Proxy,
    policy: &Policy,
    (facts, request): (&Facts<'_>, &Request<'_>),
    now: Option<UnixTime>,
) -> Option<Decision> {
    match proxy {
        Proxy::Envoy => None,
        Proxy::Nginx if policy.is_unfit() => Some(Engine::unready(request, Unready::NotConfigured, now)),
        Proxy::Nginx if facts.is_unclear => Some(policy.engine.refuse_authority(request, now)),
        Proxy::Nginx => policy.engine.refuse_identity_header(request, now),
    }
}

fn request<'r>(facts: &'r Facts<'r>, connection: &'r Connection, id: &'r str, serial: u64) -> Request<'r> {
    Request {
        method: facts.method,
        path: facts.path,
        authority: facts.authority,
        headers: &facts.headers,
        peer: connection.peer.as_ref(),
        source: connection.source,
        id,
        serial,
    }
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

impl Drop for Stream {
    /// A stream that the host deletes waits no longer. This is all that is done at its end: no host need call the module
    /// for its log, or to ask whether it is done.
    fn drop(&mut self) {
        // Whoever waits is known elsewhere too.
        if Rc::strong_count(&self.held) > 1 {
            self.held.forget();
        }
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, _body: usize, _trailers: usize) {
        self.held.state.answered(token);
        self.held.close_if_open();
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
            (_, Err(error)) => {
                self.held.fail(error);
                Action::Pause
            }
        }
    }
}
