//! Envoy as an executor of policy tests: one process, one listener for each policy, and another one with TLS where the
//! policy asks for certificates.
//!
//! Envoy's clock is real and its codec answers some requests before any filter sees them: such an answer carries
//! no code, and the test file says which status it must have.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use scopegate_bundle::{Open, Options, Proxies};
use scopegate_document::{Instant, UnixTime};
use scopegate_harness::bundled::Bundled;
use scopegate_harness::exchange::{self, Headers, Outcome, Request, refusing_layer};
use scopegate_harness::executor::{Executor, ExecutorError, Session, Setup, Time};
use scopegate_harness::observed::Observed;
use scopegate_harness::policy::named_upstreams;
use scopegate_harness::upstream::Rule;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::client::{self, Answer};
use crate::envoy::bootstrap::{
    ClientCertificateHeader, Clusters, DECISION, Listener, PATH, bootstrap_with, plugin,
};
use crate::envoy::{Envoy, EnvoyError, find};
use crate::http1::Message;
use crate::key_server::KeyServer;
use crate::log;
use crate::peers::{self, Connections};
use crate::upstream::{MARK, Upstream};

/// Headers that belong to the hop and not to the decision.
const HOP: [&str; 7] = [
    "connection",
    "content-length",
    "date",
    "host",
    "server",
    "transfer-encoding",
    "x-forwarded-proto",
];

/// Whether Envoy normalises paths before the plugin sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalisation {
    /// What is sent is what the plugin sees.
    Off,
    /// Envoy decodes, resolves and merges what it can.
    On,
}

/// How policies come to Envoy.
#[derive(Debug)]
pub enum Serving {
    /// As the configuration of the plugin.
    Configured,
    /// Each as part of a module of its own, a bundle: files in a folder that lasts as long as Envoy.
    Bundled(Box<Bundled>, TempDir),
}

impl Serving {
    /// Bundles, made of the plugin in this file.
    ///
    /// # Errors
    /// It is no such plugin, or there is no folder for them.
    pub fn bundled(module: &Path) -> Result<Self, EnvoyError> {
        let baker = Bundled::from_file(module).map_err(io::Error::other)?;
        Ok(Self::Bundled(Box::new(baker), tempfile::tempdir()?))
    }

    /// The filter that has this policy in force.
    fn filter(&self, module: &Path, number: usize, setup: &Setup) -> io::Result<Value> {
        let mut policy = shifted(setup).map_err(io::Error::other)?;
        let Self::Bundled(baker, folder) = self else {
            for section in ["/authentication/providers", "/authentication/revocation"] {
                if let Some(section) = policy.pointer_mut(section) {
                    rename_upstreams(section, number);
                }
            }
            return Ok(plugin(module, &policy.to_string(), &setup.environment));
        };
        let options = Options {
            proxies: Proxies::Envoy,
            open: vec![Open::Upstreams],
            by: "tests".to_owned(),
            at: None,
        };
        let bundle = baker.bytes(policy.to_string().as_bytes(), &options);
        let path = folder.path().join(format!("{number}.wasm"));
        std::fs::write(&path, bundle.map_err(io::Error::other)?)?;
        let upstreams: Map<String, Value> = named_upstreams(&policy)
            .into_iter()
            .map(|name| (name.clone(), json!(cluster(&name, number))))
            .collect();
        let configuration = json!({"upstreams": upstreams}).to_string();
        Ok(plugin(&path, &configuration, &setup.environment))
    }
}

/// Where a policy is served.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    plain: SocketAddr,
    /// Where clients may have certificates.
    secure: Option<SocketAddr>,
}

/// Envoy with the plugin, before several policies.
#[derive(Debug)]
pub struct EnvoyExecutor {
    envoy: Envoy,
    upstream: Upstream,
    /// What the policies call out to; each ends with its handle.
    _servers: Vec<KeyServer>,
    connections: Connections,
    /// Where the bundles are that Envoy loaded.
    _serving: Serving,
    /// By test file: two of them may have one policy, and each its own keys.
    listeners: BTreeMap<String, Addresses>,
    /// Each policy as it is served: its instants moved to the clock that runs.
    served: BTreeMap<String, Vec<u8>>,
    /// How much of the log has been read.
    read: Mutex<usize>,
}

