//! The rows: what stands between the client and a direct answer, and what the client sends.

use std::collections::BTreeMap;
use std::path::Path;

use scopegate_harness::keys::Algorithm;
use serde_json::{Value, json};

use super::BenchError;
use super::native::{jwt_authn, one_call_module, rbac};
use super::policies::{self, PATH, PROVIDER, changed, provider, with_condition, with_routes};
use super::requests::{Load, Sender};
use crate::envoy::bootstrap::plugin;
use crate::mint::Mint;

/// Routes of most policies; what people have.
const ROUTES: usize = 23;

/// An expression of three terms.
const CONDITION: &str =
    "caller.subject == 'anna' && request.method == 'GET' && request.params.tenant == caller.tenant";

/// What a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// What every row pays.
    Floor,
    /// Envoy's own filters.
    Native,
    /// The plugin, for a token that was seen before.
    Warm,
    /// The plugin, for a token that it sees for the first time.
    FirstSight,
    /// The plugin, for requests without a caller.
    Others,
}

/// Filters, the requests that are sent through them, and the status that must come back.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) group: Group,
    pub(super) filters: Vec<Value>,
    pub(super) load: Load,
    pub(super) status: u16,
    /// The place of the row that it adds to; none where it is such a row itself.
    pub(super) against: Option<usize>,
    /// What the row has seen before it is measured.
    pub(super) crowd: Option<Crowd>,
}

/// Requests of which each is sent once.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    pub(super) size: usize,
    pub(super) requests: Load,
}

impl Row {
    /// Whether the plugin is measured.
    pub(super) const fn is_ours(&self) -> bool {
        match self.group {
            Group::Floor | Group::Native => false,
            Group::Warm | Group::FirstSight | Group::Others => true,
        }
    }
}

/// What rows are made of.
struct Parts {
    sender: Sender,
    policy: Value,
    shared: Value,
    jwks: Value,
    shared_jwks: Value,
}

