//! What one decision costs, whole and stage by stage: `cargo bench -p scopegate-engine --bench decide`. What the same
//! costs in a host: `cargo bench -p scopegate-host-tests --bench module`.
//!
//! `ONLY=permitted` takes one of them, `REQUESTS=300` so many a round: for a profiler.
//!
//! A figure for people, never a test. What it costs inside a proxy is measured there: `cargo xtask bench`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench measures time, and has nothing to catch"
)]

use std::hint::black_box;
use std::time::Instant;

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use scopegate_authn::section::AuthenticationSection;
use scopegate_authn::{Attempt, Authenticator, Fields, Secrets, Step};
use scopegate_authz::section::AuthorizationSection;
use scopegate_authz::{Action, Authorizer, Circumstances, ProviderFacts, Target};
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
        println!("| {name} | {} |", decision(&engine, &request, code, requests));
    }
    if std::env::var("ONLY").is_err() {
        stages(&bearer, &with_token, requests);
    }
}

/// The stages of a request that is permitted, each on its own.
fn stages(bearer: &str, headers: &[(&[u8], &[u8])], requests: u32) {
    let policy = policy(1_000);
    let section: AuthenticationSection = serde_json::from_value(policy["authentication"].clone()).unwrap();
    let (authenticator, _) = Authenticator::compile(&section, &Environment).unwrap();
    let section: AuthorizationSection = serde_json::from_value(policy["authorization"].clone()).unwrap();
    let providers = [ProviderFacts {
        name: "corp".to_owned(),
        carries_scopes: true,
    }];
    let authorizer = Authorizer::compile(&section, &providers).unwrap();
    let target = Target {
        method: b"GET",
        path: b"/r7/acme",
        authority: Some(b"api.example.com"),
        headers,
    };
    let fields = Fields {
        headers,
        method: b"GET",
        target: b"/r7/acme",
        ..Fields::default()
    };
    let mut live = authenticator.live();
    let now = UnixTime(NOW);
    let caller = match authenticator.authenticate(fields, &mut live, &Attempt::last(), now) {
        Ok(Step::Done(caller)) => caller,
        other => panic!("{other:?}"),
    };
    let action = match authorizer.select(target) {
        Ok(Action::Guarded(action)) => action,
        other => panic!("{other:?}"),
    };
    let asked = Circumstances {
        now,
        target,
        source: None,
    };
    println!("\n| stage | ns |");
    println!("|---|---:|");
    let show = |name: &str, nanoseconds: u128| println!("| {name} | {nanoseconds} |");
    show(
        "understand the request, select its route",
        median(requests, || black_box(authorizer.select(target)).is_ok()),
    );
    show(
        "authenticate, token proved before",
        median(requests, || {
            authenticator
                .authenticate(fields, &mut live, &Attempt::last(), now)
                .is_ok()
        }),
    );
    show(
        &format!("authenticate, first sight of {} bytes, HS256", bearer.len()),
        median(requests / 20, || {
            let mut empty = authenticator.live();
            authenticator
                .authenticate(fields, &mut empty, &Attempt::last(), now)
                .is_ok()
        }),
    );
    show(
        "authorize",
        median(requests, || action.authorize(&caller, &asked).is_ok()),
    );
    show(
        "strip",
        median(requests, || !authenticator.strip(&fields).remove.is_empty()),
    );
    show("write both records", records(headers, requests));
}

/// Nanoseconds of writing the records of a permitted request.
fn records(headers: &[(&[u8], &[u8])], requests: u32) -> u128 {
    let mut policy = policy(10);
    policy["audit"] = json!({"authentication": "all", "authorization": "all"});
    let Compiled { engine, .. } = Engine::from_json(policy.to_string().as_bytes(), &Environment).unwrap();
    let request = Request {
        method: b"GET",
        path: b"/r7/acme",
        authority: Some(b"api.example.com"),
        headers,
        ..Request::unseen("5f1e")
    };
    let mut live = engine.authenticator().live();
    let decision = match engine.decide(&request, &mut live, &Attempt::last(), Some(UnixTime(NOW))) {
        Progress::Decided(decision) => decision,
        other @ (Progress::Claim(_) | Progress::Wait(_)) => panic!("{other:?}"),
    };
    assert_eq!(decision.audit.len(), 2);
    median(requests, || {
        decision
            .audit
            .iter()
            .all(|record| !black_box(record.line()).is_empty())
    })
}

/// Nanoseconds of a decision.
fn decision(engine: &Engine, request: &Request<'_>, code: &str, requests: u32) -> u128 {
    let mut live = engine.authenticator().live();
    let mut decide = || match engine.decide(request, &mut live, &Attempt::last(), Some(UnixTime(NOW))) {
        Progress::Decided(decision) => decision,
        other @ (Progress::Claim(_) | Progress::Wait(_)) => panic!("{other:?}"),
    };
    assert_eq!(decide().code, code);
    median(requests, || black_box(decide()).code == code)
}

/// Nanoseconds of something that must be true each time, the median of some rounds.
fn median(times: u32, mut once: impl FnMut() -> bool) -> u128 {
    let times = times.max(1);
    let mut round = |_| {
        let start = Instant::now();
        assert!((0..times).all(|_| once()));
        start.elapsed().as_nanos() / u128::from(times)
    };
    let mut rounds: Vec<u128> = (0..ROUNDS).map(&mut round).collect();
    rounds.sort_unstable();
    *rounds.get(rounds.len() / 2).unwrap()
}

fn engine(routes: usize) -> Engine {
    let policy = policy(routes);
    let Compiled { engine, .. } = Engine::from_json(policy.to_string().as_bytes(), &Environment).unwrap();
    engine
}

fn policy(routes: usize) -> Value {
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
    json!({
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
    })
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
