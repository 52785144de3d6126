//! A policy that is replaced while requests run: none of them is lost, and each is decided by one policy alone.
//!
//! Envoy takes the plugin from a file (ECDS), as it would from a control plane, and each policy is a bundle. Policy `n` takes tokens for
//! the audience `n` (authentication) with the scope `n` (authorization), and names the caller by two claims of its own. A
//! token of `n` has the scope `n` alone, and all the names. So a request that two policies decided upon together is seen:
//! a token of `n` is forwarded with both names `n`, or refused for its audience. Authenticated by `n` and authorized by
//! another, it would be refused for its scope; named by two, it would be forwarded with a name that is not `n`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use scopegate_bundle::{Baker, Options, Proxies};
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::http1::Message;
use scopegate_e2e::mint::Mint;
use scopegate_e2e::upstream::Upstream;
use scopegate_e2e::wait;
use scopegate_harness::keys::Algorithm;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::common::{bearer, envoy, module, policy, root, send};
use crate::workers::{WORKERS, everywhere, passes, refuses, stat};

/// How often the policy is replaced.
const REPLACEMENTS: usize = 20;
/// How many requests are answered before the next policy comes.
const REQUESTS_EACH: usize = 5_000;
/// How many clients there are, each with one connection that it keeps.
const CLIENTS: usize = 8;

/// The policy with this number.
fn numbered(base: &Value, number: usize) -> Value {
    mixed(base, number, number)
}

/// The authentication of one number and the authorization of another.
fn mixed(base: &Value, authentication: usize, authorization: usize) -> Value {
    let mut policy = base.clone();
    let name = authentication.to_string();
    let provider = &mut policy["authentication"]["providers"][0];
    provider["audiences"] = json!([name]);
    provider["claims"] =
        json!({"scopes": ["scope"], "subject": format!("s{name}"), "client": format!("c{name}")});
    policy["authentication"]["identity_headers"] = json!({"subject": "x-left", "client": "x-right"});
    let name = authorization.to_string();
    policy["authorization"] = json!({
        "scopes": {name.as_str(): "This policy's"},
        "ceilings": [{"provider": "corp", "scopes": [name]}],
        "routes": [{"id": "all", "match": {"path": "/orders"}, "access": {"scopes": {"all": [name]}}}],
    });
    policy
}

/// A token that the policy with this number takes, and neither half of another: its audience and its scope are this
/// number. It has the names of all, so that a name taken by another policy is a wrong one and not a missing one.
fn token(mint: &Mint, number: usize) -> String {
    let names = (0..=REPLACEMENTS).flat_map(|other| {
        let value = json!(other.to_string());
        [(format!("s{other}"), value.clone()), (format!("c{other}"), value)]
    });
    let mut claims: Map<String, Value> = names.collect();
    claims.insert("aud".to_owned(), json!(number.to_string()));
    claims.insert("scope".to_owned(), json!(number.to_string()));
    mint.token(Algorithm::ES256, &claims.into()).unwrap()
}

/// A bundle of each of these policies, in a folder.
fn bundles(folder: &Path, policies: impl Iterator<Item = Value>) -> Vec<PathBuf> {
    let baker = Baker::new(fs::read(module()).unwrap()).unwrap();
    let options = Options {
        proxies: Proxies::Envoy,
        open: Vec::new(),
        by: "a test".to_owned(),
        at: None,
    };
    let write = |(number, policy): (usize, Value)| {
        let path = folder.join(format!("{number}.wasm"));
        fs::write(&path, baker.bake(&policy, &options).unwrap()).unwrap();
        path
    };
    policies.enumerate().map(write).collect()
}

/// The example `envoy-dynamic`, its very files, in a folder of its own: only ports and that folder's name differ.
struct Deployment {
    folder: TempDir,
}

