//! The plugin's module in the wasmtime host as an executor: the same file that proxies load.
//!
//! What the module decided is read from what it tells a proxy: the properties it sets on the stream, the
//! audit lines it logs, the reply it gives.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use scopegate_host_tests as host;
use scopegate_host_tests::{
    Callout, Clock, Exchange, Host, LoadError, LogLevel, LogLine, Message, Metric, Module, Outcome as Ended,
    Profile, Response, SharedData,
};

use crate::defaults::layer_of;
use crate::exchange::{Answer, Headers, Outcome, Peer, Request, Upstream, refusing_layer};
use crate::executor::{Executor, ExecutorError, Session, Setup, Time};
use crate::host_signatures;
use crate::native::stopwatch;
use crate::observed::{Asked, Observed};
use crate::upstream::{Question, Rule, Served, Upstreams};

/// The plugin's module, compiled once.
#[derive(Debug, Clone)]
pub struct Wasm {
    module: Module,
    proxy: Profile,
}

/// The variables that a configuration of NGINX declares for the plugin.
const VARIABLES: [&str; 1] = ["scopegate"];

impl Wasm {
    /// Compiles the module in the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no Proxy-Wasm module.
    pub fn from_file(path: &Path) -> Result<Self, ExecutorError> {
        Self::of(Module::from_file(path), &path.display())
    }

    /// Compiles the module in `bytes`, which messages call `name`.
    ///
    /// # Errors
    /// When it is no Proxy-Wasm module.
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self, ExecutorError> {
        Self::of(Module::from_bytes(bytes), &name)
    }

    fn of(module: Result<Module, LoadError>, name: &dyn Display) -> Result<Self, ExecutorError> {
        let module = module.map_err(|error| {
            let cause = error.to_string();
            // The engine's own words may run over many lines; the first says what is wrong.
            let first = cause.lines().next().unwrap_or_default();
            let first = first.trim_end_matches(" - expected=[");
            ExecutorError::Failed(format!("cannot load `{name}`\n  {first}"))
        })?;
        let proxy = Profile::Envoy;
        Ok(Self { module, proxy })
    }

    /// The module itself.
    #[must_use]
    pub const fn module(&self) -> &Module {
        &self.module
    }

    /// The module in a host that behaves like this proxy; like Envoy where nothing is said.
    #[must_use]
    pub fn in_proxy(self, proxy: Profile) -> Self {
        Self { proxy, ..self }
    }

    /// Starts a policy, as [`Executor::open`] does, in a session that borrows nothing.
    ///
    /// # Errors
    /// When the policy is refused, or the module fails.
    pub fn session(&self, setup: &Setup) -> Result<WasmSession, ExecutorError> {
        WasmSession::start(
            &self.module,
            &setup.policy,
            Around::new(setup, self.proxy),
            setup.time,
        )
    }
}

impl Executor for Wasm {
    fn name(&self) -> &str {
        match self.proxy {
            Profile::Envoy => "wasm",
            Profile::Nginx => "nginx",
            Profile::Spec => "spec",
        }
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        Ok(Box::new(self.session(setup)?))
    }
}

/// What is around a module, and stays when another takes its place.
#[derive(Debug, Clone)]
struct Around {
    world: Arc<Mutex<World>>,
    clock: Clock,
    shared: SharedData,
    environment: BTreeMap<String, String>,
    proxy: Profile,
}

impl Around {
    fn new(setup: &Setup, proxy: Profile) -> Self {
        Self {
            world: Arc::new(Mutex::new(World {
                upstreams: setup.upstreams.clone(),
                asked: Vec::new(),
            })),
            clock: match setup.time {
                Time::Fixed(now) => Clock::virtual_at(u64::try_from(now.0).unwrap_or_default()),
                Time::System => Clock::system(),
            },
            shared: SharedData::default(),
            environment: setup.environment.clone(),
            proxy,
        }
    }
}

