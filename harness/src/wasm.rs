//! The plugin's module in the wasmtime host as an executor: the same file that proxies load.
//!
//! What the module decided is read from what it tells a proxy: the properties it sets on the stream, the
//! audit lines it logs, the reply it gives.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use scopegate_host_tests::{Clock, Exchange, Host, LogLevel, LogLine, Message, Module, Outcome as Ended};

use crate::exchange::{Answer, Headers, Outcome, Peer, Request, Upstream};
use crate::executor::{Executor, ExecutorError, Session, Setup, Time};
use crate::native::stopwatch;

/// The plugin's module, compiled once.
#[derive(Debug, Clone)]
pub struct Wasm {
    module: Module,
}

impl Wasm {
    /// Compiles the module in the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no Proxy-Wasm module.
    pub fn from_file(path: &Path) -> Result<Self, ExecutorError> {
        let module = Module::from_file(path);
        let module = module.map_err(|error| {
            let cause = error.to_string();
            // The engine's own words may run over many lines; the first says what is wrong.
            let first = cause.lines().next().unwrap_or_default();
            let first = first.trim_end_matches(" - expected=[");
            ExecutorError::Failed(format!("cannot load `{}`\n  {first}", path.display()))
        })?;
        Ok(Self { module })
    }

    /// Starts a policy, as [`Executor::open`] does, in a session that borrows nothing.
    ///
    /// # Errors
    /// When the policy is refused, or the module fails.
    pub fn session(&self, setup: &Setup) -> Result<WasmSession, ExecutorError> {
        let clock = match setup.time {
            Time::Fixed(now) => Clock::virtual_at(u64::try_from(now.0).unwrap_or_default()),
            Time::System => Clock::system(),
        };
        let builder = Host::builder(&self.module)
            .configuration(&setup.policy)
            .clock(clock);
        let environment = setup
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        let host = builder.environment(environment).build();
        let mut host = host.map_err(|error| ExecutorError::Failed(error.to_string()))?;
        match host.configured() {
            true => Ok(WasmSession {
                host,
                is_fixed: matches!(setup.time, Time::Fixed(_)),
            }),
            false => Err(ExecutorError::Failed(format!(
                "the plugin refused the policy: {}",
                complaints(&host.logs())
            ))),
        }
    }
}

impl Executor for Wasm {
    fn name(&self) -> &str {
        "wasm"
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        Ok(Box::new(self.session(setup)?))
    }
}

/// A policy at work in the module.
#[derive(Debug)]
pub struct WasmSession {
    host: Host,
    is_fixed: bool,
}

impl Session for WasmSession {
    fn decide(&mut self, request: &Request) -> Result<Answer, ExecutorError> {
        let shown = shown(request);
        self.host.logs();
        let start = stopwatch();
        let exchange = self.host.request(shown);
        let elapsed_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let logs = self.host.logs();
        answer(request, &exchange, &logs, elapsed_us)
    }

    fn advance(&mut self, seconds: u64) -> Result<(), ExecutorError> {
        match self.is_fixed {
            true => {
                self.host.clock().advance(seconds);
                Ok(())
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
    set(b"connection\0peer_certificate_valid", &[u8::from(peer.verified)]);
    if let Some(address) = &peer.address {
        set(b"source\0address", address.as_bytes());
    }
    if let Some(digest) = &peer.cert_sha256 {
        set(b"connection\0sha256_peer_certificate_digest", digest.as_bytes());
    }
    if let Some(name) = peer.uri_sans.first() {
        set(b"connection\0uri_san_peer_certificate", name.as_bytes());
    }
    properties
}

fn answer(
    request: &Request,
    exchange: &Exchange,
    logs: &[LogLine],
    elapsed_us: u64,
) -> Result<Answer, ExecutorError> {
    let property = |path: &str| {
        let value = exchange
            .property(path)
            .map(|value| String::from_utf8_lossy(value).into_owned());
        value.filter(|value| !value.is_empty())
    };
    let mut answer = Answer {
        id: request.id.clone(),
        outcome: Outcome::Reply,
        status: None,
        code: property("scopegate.code"),
        layer: property("scopegate.layer"),
        route: property("scopegate.route"),
        reply_headers: Vec::new(),
        reply_body: Vec::new(),
        upstream: None,
        audit: logs.iter().filter_map(record).collect(),
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