impl Deployment {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let script = root().join("examples/envoy-dynamic/replace.sh");
        fs::copy(script, folder.path().join("replace.sh")).unwrap();
        Self { folder }
    }

    /// Puts a bundle in force, as the page of the example says.
    fn replace(&self, bundle: &Path) {
        let mut script = Command::new(self.folder.path().join("replace.sh"));
        // What the script refuses to publish is another matter: here it is Envoy that refuses.
        let done = script.arg(bundle).env("SCOPEGATE", "true").output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Names a module that no file holds.
    fn name_no_file(&self) {
        let live = self.folder.path().join("live");
        let text = fs::read_to_string(live.join("scopegate.json")).unwrap();
        let changes = [
            (".wasm\"", ".absent\""),
            ("\"version_info\": \"", "\"version_info\": \"absent-"),
        ];
        let text = changes.iter().fold(text, |text, (from, to)| {
            assert_eq!(text.matches(from).count(), 1, "`{from}`");
            text.replace(from, to)
        });
        fs::write(live.join("scopegate.writing"), text).unwrap();
        fs::rename(live.join("scopegate.writing"), live.join("scopegate.json")).unwrap();
    }

    fn start(&self, program: &Path, upstream: SocketAddr) -> Envoy {
        let text = fs::read_to_string(root().join("examples/envoy-dynamic/envoy.yaml")).unwrap();
        let live = self.folder.path().join("live").display().to_string();
        let changes = [
            ("examples/envoy-dynamic/live", live.as_str(), 2),
            ("port_value: 8080", "port_value: 0", 1),
            ("port_value: 9901", "port_value: 0", 1),
            ("port_value: 9000", &format!("port_value: {}", upstream.port()), 1),
        ];
        let text = changes.iter().fold(text, |text, (from, to, times)| {
            assert_eq!(text.matches(from).count(), *times, "`{from}`");
            text.replace(from, to)
        });
        Envoy::start_with_workers(program, &text, Path::new("."), &[], WORKERS).unwrap()
    }
}

/// What all clients share.
struct Traffic {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    /// The policy that was published last.
    current: AtomicUsize,
    /// How many requests were answered.
    answered: AtomicUsize,
    /// How many were forwarded under the policy with that number.
    forwarded: Vec<AtomicUsize>,
    ended: AtomicBool,
}