/// A policy at work in the module.
#[derive(Debug)]
pub struct WasmSession {
    host: Host,
    around: Around,
    /// The metrics, as they were when the request before had its answer.
    counted: BTreeMap<String, Metric>,
    is_fixed: bool,
}

impl WasmSession {
    /// Starts a bundle, whose policy is part of it.
    pub(crate) fn of_bundle(module: &Module, proxy: Profile, setup: &Setup) -> Result<Self, ExecutorError> {
        Self::start(module, &[], Around::new(setup, proxy), setup.time)
    }

    /// Puts another bundle in the place of this one. Time, upstreams and what workers share are as they were.
    pub(crate) fn replace(&mut self, module: &Module) -> Result<(), ExecutorError> {
        let host = started(module, &[], &self.around)?;
        self.host = host;
        self.counted = BTreeMap::new();
        Ok(())
    }

    fn start(
        module: &Module,
        configuration: &[u8],
        around: Around,
        time: Time,
    ) -> Result<Self, ExecutorError> {
        Ok(Self {
            host: started(module, configuration, &around)?,
            around,
            counted: BTreeMap::new(),
            is_fixed: matches!(time, Time::Fixed(_)),
        })
    }
}

/// A host with the module, configured.
fn started(module: &Module, configuration: &[u8], around: &Around) -> Result<Host, ExecutorError> {
    let served = Arc::clone(&around.world);
    let builder = Host::builder(module)
        .profile(around.proxy)
        .variables(VARIABLES)
        .configuration(configuration)
        .any_upstream(move |callout| called(&mut lock(&served), callout))
        .shared_data(around.shared.clone())
        .clock(around.clock.clone());
    let builder = match around.proxy {
        Profile::Envoy => builder.foreign_function(host_signatures::NAME, host_signatures::verify),
        // They have none, and NGINX fails a module that calls it.
        Profile::Nginx | Profile::Spec => builder,
    };
    let host = builder.environment(around.environment.clone()).build();
    let mut host = host.map_err(|error| ExecutorError::Failed(error.to_string()))?;
    match host.configured() {
        true => Ok(host),
        false => Err(ExecutorError::Failed(format!(
            "the plugin refused the policy: {}",
            complaints(&host.logs())
        ))),
    }
}

/// What is around a plugin: the upstreams, and what they were asked.
#[derive(Debug)]
struct World {
    upstreams: Upstreams,
    asked: Vec<Asked>,
}

/// How long a request may be held, by the clock of the host.
const PATIENCE: Duration = Duration::from_secs(30);

impl Session for WasmSession {
    fn decide(&mut self, request: &Request) -> Result<Answer, ExecutorError> {
        let shown = shown(request);
        // A proxy ticks while nobody asks: what is due has been fetched.
        self.tick();
        self.host.logs();
        let start = stopwatch();
        let mut exchange = self.host.request(shown);
        if exchange.outcome == Ended::Paused {
            exchange = self.host.wait(exchange.stream, PATIENCE);
        }
        let elapsed_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let logs = self.host.logs();
        let answer = answer(request, &exchange, &logs, elapsed_us)?;
        let observed = self.observed(&exchange);
        Ok(Answer { observed, ..answer })
    }

    fn answer(&mut self, upstream: &str, rules: Vec<Rule>) -> Result<(), ExecutorError> {
        lock(&self.around.world).upstreams.set(upstream, rules);
        Ok(())
    }

    fn advance(&mut self, seconds: u64) -> Result<(), ExecutorError> {
        match self.is_fixed {
            true => {
                self.tick();
                let passed = self.host.advance(Duration::from_secs(seconds));
                passed.map_err(|trap| ExecutorError::Failed(trap.to_string()))
            }
            false => Err(ExecutorError::Unsupported(
                "the machine's clock cannot be advanced".to_owned(),
            )),
        }
    }

