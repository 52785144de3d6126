//! The policies that are measured: one shape, with so many routes, and one thing changed at a time.

use serde_json::{Value, json};

pub(super) const ISSUER: &str = "https://idp.example.com";
pub(super) const AUDIENCE: &str = "https://api.example.com/orders";
pub(super) const PROVIDER: &str = "corp";
pub(super) const ORIGIN: &str = "https://api.example.com";

/// The path of a guarded route, for the tenant `acme`.
pub(super) const PATH: &str = "/r7/acme";

/// A policy with so many routes, the public one among them, each for one scope and one tenant.
pub(super) fn with_routes(routes: usize) -> Value {
    let guarded = (0..routes.saturating_sub(1)).map(|number| {
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
            "origins": [ORIGIN],
            "providers": [{
                "name": PROVIDER, "type": "jwt", "issuer": ISSUER, "audiences": [AUDIENCE],
                "algorithms": ["RS256", "ES256", "EdDSA"], "keys": {"jwks": {"keys": []}},
                "claims": {"scopes": ["scope"], "subject": "sub", "client": "client_id", "tenant": "tid"},
            }],
            "identity_headers": {"subject": "x-auth-subject", "tenant": "x-auth-tenant", "scopes": "x-auth-scopes"},
        },
        "authorization": {
            "scopes": {"orders:read": "Read", "orders:write": "Write"},
            "routes": routes,
        },
        "audit": {"authentication": "failures", "authorization": "denials"},
    })
}

/// The policy with `value` at `pointer`.
pub(super) fn changed(mut policy: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(members) = policy.pointer_mut(parent).and_then(Value::as_object_mut) {
        members.insert(name.to_owned(), value);
    }
    policy
}

/// The policy with `value` as that field of its provider.
pub(super) fn provider(policy: Value, field: &str, value: Value) -> Value {
    changed(policy, &format!("/authentication/providers/0/{field}"), value)
}

/// The policy, with an expression on every guarded route.
pub(super) fn with_condition(mut policy: Value, expression: &str) -> Value {
    let routes = policy
        .pointer_mut("/authorization/routes")
        .and_then(Value::as_array_mut);
    for route in routes.into_iter().flatten() {
        if let Some(access) = route.get_mut("access").and_then(Value::as_object_mut) {
            access.insert("when".to_owned(), json!(expression));
        }
    }
    policy
}
