//! The cases in Envoy: one process, a listener for each case, and for each a machine of its own, so that nothing of one
//! is seen in another.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use scopegate_conformance::cases::{Case, Failure, Traffic};
use scopegate_conformance::transcript;
use serde_json::{Value, json};

use super::peers::{self, Upstream};
use super::traffic::{self, Printed};
use super::{CONFIGURATION, SECOND};
use crate::envoy::bootstrap::{any_port, cluster, socket};
use crate::envoy::{Envoy, EnvoyError};

/// The name of every plugin's root.
const ROOT: &str = "root";

/// What the plugin is called, or the first of two.
const FIRST: &str = "plugin";

/// The listener and the cluster of gRPC callouts.
const GRPC: &str = "grpc";

/// The clusters behind it.
const GRPC_ANSWERS: &str = "grpc that answers";
const GRPC_FAILS: &str = "grpc that fails";

/// What they answer, as HTTP/1.1.
const GRPC_ANSWER: &str = "HTTP/1.1 200 x\r\ncontent-type: application/grpc\r\nx-initial: i\r\n\
                           transfer-encoding: chunked\r\nconnection: close\r\n\r\n\
                           a\r\n\0\0\0\0\x05reply\r\n0\r\ngrpc-status: 0\r\nx-trailer: t\r\n\r\n";
const GRPC_FAILURE: &str = "HTTP/1.1 200 x\r\ncontent-type: application/grpc\r\ngrpc-status: 7\r\ngrpc-message: no\r\n\
                            content-length: 0\r\nconnection: close\r\n\r\n";

/// An Envoy that serves cases.
#[derive(Debug)]
pub struct Running {
    envoy: Envoy,
    upstreams: BTreeMap<String, Upstream>,
}

impl Running {
    /// Starts one with a listener for each of the cases; `module` is what prints.
    ///
    /// # Errors
    /// It did not start, or no port could be had for its peers.
    pub fn start(program: &Path, module: &Path, cases: &[Case]) -> Result<Self, EnvoyError> {
        let upstreams = cases
            .iter()
            .map(|case| Ok((case.name.clone(), Upstream::of(case)?)));
        let upstreams: BTreeMap<String, Upstream> = upstreams.collect::<io::Result<_>>()?;
        let mut clusters: Vec<Value> = upstreams
            .iter()
            .map(|(case, upstream)| cluster(&upstream_name(case), upstream.address))
            .collect();
        let mut listeners: Vec<Value> = cases.iter().map(|case| served(module, case)).collect();
        clusters.extend(peers::callees()?.map(|(name, address)| cluster(name, address)));
        let grpc = peers::free_address()?;
        clusters.push(over_http2(cluster(GRPC, grpc)));
        clusters.push(cluster(GRPC_ANSWERS, peers::eager(GRPC_ANSWER)?));
        clusters.push(cluster(GRPC_FAILS, peers::eager(GRPC_FAILURE)?));
        let mut listener = grpc_listener();
        if let Some(fields) = listener.as_object_mut() {
            fields.insert("address".to_owned(), socket(grpc));
        }
        listeners.push(listener);
        let bootstrap = json!({
            "admin": {"address": any_port()},
            "static_resources": {"listeners": listeners, "clusters": clusters},
        });
        let envoy = Envoy::start(program, &bootstrap.to_string(), Path::new("."), &[])?;
        Ok(Self { envoy, upstreams })
    }

    /// The transcript of one of the cases.
    ///
    /// # Errors
    /// Envoy has no listener for it, or takes no connection.
    pub fn transcript(&self, case: &Case) -> io::Result<String> {
        let absent = || io::Error::other(format!("Envoy does not serve `{}`", case.name));
        let address = self.envoy.listener(&case.name).ok_or_else(absent)?;
        let upstream = self.upstreams.get(&case.name).ok_or_else(absent)?;
        let printed = Log {
            envoy: &self.envoy,
            case,
        };
        traffic::play(case, address, upstream, &printed)
    }
}

/// What the modules of a case printed in the worker that served it.
struct Log<'e> {
    envoy: &'e Envoy,
    case: &'e Case,
}

impl Printed for Log<'_> {
    fn lines(&self) -> Vec<String> {
        let log = self.envoy.log();
        log.lines().filter_map(|line| self.line(line)).collect()
    }

    fn is_through(&self, requests: usize) -> bool {
        let lines = self.lines();
        let deleted = lines.iter().filter(|line| line.ends_with(" delete()")).count();
        let plugins = if self.case.second.is_some() { 2 } else { 1 };
        deleted >= requests.saturating_mul(plugins)
    }
}