impl Traffic {
    /// Sends tokens of the present policy, and of its neighbours, over one connection until the end.
    fn client(&self, first: usize) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for turn in first.. {
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            let current = self.current.load(Ordering::Relaxed);
            let number =
                [current, current, current.saturating_sub(1), current + 1][turn % 4].min(REPLACEMENTS);
            stream.write_all(&self.requests[number]).unwrap();
            let answer = Message::read(&mut reader, false).unwrap();
            let answer = answer.unwrap_or_else(|| panic!("request {turn} was dropped"));
            self.check(number, &answer);
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn check(&self, number: usize, answer: &Message) {
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        if answer.start.starts_with(b"HTTP/1.1 401") {
            assert_eq!(body["code"], "audience_mismatch", "a token of {number}");
            return;
        }
        assert!(
            answer.start.starts_with(b"HTTP/1.1 200"),
            "a token of {number}: {body}"
        );
        let seen: BTreeMap<String, String> =
            serde_json::from_value::<Vec<(String, String)>>(body["headers"].clone())
                .unwrap()
                .into_iter()
                .collect();
        let name = number.to_string();
        assert_eq!((&seen["x-left"], &seen["x-right"]), (&name, &name));
        self.forwarded[number].fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until so many requests more were answered, and some of them forwarded under the policy with this number.
    fn settle(&self, number: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + REQUESTS_EACH;
        let settled = wait::until("requests under the next policy", || {
            let enough = self.answered.load(Ordering::Relaxed) >= wanted;
            let taken = self.forwarded[number].load(Ordering::Relaxed) > 0;
            (enough && taken).then_some(())
        });
        settled.unwrap();
    }
}

#[test]
fn a_policy_is_replaced_under_load_and_no_request_is_lost_or_decided_by_two() {
    let Some(program) = envoy("a_policy_is_replaced_under_load_and_no_request_is_lost_or_decided_by_two")
    else {
        return;
    };
    let mut base = policy("policies/rest-api-tenants/policy.yaml");
    let mint = Mint::install(&mut base, "corp", &[Algorithm::ES256]).unwrap();
    let made = TempDir::new().unwrap();
    let bundles = bundles(
        made.path(),
        (0..=REPLACEMENTS).map(|number| numbered(&base, number)),
    );
    let deployment = Deployment::new();
    deployment.replace(&bundles[0]);
    let upstream = Upstream::start().unwrap();
    let envoy = deployment.start(&program, upstream.address());
    let request = |number| {
        let headers = [bearer(&token(&mint, number))];
        Message::request(b"GET", b"/orders", Some(b"api.example.com"), &headers, b"", &[])
    };
    let traffic = Traffic {
        address: envoy.listener("api").unwrap(),
        requests: (0..=REPLACEMENTS).map(request).collect(),
        current: AtomicUsize::new(0),
        answered: AtomicUsize::new(0),
        forwarded: (0..=REPLACEMENTS).map(|_| AtomicUsize::new(0)).collect(),
        ended: AtomicBool::new(false),
    };
    let traffic = &traffic;
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|first| scope.spawn(move || traffic.client(first)))
            .collect();
        for (number, bundle) in bundles.iter().enumerate() {
            if number > 0 {
                deployment.replace(bundle);
                traffic.current.store(number, Ordering::Relaxed);
            }
            traffic.settle(number);
            drop(upstream.take());
        }
        traffic.ended.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    let answered = traffic.answered.load(Ordering::Relaxed);
    assert!(answered >= REPLACEMENTS * REQUESTS_EACH, "{answered}");
    assert_eq!(
        stat(&envoy, "http.api.downstream_cx_total"),
        CLIENTS as u64,
        "no connection was closed"
    );
    println!("{answered} requests over {REPLACEMENTS} replacements");
}

/// What the test above relies on: the neighbours of a policy, mixed with it, answer nothing that it takes for right.
#[test]
fn two_policies_that_decide_together_would_be_seen() {
    let Some(program) = envoy("two_policies_that_decide_together_would_be_seen") else {
        return;
    };
    let mut base = policy("policies/rest-api-tenants/policy.yaml");
    let mint = Mint::install(&mut base, "corp", &[Algorithm::ES256]).unwrap();
    let made = TempDir::new().unwrap();
    let bundles = bundles(
        made.path(),
        [(1, 1), (1, 2), (2, 1)]
            .into_iter()
            .map(|(authentication, authorization)| mixed(&base, authentication, authorization)),
    );
    let deployment = Deployment::new();
    deployment.replace(&bundles[0]);
    let upstream = Upstream::start().unwrap();
    let envoy = deployment.start(&program, upstream.address());
    let asks = |number| {
        let token = token(&mint, number);
        everywhere(&envoy, "api", |address| {
            send(address, "GET", "/orders", &[bearer(&token)])
        })
    };
    assert_eq!(asks(1), passes());
    for (bundle, number) in [(&bundles[1], 1), (&bundles[2], 2)] {
        deployment.replace(bundle);
        let replaced = wait::until("a refusal for the scope", || {
            (asks(number) == refuses(403, "scope_missing")).then_some(())
        });
        replaced.unwrap();
    }
}

#[test]
fn what_cannot_be_loaded_takes_the_place_of_nothing() {
    let Some(program) = envoy("what_cannot_be_loaded_takes_the_place_of_nothing") else {
        return;
    };
    let mut base = policy("policies/rest-api-tenants/policy.yaml");
    let mint = Mint::install(&mut base, "corp", &[Algorithm::ES256]).unwrap();
    let made = TempDir::new().unwrap();
    let bundles = bundles(made.path(), (0..=1).map(|number| numbered(&base, number)));
    let deployment = Deployment::new();
    deployment.replace(&bundles[0]);
    let upstream = Upstream::start().unwrap();
    let envoy = deployment.start(&program, upstream.address());
    let asks = |number| {
        let token = token(&mint, number);
        everywhere(&envoy, "api", |address| {
            send(address, "GET", "/orders", &[bearer(&token)])
        })
    };
    let whole = fs::read(&bundles[1]).unwrap();
    let half = made.path().join("half.wasm");
    fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    let mut bytes = whole.clone();
    // A header of the compiled policy, which stands in the data before the sections that show the policy.
    let last = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).rposition(|window| window == text);
    let sections = last(&bytes, b"scopegate.manifest").unwrap();
    let place = last(&bytes[..sections], b"x-left").unwrap();
    bytes[place] ^= 1;
    let changed = made.path().join("changed.wasm");
    fs::write(&changed, bytes).unwrap();
    let text = made.path().join("text.wasm");
    fs::write(&text, "scopegate: v1\n").unwrap();
    // The plugin without a policy, and without a configuration that gives one.
    let wrong = [
        ("no file", None),
        ("half a bundle", Some(half)),
        ("a bundle with a byte changed", Some(changed)),
        ("no module", Some(text)),
        ("no policy", Some(module())),
    ];
    for (turn, (what, module)) in wrong.iter().enumerate() {
        match module {
            Some(module) => deployment.replace(module),
            None => deployment.name_no_file(),
        }
        let rejected = wait::until("the rejection", || {
            let count = stat(
                &envoy,
                "extension_config_discovery.http_filter.scopegate.update_rejected",
            );
            (count > turn as u64).then_some(())
        });
        rejected.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(asks(0), passes(), "{what}");
        assert_eq!(asks(1), refuses(401, "audience_mismatch"), "{what}");
    }
    deployment.replace(&bundles[1]);
    let replaced = wait::until("the right policy", || (asks(1) == passes()).then_some(()));
    replaced.unwrap();
    assert_eq!(asks(0), refuses(401, "audience_mismatch"));
}
