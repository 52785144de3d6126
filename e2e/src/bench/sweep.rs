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
use super::rows::{Crowd, Group, Row};
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
    others: usize,
    headers: usize,
    token_bytes: usize,
}

const USUAL: Size = Size {
    routes: ROUTES,
    scopes: 2,
    tokens: 1,
    others: 0,
    headers: 4,
    token_bytes: 1_000,
};

const fn dimension(name: &'static str, sizes: &'static [usize], apply: fn(&mut Size, usize)) -> Dimension {
    Dimension { name, sizes, apply }
}

/// Everything that is made larger.
pub(super) const DIMENSIONS: [Dimension; 6] = [
    dimension("routes of the policy", &[10, 100, 1_000, 10_000], |size, to| {
        size.routes = to;
    }),
    dimension("scopes of the token", &[2, 10, 50, 200], |size, to| {
        size.scopes = to;
    }),
    dimension("tokens in the cache", &[1, 10, 100, 1_000], |size, to| {
        size.tokens = to;
    }),
    // Many more than the cache has room for.
    dimension(
        "other live tokens seen before",
        &[0, 1_000, 10_000, 100_000],
        |size, to| {
            size.others = to;
        },
    ),
    dimension("headers of the request", &[4, 20, 50, 90], |size, to| {
        size.headers = to;
    }),
    dimension("bytes of the token", &[500, 1_000, 4_000, 12_000], |size, to| {
        size.token_bytes = to;
    }),
];

/// Two rows for each size of each dimension, in their order: without filters, and with the plugin beside it. Envoy itself
/// takes longer over more headers, and nobody else must be charged for that.
pub(super) fn rows(module: &Path) -> Result<Vec<Row>, BenchError> {
    let mut rows = Vec::new();
    for (dimension, size) in points() {
        let mut larger = USUAL;
        (dimension.apply)(&mut larger, size);
        let mut policy = policy(larger);
        let make = of_shape(mint(&mut policy)?, shape(larger))?;
        let requests = (0..larger.tokens).map(&make);
        let load = Load::Each(Arc::new(requests.collect::<Result<_, _>>()?));
        let filters = vec![plugin(module, &policy.to_string(), &BTreeMap::new())];
        let bare = Row {
            name: format!("{}: {size}", dimension.name),
            group: Group::Floor,
            filters: Vec::new(),
            load,
            status: 200,
            against: None,
            crowd: None,
        };
        let crowd = Crowd {
            size: larger.others,
            // None of them is one of those that are measured.
            requests: Load::Fresh(Arc::new(move |number| make(number.saturating_add(larger.tokens)))),
        };
        let filtered = Row {
            group: Group::Warm,
            filters,
            against: Some(rows.len()),
            crowd: (crowd.size > 0).then_some(crowd),
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
