//! What the soak runs against: one Envoy with the plugin, another with Envoy's own filters for the same routes, an upstream
//! behind each, and keys that both fetch.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use scopegate_harness::keys::Algorithm;
use serde_json::{Value, json};

use super::super::BenchError;
use super::super::native::{jwt_authn_fetching, rbac};
use super::super::policies::{AUDIENCE, PROVIDER, changed, provider, with_routes};
use super::keys::{PATHS, Rotation};
use super::sender::Sender;
use crate::envoy::bootstrap::{Clusters, Listener, bootstrap_with, plugin};
use crate::envoy::{Envoy, find};
use crate::key_server::KeyServer;
use crate::mint::Mint;
use crate::upstream::Upstream;

/// The tenant of all good tokens.
pub(super) const TENANT: &str = "acme";

/// The path of the route for bound tokens.
pub(super) const DEVICE: &str = "/device/acme";

const ROUTES: usize = 23;
const MOBILE: &str = "mobile";
const CLUSTER: &str = "idp";
const ORIGIN: &str = "https://idp.example.com";

/// How often the plugin and Envoy's own filter ask for the keys.
const REFRESH: &str = "1s";

/// Everything that runs, and who sends to it.
#[derive(Debug)]
pub(super) struct Setting {
    /// The Envoy with the plugin.
    pub(super) envoy: Envoy,
    /// What that one forwards to.
    pub(super) upstream: Upstream,
    /// The Envoy with its own filters; it ends with its handle.
    _beside: Envoy,
    /// What that one forwards to. Envoy's own filters let some of the hostile requests through.
    pub(super) beside: Upstream,
    pub(super) rotation: Arc<Rotation>,
    pub(super) sender: Sender,
    pub(super) plugin: SocketAddr,
    pub(super) native: SocketAddr,
}

impl Setting {
    pub(super) fn start(module: &Path) -> Result<Self, BenchError> {
        let server = KeyServer::start()?;
        let mut policy = policy();
        let mobile = Mint::install(&mut policy, MOBILE, &[Algorithm::ES256])?;
        let rotation = Arc::new(Rotation::start(server.clone(), policy.clone())?);
        let own = jwt_authn_fetching(&format!("{ORIGIN}{}", PATHS[1]), CLUSTER, REFRESH);
        let clusters = Clusters::from([(CLUSTER.to_owned(), server.address())]);
        let (upstream, beside) = (Upstream::start()?, Upstream::start()?);
        let guard = plugin(module, &policy.to_string(), &BTreeMap::new());
        let (envoy, plugin) = started(vec![guard], &upstream, &clusters)?;
        let (_beside, native) = started(vec![own, rbac(ROUTES)], &beside, &clusters)?;
        Ok(Self {
            plugin,
            native,
            sender: Sender::new(Arc::clone(&rotation), &mobile)?,
            envoy,
            upstream,
            _beside,
            beside,
            rotation,
        })
    }
}

/// An Envoy with one worker and these filters, and where it listens.
fn started(
    filters: Vec<Value>,
    upstream: &Upstream,
    clusters: &Clusters,
) -> Result<(Envoy, SocketAddr), BenchError> {
    const NAME: &str = "soak";
    let listener = Listener::new(NAME, filters).plain();
    let bootstrap = bootstrap_with(&[listener], upstream.address(), clusters);
    let envoy = Envoy::start(&find()?, &bootstrap, Path::new("."), &[])?;
    let address = envoy.listener(NAME);
    let address = address.ok_or_else(|| io::Error::other("a listener is missing"))?;
    Ok((envoy, address))
}

/// The policy of the bench with keys that are fetched, a route that needs more, and one for bound tokens.
fn policy() -> Value {
    let keys = json!({"jwks_uri": format!("{ORIGIN}{}", PATHS[0]), "upstream": CLUSTER, "refresh": REFRESH});
    let policy = provider(with_routes(ROUTES), "keys", keys);
    let mut policy = provider(policy, "algorithms", json!(["ES256", "EdDSA"]));
    let all = json!([PROVIDER, MOBILE].map(|provider| json!({"provider": provider, "scopes": ["*"]})));
    policy = changed(policy, "/authorization/ceilings", all);
    push(&mut policy, "/authentication/providers", mobile());
    for route in members(&mut policy, "/authorization/routes") {
        if let Some(access) = route.get_mut("access").and_then(Value::as_object_mut) {
            access.insert("providers".to_owned(), json!([PROVIDER]));
        }
    }
    for (id, method, path, who, scope) in [
        ("write", "POST", "/r7/{tenant}", PROVIDER, "orders:write"),
        ("device", "GET", "/device/{tenant}", MOBILE, "orders:read"),
    ] {
        let access = json!({"providers": [who], "scopes": {"all": [scope]}, "tenant": "{tenant}"});
        let route = json!({"id": id, "match": {"methods": [method], "path": path}, "access": access});
        push(&mut policy, "/authorization/routes", route);
    }
    policy
}

/// An issuer of tokens that are bound to a key of their holder.
fn mobile() -> Value {
    json!({
        "name": MOBILE, "type": "jwt", "issuer": "https://mobile.example.com", "audiences": [AUDIENCE],
        "algorithms": ["ES256"], "keys": {"jwks": {"keys": []}}, "binding": "dpop", "dpop": {"algorithms": ["ES256"]},
        "claims": {"scopes": ["scope"], "subject": "sub", "client": "client_id", "tenant": "tid"},
    })
}

fn members<'p>(policy: &'p mut Value, pointer: &str) -> impl Iterator<Item = &'p mut Value> {
    let list = policy.pointer_mut(pointer).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

fn push(policy: &mut Value, pointer: &str, value: Value) {
    if let Some(list) = policy.pointer_mut(pointer).and_then(Value::as_array_mut) {
        list.push(value);
    }
}
