//! NGINX as an executor of policy tests: one process with one worker, and one server for each policy.
//!
//! It decides nothing about what a difference is worth: see `cases::nginx`.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use scopegate_document::UnixTime;
use scopegate_harness::exchange::{self, Headers, Outcome, Request};
use scopegate_harness::executor::{Executor, ExecutorError, Session, Setup};
use scopegate_harness::observed::Observed;
use scopegate_harness::upstream::Rule;
use serde_json::{Value, json};

use super::{Nginx, NginxError, find, quoted};
use crate::client::{self, Answer};
use crate::envoy::bootstrap::DECISION;
use crate::executor::{encode, shifted};
use crate::log;
use crate::upstream::{MARK, Upstream};
use crate::wait;

/// What the plugin says of a decision, in variables of these names.
const SAID: [&str; 4] = ["code", "route", "would_deny", "layer"];

/// NGINX with the plugin, before several policies.
#[derive(Debug)]
pub struct NginxExecutor {
    nginx: Nginx,
    upstream: Upstream,
    /// By test file.
    servers: BTreeMap<String, SocketAddr>,
    /// How much of the log has been read.
    read: Mutex<usize>,
}

impl NginxExecutor {
    /// Starts one NGINX that serves every one of these policies.
    ///
    /// # Errors
    /// There is no NGINX, or it does not start with them.
    pub fn start(module: &Path, setups: &[Setup]) -> Result<Self, NginxError> {
        let program = find()?;
        let module = module.canonicalize()?;
        let upstream = Upstream::start()?;
        let mut environment = Environment::default();
        let mut servers = Vec::new();
        // All at once, so that no two are the same.
        let free: Vec<TcpListener> = setups
            .iter()
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<io::Result<_>>()?;
        let addresses: Vec<SocketAddr> = free
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<_>>()?;
        drop(free);
        for (number, (setup, address)) in setups.iter().zip(&addresses).enumerate() {
            let policy = shifted(setup).map_err(io::Error::other)?;
            let variable = format!("POLICY_{number}");
            servers.push(server(*address, &variable, &policy));
            environment.add(setup, variable, policy.to_string());
        }
        let environment: Vec<(&str, &str)> = environment
            .0
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let nginx = Nginx::start(&program, &environment, |own| {
            whole(&module, own, upstream.address(), &servers.concat())
        })?;
        let in_force = || nginx.log().matches("is in force").count() >= setups.len();
        wait::until("every policy in force", || in_force().then_some(()))
            .map_err(|_| NginxError::NotReady(nginx.log()))?;
        let servers = setups.iter().zip(addresses);
        let servers = servers
            .map(|(setup, address)| (setup.name.clone(), address))
            .collect();
        Ok(Self {
            nginx,
            upstream,
            servers,
            read: Mutex::new(0),
        })
    }

    /// The audit records that were logged since the last call.
    fn audit(&self) -> Vec<Value> {
        let text = self.nginx.log();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let records = log::records(text.get(*read..).unwrap_or_default());
        *read = text.len();
        records
    }
}

/// What the process may read of secrets and policies. Two policies share what they call the same.
#[derive(Default)]
struct Environment(BTreeMap<String, String>);

impl Environment {
    fn add(&mut self, setup: &Setup, variable: String, policy: String) {
        self.0.extend(setup.environment.clone());
        self.0.insert(variable, policy);
    }
}

/// A server with the lines of `examples/nginx`: what the plugin does not let through is led to where nobody listens.
fn server(address: SocketAddr, variable: &str, policy: &Value) -> String {
    let declared: String = SAID
        .iter()
        .map(|name| format!("set $scopegate_{name} \"\";\n"))
        .collect();
    let shown: Vec<String> = SAID.iter().map(|name| format!("$scopegate_{name}")).collect();
    let forwarded: String = identity_headers(policy)
        .iter()
        .map(|name| {
            let variable = name.replace('-', "_").to_ascii_lowercase();
            format!("proxy_set_header {name} $http_{variable};\n")
        })
        .collect();
    format!(
        "server {{\nlisten {address};\nserver_name _;\nlocation / {{\n\
         set $scopegate \"\";\n{declared}\
         add_header {DECISION} \"{}\" always;\n\
         proxy_wasm_request_headers_in_access on;\n\
         proxy_wasm scopegate {};\n\
         proxy_pass http://$scopegate_upstream;\nproxy_http_version 1.1;\n\
         proxy_set_header Host $http_host;\n{forwarded}}}\n}}\n",
        shown.join(" "),
        quoted(&format!("env:{variable}")),
    )
}

/// The headers by which a policy tells an upstream who is calling.
pub(crate) fn identity_headers(policy: &Value) -> Vec<String> {
    let headers = policy.pointer("/authentication/identity_headers");
    let headers = headers.and_then(Value::as_object).into_iter().flatten();
    headers
        .filter_map(|(_, name)| name.as_str().map(str::to_owned))
        .collect()
}

