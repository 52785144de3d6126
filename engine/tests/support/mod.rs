//! A policy, tokens for it, and requests: what the tests of decisions share.

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use scopegate_authn::{Attempt, Secrets};
use scopegate_document::UnixTime;
use scopegate_engine::{Decision, Engine, Progress, Request};
use serde_json::{Value, json};
use sha2::Sha256;

/// The time of all tests: 2026-11-22T09:00:00Z.
pub(crate) const NOW: UnixTime = UnixTime(1_795_338_000);

const SECRET: &[u8; 32] = b"a secret of thirty-two bytes, ok";

/// The environment of the tests.
pub(crate) struct Environment;

impl Secrets for Environment {
    fn get(&self, name: &str) -> Option<String> {
        (name == "SIGNING_SECRET").then(|| URL_SAFE_NO_PAD.encode_to_string(SECRET))
    }
}

/// A policy that records everything, with one guarded and one public route.
pub(crate) fn policy() -> Value {
    json!({
        "scopegate": "v1",
        "metadata": {"name": "orders-api", "version": "3.1.0"},
        "authentication": {
            "realm": "orders",
            "providers": [{
                "name": "corp",
                "type": "jwt",
                "issuer": "https://idp.example.com",
                "audiences": ["orders"],
                "algorithms": ["HS256"],
                "keys": [{"kid": "k1", "alg": "HS256", "secret": {"env": "SIGNING_SECRET"}}],
                "claims": {"tenant": "tid"}
            }],
            "identity_headers": {"subject": "x-auth-subject", "scopes": "x-auth-scopes", "email": "x-auth-email"}
        },
        "authorization": {
            "scopes": {"orders:read": "Read", "orders:write": "Write"},
            "routes": [
                {"id": "health", "match": {"methods": ["GET"], "path": "/healthz"}, "access": "public"},
                {"id": "orders.list", "match": {"methods": ["GET"], "path": "/tenants/{tenant}/orders"},
                 "access": {"scopes": {"all": ["orders:read"]}, "tenant": "{tenant}"}},
                {"id": "orders.create", "match": {"methods": ["POST"], "path": "/tenants/{tenant}/orders"},
                 "access": {"scopes": {"all": ["orders:read", "orders:write"]}, "tenant": "{tenant}"}}
            ]
        },
        "audit": {"authentication": "all", "authorization": "all"}
    })
}

/// The engine of `policy`.
pub(crate) fn engine(policy: &Value) -> Engine {
    Engine::from_value(policy, &Environment)
        .expect("a good policy")
        .engine
}

/// A token with `claims` over the usual ones, signed with HS256.
pub(crate) fn token(claims: Value) -> String {
    let mut all = json!({
        "iss": "https://idp.example.com", "aud": "orders", "sub": "anna", "tid": "acme", "scope": "orders:read",
        "iat": NOW.0 - 60, "exp": NOW.0 + 600, "email": "anna@example.com",
    });
    for (name, value) in claims.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    let encode = |text: String| URL_SAFE_NO_PAD.encode_to_string(text);
    let header = encode(json!({"alg": "HS256", "kid": "k1", "typ": "at+jwt"}).to_string());
    let signed = format!("{header}.{}", encode(all.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("a key");
    mac.update(signed.as_bytes());
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode_to_string(mac.finalize().into_bytes())
    )
}

/// The decision on a request with these headers.
pub(crate) fn decide(engine: &Engine, method: &str, path: &str, headers: &[(&str, &str)]) -> Decision {
    let headers: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let request = Request {
        method: method.as_bytes(),
        path: path.as_bytes(),
        authority: Some(b"api.example.com"),
        headers: &headers,
        peer: None,
        source: None,
        id: "r-1",
        serial: 1,
    };
    decide_at(engine, &request, Some(NOW))
}

/// The decision at `now`, where nothing was proved before and nothing is fetched.
pub(crate) fn decide_at(engine: &Engine, request: &Request<'_>, now: Option<UnixTime>) -> Decision {
    let mut live = engine.authenticator().live();
    match engine.decide(request, &mut live, &Attempt::default(), now) {
        Progress::Decided(decision) => *decision,
        other @ (Progress::Claim(_) | Progress::Wait(_)) => panic!("nothing is waited for here: {other:?}"),
    }
}
