//! Keys that the plugin fetches through Envoy: one fetch for all workers, rotation, and every outage.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use scopegate_e2e::client::Answer;
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::envoy::bootstrap::{Clusters, Listener, bootstrap_with, plugin};
use scopegate_e2e::http1::Field;
use scopegate_e2e::key_server::{Document, KeyServer, Mode};
use scopegate_e2e::mint::Mint;
use scopegate_e2e::upstream::Upstream;
use scopegate_e2e::wait;
use scopegate_harness::keys::Algorithm;
use scopegate_harness::tokens::TokenSpec;
use serde_json::{Value, json};

use crate::common::{bearer, code, send};

const JWKS: &str = "/jwks";
const ORDERS: &str = "/tenants/acme/orders";
const WORKERS: u32 = 2;

/// A policy whose keys are fetched, the keys, and who signs with them.
struct Issuer {
    policy: Value,
    jwks: Document,
    mint: Mint,
}

impl Issuer {
    fn new(refresh: &str) -> Self {
        Self::at("idp", refresh)
    }

    fn at(upstream: &str, refresh: &str) -> Self {
        let mut policy = crate::common::policy("policies/rest-api-tenants/policy.yaml");
        let mint = Mint::install(&mut policy, "corp", &[Algorithm::ES256]).unwrap();
        let provider = &mut policy["authentication"]["providers"][0];
        assert_eq!(provider["name"], "corp");
        let jwks = provider["keys"]["jwks"].clone();
        provider["keys"] = json!({"jwks_uri": format!("https://idp.example.com{JWKS}"), "upstream": upstream, "refresh": refresh});
        Self {
            policy,
            jwks: Document::json(&jwks).etag("one"),
            mint,
        }
    }

    fn token(&self, kid: Option<&str>) -> Field {
        let claims = json!({"sub": "anna", "scope": "orders:read", "tid": "acme"});
        let spec = TokenSpec {
            kid: kid.map(str::to_owned),
            ..TokenSpec::default()
        };
        bearer(&self.mint.spoiled(Algorithm::ES256, &claims, spec).unwrap())
    }
}

/// A policy in a running Envoy with two workers.
struct World {
    envoy: Rc<Envoy>,
    upstream: Upstream,
    listener: String,
}

impl World {
    fn start(test: &str, policy: &Value, server: &KeyServer) -> Option<Self> {
        Some(Self::start_all(test, &[("idp".to_owned(), policy, server)])?.remove(0))
    }

    /// Several policies in one Envoy, each with the name of its upstream.
    fn start_all(test: &str, policies: &[(String, &Value, &KeyServer)]) -> Option<Vec<Self>> {
        let program = crate::common::envoy(test)?;
        let upstream = Upstream::start().unwrap();
        let module = crate::common::module();
        let filter = |policy: &Value| vec![plugin(&module, &policy.to_string(), &BTreeMap::new())];
        let listeners: Vec<_> = policies
            .iter()
            .map(|(name, policy, _)| Listener::new(name, filter(policy)))
            .collect();
        let clusters: Clusters = policies
            .iter()
            .map(|(name, _, server)| (name.clone(), server.address()))
            .collect();
        let bootstrap = bootstrap_with(&listeners, upstream.address(), &clusters);
        let envoy = Envoy::start_with_workers(&program, &bootstrap, Path::new("."), &[], WORKERS).unwrap();
        let envoy = Rc::new(envoy);
        let world = |(name, _, _): &(String, _, _)| Self {
            envoy: Rc::clone(&envoy),
            upstream: upstream.clone(),
            listener: name.clone(),
        };
        Some(policies.iter().map(world).collect())
    }

    fn address(&self) -> SocketAddr {
        self.envoy.listener(&self.listener).unwrap()
    }

    fn ask(&self, token: &Field) -> Answer {
        send(self.address(), "GET", ORDERS, std::slice::from_ref(token))
    }

    /// Asks until both workers, each with connections of its own, give this status many times in a row.
    fn wait_for(&self, token: &Field, status: u16) {
        const IN_A_ROW: usize = 20;
        let what = format!("a steady {status}");
        let steady = || {
            let all = (0..IN_A_ROW).all(|_| self.ask(token).status == status);
            all.then_some(())
        };
        wait::until(&what, steady).unwrap();
    }
}

