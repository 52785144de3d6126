//! The rows: what stands between the client and a direct answer.

use std::collections::BTreeMap;
use std::path::Path;

use scopegate_harness::keys::Algorithm;
use serde_json::{Value, json};

use super::BenchError;
use crate::envoy::bootstrap::{Listener, plugin};
use crate::http1::Message;
use crate::mint::Mint;

const ISSUER: &str = "https://idp.example.com";
const AUDIENCE: &str = "https://api.example.com/orders";
const ROUTES: usize = 23;
const MANY_ROUTES: usize = 1000;

/// A listener, the request that is sent to it, and the status that must come back.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) listener: Listener,
    pub(super) request: Vec<u8>,
    pub(super) status: u16,
}

/// Every row, the one without filters first.
pub(super) fn rows(module: &Path) -> Result<Vec<Row>, BenchError> {
    let mut policy = policy(ROUTES);
    let mint = Mint::install(&mut policy, "corp", &[Algorithm::RS256, Algorithm::ES256])?;
    let jwks = policy
        .pointer("/authentication/providers/0/keys/jwks")
        .cloned()
        .unwrap_or_default();
    let mut large = self::policy(MANY_ROUTES);
    if let Some(keys) = large.pointer_mut("/authentication/providers/0/keys") {
        *keys = json!({"jwks": jwks});
    }
    let claims =
        json!({"sub": "anna", "scope": "orders:read orders:write", "tid": "acme", "client_id": "web"});
    let (rsa, ec) = (
        mint.token(Algorithm::RS256, &claims)?,
        mint.token(Algorithm::ES256, &claims)?,
    );
    let guard = |policy: &Value| vec![plugin(module, &policy.to_string(), &BTreeMap::new())];
    let (small, large) = (guard(&policy), guard(&large));
    let jwt = |cached: bool| jwt_authn(&jwks, cached);
    let (rsa, ec) = (Some(rsa.as_str()), Some(ec.as_str()));
    Ok(vec![
        row("no filter", vec![], "/r7/acme", rsa, 200),
        row("jwt_authn RS256, cache on", vec![jwt(true)], "/r7/acme", rsa, 200),
        row(
            "jwt_authn RS256, cache on, rbac",
            vec![jwt(true), rbac()],
            "/r7/acme",
            rsa,
            200,
        ),
        row("jwt_authn RS256", vec![jwt(false)], "/r7/acme", rsa, 200),
        row(
            "jwt_authn RS256, rbac",
            vec![jwt(false), rbac()],
            "/r7/acme",
            rsa,
            200,
        ),
        row(
            "jwt_authn ES256, rbac",
            vec![jwt(false), rbac()],
            "/r7/acme",
            ec,
            200,
        ),
        row("scopegate RS256", small.clone(), "/r7/acme", rsa, 200),
        row("scopegate RS256, 1000 routes", large, "/r7/acme", rsa, 200),
        row("scopegate ES256", small.clone(), "/r7/acme", ec, 200),
        row("scopegate, no token", small.clone(), "/r7/acme", None, 401),
        row("scopegate, public route", small, "/healthz", None, 200),
    ])
}

fn row(name: &str, filters: Vec<Value>, path: &str, token: Option<&str>, status: u16) -> Row {
    let mut headers = vec![(b"x-request-id".to_vec(), b"bench".to_vec())];
    headers.extend(token.map(|token| (b"authorization".to_vec(), format!("Bearer {token}").into_bytes())));
    let request = Message::request(
        b"GET",
        path.as_bytes(),
        Some(b"api.example.com"),
        &headers,
        b"",
        &[],
    );
    Row {
        listener: Listener::new(name, filters).answering_at_once(),
        request,
        status,
    }
}

/// A policy with so many routes beside the public one, each for one scope and one tenant.
fn policy(routes: usize) -> Value {
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
            "providers": [{
                "name": "corp", "type": "jwt", "issuer": ISSUER, "audiences": [AUDIENCE],
                "algorithms": ["RS256", "ES256"], "keys": {"jwks": {"keys": []}},
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

/// Envoy's own check of tokens, with the same keys.
fn jwt_authn(jwks: &Value, cached: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": jwks.to_string()},
        "payload_in_metadata": "claims",
    });
    if let (true, Some(fields)) = (cached, provider.as_object_mut()) {
        fields.insert("jwt_cache_config".to_owned(), json!({"jwt_cache_size": 1000}));
    }
    json!({"name": "envoy.filters.http.jwt_authn", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"corp": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "corp"}}],
    }})
}

/// Envoy's own rules over the claims, one policy for each route.
fn rbac() -> Value {
    let rule = |number: usize| {
        let permission = json!({"and_rules": {"rules": [
            {"header": {"name": ":method", "string_match": {"exact": "GET"}}},
            {"url_path": {"path": {"prefix": format!("/r{number}/")}}},
        ]}});
        let principal = json!({"metadata": {
            "filter": "envoy.filters.http.jwt_authn",
            "path": [{"key": "claims"}, {"key": "scope"}],
            "value": {"string_match": {"contains": "orders:read"}},
        }});
        (
            format!("r{number}"),
            json!({"permissions": [permission], "principals": [principal]}),
        )
    };
    let rules: serde_json::Map<_, _> = (0..ROUTES).map(rule).collect();
    json!({"name": "envoy.filters.http.rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": rules},
    }})
}