fn whole(module: &Path, own: SocketAddr, upstream: SocketAddr, servers: &str) -> String {
    format!(
        "wasm {{\nmodule scopegate {};\nshm_kv * 32m;\n}}\n\
         http {{\naccess_log off;\nvariables_hash_max_size 4096;\n\
         large_client_header_buffers 8 128k;\nclient_max_body_size 0;\n\
         underscores_in_headers on;\nignore_invalid_headers off;\n\
         map $scopegate $scopegate_upstream {{\nvolatile;\ndefault 127.0.0.1:1;\nallow {upstream};\n}}\n\
         server {{\nlisten {own};\nreturn 404;\n}}\n{servers}}}\n",
        module.display(),
    )
}

impl Executor for NginxExecutor {
    fn name(&self) -> &str {
        "nginx"
    }

    fn real_time(&self) -> Option<UnixTime> {
        Some(crate::mint::now())
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        let address = self.servers.get(&setup.name);
        let address =
            address.ok_or_else(|| ExecutorError::Failed("NGINX has no server for it".to_owned()))?;
        Ok(Box::new(NginxSession {
            executor: self,
            address: *address,
        }))
    }
}

/// A policy at work in NGINX.
struct NginxSession<'n> {
    executor: &'n NginxExecutor,
    address: SocketAddr,
}

impl Session for NginxSession<'_> {
    fn decide(&mut self, request: &Request) -> Result<exchange::Answer, ExecutorError> {
        if request.peer.as_ref().is_some_and(|peer| !peer.is_loopback()) {
            let why =
                "NGINX tells a plugin nothing of certificates, and every connection comes from this machine";
            return Err(ExecutorError::Unsupported(why.to_owned()));
        }
        let bytes = encode(request)?;
        drop(self.executor.upstream.take());
        let answer = client::send(self.address, &bytes)
            .map_err(|error| ExecutorError::Failed(format!("no answer from NGINX: {error}")))?;
        self.answered(request, answer)
    }

    fn answer(&mut self, _upstream: &str, _rules: Vec<Rule>) -> Result<(), ExecutorError> {
        Err(unsupported("what this NGINX has fetched stays from case to case"))
    }

    fn advance(&mut self, _seconds: u64) -> Result<(), ExecutorError> {
        Err(unsupported("the clock of NGINX cannot be moved"))
    }

    fn reconfigure(&mut self, _policy: &[u8]) -> Result<bool, ExecutorError> {
        Err(unsupported("this NGINX serves one policy for each server"))
    }
}

fn unsupported(why: &str) -> ExecutorError {
    ExecutorError::Unsupported(why.to_owned())
}

impl NginxSession<'_> {
    fn answered(&self, request: &Request, answer: Answer) -> Result<exchange::Answer, ExecutorError> {
        let decision = answer.text(DECISION).unwrap_or_default();
        let said = decision
            .split(' ')
            .map(|part| (!part.is_empty()).then(|| part.to_owned()));
        let mut said = said.chain(std::iter::repeat(None));
        let mut next = || said.next().flatten();
        let (code, route, would_deny, layer) = (next(), next(), next(), next());
        let is_forwarded = answer.header(MARK).is_some();
        let mut seen = self.executor.upstream.take();
        if seen.len() != usize::from(is_forwarded) {
            let message = format!(
                "answered {}, and the upstream saw {} requests",
                answer.status,
                seen.len()
            );
            return Err(ExecutorError::Failed(message));
        }
        let upstream = seen.pop().map(|seen| exchange::Upstream {
            path: seen.path,
            headers: seen.headers,
        });
        Ok(exchange::Answer {
            id: request.id.clone(),
            outcome: if is_forwarded {
                Outcome::Forward
            } else {
                Outcome::Reply
            },
            status: (!is_forwarded).then_some(answer.status),
            code,
            would_deny,
            layer,
            route,
            reply_headers: if is_forwarded {
                Headers::new()
            } else {
                answer.headers
            },
            reply_body: if is_forwarded { Vec::new() } else { answer.body },
            upstream,
            audit: self.executor.audit(),
            observed: Observed::default(),
            elapsed_us: 0,
        })
    }
}

/// The policy as NGINX takes it: it forwards a header that a plugin removes, and so every provider must say that credentials
/// stay. It names the layer for access logs, as nothing else tells it there.
pub(crate) fn keeping_credentials(setup: &Setup) -> serde_json::Result<Setup> {
    let mut policy: Value = serde_json::from_slice(&setup.policy)?;
    let providers = policy.pointer_mut("/authentication/providers");
    for provider in providers.and_then(Value::as_array_mut).into_iter().flatten() {
        let kind = provider.get("type").and_then(Value::as_str).unwrap_or("jwt");
        if kind == "mtls" {
            continue;
        }
        if let Some(fields) = provider.as_object_mut() {
            fields.insert("forward_credential".to_owned(), json!(true));
        }
    }
    if let Some(policy) = policy.as_object_mut() {
        let audit = policy.entry("audit").or_insert_with(|| json!({}));
        let properties = audit
            .as_object_mut()
            .map(|audit| audit.entry("properties").or_insert_with(|| json!([])));
        if let Some(properties) = properties.and_then(Value::as_array_mut)
            && !properties.contains(&json!("layer"))
        {
            properties.push(json!("layer"));
        }
    }
    Ok(Setup {
        policy: policy.to_string().into_bytes(),
        ..setup.clone()
    })
}
