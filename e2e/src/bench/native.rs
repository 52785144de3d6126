//! What stands beside the plugin: Envoy's own filters for the same work, and a module that does next to nothing.

use std::path::Path;

use serde_json::{Value, json};

use super::policies::{AUDIENCE, ISSUER};

/// Envoy's own check of tokens, with the same keys.
pub(super) fn jwt_authn(jwks: &Value, cached: bool) -> Value {
    let cache = json!({"jwt_cache_size": 1000});
    let cache = cached.then_some(("jwt_cache_config", cache));
    let keys = ("local_jwks", json!({"inline_string": jwks.to_string()}));
    jwt_authn_with([keys].into_iter().chain(cache))
}

/// The same with keys that Envoy fetches itself from this cluster, as often as `every` says; its cache is off.
pub(super) fn jwt_authn_fetching(uri: &str, cluster: &str, every: &str) -> Value {
    let keys = json!({
        "http_uri": {"uri": uri, "cluster": cluster, "timeout": "5s"},
        "cache_duration": every,
        "async_fetch": {},
    });
    jwt_authn_with([("remote_jwks", keys)])
}

fn jwt_authn_with(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let usual = [
        ("issuer", json!(ISSUER)),
        ("audiences", json!([AUDIENCE])),
        ("payload_in_metadata", json!("claims")),
    ];
    let fields = usual.into_iter().chain(fields);
    let provider: serde_json::Map<_, _> = fields.map(|(name, value)| (name.to_owned(), value)).collect();
    json!({"name": "envoy.filters.http.jwt_authn", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"corp": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "corp"}}],
    }})
}

/// Envoy's own rules over the claims, one policy for each route.
pub(super) fn rbac(routes: usize) -> Value {
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
    let rules: serde_json::Map<_, _> = (0..routes).map(rule).collect();
    json!({"name": "envoy.filters.http.rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": rules},
    }})
}

/// A module in text form that asks what time it is on each request, and no more: the floor of Wasm.
const ONE_CALL: &str = r#"(module
  (import "env" "proxy_get_current_time_nanoseconds" (func $now (param i32) (result i32)))
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 65536))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (global.get $next) (local.get $size)))
    (local.get $at))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $now (i32.const 1024)))
    (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32)))"#;

/// Writes the module that makes one host call into `folder`, as Envoy takes it: in binary form.
pub(super) fn one_call_module(folder: &Path) -> std::io::Result<std::path::PathBuf> {
    let file = folder.join("one_call.wasm");
    let bytes = wat::parse_str(ONE_CALL).map_err(std::io::Error::other)?;
    std::fs::write(&file, bytes)?;
    Ok(file)
}
