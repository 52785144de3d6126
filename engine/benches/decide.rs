//! What one decision costs, stage by stage: `cargo bench -p scopegate-engine --bench decide`.
//!
//! `ONLY=permitted` takes one of them, `REQUESTS=300` so many a round: for a profiler.
//!
//! A figure for people, never a test. What it costs inside a proxy is measured there: `cargo xtask bench`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench measures time, and has nothing to catch"
)]

use std::hint::black_box;
use std::time::Instant;

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use scopegate_authn::{Attempt, Secrets};
use scopegate_document::UnixTime;
use scopegate_engine::{Compiled, Engine, Progress, Request};
use serde_json::{Value, json};
use sha2::Sha256;

const NOW: i64 = 1_790_000_000;
const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const ROUNDS: u32 = 7;

struct Environment;

impl Secrets for Environment {
    fn get(&self, _: &str) -> Option<String> {
        Some(URL_SAFE_NO_PAD.encode_to_string(SECRET))
    }
}

fn main() {
    let requests = std::env::var("REQUESTS").map_or(20_000, |count| count.parse().unwrap());
    let engine = engine(1_000);
    let bearer = format!("Bearer {}", token());
    let own: [(&str, &str); 4] = [
        ("user-agent", "bench/1.0"),
        ("accept", "*/*"),
        ("x-request-id", "5f1e"),
        ("x-forwarded-proto", "https"),
    ];
    let plain: Vec<(&[u8], &[u8])> = own
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let mut with_token = plain.clone();
    with_token.push((b"authorization", bearer.as_bytes()));
    println!("| decision | ns |");
    println!("|---|---:|");
    for (name, path, headers, code) in [
        ("permitted, token proved before", "/r7/acme", &with_token, "allow"),
        (
            "denied: another tenant's",
            "/r7/other",
            &with_token,
            "tenant_mismatch",
        ),
        ("rejected: no token", "/r7/acme", &plain, "credential_missing"),
        ("public route", "/healthz", &plain, "allow"),
        ("no route", "/nowhere", &plain, "no_route"),
    ] {
        if std::env::var("ONLY").is_ok_and(|only| !name.contains(&only)) {
            continue;
        }
        let request = Request {
            method: b"GET",
            path: path.as_bytes(),
            authority: Some(b"api.example.com"),
            headers,
            peer: None,
            source: None,
            id: "5f1e",
            serial: 1,
        };
        println!("| {name} | {} |", median(&engine, &request, code, requests));
    }
}

/// Nanoseconds of a decision, the median of some rounds.
fn median(engine: &Engine, request: &Request<'_>, code: &str, requests: u32) -> u128 {
    let mut live = engine.authenticator().live();
    let mut decide = || match engine.decide(request, &mut live, &Attempt::last(), Some(UnixTime(NOW))) {
        Progress::Decided(decision) => decision,
        other @ (Progress::Claim(_) | Progress::Wait(_)) => panic!("{other:?}"),
    };
    assert_eq!(decide().code, code);
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..requests {
                black_box(decide());
            }
            start.elapsed().as_nanos() / u128::from(requests)
        })
        .collect();
    rounds.sort_unstable();
    *rounds.get(rounds.len() / 2).unwrap()
}

fn engine(routes: usize) -> Engine {
    let guarded = (1..routes).map(|number| {
        json!({
            "id": format!("r{number}"),
            "match": {"methods": ["GET"], "path": format!("/r{number}/{{tenant}}")},
            "access": {"scopes": {"all": ["orders:read"]}, "tenant": "{tenant}"},
        })
    });
    let public =
        json!({"id": "health", "match": {"methods": ["GET"], "path": "/healthz"}, "access": "public"});
    let routes: Vec<Value> = std::iter::once(public).chain(guarded).collect();
    let policy = json!({
        "scopegate": "v1",
        "metadata": {"name": "bench", "version": "1.0.0"},
        "authentication": {
            "realm": "orders",
            "providers": [{
                "name": "corp", "type": "jwt", "issuer": "https://idp.example.com",
                "audiences": ["https://api.example.com"], "algorithms": ["HS256"],
                "keys": [{"kid": "k1", "alg": "HS256", "secret": {"env": "SECRET"}}], "claims": {"tenant": "tid"},
            }],
            "identity_headers": {"subject": "x-auth-subject", "tenant": "x-auth-tenant", "scopes": "x-auth-scopes"},
        },
        "authorization": {"scopes": {"orders:read": "Read", "orders:write": "Write"}, "routes": routes},
        "audit": {"authentication": "failures", "authorization": "denials"},
    });
    let Compiled { engine, .. } = Engine::from_json(policy.to_string().as_bytes(), &Environment).unwrap();
    engine
}

fn token() -> String {
    let claims = json!({
        "iss": "https://idp.example.com", "aud": "https://api.example.com", "sub": "anna", "tid": "acme",
        "scope": "orders:read orders:write", "client_id": "web", "iat": NOW - 10, "exp": NOW + 600,
        "filler": "x".repeat(300),
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let input = format!(
        "{}.{}",
        part(&json!({"alg": "HS256", "kid": "k1"})),
        part(&claims)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(input.as_bytes());
    format!(
        "{input}.{}",
        URL_SAFE_NO_PAD.encode_to_string(mac.finalize().into_bytes())
    )
}