    fn reconfigure(&mut self, policy: &[u8]) -> Result<bool, ExecutorError> {
        self.host
            .configure(policy)
            .map_err(|trap| ExecutorError::Failed(trap.to_string()))
    }
}

impl WasmSession {
    /// A module that fails here refuses the next request.
    fn tick(&mut self) {
        let _ = self.host.tick();
    }

    /// What was seen since the request before.
    fn observed(&mut self, exchange: &Exchange) -> Observed {
        let metrics = self.host.metrics();
        let changes = metrics.iter().filter_map(|(name, now)| {
            let change = change(self.counted.get(name), now)?;
            Some((name.clone(), change))
        });
        let changes = changes.collect();
        self.counted = metrics;
        Observed {
            callouts: Some(std::mem::take(&mut lock(&self.around.world).asked)),
            metrics: Some(changes),
            properties: Some(told(exchange)),
            fuel: Some(exchange.fuel),
        }
    }
}

/// By how much a counter or a histogram grew, or what a gauge shows; nothing where it is as it was.
fn change(before: Option<&Metric>, now: &Metric) -> Option<u64> {
    let is_gauge = matches!(now, Metric::Gauge(_));
    if before == Some(now) && !is_gauge {
        return None;
    }
    let count = |values: &[u64]| u64::try_from(values.len()).unwrap_or(u64::MAX);
    Some(match (now, before) {
        (Metric::Counter(now), Some(Metric::Counter(before))) => now.saturating_sub(*before),
        (Metric::Counter(now) | Metric::Gauge(now), _) => *now,
        (Metric::Histogram(now), Some(Metric::Histogram(before))) => count(now).saturating_sub(count(before)),
        (Metric::Histogram(now), _) => count(now),
    })
}

/// The properties that the plugin set on a request.
fn told(exchange: &Exchange) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = exchange.properties.iter();
    told.map(|(path, value)| (text(path).replace('\0', "."), text(value)))
        .collect()
}

