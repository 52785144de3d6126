//! The engine itself as an executor: no proxy, no module, microseconds a case.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use scopegate_authn::{Attempt, Claim, Claimed, Live, Need, Nonces, Secrets};
use scopegate_document::UnixTime;
use scopegate_engine::{Decision, Engine, Forward, Outcome as Decided, Progress};

use crate::exchange::{Answer, Headers, Outcome, Peer, Request, Upstream, value_of};
use crate::executor::{Executor, ExecutorError, Prepared, Session, Setup, Time};
use crate::fetching::Desk;
use crate::observed::{Asked, Observed};
use crate::upstream::{Rule, Upstreams};

/// The engine, called directly.
#[derive(Debug, Clone, Copy, Default)]
pub struct Native;

impl Executor for Native {
    fn name(&self) -> &str {
        "native"
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        Ok(Box::new(Compiled::new(setup)?.session()))
    }

    fn prepare<'e>(&'e self, setup: &'e Setup) -> Result<Box<dyn Prepared + 'e>, ExecutorError> {
        Ok(Box::new(Compiled::new(setup)?))
    }
}

/// A policy, compiled once for all its sessions.
struct Compiled<'s> {
    engine: Arc<Engine>,
    setup: &'s Setup,
}

impl<'s> Compiled<'s> {
    fn new(setup: &'s Setup) -> Result<Self, ExecutorError> {
        let engine = compile(&setup.policy, &Environment(setup.environment.clone()))?;
        let engine = Arc::new(engine);
        Ok(Self { engine, setup })
    }

    fn session(&self) -> NativeSession {
        NativeSession {
            live: live(&self.engine),
            engine: Arc::clone(&self.engine),
            environment: Environment(self.setup.environment.clone()),
            time: self.setup.time,
            upstreams: self.setup.upstreams.clone(),
            requests: 0,
            proofs: Proofs::default(),
            asked: Vec::new(),
        }
    }
}

impl Prepared for Compiled<'_> {
    fn open(&self) -> Result<Box<dyn Session + '_>, ExecutorError> {
        Ok(Box::new(self.session()))
    }
}

/// How often the clock stops on its way over a long time.
const MOST_TICKS: i64 = 1_000;

/// Secrets from a map.
#[derive(Clone)]
pub struct Environment(pub BTreeMap<String, String>);

impl Secrets for Environment {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

struct NativeSession {
    engine: Arc<Engine>,
    live: Live,
    environment: Environment,
    time: Time,
    upstreams: Upstreams,
    requests: u64,
    proofs: Proofs,
    asked: Vec<Asked>,
}

/// The DPoP proofs that were used.
#[derive(Default)]
struct Proofs(BTreeMap<[u8; 32], UnixTime>);

impl Proofs {
    fn claim(&mut self, claim: &Claim, now: Option<UnixTime>) -> Claimed {
        let Some(now) = now else { return Claimed::Unknown };
        self.0.retain(|_, until| *until >= now);
        match self.0.insert(*claim.key(), claim.until()) {
            None => Claimed::First,
            Some(_) => Claimed::Before,
        }
    }
}

impl Session for NativeSession {
    fn decide(&mut self, request: &Request) -> Result<Answer, ExecutorError> {
        let request = &*one_authority(request);
        self.requests = self.requests.saturating_add(1);
        let offered = value_of(&request.headers, "x-request-id");
        let own = format!("native-{}", self.requests);
        let headers: Vec<(&[u8], &[u8])> = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
            .collect();
        let peer = request.peer.as_ref().and_then(Peer::read);
        let address = request.peer.as_ref().and_then(|peer| peer.address.as_deref());
        let source = address.and_then(|address| scopegate_engine::Request::source_from(address.as_bytes()));
        let shown = scopegate_engine::Request {
            method: &request.method,
            path: &request.path,
            authority: request.authority.as_deref(),
            headers: &headers,
            peer: peer.as_ref(),
            source,
            id: offered
                .and_then(scopegate_engine::Request::id_from)
                .unwrap_or(&own),
            serial: self.requests,
        };
        let now = self.now();
        self.tick(now);
        let start = stopwatch();
        let decision = self.settle(&shown, now);
        let elapsed = start.elapsed();
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let observed = Observed {
            callouts: Some(std::mem::take(&mut self.asked)),
            ..Observed::default()
        };
        Ok(Answer {
            observed,
            ..answer(request, decision, elapsed_us)
        })
    }

    fn answer(&mut self, upstream: &str, rules: Vec<Rule>) -> Result<(), ExecutorError> {
        self.upstreams.set(upstream, rules);
        Ok(())
    }

    /// Ticks come every second, and over a long time at most so often as in the host of the module.
    fn advance(&mut self, seconds: u64) -> Result<(), ExecutorError> {
        match self.time {
            Time::Fixed(start) => {
                self.tick(Some(start));
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                let step = (seconds / MOST_TICKS).max(1);
                let mut passed = 0_i64;
                while passed < seconds {
                    passed = passed.saturating_add(step).min(seconds);
                    self.tick(Some(start.plus(passed)));
                }
                self.time = Time::Fixed(start.plus(seconds));
                Ok(())
            }
            Time::System => Err(ExecutorError::Unsupported(
                "the machine's clock cannot be advanced".to_owned(),
            )),
        }
    }

