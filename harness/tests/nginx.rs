//! Runs every test file of `policies/` and `corpus/` through the module in a host that behaves like NGINX, and requires
//! that its answers are the engine's but for what NGINX cannot do, each difference by its name.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scopegate_harness::exchange::{Answer, Headers, Outcome, Request};
use scopegate_harness::executor::{Executor, ExecutorError, Session, Setup};
use scopegate_harness::files;
use scopegate_harness::native::Native;
use scopegate_harness::run::pool::default_jobs;
use scopegate_harness::run::{Options, run_all};
use scopegate_harness::suite::Suite;
use scopegate_harness::upstream::Rule;
use scopegate_harness::wasm::Wasm;
use scopegate_host_tests::{Host, Profile, Request as HostRequest};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn suites() -> Vec<Suite> {
    let folders = ["policies", "corpus"].map(|folder| root().join(folder));
    let files = files::test_files(&folders).unwrap();
    let suites = files::load(&files, default_jobs()).into_iter();
    suites.map(Result::unwrap).collect()
}

fn module() -> Wasm {
    let built = root().join("target/wasm32-wasip1/release/scopegate_plugin.wasm");
    let path = std::env::var_os("SCOPEGATE_WASM").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "no module at `{}`: build it with `cargo xtask wasm`",
        path.display()
    );
    Wasm::from_file(&path).unwrap().in_proxy(Profile::Nginx)
}

/// An executor whose policies let credentials stay, as nothing else is served in NGINX, and name the layer.
struct Keeping<'e>(&'e dyn Executor);

struct KeepingSession<'s>(Box<dyn Session + 's>);

fn keeping(policy: &[u8]) -> Vec<u8> {
    let Ok(mut policy) = serde_json::from_slice::<Value>(policy) else {
        return policy.to_vec();
    };
    let providers = policy["authentication"]["providers"].as_array_mut();
    for provider in providers.into_iter().flatten().filter(|it| it["type"] != "mtls") {
        provider["forward_credential"] = json!(true);
    }
    // Nothing else tells the layer in NGINX.
    let audit = &mut policy["audit"];
    if audit["properties"].is_null() {
        audit["properties"] = json!([]);
    }
    if let Some(properties) = audit["properties"].as_array_mut() {
        properties.retain(|it| it != "layer");
        properties.push(json!("layer"));
    }
    policy.to_string().into_bytes()
}

impl Executor for Keeping<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        let setup = Setup {
            policy: keeping(&setup.policy),
            ..setup.clone()
        };
        Ok(Box::new(KeepingSession(self.0.open(&setup)?)))
    }
}

impl Session for KeepingSession<'_> {
    fn decide(&mut self, request: &Request) -> Result<Answer, ExecutorError> {
        self.0.decide(request)
    }

    fn answer(&mut self, upstream: &str, rules: Vec<Rule>) -> Result<(), ExecutorError> {
        self.0.answer(upstream, rules)
    }

    fn advance(&mut self, seconds: u64) -> Result<(), ExecutorError> {
        self.0.advance(seconds)
    }

    fn reconfigure(&mut self, policy: &[u8]) -> Result<bool, ExecutorError> {
        self.0.reconfigure(&keeping(policy))
    }
}

/// How an answer in NGINX differs from the engine's; nothing where it does not.
fn difference((engine, nginx): (&Answer, &Answer)) -> Option<String> {
    let seen = |answer: &Answer| {
        let values = |names: &[&str], headers: &Headers| {
            let named = headers.iter().map(|(name, value)| {
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                (name, value.escape_ascii().to_string())
            });
            let mut named: Vec<_> = named
                .filter(|(name, _)| !names.contains(&name.as_str()))
                .collect();
            named.sort();
            named
        };
        // Challenges stand in one header there; nonces and proofs are made anew in each run.
        let own = ["www-authenticate", "content-length", "dpop-nonce", "dpop", "host"];
        let upstream = answer.upstream.as_ref();
        (
            answer.outcome,
            answer.status,
            answer.code.clone(),
            (answer.layer.clone(), answer.would_deny.clone()),
            answer.route.clone(),
            values(&own, &answer.reply_headers),
            upstream.map(|upstream| (upstream.path.clone(), values(&own, &upstream.headers))),
        )
    };
    if seen(engine) == seen(nginx) {
        return None;
    }
    let shown = |answer: &Answer| match answer.outcome {
        Outcome::Forward => "forward".to_owned(),
        Outcome::Reply => answer.code.clone().unwrap_or_else(|| "nothing".to_owned()),
    };
    Some(format!("{} -> {}", shown(engine), shown(nginx)))
}

