//! Bundles in Envoy: a policy in force without any configuration, and what a configuration cannot do to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scopegate_bundle::{Baker, Open, Options, Proxies};
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::envoy::bootstrap::{Clusters, Listener, bootstrap, bootstrap_with, plugin};
use scopegate_e2e::key_server::{Document, KeyServer};
use scopegate_e2e::mint::Mint;
use scopegate_e2e::upstream::Upstream;
use scopegate_harness::keys::Algorithm;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{bearer, code, policy, send};

const LIST: &str = "/tenants/acme/orders";

/// A bundle in a file.
struct Made {
    _folder: TempDir,
    path: PathBuf,
}

fn bundle(policy: &Value, open: &[Open]) -> Made {
    let plugin = std::fs::read(crate::common::module()).unwrap();
    let options = Options {
        proxies: Proxies::Envoy,
        open: open.to_vec(),
        by: "a test".to_owned(),
        at: None,
    };
    let bytes = Baker::new(plugin).unwrap().bake(policy, &options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.wasm");
    std::fs::write(&path, bytes).unwrap();
    Made {
        _folder: folder,
        path,
    }
}

/// The policy of the examples with keys of our own, and a token for anna of acme who may read orders.
fn tenants() -> (Value, Mint) {
    let mut policy = policy("policies/rest-api-tenants/policy.yaml");
    let mint = Mint::install(&mut policy, "corp", &[Algorithm::ES256]).unwrap();
    (policy, mint)
}

fn token(mint: &Mint) -> String {
    let claims = json!({"sub": "anna", "scope": "orders:read", "tid": "acme"});
    mint.token(Algorithm::ES256, &claims).unwrap()
}

#[test]
fn a_bundle_decides_without_any_configuration() {
    let Some(program) = crate::common::envoy("a_bundle_decides_without_any_configuration") else {
        return;
    };
    let (policy, mint) = tenants();
    let made = bundle(&policy, &[]);
    let upstream = Upstream::start().unwrap();
    let listener = Listener::new("bundle", vec![plugin(&made.path, "", &BTreeMap::new())]);
    let bootstrap = bootstrap(&[listener], upstream.address());
    let envoy = Envoy::start(&program, &bootstrap, Path::new("."), &[]).unwrap();
    let address = envoy.listener("bundle").unwrap();
    let token = bearer(&token(&mint));
    let permitted = send(address, "GET", LIST, std::slice::from_ref(&token));
    assert_eq!(permitted.status, 200);
    assert_eq!(upstream.take()[0].path, LIST.as_bytes());
    for (path, headers, expected) in [
        (LIST, vec![], (401, "credential_missing")),
        (
            "/tenants/other/orders",
            vec![token.clone()],
            (403, "tenant_mismatch"),
        ),
        ("/nowhere", vec![token], (403, "no_route")),
    ] {
        let answer = send(address, "GET", path, &headers);
        assert_eq!((answer.status, code(&answer).as_str()), expected, "{path}");
    }
    assert!(upstream.take().is_empty());
}

#[test]
fn keys_are_fetched_from_where_the_proxy_says_the_upstream_is() {
    let Some(program) = crate::common::envoy("keys_are_fetched_from_where_the_proxy_says_the_upstream_is")
    else {
        return;
    };
    let (mut policy, mint) = tenants();
    let keys = &mut policy["authentication"]["providers"][0]["keys"];
    let jwks = std::mem::replace(
        keys,
        json!({"jwks_uri": "https://idp.example.com/jwks", "upstream": "idp", "refresh": "10m"}),
    );
    let made = bundle(&policy, &[Open::Upstreams]);
    let server = KeyServer::start().unwrap();
    server.serve("/jwks", Document::json(&jwks["jwks"]));
    let upstream = Upstream::start().unwrap();
    let configuration = json!({"upstreams": {"idp": "outbound|443||idp"}}).to_string();
    let filter = plugin(&made.path, &configuration, &BTreeMap::new());
    let clusters = Clusters::from([("outbound|443||idp".to_owned(), server.address())]);
    let bootstrap = bootstrap_with(
        &[Listener::new("bundle", vec![filter])],
        upstream.address(),
        &clusters,
    );
    let envoy = Envoy::start(&program, &bootstrap, Path::new("."), &[]).unwrap();
    let address = envoy.listener("bundle").unwrap();
    let token = bearer(&token(&mint));
    let answer = send(address, "GET", LIST, &[token]);
    assert_eq!(answer.status, 200, "{}", envoy.log());
    assert_eq!(server.count("/jwks"), 1);
}

#[test]
fn envoy_does_not_start_with_a_configuration_that_sets_what_is_closed() {
    let Some(program) =
        crate::common::envoy("envoy_does_not_start_with_a_configuration_that_sets_what_is_closed")
    else {
        return;
    };
    let (policy, _) = tenants();
    let made = bundle(&policy, &[Open::LogLevel]);
    let mut public = policy.clone();
    public["authorization"]["routes"] =
        json!([{"id": "all", "match": {"methods": ["GET"], "path": "/tenants/**"}, "access": "public"}]);
    let listener = Listener::new(
        "bundle",
        vec![plugin(&made.path, &public.to_string(), &BTreeMap::new())],
    );
    let bootstrap = bootstrap(&[listener], "127.0.0.1:9".parse().unwrap());
    let refused = Envoy::start(&program, &bootstrap, Path::new("."), &[]).unwrap_err();
    let told = format!("{refused:?}");
    assert!(
        told.contains("`authorization` cannot be set: this is a bundle that leaves open only `log_level`"),
        "{told}"
    );
}
