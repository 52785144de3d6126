//! What the soak runs against: one Envoy, the plugin on one listener, Envoy's own filters for the same routes on another,
//! keys that both fetch.

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
    pub(super) envoy: Envoy,
    pub(super) upstream: Upstream,
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
        let listeners = [
            Listener::new(
                "plugin",
                vec![plugin(module, &policy.to_string(), &BTreeMap::new())],
            )
            .plain(),
            Listener::new("native", vec![own, rbac(ROUTES)]).plain(),
        ];
        let clusters = Clusters::from([(CLUSTER.to_owned(), server.address())]);
        let upstream = Upstream::start()?;
        let bootstrap = bootstrap_with(&listeners, upstream.address(), &clusters);
        let envoy = Envoy::start(&find()?, &bootstrap, Path::new("."), &[])?;
        let address = |name| {
            envoy
                .listener(name)
                .ok_or_else(|| io::Error::other("a listener is missing"))
        };
        Ok(Self {
            plugin: address("plugin")?,
            native: address("native")?,
            sender: Sender::new(Arc::clone(&rotation), &mobile)?,
            envoy,
            upstream,
            rotation,
        })
    }
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
