//! What a request costs in the module, in this host: `cargo bench -p scopegate-host-tests --bench module`.
//!
//! Instructions and host calls are the same in each run, and held to a record by the tests; the time is this machine's,
//! with the host's own part in it. What it costs inside Envoy is measured there: `cargo xtask bench`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench measures time, and has nothing to catch"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit, Mac};
use scopegate_host_tests::{Clock, Host, Module, Request};
use serde_json::{Value, json};
use sha2::Sha256;

const NOW: u64 = 1_790_000_000;
const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const REQUESTS: usize = 2_000;
const ROUTES: usize = 1_000;

fn main() {
    let module = Module::from_file(path()).unwrap();
    println!("| request | instructions | host calls | us |");
    println!("|---|---:|---:|---:|");
    let seen = token(0);
    type Make<'m> = &'m dyn Fn(usize) -> Request;
    let rows: [(&str, Make<'_>); 6] = [
        ("permitted, token proved before", &|_| bearer("/r7/acme", &seen)),
        ("permitted, first sight, HS256", &|number| {
            bearer("/r7/acme", &token(number.saturating_add(1)))
        }),
        ("denied: another tenant's", &|_| bearer("/r7/other", &seen)),
        ("rejected: no token", &|_| request("/r7/acme")),
        ("public route", &|_| request("/healthz")),
        ("no route", &|_| request("/nowhere")),
    ];
    for (name, make) in rows {
        let mut host = host(&module);
        let made: Vec<Request> = (0..REQUESTS).map(make).collect();
        let cost = host.cost(made.len() / 20, |number| made.get(number).unwrap().clone());
        let start = Instant::now();
        for one in &made {
            host.request(one.clone());
        }
        let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(REQUESTS).unwrap());
        let calls = cost.host_calls.get(cost.host_calls.len() / 2).unwrap();
        println!("| {name} | {} | {calls} | {each:.1} |", cost.median_fuel());
    }
}

/// Where the module is: `$SCOPEGATE_WASM`, or where `cargo xtask wasm` puts it.
fn path() -> PathBuf {
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/wasm32-wasip1/release/scopegate_plugin.wasm");
    std::env::var_os("SCOPEGATE_WASM").map_or(built, PathBuf::from)
}

fn host(module: &Module) -> Host {
    Host::builder(module)
        .clock(Clock::virtual_at(NOW))
        .environment([("SECRET", BASE64URL.encode_to_string(SECRET))])
        .configuration(policy().to_string())
        .build()
        .unwrap()
}

fn policy() -> Value {
    let guarded = (1..ROUTES).map(|number| {
        json!({
            "id": format!("r{number}"),
            "match": {"methods": ["GET"], "path": format!("/r{number}/{{tenant}}")},
            "access": {"scopes": {"all": ["orders:read"]}, "tenant": "{tenant}"},
        })
    });
    let public =
        json!({"id": "health", "match": {"methods": ["GET"], "path": "/healthz"}, "access": "public"});
    json!({
        "scopegate": "v1",
        "authentication": {
            "providers": [{
                "name": "corp", "type": "jwt", "issuer": "https://idp.example.com",
                "audiences": ["https://api.example.com"], "algorithms": ["HS256"],
                "keys": [{"kid": "k1", "alg": "HS256", "secret": {"env": "SECRET"}}], "claims": {"tenant": "tid"},
            }],
            "identity_headers": {"subject": "x-auth-subject", "tenant": "x-auth-tenant", "scopes": "x-auth-scopes"},
        },
        "authorization": {
            "scopes": {"orders:read": "Read", "orders:write": "Write"},
            "routes": std::iter::once(public).chain(guarded).collect::<Vec<Value>>(),
        },
        "audit": {"authentication": "failures", "authorization": "denials"},
    })
}

fn request(path: &str) -> Request {
    Request::get("api.example.com", path)
        .header("x-request-id", "5f1e0c9a-0000-4000-8000-000000000001")
        .header("user-agent", "bench/1.0")
        .header("accept", "application/json")
}

fn bearer(path: &str, token: &str) -> Request {
    request(path).header("authorization", format!("Bearer {token}"))
}

fn token(number: usize) -> String {
    let claims = json!({
        "iss": "https://idp.example.com", "aud": "https://api.example.com", "sub": "anna", "tid": "acme",
        "scope": "orders:read orders:write", "client_id": "web", "jti": format!("{number:012}"), "iat": NOW - 10,
        "exp": NOW + 600, "filler": "x".repeat(300),
    });
    let part = |value: &Value| BASE64URL.encode_to_string(value.to_string());
    let input = format!(
        "{}.{}",
        part(&json!({"alg": "HS256", "kid": "k1"})),
        part(&claims)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(input.as_bytes());
    let signature = BASE64URL.encode_to_string(mac.finalize().into_bytes());
    format!("{input}.{signature}")
}