    fn reconfigure(&mut self, policy: &[u8]) -> Result<bool, ExecutorError> {
        match compile(policy, &self.environment) {
            Ok(engine) => {
                self.live = live(&engine);
                self.engine = Arc::new(engine);
                Ok(true)
            }
            Err(ExecutorError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl NativeSession {
    /// Fetches what is due, as a proxy's plugin does while nobody asks.
    fn tick(&mut self, now: Option<UnixTime>) {
        if let Some(now) = now {
            self.desk(now).tick();
        }
    }

    fn desk(&mut self, now: UnixTime) -> Desk<'_> {
        Desk {
            authenticator: self.engine.authenticator(),
            live: &mut self.live,
            upstreams: &self.upstreams,
            asked: &mut self.asked,
            now,
        }
    }

    /// Decides. Whatever must be known first is fetched or asked once.
    fn settle(&mut self, request: &scopegate_engine::Request<'_>, mut now: Option<UnixTime>) -> Decision {
        let mut attempt = Attempt::default();
        loop {
            match self.engine.decide(request, &mut self.live, &attempt, now) {
                Progress::Decided(decision) => return *decision,
                Progress::Claim(pending) => {
                    let claimed = self.proofs.claim(pending.claim(), now);
                    return pending.finish(claimed);
                }
                Progress::Wait(need) => match (need, now) {
                    (Need::Source(id), Some(now)) if attempt.may_wait_for(id) => {
                        self.desk(now).want(id);
                        attempt.waited_for(id);
                    }
                    (Need::Answer(question), Some(asked_at)) if attempt.may_ask() => {
                        let (answered, answered_at) = self.desk(asked_at).ask(&question);
                        attempt.asked(Some(answered));
                        now = Some(answered_at);
                        if let Time::Fixed(time) = &mut self.time {
                            *time = answered_at;
                        }
                    }
                    (Need::Source(_) | Need::Answer(_), _) => attempt = Attempt::last(),
                },
            }
        }
    }

    fn now(&self) -> Option<UnixTime> {
        match self.time {
            Time::Fixed(now) => Some(now),
            Time::System => system_time(),
        }
    }
}

/// The request as a proxy shows it: `Host` is another name of the authority, and two of them are one list.
fn one_authority(request: &Request) -> Cow<'_, Request> {
    let is_host = |(name, _): &&(Vec<u8>, Vec<u8>)| name.eq_ignore_ascii_case(b"host");
    let hosts = request.headers.iter().filter(is_host).map(|(_, value)| value);
    let all: Vec<_> = request.authority.iter().chain(hosts).cloned().collect();
    if all.len() == request.authority.iter().len() {
        return Cow::Borrowed(request);
    }
    let headers = request.headers.iter().filter(|pair| !is_host(pair)).cloned();
    Cow::Owned(Request {
        authority: Some(all.join(&b',')),
        headers: headers.collect(),
        ..request.clone()
    })
}

/// The time of the machine's clock.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the harness's clock; everybody below is given the time"
)]
pub fn system_time() -> Option<UnixTime> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(UnixTime)
}

/// A clock for measuring how long things take.
#[expect(
    clippy::disallowed_methods,
    reason = "measures a duration for a report; decides nothing"
)]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

/// The state to begin with. Its nonces are made with a secret that everybody may know: it guards nothing here.
fn live(engine: &Engine) -> Live {
    let mut live = engine.authenticator().live();
    live.set_nonces(Nonces::new(&zeroize::Zeroizing::new([7; 32])));
    live
}

fn compile(policy: &[u8], environment: &Environment) -> Result<Engine, ExecutorError> {
    let compiled = Engine::from_json(policy, environment).map_err(ExecutorError::Refused)?;
    Ok(compiled.engine)
}

fn answer(request: &Request, decision: Decision, elapsed_us: u64) -> Answer {
    let layer = decision.layer.name().to_owned();
    let mut answer = Answer {
        id: request.id.clone(),
        outcome: Outcome::Forward,
        status: None,
        code: Some(decision.code.to_owned()),
        would_deny: decision.would_deny.map(str::to_owned),
        layer: Some(layer),
        route: decision.route.as_deref().map(str::to_owned),
        reply_headers: Vec::new(),
        reply_body: Vec::new(),
        upstream: None,
        audit: decision
            .audit
            .iter()
            .map(|record| serde_json::json!(record))
            .collect(),
        observed: Observed::default(),
        elapsed_us,
    };
    match decision.outcome {
        Decided::Forward(forward) => answer.upstream = Some(forwarded(request, forward)),
        Decided::Reply(reply) => {
            answer.outcome = Outcome::Reply;
            answer.status = Some(reply.status);
            let bytes = |(name, value): (&str, String)| (name.as_bytes().to_vec(), value.into_bytes());
            answer.reply_headers = reply.headers.into_iter().map(bytes).collect();
            // What the client sees: no reply to HEAD has a body (RFC 9110 section 9.3.2).
            answer.reply_body = if request.method == b"HEAD" {
                Vec::new()
            } else {
                reply.body
            };
        }
    }
    answer
}

/// What the upstream gets, as a proxy would make it of `forward`.
fn forwarded(request: &Request, forward: Forward) -> Upstream {
    let is_removed = |name: &[u8]| {
        forward
            .remove
            .iter()
            .any(|removed| removed.eq_ignore_ascii_case(name))
    };
    let is_replaced = |name: &[u8]| {
        forward
            .set
            .iter()
            .any(|(set, _)| set.as_bytes().eq_ignore_ascii_case(name))
    };
    let kept = request
        .headers
        .iter()
        .filter(|(name, _)| !is_removed(name) && !is_replaced(name));
    let mut headers: Headers = kept
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    headers.extend(
        forward
            .set
            .into_iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())),
    );
    Upstream {
        path: forward.path.unwrap_or_else(|| request.path.clone()),
        headers,
    }
}