impl EnvoyExecutor {
    /// Starts one Envoy that serves every one of these policies.
    ///
    /// # Errors
    /// There is no Envoy, or it does not start with them.
    pub fn start(
        module: &Path,
        setups: &[Setup],
        serving: Serving,
        normalisation: Normalisation,
    ) -> Result<Self, EnvoyError> {
        let upstream = Upstream::start()?;
        let program = find()?;
        let connections = Connections::new()?;
        let mut listeners = Vec::new();
        for (number, setup) in setups.iter().enumerate() {
            let plain = Listener {
                normalises: normalisation == Normalisation::On,
                ..listener(serving.filter(module, number, setup)?, number)
            };
            if peers::asks_for_certificates(&setup.policy) {
                listeners.push(connections.secure(&plain));
            }
            listeners.push(plain);
        }
        let served = setups.iter().map(|setup| {
            let served = shifted(setup).map_err(io::Error::other)?;
            Ok((setup.name.clone(), served.to_string().into_bytes()))
        });
        let served = served.collect::<io::Result<_>>()?;
        let (servers, clusters) = servers(setups)?;
        let bootstrap = bootstrap_with(&listeners, upstream.address(), &clusters);
        let envoy = Envoy::start(&program, &bootstrap, Path::new("."), &[])?;
        let address = |(number, setup): (usize, &Setup)| {
            let plain = envoy
                .listener(&name(number))
                .ok_or_else(|| io::Error::other("a listener is missing"))?;
            let secure = envoy.listener(&peers::secure_name(&name(number)));
            Ok((setup.name.clone(), Addresses { plain, secure }))
        };
        let listeners = setups
            .iter()
            .enumerate()
            .map(address)
            .collect::<io::Result<_>>()?;
        Ok(Self {
            envoy,
            upstream,
            _servers: servers,
            connections,
            _serving: serving,
            listeners,
            served,
            read: Mutex::new(0),
        })
    }

    /// Starts a policy.
    pub(crate) fn session(&self, setup: &Setup) -> Result<EnvoySession<'_>, ExecutorError> {
        let addresses = self.listeners.get(&setup.name);
        let addresses =
            addresses.ok_or_else(|| ExecutorError::Failed("Envoy has no listener for it".to_owned()))?;
        Ok(EnvoySession {
            executor: self,
            addresses: *addresses,
            path_shown: None,
        })
    }

    /// The policy as it is served.
    pub(crate) fn served(&self, setup: &Setup) -> Option<&[u8]> {
        self.served.get(&setup.name).map(Vec::as_slice)
    }

    /// The audit records that Envoy has logged since the last call.
    fn audit(&self) -> Vec<Value> {
        let text = self.envoy.log();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let records = log::records(text.get(*read..).unwrap_or_default());
        *read = text.len();
        records
    }
}

impl Executor for EnvoyExecutor {
    fn name(&self) -> &str {
        "envoy"
    }

    fn real_time(&self) -> Option<UnixTime> {
        Some(crate::mint::now())
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        Ok(Box::new(self.session(setup)?))
    }
}

/// A policy at work in Envoy.
pub(crate) struct EnvoySession<'e> {
    executor: &'e EnvoyExecutor,
    addresses: Addresses,
    /// The path of the last request, as it stood at the end.
    path_shown: Option<Vec<u8>>,
}

impl Session for EnvoySession<'_> {
    fn decide(&mut self, request: &Request) -> Result<exchange::Answer, ExecutorError> {
        let bytes = encode(request)?;
        drop(self.executor.upstream.take());
        let answer = match (&request.peer, self.addresses.secure) {
            (None, _) => client::send(self.addresses.plain, &bytes),
            // Nobody here comes from elsewhere.
            (Some(peer), _) if peer.is_loopback() => client::send(self.addresses.plain, &bytes),
            (Some(peer), Some(secure)) => self.executor.connections.client(peer)?.send(secure, &bytes),
            (Some(peer), _) if peer.address.is_some() => {
                return Err(ExecutorError::Unsupported(
                    "every connection here comes from this machine".to_owned(),
                ));
            }
            (Some(_), None) => {
                return Err(ExecutorError::Unsupported(
                    "nobody asks for certificates".to_owned(),
                ));
            }
        };
        let answer =
            answer.map_err(|error| ExecutorError::Failed(format!("no answer from Envoy: {error}")))?;
        self.path_shown = answer.header(PATH).map(<[u8]>::to_vec);
        self.answered(request, answer)
    }

    fn answer(&mut self, _upstream: &str, _rules: Vec<Rule>) -> Result<(), ExecutorError> {
        Err(ExecutorError::Unsupported(
            "what this Envoy has fetched stays from case to case".to_owned(),
        ))
    }

    fn advance(&mut self, _seconds: u64) -> Result<(), ExecutorError> {
        Err(ExecutorError::Unsupported(
            "the clock of Envoy cannot be moved".to_owned(),
        ))
    }

    fn reconfigure(&mut self, _policy: &[u8]) -> Result<bool, ExecutorError> {
        Err(ExecutorError::Unsupported(
            "this Envoy serves one policy for each listener".to_owned(),
        ))
    }
}

