//! The test that would reach a point, in words that can be written into a test file.

use crate::coverage::Point;

pub(super) fn hint(point: &Point) -> String {
    match point {
        Point::Allowed(route) => {
            format!("send a request that the route lets through: `expect: {{allow: {route}}}`")
        }
        Point::Refused(_) => {
            "send a request without a token: `expect: {reject: credential_missing}`".to_owned()
        }
        Point::Rule { code, .. } => format!("{}, and `expect: {{deny: {code}}}`", refused(code)),
        Point::Granted(scope) => {
            format!("send a request that is let in, by a token with the scope `{scope}`")
        }
        Point::Lacking(scope) => {
            format!(
                "send a request to a route that asks for it, by a token without `{scope}`, and \
                 `expect: {{deny: scope_missing}}`"
            )
        }
        Point::Code(code) => format!("{}, and `expect: {{deny: {code}}}`", refused(code)),
    }
}

/// What is refused with a code.
fn refused(code: &str) -> &'static str {
    match code {
        "no_route" => "send a request to a path that no route matches",
        "credential_missing" => "send a request to a guarded route without a token",
        "token_expired" => "send a token with `expires_in: -1m`",
        "signature_invalid" => "send a token that is signed with a key of no provider",
        "issuer_unknown" => "send a token with another `iss`: `claims: {iss: \"https://elsewhere.example\"}`",
        "audience_mismatch" => {
            "send a token for another audience: `claims: {aud: \"https://elsewhere.example\"}`"
        }
        "algorithm_not_allowed" => {
            "send a token that names an algorithm which the provider does not list: `alg: RS512`"
        }
        "type_mismatch" => "send a token of another kind: `header: {typ: JWT}`",
        "lifetime_too_long" => "send a token that lives longer than `max_lifetime`: `expires_in: 400d`",
        "claim_missing" => "send a token without a claim that `require` names: `claims: {NAME: null}`",
        "claim_mismatch" => "send a token with another value of a claim that `require` names",
        "keys_unavailable" => "let the upstream of the keys fail: `upstreams: {NAME: [{fails: broken}]}`",
        "introspection_unavailable" => {
            "let the introspection endpoint fail: `upstreams: {NAME: [{fails: broken}]}`"
        }
        "token_revoked" => "send a token that was revoked",
        "key_revoked" => "send a token by a key that was revoked: `keys: {old: {kid: ..}}`",
        "revocation_unavailable" => "let the feed or the list fail: `upstreams: {NAME: [{fails: broken}]}`",
        "proof_invalid" => "send a proof that is too old: `dpop: {issued_in: -10m}`",
        "proof_nonce" => "send a proof before the nonce is known",
        "condition_error" => "send a token without a claim that the condition reads",
        "api_key_unknown" => "send an API key that the policy does not know",
        "api_key_expired" => "send an API key after its `expires`: set `now`",
        "peer_unidentified" => {
            "send a request without a client certificate, or with one of another trust domain"
        }
        "token_inactive" => "send a token that the introspection endpoint answers `active: false` for",
        "proof_missing" => "send a bound token without `dpop`",
        "proof_replayed" => "send one DPoP proof twice: `dpop: {again: true}` in a second step",
        "binding_mismatch" => "send a bound token with another client certificate, or a proof by another key",
        "scope_missing" => "send a token without a scope that the route asks for",
        "scope_forbidden" => "send a token with a scope that the route excludes",
        "tenant_mismatch" => "send a token of another tenant",
        "client_not_allowed" => "send a token of a client that the route does not list",
        "actor_not_allowed" => "send a token with an `act` claim that the route does not allow",
        "step_up_required" => "send a token of a weaker or an older log-in",
        "outside_window" => "send a request outside of the hours: set `now`",
        "source_not_allowed" => "send a request from an address outside: `peer: {address: ...}`",
        "condition_false" => "send a request for which the condition is false",
        "provider_not_allowed" => "send a token of a provider that the route does not list",
        _ => "send a request that is refused so",
    }
}