/// What an upstream does with a callout.
fn called(world: &mut World, callout: &Callout) -> host::Answer {
    let headers = callout.headers.clone();
    let question = Question {
        method: callout.header(":method").unwrap_or_default(),
        path: callout.header(":path").unwrap_or_default(),
        headers: &headers,
        body: &callout.body,
    };
    world.asked.push(Asked::of(&callout.upstream, &question));
    match world.upstreams.serve(&callout.upstream, &question) {
        Served::Answer {
            status,
            headers,
            body,
        } => {
            let mut response = Response::new(status);
            response.headers.extend(headers);
            host::Answer::Response(response.body(body))
        }
        Served::Broken => host::Answer::Failure,
        Served::Silent => host::Answer::Later,
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The request as a proxy shows it: pseudo-headers first, facts of the connection as properties.
fn shown(request: &Request) -> scopegate_host_tests::Request {
    let mut headers: Headers = Vec::new();
    if let Some(authority) = &request.authority {
        headers.push((b":authority".to_vec(), authority.clone()));
    }
    headers.push((b":path".to_vec(), request.path.clone()));
    headers.push((b":method".to_vec(), request.method.clone()));
    headers.push((b":scheme".to_vec(), request.scheme.clone()));
    headers.extend(request.headers.iter().cloned());
    scopegate_host_tests::Request {
        headers,
        body: request.body.clone(),
        trailers: Vec::new(),
        properties: request.peer.as_ref().map(properties).unwrap_or_default(),
    }
}

fn properties(peer: &Peer) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut properties = BTreeMap::new();
    let mut set = |path: &[u8], value: &[u8]| properties.insert(path.to_vec(), value.to_vec());
    let certificate = peer.certificate();
    set(b"connection\0mtls", &[u8::from(certificate.is_some())]);
    set(b"connection\0peer_certificate_valid", &[u8::from(peer.verified)]);
    if let Some(address) = &peer.address {
        set(b"source\0address", address.as_bytes());
    }
    if let Some(certificate) = certificate {
        set(b"connection\0peer_certificate", pem(&certificate).as_bytes());
    }
    let digest = peer.sha256_hex();
    for (path, value) in [
        ("sha256_peer_certificate_digest", digest.as_ref()),
        ("uri_san_peer_certificate", peer.uri_sans.first()),
        ("dns_san_peer_certificate", peer.dns_sans.first()),
    ] {
        if let Some(value) = value {
            set(format!("connection\0{path}").as_bytes(), value.as_bytes());
        }
    }
    properties
}

/// A certificate as Envoy shows it (RFC 7468 section 5).
fn pem(certificate: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn answer(
    request: &Request,
    exchange: &Exchange,
    logs: &[LogLine],
    elapsed_us: u64,
) -> Result<Answer, ExecutorError> {
    let property = |name: &str| {
        let value = exchange
            .property(&format!("scopegate.{name}"))
            .or_else(|| exchange.property(&format!("wasmx.scopegate_{name}")))
            .map(|value| String::from_utf8_lossy(value).into_owned());
        value.filter(|value| !value.is_empty())
    };
    let code = property("code");
    let layer = layer(exchange, code.as_deref(), property("layer"));
    let mut answer = Answer {
        id: request.id.clone(),
        outcome: Outcome::Reply,
        status: None,
        code,
        would_deny: property("would_deny"),
        layer,
        route: property("route"),
        reply_headers: Vec::new(),
        reply_body: Vec::new(),
        upstream: None,
        audit: logs.iter().filter_map(record).collect(),
        observed: Observed::default(),
        elapsed_us,
    };
    match &exchange.outcome {
        Ended::Forwarded(message) => {
            answer.outcome = Outcome::Forward;
            answer.upstream = Some(upstream(message));
        }
        Ended::LocalReply(reply) => {
            answer.status = Some(reply.status);
            answer.reply_headers = plain_headers(&reply.headers);
            answer.reply_body = reply.body.clone();
        }
        Ended::Failed { reply_status, .. } => answer.status = Some(*reply_status),
        Ended::Reset | Ended::Paused => {
            return Err(ExecutorError::Failed(
                "the plugin neither forwarded the request nor answered it".to_owned(),
            ));
        }
    }
    Ok(answer)
}

/// The layer that the module says has decided, where it says so: with a refusal in Envoy always, elsewhere where the policy
/// names it (`audit.properties`). What is let through was decided by authorization. Of a refusal in NGINX that says
/// nothing else, its code tells the layer.
fn layer(exchange: &Exchange, code: Option<&str>, named: Option<String>) -> Option<String> {
    let code = code?;
    match &exchange.outcome {
        Ended::Forwarded(_) => named.or_else(|| Some("authorization".to_owned())),
        Ended::LocalReply(reply) if reply.details.is_empty() => {
            named.or_else(|| Some(layer_of(code).to_owned()))
        }
        Ended::LocalReply(reply) => refusing_layer(&reply.details, code).map(str::to_owned),
        Ended::Failed { .. } | Ended::Reset | Ended::Paused => None,
    }
}

fn upstream(message: &Message) -> Upstream {
    let path = message.header(":path").unwrap_or_default().to_vec();
    Upstream {
        path,
        headers: plain_headers(&message.headers),
    }
}

fn plain_headers(headers: &Headers) -> Headers {
    headers
        .iter()
        .filter(|(name, _)| !name.starts_with(b":"))
        .cloned()
        .collect()
}

/// An audit record among the lines of the log.
fn record(line: &LogLine) -> Option<Value> {
    let record = (line.level == LogLevel::Info)
        .then(|| serde_json::from_str::<Value>(&line.message))?
        .ok()?;
    record.get("event").is_some().then_some(record)
}

fn complaints(logs: &[LogLine]) -> String {
    let lines = logs
        .iter()
        .filter(|line| line.level >= LogLevel::Warn)
        .map(|line| line.message.clone());
    lines.collect::<Vec<_>>().join("; ")
}
