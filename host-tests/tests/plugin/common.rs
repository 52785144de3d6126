//! The module, a policy for it, and tokens made here. The policy knows one symmetric key, so that a token needs
//! no more than a hash.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use scopegate_host_tests::{Clock, Exchange, Host, HostBuilder, Module, Outcome, Request, Status};

pub(crate) const NOW: u64 = 1_790_000_000;
const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// The ways in which a host call may fail.
pub(crate) const FAILURES: [Status; 8] = [
    Status::NotFound,
    Status::BadArgument,
    Status::ParseFailure,
    Status::InvalidMemoryAccess,
    Status::Empty,
    Status::CasMismatch,
    Status::InternalFailure,
    Status::Unimplemented,
];

/// Where the module is: `$SCOPEGATE_WASM`, or where `cargo xtask wasm` puts it.
pub(crate) fn path() -> PathBuf {
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/wasm32-wasip1/release/scopegate_plugin.wasm");
    let path = std::env::var_os("SCOPEGATE_WASM").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "no module at `{}`: build it with `cargo xtask wasm`",
        path.display()
    );
    path
}

/// The module, compiled once for all tests.
pub(crate) fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| Module::from_file(path()).unwrap())
}

pub(crate) fn policy() -> Value {
    json!({
        "scopegate": "v1",
        "metadata": {"name": "orders", "version": "1.0.0"},
        "authentication": {
            "realm": "orders",
            "providers": [{
                "name": "corp",
                "type": "jwt",
                "issuer": "https://idp.example.com",
                "audiences": ["https://api.example.com"],
                "algorithms": ["HS256"],
                "keys": [{"kid": "k1", "alg": "HS256", "secret": {"env": "ORDERS_SECRET"}}],
            }],
            "identity_headers": {"subject": "x-auth-subject", "scopes": "x-auth-scopes"},
        },
        "authorization": {
            "scopes": {"orders:read": "Read orders"},
            "routes": [
                {"id": "health", "match": {"methods": ["GET"], "path": "/healthz"}, "access": "public"},
                {
                    "id": "orders.list",
                    "match": {"methods": ["GET", "POST"], "path": "/orders"},
                    "access": {"scopes": {"all": ["orders:read"]}},
                },
            ],
        },
        "audit": {"authentication": "all", "authorization": "all"},
    })
}

pub(crate) fn builder() -> HostBuilder {
    Host::builder(module())
        .clock(Clock::virtual_at(NOW))
        .environment([("ORDERS_SECRET", secret())])
        .configuration(policy().to_string())
}

/// The secret of the policy's key, as it stands in the environment.
pub(crate) fn secret() -> String {
    BASE64URL.encode_to_string(SECRET)
}

/// A host with the policy in force.
pub(crate) fn host() -> Host {
    let mut host = builder().trace().build().unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    host.logs();
    host.trace();
    host
}

/// A token that the policy accepts, for anna, who may read orders.
pub(crate) fn token() -> String {
    let claims = json!({
        "iss": "https://idp.example.com",
        "aud": "https://api.example.com",
        "sub": "anna",
        "scope": "orders:read",
        "iat": NOW - 10,
        "exp": NOW + 600,
    });
    signed(&json!({"alg": "HS256", "kid": "k1"}), &claims)
}

pub(crate) fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL.encode_to_string(value.to_string());
    let input = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(input.as_bytes());
    let signature = BASE64URL.encode_to_string(mac.finalize().into_bytes());
    format!("{input}.{signature}")
}

/// A request that the policy permits.
pub(crate) fn permitted() -> Request {
    Request::get("api.example.com", "/orders").header("authorization", format!("Bearer {}", token()))
}

/// A request that lacks a credential.
pub(crate) fn anonymous() -> Request {
    Request::get("api.example.com", "/orders")
}

pub(crate) fn public() -> Request {
    Request::get("api.example.com", "/healthz")
}

/// Requires that the module itself answered, and gives the status and the code.
pub(crate) fn refused(exchange: &Exchange) -> (u16, String) {
    let Outcome::LocalReply(reply) = &exchange.outcome else {
        panic!("no reply: {:?}", exchange.outcome)
    };
    let code = reply.details.rsplit(':').next().unwrap_or_default();
    (reply.status, code.to_owned())
}

/// Requires that the request was not forwarded and that the module lives.
pub(crate) fn stopped(host: &Host, exchange: &Exchange, why: &str) {
    assert!(
        exchange.forwarded().is_none(),
        "{why}: forwarded: {:?}",
        exchange.outcome
    );
    assert_eq!(host.failure(), None, "{why}");
}
