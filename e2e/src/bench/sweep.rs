//! Cost against size: a token that was seen before, with one thing made larger at a time. What should not matter shows
//! as a flat line.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use scopegate_harness::keys::Algorithm;
use serde_json::{Value, json};

use super::BenchError;
use super::policies::{PROVIDER, changed, provider, with_routes};
use super::requests::{Load, Shape, of_shape};
use super::rows::{Group, Row};
use crate::envoy::bootstrap::plugin;
use crate::mint::Mint;

/// Routes where their number is not what is measured.
const ROUTES: usize = 1_000;

/// One thing that is made larger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dimension {
    /// What it is, as a title.
    pub(super) name: &'static str,
    sizes: &'static [usize],
    apply: fn(&mut Size, usize),
}

/// How large everything is.
#[derive(Debug, Clone, Copy)]
struct Size {
    routes: usize,
    scopes: usize,
    tokens: usize,
    headers: usize,
    token_bytes: usize,
}

const USUAL: Size = Size {
    routes: ROUTES,
    scopes: 2,
    tokens: 1,
    headers: 4,
    token_bytes: 1_000,
};

/// Everything that is made larger.
pub(super) const DIMENSIONS: [Dimension; 5] = [
    Dimension {
        name: "routes of the policy",
        sizes: &[10, 100, 1_000, 10_000],
        apply: |size, to| size.routes = to,
    },
    Dimension {
        name: "scopes of the token",
        sizes: &[2, 10, 50, 200],
        apply: |size, to| size.scopes = to,
    },
    Dimension {
        name: "tokens in the cache",
        sizes: &[1, 10, 100, 1_000],
        apply: |size, to| size.tokens = to,
    },
    Dimension {
        name: "headers of the request",
        sizes: &[4, 20, 50, 90],
        apply: |size, to| size.headers = to,
    },
    Dimension {
        name: "bytes of the token",
        sizes: &[500, 1_000, 4_000, 12_000],
        apply: |size, to| size.token_bytes = to,
    },
];

/// Two rows for each size of each dimension, in their order: without filters, and with the plugin beside it. Envoy itself
/// takes longer over more headers, and nobody else must be charged for that.
pub(super) fn rows(module: &Path) -> Result<Vec<Row>, BenchError> {
    let mut rows = Vec::new();
    for (dimension, size) in points() {
        let mut larger = USUAL;
        (dimension.apply)(&mut larger, size);
        let mut policy = policy(larger);
        let load = of_shape(&mint(&mut policy)?, &shape(larger), larger.tokens)?;
        let filters = vec![plugin(module, &policy.to_string(), &BTreeMap::new())];
        let bare = Row {
            name: format!("{}: {size}", dimension.name),
            group: Group::Floor,
            filters: Vec::new(),
            load: Load::Each(Arc::new(load)),
            status: 200,
            against: None,
        };
        let filtered = Row {
            group: Group::Warm,
            filters,
            against: Some(rows.len()),
            ..bare.clone()
        };
        rows.extend([bare, filtered]);
    }
    Ok(rows)
}

/// Each size of each dimension, in order.
pub(super) fn points() -> impl Iterator<Item = (&'static Dimension, usize)> {
    DIMENSIONS
        .iter()
        .flat_map(|dimension| dimension.sizes.iter().map(move |size| (dimension, *size)))
}

/// A policy that knows every scope that the tokens carry.
fn policy(size: Size) -> Value {
    let scopes: BTreeMap<String, &str> = names(size.scopes).map(|name| (name, "A scope")).collect();
    let policy = provider(with_routes(size.routes), "algorithms", json!(["HS256"]));
    let policy = changed(policy, "/authorization/scopes", json!(scopes));
    // All scopes are written into one header otherwise: that is another cost, and grows with them by right.
    changed(
        policy,
        "/authentication/identity_headers",
        json!({"subject": "x-auth-subject", "tenant": "x-auth-tenant", "client": "x-auth-client"}),
    )
}

fn names(count: usize) -> impl Iterator<Item = String> {
    let own = ["orders:read", "orders:write"].map(str::to_owned);
    let more = (own.len()..count).map(|number| format!("orders:scope{number}"));
    own.into_iter().chain(more)
}

fn mint(policy: &mut Value) -> Result<Mint, BenchError> {
    Ok(Mint::install(policy, PROVIDER, &[Algorithm::HS256])?)
}

fn shape(size: Size) -> Shape {
    Shape {
        scopes: names(size.scopes).collect::<Vec<_>>().join(" "),
        headers: size.headers,
        token_bytes: size.token_bytes,
    }
}
