//! Bootstraps for tests: one listener for each policy, nothing of Envoy's own between client and plugin.
//!
//! Envoy's normalisation is off and its limits are wide, so that what reaches the plugin is what was sent. The
//! configuration that people should use is in `examples/envoy`, and has its own tests.

use std::collections::BTreeMap;
use std::iter;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

pub use super::tls::{ClientCertificateHeader, Clients, Tls};

/// The header under which an answer carries what the plugin says of its decision, for tests alone.
pub const DECISION: &str = "x-test-decision";

/// The header under which an answer carries the path as the filters left it, for tests alone.
pub const PATH: &str = "x-test-path";

/// The addresses that stand behind the names a policy gives as `upstream`.
pub type Clusters = BTreeMap<String, SocketAddr>;

/// The cluster that requests are forwarded to; no name that a policy may use for its own.
const UPSTREAM: &str = "upstream";

/// A listener with filters before the router.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its name; unique.
    pub name: String,
    /// The filters before the router.
    pub filters: Vec<Value>,
    /// What the router does: forward to the upstream, or answer at once.
    pub direct: bool,
    /// Whether answers say nothing of the decision: what nobody reads costs nothing.
    pub plain: bool,
    /// Whether Envoy normalises paths before the plugin sees them.
    pub normalises: bool,
    /// TLS, where it speaks it.
    pub tls: Option<Tls>,
    /// What becomes of `X-Forwarded-Client-Cert`; Envoy's default is to remove it.
    pub client_certificate_header: ClientCertificateHeader,
}

impl Listener {
    /// A listener without TLS that forwards to the upstream.
    #[must_use]
    pub fn new(name: &str, filters: Vec<Value>) -> Self {
        Self {
            name: name.to_owned(),
            filters,
            direct: false,
            plain: false,
            normalises: false,
            tls: None,
            client_certificate_header: ClientCertificateHeader::default(),
        }
    }

    /// The same, and the router answers at once.
    #[must_use]
    pub fn answering_at_once(self) -> Self {
        Self { direct: true, ..self }
    }

    /// The same, and answers say nothing of the decision.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { plain: true, ..self }
    }

    /// The same behind TLS.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }

    /// The same with another treatment of `X-Forwarded-Client-Cert`.
    #[must_use]
    pub fn with_client_certificate_header(self, client_certificate_header: ClientCertificateHeader) -> Self {
        Self {
            client_certificate_header,
            ..self
        }
    }
}

/// The plugin as a filter. `environment` is what the VM may read of secrets.
#[must_use]
pub fn plugin(module: &Path, policy: &str, environment: &BTreeMap<String, String>) -> Value {
    json!({
        "name": "scopegate",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "scopegate",
                "failure_policy": "FAIL_CLOSED",
                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": policy},
                "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                    "environment_variables": {"key_values": environment},
                },
            },
        },
    })
}

/// A whole bootstrap in JSON: the listeners on free ports of loopback, one upstream.
#[must_use]
pub fn bootstrap(listeners: &[Listener], upstream: SocketAddr) -> String {
    bootstrap_with(listeners, upstream, &Clusters::new())
}

/// The same with clusters that the plugin may call out to.
#[must_use]
pub fn bootstrap_with(listeners: &[Listener], upstream: SocketAddr, clusters: &Clusters) -> String {
    let named = clusters.iter().map(|(name, address)| cluster(name, *address));
    let clusters: Vec<Value> = std::iter::once(cluster(UPSTREAM, upstream))
        .chain(named)
        .collect();
    json!({
        // Whatever is discovered is asked for under these names, though it be a file.
        "node": {"id": "tests", "cluster": "tests"},
        "admin": {"address": any_port()},
        "static_resources": {
            "listeners": listeners.iter().map(listener).collect::<Vec<_>>(),
            "clusters": clusters,
        },
    })
    .to_string()
}

/// A cluster of one endpoint, which speaks HTTP/1.1 with trailers.
pub(crate) fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(address)}}]}],
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "common_http_protocol_options": {"max_headers_count": 2000},
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
        }},
    })
}

/// An address as a bootstrap names it.
pub(crate) fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}

/// A port of loopback that nobody has.
pub(crate) fn any_port() -> Value {
    socket(SocketAddr::from(([127, 0, 0, 1], 0)))
}

fn listener(listener: &Listener) -> Value {
    let mut chain = json!({"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": connection_manager(listener),
    }]});
    if let (Some(tls), Some(chain)) = (&listener.tls, chain.as_object_mut()) {
        chain.insert("transport_socket".to_owned(), tls.transport_socket());
    }
    json!({
        "name": listener.name,
        "stat_prefix": listener.name,
        "address": any_port(),
        "filter_chains": [chain],
    })
}

fn connection_manager(listener: &Listener) -> Value {
    let mut filters = listener.filters.clone();
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    }));
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": listener.name,
        "generate_request_id": false,
        "preserve_external_request_id": true,
        "skip_xff_append": true,
        "forward_client_cert_details": listener.client_certificate_header.name(),
        "set_current_client_cert_details": {"subject": true, "cert": true, "dns": true, "uri": true},
        "max_request_headers_kb": 1024,
        "normalize_path": listener.normalises,
        "merge_slashes": listener.normalises,
        "path_with_escaped_slashes_action": match listener.normalises {
            true => "UNESCAPE_AND_FORWARD",
            false => "KEEP_UNCHANGED",
        },
        "common_http_protocol_options": {
            "headers_with_underscores_action": "ALLOW",
            "max_headers_count": 2000,
        },
        "http_protocol_options": {"enable_trailers": true, "allow_custom_methods": true},
        "http_filters": filters,
        "local_reply_config": {"mappers": mappers(listener)},
        "route_config": route(listener),
    })
}

fn mappers(listener: &Listener) -> Value {
    if listener.plain {
        return json!([]);
    }
    json!([{
        "filter": {"status_code_filter": {"comparison": {
            "op": "GE", "value": {"default_value": 0, "runtime_key": "none"},
        }}},
        "headers_to_add": [decision(), path()],
    }])
}

/// What the plugin says of its decision: in the details of its answer, and in properties of the stream. The details come first:
/// they are always there, and Envoy drops the blanks that a value begins with.
fn decision() -> Value {
    let property = |name: &str| format!("%FILTER_STATE(wasm.scopegate.{name}:PLAIN)%");
    let names = ["code", "route", "would_deny"];
    // Of a refusal: the layer and the code. Of what is forwarded: whose answer it is.
    let details = "%RESPONSE_CODE_DETAILS%".to_owned();
    let values: Vec<String> = iter::once(details).chain(names.map(property)).collect();
    let value = values.join(" ");
    json!({"header": {"key": DECISION, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
}

/// The path as the filters left it.
fn path() -> Value {
    json!({"header": {"key": PATH, "value": "%REQ(:PATH)%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
}

fn route(listener: &Listener) -> Value {
    let shown = if listener.plain {
        vec![]
    } else {
        vec![decision(), path()]
    };
    let action = if listener.direct {
        (
            "direct_response",
            json!({"status": 200, "body": {"inline_string": "ok"}}),
        )
    } else {
        ("route", json!({"cluster": UPSTREAM, "timeout": "15s"}))
    };
    json!({
        "name": "all",
        "response_headers_to_add": shown,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": ""}, action.0: action.1},
            {"match": {"connect_matcher": {}}, action.0: action.1},
        ]}],
    })
}
