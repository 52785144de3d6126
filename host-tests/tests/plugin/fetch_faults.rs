//! Faults of the host while keys are fetched: each host call of a tick and of the answer to a callout failing in each
//! way. Nothing passes that should not, the module lives on, and the keys are there soon after.

use scopegate_host_tests::{Answer, Faults, Host, LogLevel, MapType, Outcome, Status, StreamId};
use serde_json::json;

use crate::common::{FAILURES, refused, stopped};
use crate::issuer::{
    Pair, Server, UPSTREAM, decided, document, keys, loaded, pass, passed, policy_with, started, worker,
};

fn pair() -> Pair {
    Pair::new("k1", "first")
}

fn stranger() -> Pair {
    Pair::new("k1", "stranger")
}

/// A worker just before the tick that is looked at, and the requests that wait for it.
struct Scene {
    host: Host,
    good: Option<StreamId>,
    bad: Option<StreamId>,
}

impl Scene {
    fn of(mut host: Host, waits: bool) -> Self {
        let mut hold = |pair: Pair| {
            let exchange = host.request(pair.request().body("b").trailer("x-auth-subject", "root"));
            assert_eq!(exchange.outcome, Outcome::Paused);
            exchange.stream
        };
        let (good, bad) = match waits {
            true => (Some(hold(pair())), Some(hold(stranger()))),
            false => (None, None),
        };
        host.trace();
        Self { host, good, bad }
    }

    fn start() -> Self {
        Self::of(started(worker(&Server::of(&[&pair()])).trace()), true)
    }

    /// A refresh, with an answer that says that nothing changed.
    fn refresh() -> Self {
        let server = Server::of(&[]);
        server.upstreams.document(
            UPSTREAM,
            "/jwks",
            crate::issuer::jwks(&[&pair()]).to_string(),
            "7",
        );
        let mut host = started(worker(&server).trace());
        host.tick().unwrap();
        host.clock().advance(700);
        Self::of(host, false)
    }

    /// An answer that is worth nothing.
    fn refusal() -> Self {
        let server = Server::of(&[&pair()]);
        let mut host = started(worker(&server).trace());
        host.tick().unwrap();
        server.answer(Answer::Response(keys(&[])));
        host.clock().advance(700);
        Self::of(host, false)
    }

    fn discovery() -> Self {
        let server = Server::of(&[]);
        let metadata =
            json!({"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/keys"});
        server
            .upstreams
            .on(UPSTREAM, "/metadata", Answer::Response(document(&metadata)));
        server
            .upstreams
            .on(UPSTREAM, "/keys", Answer::Response(keys(&[&pair()])));
        let policy =
            policy_with(json!({"discovery": "https://idp.example.com/metadata", "upstream": UPSTREAM}));
        Self::of(
            started(worker(&server).configuration(policy.to_string()).trace()),
            true,
        )
    }

    /// Requires that nobody passed who should not, and that all is well soon after.
    fn judge(mut self, why: &str) {
        self.host.inject(Faults::none());
        for stream in [self.good, self.bad].into_iter().flatten() {
            let exchange = self.host.wait(stream, std::time::Duration::from_secs(4));
            // A stream that cannot be entered counts as gone: the client, or the proxy's own patience, ends it. So does one
            // whose machine trapped.
            let is_entered = !why.contains("proxy_set_effective_context") && self.host.failure().is_none();
            assert!(
                !is_entered || exchange.outcome != Outcome::Paused,
                "{why}: held for ever"
            );
            let is_good = Some(stream) == self.good;
            match exchange.forwarded() {
                Some(forwarded) => {
                    assert!(is_good, "{why}: the stranger passed");
                    assert_eq!(forwarded.header("x-auth-subject"), Some(&b"anna"[..]), "{why}");
                    assert!(forwarded.trailers.is_empty(), "{why}");
                }
                None => assert!(exchange.response.is_none(), "{why}"),
            }
        }
        let exchange = decided(&mut self.host, stranger().request());
        assert!(exchange.forwarded().is_none(), "{why}: {:?}", exchange.outcome);
        if self.host.failure().is_some() {
            return;
        }
        stopped(&self.host, &exchange, why);
        pass(&mut [&mut self.host], 62);
        passed(&decided(&mut self.host, pair().request()), why);
    }
}

/// What the SDK makes a trap of, out of the module's reach: other answers to a callout's dispatch than the three it
/// knows, and a root that cannot be entered for an answer. No host gives them.
fn traps_in_the_sdk(function: &str, status: Status) -> bool {
    match function {
        "proxy_http_call" => !matches!(status, Status::BadArgument | Status::InternalFailure),
        "proxy_set_effective_context" => true,
        _ => false,
    }
}

