//! An issuer whose keys are fetched: key pairs made here, tokens signed with them, and the server that publishes them
//! as each test wants it. Time passes as it does in a proxy: ten ticks a second.

use std::cell::Cell;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use scopegate_host_tests::{
    Answer, Callout, Exchange, Host, HostBuilder, LocalUpstreams, Metric, Outcome, Request, Response,
};

use crate::common::{NOW, builder, policy};

/// The name that the policy gives the issuer's server.
pub(crate) const UPSTREAM: &str = "idp";

/// A key pair of the issuer.
#[derive(Clone)]
pub(crate) struct Pair {
    kid: String,
    key: SigningKey,
}

impl Pair {
    /// The same `material` makes the same key.
    pub(crate) fn new(kid: &str, material: &str) -> Self {
        let key = SigningKey::from_slice(&Sha256::digest(material)).unwrap();
        Self {
            kid: kid.to_owned(),
            key,
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.key.verifying_key().to_sec1_point(false);
        let part = |bytes: &[u8]| BASE64URL.encode_to_string(bytes);
        json!({
            "kty": "EC",
            "crv": "P-256",
            "kid": self.kid,
            "alg": "ES256",
            "use": "sig",
            "x": part(point.x().unwrap()),
            "y": part(point.y().unwrap()),
        })
    }

    /// A token for anna, who may read orders, with these claims besides or instead.
    pub(crate) fn token_with(&self, more: Value) -> String {
        let mut claims = json!({
            "iss": "https://idp.example.com",
            "aud": "https://api.example.com",
            "sub": "anna",
            "scope": "orders:read",
            "iat": NOW - 10,
            "exp": NOW + 20 * 60 * 60,
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.signed(&json!({"alg": "ES256", "kid": self.kid}), &claims)
    }

    /// A compact JWS with this header and these claims, whatever the header says of algorithm and key.
    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64URL.encode_to_string(value.to_string());
        let input = format!("{}.{}", part(header), part(claims));
        let signature: Signature = self.key.sign(input.as_bytes());
        format!("{input}.{}", BASE64URL.encode_to_string(signature.to_bytes()))
    }

    /// A request with such a token.
    pub(crate) fn request(&self) -> Request {
        bearer(&self.token_with(json!({})))
    }
}

/// A request for orders with this token.
pub(crate) fn bearer(token: &str) -> Request {
    Request::get("api.example.com", "/orders").header("authorization", format!("Bearer {token}"))
}

/// The key set of these pairs.
pub(crate) fn jwks(pairs: &[&Pair]) -> Value {
    json!({"keys": pairs.iter().map(|pair| pair.jwk()).collect::<Vec<Value>>()})
}

/// A good answer with this document.
pub(crate) fn document(document: &Value) -> Response {
    let body = document.to_string();
    Response::new(200)
        .header("content-type", "application/json")
        .header("content-length", body.len().to_string())
        .body(body)
}

/// A good answer with the keys of these pairs.
pub(crate) fn keys(pairs: &[&Pair]) -> Response {
    document(&jwks(pairs))
}

/// The path of the key set.
const JWKS: &str = "/jwks";

/// The issuer's server: it answers as it was last told to.
pub(crate) struct Server {
    pub(crate) upstreams: LocalUpstreams,
    seen: Cell<usize>,
}

impl Server {
    /// A server that publishes the keys of these pairs.
    pub(crate) fn of(pairs: &[&Pair]) -> Self {
        let server = Self {
            upstreams: LocalUpstreams::default(),
            seen: Cell::new(0),
        };
        server.publish(pairs);
        server
    }

    /// A server that never answers by itself.
    pub(crate) fn silent() -> Self {
        let server = Self::of(&[]);
        server.answer(Answer::Later);
        server
    }

    /// From now on it publishes the keys of these pairs.
    pub(crate) fn publish(&self, pairs: &[&Pair]) {
        self.answer(Answer::Response(keys(pairs)));
    }

    /// From now on this is its answer for keys.
    pub(crate) fn answer(&self, answer: Answer) {
        self.upstreams.on(UPSTREAM, JWKS, answer);
    }

    /// What it was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<Callout> {
        let asked = self.upstreams.asked();
        let seen = self.seen.replace(asked.len());
        asked.into_iter().skip(seen).collect()
    }

    /// How often it was asked since the last call.
    pub(crate) fn count(&self) -> usize {
        self.asked().len()
    }
}

/// The policy, with keys that are fetched as `keys` says.
pub(crate) fn policy_with(keys: Value) -> Value {
    let mut policy = policy();
    let provider = &mut policy["authentication"]["providers"][0];
    provider["algorithms"] = json!(["ES256"]);
    provider["keys"] = keys;
    policy
}

/// The policy, with the issuer's key set.
pub(crate) fn fetching() -> Value {
    policy_with(json!({"jwks_uri": "https://idp.example.com/jwks", "upstream": UPSTREAM}))
}

/// Sets up a worker with the policy and the server.
pub(crate) fn worker(server: &Server) -> HostBuilder {
    builder()
        .upstreams(&server.upstreams)
        .configuration(fetching().to_string())
}

/// Starts a worker.
pub(crate) fn started(builder: HostBuilder) -> Host {
    let mut host = builder.build().unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    host
}

/// A worker that has the keys of the server.
pub(crate) fn loaded(server: &Server) -> Host {
    let mut host = started(worker(server));
    host.tick().unwrap();
    server.asked();
    host
}

/// A tenth of a second: the time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Lets so many seconds pass for workers that share a clock.
pub(crate) fn pass(hosts: &mut [&mut Host], seconds: u64) {
    for _ in 0..seconds * 10 {
        step(hosts);
    }
}

/// Lets the time of a tick pass for workers that share a clock.
pub(crate) fn step(hosts: &mut [&mut Host]) {
    let mut by = TICK;
    for host in hosts {
        // The first moves the clock of all.
        host.advance(by).unwrap();
        by = Duration::ZERO;
    }
}

/// A request, waited for where the module holds it.
pub(crate) fn decided(host: &mut Host, request: Request) -> Exchange {
    let exchange = host.request(request);
    if exchange.outcome == Outcome::Paused {
        return host.wait(exchange.stream, Duration::from_secs(10));
    }
    exchange
}

/// Requires that a request passes, as anna, without its credential.
pub(crate) fn passed(exchange: &Exchange, why: &str) {
    let forwarded = exchange
        .forwarded()
        .unwrap_or_else(|| panic!("{why}: {:?}", exchange.outcome));
    assert_eq!(forwarded.header("x-auth-subject"), Some(&b"anna"[..]), "{why}");
    assert_eq!(forwarded.header("authorization"), None, "{why}");
}

/// Requires that a request was answered as an outage of the keys, with a time to try again.
pub(crate) fn unavailable(exchange: &Exchange, why: &str) {
    let Outcome::LocalReply(reply) = &exchange.outcome else {
        panic!("{why}: no reply: {:?}", exchange.outcome)
    };
    assert_eq!(reply.status, 503, "{why}");
    assert!(
        reply.details.ends_with(":keys_unavailable"),
        "{why}: {}",
        reply.details
    );
    let seconds = reply
        .header("retry-after")
        .map(|value| String::from_utf8_lossy(value).into_owned());
    assert!(
        seconds.is_some_and(|text| text.parse::<u32>().is_ok()),
        "{why}: no Retry-After"
    );
}

/// The value of a metric that must be there.
pub(crate) fn shown(host: &Host, name: &str) -> u64 {
    match host.metrics().get(name) {
        Some(Metric::Gauge(value) | Metric::Counter(value)) => *value,
        other => panic!("{name}: {other:?}"),
    }
}

/// A counter's value; 0 where nothing was counted.
pub(crate) fn counted(host: &Host, name: &str) -> u64 {
    match host.metrics().get(name) {
        Some(Metric::Counter(value)) => *value,
        other => {
            assert_eq!(other, None, "{name}");
            0
        }
    }
}