impl Log<'_> {
    fn line(&self, line: &str) -> Option<String> {
        let case = &self.case.name;
        // A root speaks without the name of its plugin.
        let find = |plugin: &str, root: &str| {
            let marks = [
                format!("] wasm log {root} {case}: "),
                format!("] wasm log {plugin} {root} {case}: "),
            ];
            marks.iter().find_map(|mark| line.split_once(mark.as_str()))
        };
        let first = find(FIRST, ROOT).map(|found| ("", found));
        let (prefix, (head, message)) =
            first.or_else(|| find(SECOND, SECOND).map(|found| (transcript::SECOND, found)))?;
        // The process's first thread has a machine of its own, to try the configuration.
        if head.contains(&format!("[{}]", self.envoy.id())) {
            return None;
        }
        let printed = transcript::printed(head.split("][").nth(2)?, message)?;
        Some(format!("{prefix}{printed}"))
    }
}

fn upstream_name(case: &str) -> String {
    format!("upstream of {case}")
}

fn text(value: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value})
}

/// A plugin of a case: its own name and root, and its script.
fn plugin(module: &Path, case: &str, names: [&str; 2], script: &str, failure: Failure) -> Value {
    let [name, root] = names;
    let mut plugin = json!({
        "name": name,
        "root_id": root,
        "configuration": text(CONFIGURATION),
        "failure_policy": match failure {
            Failure::Closed => "FAIL_CLOSED",
            Failure::Open => "FAIL_OPEN",
            Failure::Reload | Failure::ReloadLater => "FAIL_RELOAD",
        },
        "vm_config": {
            "vm_id": case,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module}},
            "configuration": text(script),
            "environment_variables": {"key_values": {"CASE": case}},
        },
    });
    if let (Some(after), Some(fields)) = (failure.reload_after(), plugin.as_object_mut()) {
        let base = format!("{}s", after.as_secs_f64());
        fields.insert(
            "reload_config".to_owned(),
            json!({"backoff": {"base_interval": base}}),
        );
    }
    plugin
}

fn plugins(module: &Path, case: &Case) -> Vec<Value> {
    let first = plugin(module, &case.name, [FIRST, ROOT], &case.script, case.failure);
    let second = case
        .second
        .as_ref()
        .map(|script| plugin(module, &case.name, [SECOND; 2], script, case.failure));
    std::iter::once(first).chain(second).collect()
}

fn served(module: &Path, case: &Case) -> Value {
    let plugins = plugins(module, case);
    let filters = match case.traffic.first() {
        Some(Traffic::Connection { .. }) => tcp(&case.name, &plugins),
        Some(Traffic::Request { .. }) | None => {
            let routes = json!([{"match": {"prefix": ""}, "route": {"cluster": upstream_name(&case.name)}}]);
            vec![connection_manager(&case.name, &plugins, &routes)]
        }
    };
    listener(&case.name, &filters)
}

fn listener(name: &str, filters: &[Value]) -> Value {
    json!({"name": name, "stat_prefix": name, "address": any_port(), "filter_chains": [{"filters": filters}]})
}

fn wasm(filter: &str, plugin: &Value) -> Value {
    json!({"name": "conformance", "typed_config": {
        "@type": format!("type.googleapis.com/envoy.extensions.filters.{filter}.wasm.v3.Wasm"),
        "config": plugin,
    }})
}

fn tcp(case: &str, plugins: &[Value]) -> Vec<Value> {
    let proxy = json!({"name": "envoy.filters.network.tcp_proxy", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": case,
        "cluster": upstream_name(case),
    }});
    let plugins = plugins.iter().map(|plugin| wasm("network", plugin));
    plugins.chain([proxy]).collect()
}

fn connection_manager(name: &str, plugins: &[Value], routes: &Value) -> Value {
    let router = json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        "suppress_envoy_headers": true,
    }});
    let filters: Vec<Value> = plugins
        .iter()
        .map(|plugin| wasm("http", plugin))
        .chain([router])
        .collect();
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "generate_request_id": false,
            "skip_xff_append": true,
            "http_protocol_options": {"enable_trailers": true},
            "http_filters": filters,
            "route_config": {"name": "all", "virtual_hosts": [{
                "name": "all", "domains": ["*"],
                "routes": routes,
            }]},
        },
    })
}

/// gRPC callouts come to a listener of the same Envoy, which makes HTTP/1.1 of them for an upstream of ours.
fn grpc_listener() -> Value {
    let routes = json!([
        {"match": {"path": "/test.Service/Http"}, "direct_response": {"status": 404}},
        {"match": {"path": "/test.Service/Fail"}, "route": {"cluster": GRPC_FAILS}},
        {"match": {"prefix": ""}, "route": {"cluster": GRPC_ANSWERS}},
    ]);
    listener(GRPC, &[connection_manager(GRPC, &[], &routes)])
}

/// A cluster that speaks HTTP/2, as gRPC does.
fn over_http2(mut cluster: Value) -> Value {
    let options = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = cluster.pointer_mut(options).and_then(Value::as_object_mut);
    if let Some(options) = options {
        options.insert(
            "explicit_http_config".to_owned(),
            json!({"http2_protocol_options": {}}),
        );
    }
    cluster
}