#[test]
fn two_workers_fetch_the_keys_once_and_a_flood_of_unknown_ids_no_more() {
    let test = "two_workers_fetch_the_keys_once_and_a_flood_of_unknown_ids_no_more";
    let issuer = Issuer::new("10m");
    let server = KeyServer::start().unwrap();
    server.serve(JWKS, issuer.jwks.clone());
    let Some(world) = World::start(test, &issuer.policy, &server) else {
        return;
    };
    let token = issuer.token(None);
    for number in 0..40 {
        let answer = world.ask(&token);
        assert_eq!(answer.status, 200, "request {number}: {answer:?}");
    }
    assert_eq!(world.upstream.take().len(), 40);
    assert_eq!(server.count(JWKS), 1);
    let asked = &server.asked_at(JWKS)[0].request;
    assert_eq!(asked.header("host").as_deref(), Some("idp.example.com"));
    assert_eq!((asked.method.as_slice(), asked.body.len()), (&b"GET"[..], 0));
    for number in 0..60 {
        let answer = world.ask(&issuer.token(Some(&format!("unknown-{number}"))));
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (401, "key_not_found"),
            "request {number}"
        );
    }
    assert_eq!(server.count(JWKS), 1, "the last fetch is no minute ago");
    assert_eq!(world.upstream.take(), []);
}

#[test]
fn refreshes_are_conditional_and_rotation_reaches_both_workers() {
    let test = "refreshes_are_conditional_and_rotation_reaches_both_workers";
    let (first, second) = (Issuer::new("1s"), Issuer::new("1s"));
    let server = KeyServer::start().unwrap();
    server.serve(JWKS, first.jwks.clone());
    let Some(world) = World::start(test, &first.policy, &server) else {
        return;
    };
    world.wait_for(&first.token(None), 200);
    let asked = server.wait_for(JWKS, 3).unwrap();
    assert_eq!(asked[0].request.header("if-none-match"), None);
    assert_eq!(
        asked[2].request.header("if-none-match").as_deref(),
        Some("\"one\"")
    );
    assert_eq!(asked[2].status, Some(304));
    server.serve(JWKS, second.jwks.clone().etag("two"));
    world.wait_for(&second.token(None), 200);
    world.wait_for(&first.token(None), 401);
    server.refuse().unwrap();
    world.wait_for(&second.token(None), 200);
}

#[test]
fn whatever_the_key_server_does_an_outage_is_503_and_ends_with_it() {
    let test = "whatever_the_key_server_does_an_outage_is_503_and_ends_with_it";
    let moved = Mode::Redirect("https://elsewhere.example.com/jwks".to_owned());
    let modes = [
        Mode::Reset,
        Mode::Status(500),
        Mode::Garbage,
        Mode::WrongContentType,
        Mode::Truncated,
        Mode::HalfJson,
        Mode::Empty,
        moved,
        Mode::Oversize,
        Mode::Hang,
    ];
    let failing = modes.into_iter().enumerate().map(|(number, mode)| {
        let name = format!("idp-{number}");
        let (issuer, server) = (Issuer::at(&name, "1s"), KeyServer::start().unwrap());
        server.serve(JWKS, issuer.jwks.clone());
        server.set_mode(JWKS, mode.clone());
        (name, mode, issuer, server)
    });
    let failing: Vec<_> = failing.collect();
    let policies: Vec<_> = failing
        .iter()
        .map(|(name, _, issuer, server)| (name.clone(), &issuer.policy, server))
        .collect();
    let Some(worlds) = World::start_all(test, &policies) else {
        return;
    };
    for (world, (_, mode, issuer, _)) in worlds.iter().zip(&failing) {
        let answer = world.ask(&issuer.token(None));
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (503, "keys_unavailable"),
            "{mode:?}"
        );
        assert!(answer.header("retry-after").is_some(), "{mode:?}");
        let public = send(world.address(), "GET", "/healthz", &[]);
        assert_eq!(public.status, 200, "{mode:?}");
    }
    for (_, _, _, server) in &failing {
        server.set_mode(JWKS, Mode::Up);
    }
    for (world, (_, _, issuer, _)) in worlds.iter().zip(&failing) {
        world.wait_for(&issuer.token(None), 200);
    }
}

#[test]
fn a_key_server_that_comes_late_is_found() {
    let issuer = Issuer::new("10m");
    let server = KeyServer::start().unwrap();
    server.serve(JWKS, issuer.jwks.clone());
    server.refuse().unwrap();
    let Some(world) = World::start("a_key_server_that_comes_late_is_found", &issuer.policy, &server) else {
        return;
    };
    let token = issuer.token(None);
    assert_eq!(code(&world.ask(&token)), "keys_unavailable");
    server.listen().unwrap();
    world.wait_for(&token, 200);
    assert_eq!(server.count(JWKS), 1);
}