impl EnvoySession<'_> {
    /// The path of the last request, as the plugin left it.
    pub(crate) fn path_shown(&self) -> Option<Vec<u8>> {
        self.path_shown.clone()
    }

    fn answered(&self, request: &Request, answer: Answer) -> Result<exchange::Answer, ExecutorError> {
        let mut seen = self.executor.upstream.take();
        let decision = answer.text(DECISION).unwrap_or_default();
        let mut parts = decision
            .split(' ')
            .map(|part| (!part.is_empty() && part != "-").then(|| part.to_owned()));
        let mut next = || parts.next().flatten();
        let (details, code, route, would_deny) = (next(), next(), next(), next());
        let forwarded = answer.header(MARK).is_some();
        if seen.len() != usize::from(forwarded) {
            let message = format!(
                "answered {}, and the upstream saw {} requests",
                answer.status,
                seen.len()
            );
            return Err(ExecutorError::Failed(message));
        }
        let upstream = seen.pop();
        // What is let through was decided by authorization.
        let layer = match forwarded {
            true => Some("authorization"),
            false => code
                .as_deref()
                .zip(details.as_deref())
                .and_then(|(code, details)| refusing_layer(details, code)),
        };
        Ok(exchange::Answer {
            id: request.id.clone(),
            outcome: if forwarded {
                Outcome::Forward
            } else {
                Outcome::Reply
            },
            status: (!forwarded).then_some(answer.status),
            layer: code.as_ref().and(layer).map(str::to_owned),
            code,
            would_deny,
            route,
            reply_headers: if forwarded {
                Headers::new()
            } else {
                end_to_end(answer.headers)
            },
            reply_body: if forwarded { Vec::new() } else { answer.body },
            upstream: upstream.map(|seen| exchange::Upstream {
                path: seen.path,
                headers: end_to_end(seen.headers),
            }),
            audit: self.executor.audit(),
            observed: Observed::default(),
            elapsed_us: 0,
        })
    }
}

fn end_to_end(mut headers: Headers) -> Headers {
    let kept = |name: &[u8]| {
        let hop = HOP
            .iter()
            .chain([&DECISION, &PATH])
            .any(|hop| name.eq_ignore_ascii_case(hop.as_bytes()));
        !hop
    };
    headers.retain(|(name, _)| kept(name));
    headers
}

/// A request as bytes.
pub(crate) fn encode(request: &Request) -> Result<Vec<u8>, ExecutorError> {
    let fields = request.headers.iter().flat_map(|(name, value)| [name, value]);
    let mut parts = fields
        .chain([&request.method, &request.path])
        .chain(request.authority.as_ref());
    if parts.any(|part| part.contains(&b'\n') || part.contains(&b'\r')) {
        return Err(ExecutorError::Unsupported(
            "HTTP/1.1 cannot carry a line end in a field".to_owned(),
        ));
    }
    let authority = request.authority.as_deref();
    Ok(Message::request(
        &request.method,
        &request.path,
        authority,
        &request.headers,
        &request.body,
        &[],
    ))
}

fn listener(filter: Value, number: usize) -> Listener {
    let listener = Listener::new(&name(number), vec![filter]);
    listener.with_client_certificate_header(ClientCertificateHeader::AlwaysForwardOnly)
}

/// The policy of a test, its instants moved to the clock that runs.
pub(crate) fn shifted(setup: &Setup) -> serde_json::Result<Value> {
    let mut policy: Value = serde_json::from_slice(&setup.policy)?;
    if let Time::Fixed(time) = setup.time {
        shift_instants(&mut policy, crate::mint::now().since(time));
    }
    Ok(policy)
}

/// A server for each upstream that a policy names, and where each is. One that the test does not describe is down.
fn servers(setups: &[Setup]) -> io::Result<(Vec<KeyServer>, Clusters)> {
    let (mut servers, mut clusters) = (Vec::new(), Clusters::new());
    for (number, setup) in setups.iter().enumerate() {
        let policy: Value = serde_json::from_slice(&setup.policy).map_err(io::Error::other)?;
        for upstream in named_upstreams(&policy) {
            let server = KeyServer::start()?;
            server.serve_rules(&upstream, setup.upstreams.clone());
            clusters.insert(cluster(&upstream, number), server.address());
            servers.push(server);
        }
    }
    Ok((servers, clusters))
}

/// Policies may give different things the same name: each has clusters of its own.
fn cluster(upstream: &str, number: usize) -> String {
    format!("{upstream}-of-policy-{number}")
}

fn rename_upstreams(value: &mut Value, number: usize) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "upstream") {
                    Some(upstream) => *value = json!(cluster(upstream, number)),
                    None => rename_upstreams(value, number),
                }
            }
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| rename_upstreams(value, number)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Moves the instants that a policy names by some seconds: to a clock that runs they are then what they are to
/// the clock of the test.
fn shift_instants(value: &mut Value, seconds: i64) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let instant = ["until", "expires", "issued_before"].contains(&name.as_str());
                let instant = value
                    .as_str()
                    .filter(|_| instant)
                    .and_then(|text| text.parse::<Instant>().ok());
                match instant {
                    Some(Instant(time)) => *value = json!(Instant(time.plus(seconds))),
                    None => shift_instants(value, seconds),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shift_instants(value, seconds)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn name(number: usize) -> String {
    format!("policy-{number}")
}