fn each_call_fails(name: &str, scene: fn() -> Scene) {
    let mut baseline = scene();
    baseline.host.tick().unwrap();
    let made: Vec<&str> = baseline.host.trace().iter().map(|call| call.function).collect();
    assert!(
        made.contains(&"proxy_http_call") && made.len() > 6,
        "{name}: {made:?}"
    );
    baseline.judge(&format!("{name}: no fault"));
    let mut traps = 0;
    for (number, function) in made.iter().enumerate() {
        for status in FAILURES {
            let why = format!("{name}: {function} answers {status:?} as call {number}");
            let mut scene = scene();
            scene.host.inject(Faults::none().call(number, status));
            let ticked = scene.host.tick();
            let may_trap = traps_in_the_sdk(function, status);
            assert!(ticked.is_ok() || may_trap, "{why}: {ticked:?}");
            traps += usize::from(ticked.is_err());
            scene.judge(&why);
        }
    }
    println!("{name}: {} calls, {traps} traps in the SDK", made.len());
}

#[test]
fn a_host_call_that_fails_at_the_first_fetch_opens_nothing() {
    each_call_fails("the first fetch", Scene::start);
}

#[test]
fn a_host_call_that_fails_at_a_refresh_opens_nothing() {
    each_call_fails("a refresh", Scene::refresh);
}

#[test]
fn a_host_call_that_fails_when_an_answer_is_refused_opens_nothing() {
    each_call_fails("a refusal", Scene::refusal);
}

#[test]
fn a_host_call_that_fails_at_discovery_opens_nothing() {
    each_call_fails("discovery", Scene::discovery);
}

#[test]
fn a_function_that_never_works_while_keys_are_fetched_opens_nothing() {
    let mut baseline = Scene::start();
    baseline.host.tick().unwrap();
    let mut functions: Vec<&str> = baseline.host.trace().iter().map(|call| call.function).collect();
    functions.sort_unstable();
    functions.dedup();
    for function in functions {
        for status in FAILURES {
            let why = format!("{function} always answers {status:?}");
            let mut scene = Scene::start();
            scene.host.inject(Faults::none().function(function, status));
            for _ in 0..35 {
                let ticked = scene.host.tick();
                assert!(
                    ticked.is_ok() || traps_in_the_sdk(function, status),
                    "{why}: {ticked:?}"
                );
            }
            for stream in [scene.good, scene.bad].into_iter().flatten() {
                let exchange = scene.host.resume(stream);
                assert!(
                    Some(stream) == scene.good || exchange.forwarded().is_none(),
                    "{why}"
                );
            }
            let exchange = scene.host.request(stranger().request());
            assert!(exchange.forwarded().is_none(), "{why}: {:?}", exchange.outcome);
        }
    }
}

#[test]
fn an_answer_whose_headers_or_body_cannot_be_read_is_no_answer() {
    let hidden = [
        Faults::none().missing_map(MapType::HttpCallResponseHeaders),
        Faults::none().function("proxy_get_buffer_bytes", Status::BadArgument),
        Faults::none().function("proxy_get_buffer_bytes", Status::NotFound),
        Faults::none().allocation(0),
    ];
    for faults in hidden {
        let why = format!("{faults:?}");
        let server = Server::of(&[&pair()]);
        let mut host = loaded(&server);
        server.publish(&[&stranger()]);
        host.inject(faults);
        host.clock().advance(700);
        host.tick().unwrap();
        host.inject(Faults::none());
        passed(&host.request(pair().request()), &why);
        assert_eq!(
            refused(&host.request(stranger().request())),
            (401, "signature_invalid".to_owned()),
            "{why}"
        );
    }
}

#[test]
fn nothing_of_an_answer_or_of_a_secret_is_logged() {
    let server = Server::of(&[]);
    let body = json!({"keys": [{"kty": "oct", "kid": "whose", "k": "dGhlLXNlY3JldA"}], "note": "the-note"});
    server.answer(Answer::Response(document(&body).header("x-answer", "the-header")));
    let mut host = started(worker(&server));
    host.tick().unwrap();
    let lines: Vec<_> = host
        .logs()
        .into_iter()
        .filter(|line| line.level >= LogLevel::Warn)
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for word in ["dGhlLXNlY3JldA", "the-note", "the-header", "whose"] {
        assert!(!lines[0].message.contains(word), "{}", lines[0].message);
    }
}