/// Every row, the one without filters first. Files that Envoy needs are written into `folder`.
pub(super) fn rows(module: &Path, folder: &Path) -> Result<Vec<Row>, BenchError> {
    let parts = Parts::new()?;
    let guard = |policy: &Value| vec![plugin(module, &policy.to_string(), &BTreeMap::new())];
    let floor = one_call_module(folder)?;
    let row = |group, name: &str, filters, load, status| Row {
        name: name.to_owned(),
        group,
        filters,
        load,
        status,
        against: Some(0),
        crowd: None,
    };
    use Algorithm::{ES256, EdDSA, HS256, RS256};
    let same = |algorithm| parts.sender.same(algorithm);
    let mut rows = vec![
        Row {
            against: None,
            ..row(Group::Floor, "no filter", vec![], same(RS256)?, 200)
        },
        row(
            Group::Floor,
            "Wasm, one host call",
            vec![plugin(&floor, "", &BTreeMap::new())],
            same(RS256)?,
            200,
        ),
    ];
    let jwt = |cached| jwt_authn(&parts.jwks, cached);
    for (name, filters, algorithm) in [
        ("jwt_authn RS256, cache on", vec![jwt(true)], RS256),
        (
            "jwt_authn RS256, cache on, rbac 23",
            vec![jwt(true), rbac(ROUTES)],
            RS256,
        ),
        (
            "jwt_authn RS256, cache on, rbac 1,000",
            vec![jwt(true), rbac(1_000)],
            RS256,
        ),
        (
            "jwt_authn RS256, cache on, rbac 10,000",
            vec![jwt(true), rbac(10_000)],
            RS256,
        ),
        ("jwt_authn RS256, rbac 23", vec![jwt(false), rbac(ROUTES)], RS256),
        ("jwt_authn ES256, rbac 23", vec![jwt(false), rbac(ROUTES)], ES256),
        ("jwt_authn EdDSA, rbac 23", vec![jwt(false), rbac(ROUTES)], EdDSA),
        (
            "jwt_authn HS256, rbac 23",
            vec![jwt_authn(&parts.shared_jwks, false), rbac(ROUTES)],
            HS256,
        ),
    ] {
        rows.push(row(Group::Native, name, filters, same(algorithm)?, 200));
    }
    for (name, policy, algorithm) in [
        ("RS256, 23 routes", parts.policy.clone(), RS256),
        ("RS256, 1,000 routes", parts.routes(1_000), RS256),
        ("RS256, 10,000 routes", parts.routes(10_000), RS256),
        ("ES256, 23 routes", parts.policy.clone(), ES256),
        (
            "RS256, an expression",
            with_condition(parts.policy.clone(), CONDITION),
            RS256,
        ),
        ("RS256, everything audited", parts.audited(), RS256),
    ] {
        rows.push(row(Group::Warm, name, guard(&policy), same(algorithm)?, 200));
    }
    let alone = |policy| changed(policy, "/authentication/host_signatures", json!("never"));
    for (name, policy, algorithm) in [
        ("RS256", parts.policy.clone(), RS256),
        ("ES256", parts.policy.clone(), ES256),
        ("EdDSA", parts.policy.clone(), EdDSA),
        ("HS256", parts.shared.clone(), HS256),
        ("RS256, in the sandbox", alone(parts.policy.clone()), RS256),
        ("ES256, in the sandbox", alone(parts.policy.clone()), ES256),
    ] {
        rows.push(row(
            Group::FirstSight,
            name,
            guard(&policy),
            parts.sender.fresh(algorithm),
            200,
        ));
    }
    let bound = provider(
        provider(parts.policy.clone(), "binding", json!("dpop")),
        "dpop",
        json!({"algorithms": ["ES256"]}),
    );
    rows.push(row(
        Group::FirstSight,
        "a DPoP proof, ES256",
        guard(&bound),
        parts.sender.proofs()?,
        200,
    ));
    let unrecorded = changed(
        parts.policy.clone(),
        "/audit",
        json!({"authentication": "none", "authorization": "none"}),
    );
    for (name, policy, load, status) in [
        ("no token", &parts.policy, parts.sender.anonymous(PATH), 401),
        (
            "no token, nothing audited",
            &unrecorded,
            parts.sender.anonymous(PATH),
            401,
        ),
        (
            "another tenant's",
            &parts.policy,
            parts.sender.at("/r7/other", RS256)?,
            403,
        ),
        (
            "public route",
            &parts.policy,
            parts.sender.anonymous("/healthz"),
            200,
        ),
        ("no route", &parts.policy, parts.sender.anonymous("/nowhere"), 403),
    ] {
        rows.push(row(Group::Others, name, guard(policy), load, status));
    }
    Ok(rows)
}

impl Parts {
    fn new() -> Result<Self, BenchError> {
        let mut policy = with_routes(ROUTES);
        let pairs = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
        let mint = Mint::install(&mut policy, PROVIDER, &pairs)?;
        let mut shared = provider(with_routes(ROUTES), "algorithms", json!(["HS256"]));
        let secret = Mint::install(&mut shared, PROVIDER, &[Algorithm::HS256])?;
        let keys = |policy: &Value| {
            let keys = policy.pointer("/authentication/providers/0/keys/jwks");
            keys.cloned().unwrap_or_default()
        };
        Ok(Self {
            jwks: keys(&policy),
            shared_jwks: keys(&shared),
            sender: Sender::new(mint, secret)?,
            policy,
            shared,
        })
    }

    fn routes(&self, count: usize) -> Value {
        policies::provider(with_routes(count), "keys", json!({"jwks": self.jwks}))
    }

    fn audited(&self) -> Value {
        changed(
            self.policy.clone(),
            "/audit",
            json!({"authentication": "all", "authorization": "all"}),
        )
    }
}
