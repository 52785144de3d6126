//! What is revoked: by the policy and by a feed alike, for every kind of credential, and at once.

use scopegate_host_tests::{Answer, Exchange, Host, HostBuilder, Outcome, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{NOW, refused};
use crate::issuer::{
    Pair, Server, UPSTREAM, bearer, counted, document, jwks, pass, policy_with, started, step, worker,
};

pub(crate) const FEED: &str = "/revoked";
pub(crate) const WORKLOAD: &str = "spiffe://prod.example.com/batch";
const WEB: &str = "spiffe://prod.example.com/web";
/// 200 seconds before the tests begin.
const CUTOFF: &str = "2026-09-21T14:10:00Z";
const CUTOFF_SECONDS: u64 = NOW - 200;

pub(crate) fn pair() -> Pair {
    Pair::new("k1", "first")
}

pub(crate) fn token(claims: Value) -> Request {
    bearer(&pair().token_with(claims))
}

pub(crate) fn api_key(key: &str) -> Request {
    Request::get("api.example.com", "/orders").header("x-api-key", key)
}

pub(crate) fn workload(id: &str) -> Request {
    Request::get("api.example.com", "/orders")
        .property("connection.peer_certificate_valid", [1])
        .property("connection.sha256_peer_certificate_digest", "5a".repeat(32))
        .property("connection.uri_san_peer_certificate", id)
}

/// A policy with tokens, API keys and peers, and these revocations.
fn policy(revocation: Value) -> String {
    let mut policy = policy_with(json!({"jwks": jwks(&[&pair(), &Pair::new("k2", "second")])}));
    let key = |name: &str| {
        let digest: String = Sha256::digest(name)
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        json!({"id": format!("{name}-2026"), "sha256": digest, "subject": name, "client": format!("{name}-shop")})
    };
    let providers = policy["authentication"]["providers"].as_array_mut().unwrap();
    providers.push(json!({
        "name": "partners",
        "type": "api_key",
        "credential": {"header": "x-api-key"},
        "keys": [key("acme"), key("beta")],
    }));
    providers.push(json!({"name": "mesh", "type": "mtls", "trust_domains": ["prod.example.com"]}));
    policy["authentication"]["revocation"] = revocation;
    let grant = |provider: &str, subject: &str| json!({"caller": {"provider": provider, "subject": subject}, "scopes": ["orders:read"]});
    policy["authorization"]["grants"] = json!([
        grant("partners", "acme"),
        grant("partners", "beta"),
        grant("mesh", WORKLOAD),
        grant("mesh", WEB),
    ]);
    policy["authorization"]["routes"][1]["access"]["providers"] = json!(["corp", "partners", "mesh"]);
    policy.to_string()
}

/// A worker with a feed that is asked every half a minute and serves for five.
pub(crate) fn polling(server: &Server) -> HostBuilder {
    let feed = json!({
        "uri": "https://idp.example.com/revoked", "upstream": UPSTREAM, "refresh": "30s", "max_stale": "5m",
    });
    worker(server).configuration(policy(json!({"feed": feed})))
}

/// A server whose feed says this.
pub(crate) fn serving(feed: &Value) -> Server {
    let server = Server::of(&[]);
    publish(&server, feed);
    server
}

pub(crate) fn publish(server: &Server, feed: &Value) {
    server
        .upstreams
        .on(UPSTREAM, FEED, Answer::Response(document(feed)));
}

/// A worker that has the feed of the server.
pub(crate) fn fed(server: &Server) -> Host {
    let mut host = started(polling(server));
    host.tick().unwrap();
    assert_eq!(server.count(), 1);
    host
}

/// A feed that revokes the token of this name.
pub(crate) fn revoking(jti: &str) -> Value {
    json!({"tokens": [{"provider": "corp", "jti": jti}]})
}

pub(crate) fn named(jti: &str) -> Request {
    token(json!({"jti": jti}))
}

pub(crate) fn code(exchange: &Exchange, why: &str) -> Option<String> {
    if exchange.forwarded().is_some() {
        return None;
    }
    let (status, code) = refused(exchange);
    assert_eq!(status, 401, "{why}: {code}");
    Some(code)
}

/// Requires that a request passed.
pub(crate) fn allowed(exchange: &Exchange, why: &str) {
    assert!(exchange.forwarded().is_some(), "{why}: {:?}", exchange.outcome);
}

/// Requires that a request was answered as an outage of what tells of revocations, with a time to try again.
pub(crate) fn unknown(exchange: &Exchange, why: &str) {
    let Outcome::LocalReply(reply) = &exchange.outcome else {
        panic!("{why}: no reply: {:?}", exchange.outcome)
    };
    assert_eq!(
        refused(exchange),
        (503, "revocation_unavailable".to_owned()),
        "{why}"
    );
    let seconds = reply
        .header("retry-after")
        .and_then(|value| std::str::from_utf8(value).ok());
    assert!(
        seconds.is_some_and(|text| text.parse::<u32>().is_ok()),
        "{why}: no Retry-After"
    );
}

const REVOKED: Option<&str> = Some("token_revoked");

type Row = (&'static str, Value, Request, Option<&'static str>);

fn tokens() -> Vec<Row> {
    let subject = json!({"subjects": [{"provider": "corp", "subject": "anna", "issued_before": CUTOFF}]});
    let client = json!({"clients": [{"provider": "corp", "client": "kiosk"}]});
    let older = json!({"clients": [{"provider": "corp", "client": "kiosk", "issued_before": CUTOFF}]});
    let key = json!({"keys": [{"provider": "corp", "kid": "k1"}]});
    let issued = |at: u64| token(json!({"iat": at, "client_id": "kiosk"}));
    let undated = || {
        let claims = json!({
            "iss": "https://idp.example.com", "aud": "https://api.example.com", "sub": "anna",
            "scope": "orders:read", "client_id": "kiosk", "exp": NOW + 600,
        });
        bearer(&pair().signed(&json!({"alg": "ES256", "kid": "k1"}), &claims))
    };
    vec![
        ("its jti", revoking("t1"), named("t1"), REVOKED),
        ("another jti", revoking("t1"), named("t2"), None),
        ("another case of the jti", revoking("t1"), named("T1"), None),
        ("no jti", revoking("t1"), token(json!({})), None),
        (
            "a subject, before",
            subject.clone(),
            issued(CUTOFF_SECONDS - 1),
            REVOKED,
        ),
        (
            "a subject, at the instant",
            subject.clone(),
            issued(CUTOFF_SECONDS),
            None,
        ),
        (
            "a subject, after",
            subject.clone(),
            issued(CUTOFF_SECONDS + 1),
            None,
        ),
        (
            "a subject, issued nobody knows when",
            subject.clone(),
            undated(),
            REVOKED,
        ),
        (
            "another subject",
            subject,
            token(json!({"sub": "berta", "iat": NOW - 900})),
            None,
        ),
        ("its key", key.clone(), token(json!({})), Some("key_revoked")),
        ("another key", key, Pair::new("k2", "second").request(), None),
        ("its client", client.clone(), issued(NOW), REVOKED),
        (
            "another client",
            client.clone(),
            token(json!({"client_id": "web"})),
            None,
        ),
        ("no client", client, token(json!({})), None),
        (
            "a client, before",
            older.clone(),
            issued(CUTOFF_SECONDS - 1),
            REVOKED,
        ),
        (
            "a client, at the instant",
            older.clone(),
            issued(CUTOFF_SECONDS),
            None,
        ),
        ("a client, issued nobody knows when", older, undated(), REVOKED),
    ]
}

fn others() -> Vec<Row> {
    let key = json!({"keys": [{"provider": "partners", "kid": "acme-2026"}]});
    let of = |provider: &str, subject: &str| json!({"subjects": [{"provider": provider, "subject": subject, "issued_before": CUTOFF}]});
    let shop = json!({"clients": [{"provider": "partners", "client": "acme-shop"}]});
    vec![
        (
            "an API key by its id",
            key.clone(),
            api_key("acme"),
            Some("key_revoked"),
        ),
        ("another API key", key.clone(), api_key("beta"), None),
        ("a token beside a revoked API key", key, token(json!({})), None),
        (
            "an API key by its subject",
            of("partners", "acme"),
            api_key("acme"),
            REVOKED,
        ),
        ("an API key by its client", shop, api_key("acme"), REVOKED),
        (
            "a peer by its subject",
            of("mesh", WORKLOAD),
            workload(WORKLOAD),
            REVOKED,
        ),
        ("another peer", of("mesh", WORKLOAD), workload(WEB), None),
        (
            "a name of another provider",
            of("partners", WORKLOAD),
            workload(WORKLOAD),
            None,
        ),
        (
            "a subject of another provider",
            of("mesh", "anna"),
            token(json!({"iat": NOW - 900})),
            None,
        ),
    ]
}

#[test]
fn a_policy_and_a_feed_revoke_alike() {
    for (why, lists, request, expected) in tokens().into_iter().chain(others()) {
        let server = serving(&lists);
        let own = started(worker(&server).configuration(policy(lists)));
        for (way, mut host) in [("policy", own), ("feed", fed(&server))] {
            let why = format!("{why}, by the {way}");
            for _ in 0..2 {
                let exchange = host.request(request.clone());
                assert_eq!(code(&exchange, &why).as_deref(), expected, "{why}");
            }
        }
    }
}

#[test]
fn what_was_proved_before_is_refused_by_the_first_request_after_the_feed() {
    let issued = token(json!({"jti": "t1", "iat": CUTOFF_SECONDS - 1, "client_id": "kiosk"}));
    for (why, lists, _, expected) in tokens().into_iter().filter(|(.., expected)| expected.is_some()) {
        let server = serving(&json!({"tokens": []}));
        let mut host = fed(&server);
        allowed(&host.request(named("other")), why);
        let [first, again] = [0; 2].map(|_| host.request(issued.clone()));
        allowed(&again, why);
        assert!(again.fuel * 5 < first.fuel, "{why}: proved anew");
        publish(&server, &lists);
        let mut steps = 0..310;
        while counted(&host, "scopegate.fetch.revocations.changed") == 1 {
            allowed(&host.request(issued.clone()), &format!("{why}: nobody knows yet"));
            step(&mut [&mut host]);
            assert!(steps.next().is_some(), "{why}: nobody asked for half a minute");
        }
        assert_eq!(
            code(&host.request(issued.clone()), why).as_deref(),
            expected,
            "{why}"
        );
        publish(&server, &json!({"tokens": []}));
        pass(&mut [&mut host], 31);
        allowed(&host.request(issued.clone()), &format!("{why}: no more"));
    }
}