/// What NGINX does otherwise, and why.
const DIFFERENCES: [(&str, &str); 8] = [
    ("forward -> identity_header_refused", "no header can be removed"),
    ("forward -> credential_missing", "no certificate is shown"),
    (
        "peer_unidentified -> credential_missing",
        "no certificate is shown",
    ),
    ("scope_missing -> credential_missing", "no certificate is shown"),
    (
        "introspection_unavailable -> introspection_unavailable",
        "a reply in the answer to a callout that failed has no body",
    ),
    (
        "forward -> keys_unavailable",
        "no request is held while a key is fetched",
    ),
    (
        "key_not_found -> keys_unavailable",
        "no request is held while a key is fetched",
    ),
    (
        "malformed_request -> nothing",
        "there is no request without a path, and the plugin is not asked",
    ),
];

#[test]
fn every_answer_in_nginx_is_the_engines_but_for_what_nginx_cannot_do() {
    let module = module();
    let (mut answers, mut found) = (0, BTreeMap::<String, Vec<String>>::new());
    let options = Options {
        jobs: default_jobs(),
        ..Options::default()
    };
    let both: [&dyn Executor; 2] = [&Keeping(&Native), &Keeping(&module)];
    let runs = run_all(&suites(), &both, &options).unwrap();
    for ([engine, nginx], _) in runs.chunks(2).filter_map(|pair| pair.split_first_chunk::<2>()) {
        for (one, other) in engine.cases.iter().zip(&nginx.cases) {
            assert_eq!(
                one.answers.len(),
                other.answers.len(),
                "{}: {}",
                engine.name,
                one.name
            );
            answers += one.answers.len();
            let kinds = one.answers.iter().zip(&other.answers).filter_map(difference);
            for kind in kinds {
                let case = format!("{}: {}", engine.name, other.name);
                found.entry(kind).or_default().push(case);
            }
        }
    }
    assert!(answers > 2_000, "only {answers} answers");
    let expected = DIFFERENCES.map(|(kind, _)| kind.to_owned());
    let unknown: Vec<_> = found
        .iter()
        .filter(|(kind, _)| !expected.contains(kind))
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    for (kind, why) in DIFFERENCES {
        assert!(
            found.contains_key(kind),
            "{kind} ({why}) is no difference any more"
        );
    }
}

/// `examples/nginx/nginx.conf`, and the policy in it.
fn example() -> (String, String) {
    let text = std::fs::read_to_string(root().join("examples/nginx/nginx.conf")).unwrap();
    let (_, rest) = text.split_once("proxy_wasm scopegate '\n").unwrap();
    let (policy, _) = rest.split_once("';").unwrap();
    (text.clone(), policy.to_owned())
}

#[test]
fn the_policy_of_the_example_is_the_one_that_its_authors_wrote_and_fits_into_a_parameter() {
    let (_, policy) = example();
    let written = scopegate_engine::source::load(&[root().join("examples/nginx/policy.yaml")]).unwrap();
    let written: Value = serde_json::from_slice(&written.json()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&policy).unwrap(), written);
    assert!(policy.len() < 4_096, "{} bytes", policy.len());
}

#[test]
fn the_example_is_served_and_clears_what_the_plugin_cannot_remove() {
    let (text, policy) = example();
    let value: Value = serde_json::from_str(&policy).unwrap();
    let names = value["authentication"]["identity_headers"]
        .as_object()
        .unwrap()
        .values();
    for name in names.map(|name| name.as_str().unwrap()) {
        let line = format!("proxy_set_header {name} $http_{};", name.replace('-', "_"));
        assert!(text.to_ascii_lowercase().contains(&line), "`{line}` is missing");
    }
    for line in [
        "proxy_set_header Authorization \"\";",
        "set $scopegate \"\";",
        "proxy_pass http://$scopegate_upstream;",
        "proxy_wasm_request_headers_in_access on;",
        "tls_verify_cert on;",
        "tls_verify_host on;",
        "shm_kv * 32m;",
    ] {
        assert!(text.contains(line), "`{line}` is missing");
    }
    let mut host = Host::builder(module().module())
        .profile(Profile::Nginx)
        .variables(["scopegate"])
        .configuration(policy)
        .build()
        .unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    let exchange = host.request(HostRequest::get("127.0.0.1:8080", "/healthz"));
    assert_eq!(exchange.property("ngx.scopegate"), Some(&b"allow"[..]));
    let exchange = host.request(HostRequest::get("127.0.0.1:8080", "/tenants/acme/orders"));
    assert_eq!(exchange.local_reply().map(|reply| reply.status), Some(401));
}
