//! The refusals that a policy can give, read off its fields: each code with the field that makes it reachable. Faults of
//! form that any credential and any request can have, and those of the host, follow from no field and are not here.

use serde_json::Value;

use super::points::{mentions, providers, routes};

/// A code, and the path of the field that it follows from; none where it follows from the policy as a whole.
type Reachable = (&'static str, Option<String>);

/// Every code that tests of this policy can be expected to show, each once.
pub(super) fn reachable(policy: &Value) -> Vec<Reachable> {
    let mut codes = vec![("no_route", None)];
    let is_guarded = routes(policy)
        .iter()
        .any(|(_, access)| access.as_str() != Some("public"));
    if is_guarded {
        codes.push(("credential_missing", None));
        for (at, provider) in providers(policy).iter().enumerate() {
            let path = format!("authentication.providers[{at}]");
            let found = of_provider(provider).into_iter();
            codes.extend(found.map(|(code, field)| (code, Some(format!("{path}{field}")))));
        }
        codes.extend(of_revocation(policy));
    }
    codes.extend(of_routes(policy).into_iter().map(|code| (code, None)));
    let mut known = std::collections::BTreeSet::new();
    codes.retain(|(code, _)| known.insert(*code));
    codes
}

/// What a provider refuses, and the field of it that says so.
fn of_provider(provider: &Value) -> Vec<(&'static str, &'static str)> {
    let says = |pointer: &str| provider.pointer(pointer).is_some();
    let binding = provider["binding"].as_str().unwrap_or_default();
    let is_proved = matches!(binding, "dpop" | "any");
    let (is_jwt, is_opaque) = (provider["type"] == "jwt", provider["type"] == "introspection");
    let keys = provider["keys"].as_array();
    let some_key_ends = keys.is_some_and(|keys| keys.iter().any(|key| key.get("expires").is_some()));
    let is_bounded = says("/max_lifetime") && provider["max_lifetime"] != "unlimited";
    [
        ("token_expired", "", is_jwt),
        ("signature_invalid", "", is_jwt),
        ("issuer_unknown", ".issuer", says("/issuer")),
        ("audience_mismatch", ".audiences", says("/audiences")),
        (
            "algorithm_not_allowed",
            ".algorithms",
            is_jwt && says("/algorithms"),
        ),
        ("type_mismatch", ".profile", provider["profile"] == "rfc9068"),
        ("lifetime_too_long", ".max_lifetime", is_bounded),
        ("claim_missing", ".require", says("/require/claims")),
        ("claim_mismatch", ".require", says("/require/claims")),
        (
            "keys_unavailable",
            ".keys",
            says("/keys/jwks_uri") || says("/keys/discovery"),
        ),
        ("api_key_unknown", "", provider["type"] == "api_key"),
        (
            "api_key_expired",
            ".keys",
            provider["type"] == "api_key" && some_key_ends,
        ),
        ("peer_unidentified", "", provider["type"] == "mtls"),
        ("token_inactive", "", is_opaque),
        ("introspection_unavailable", ".endpoint", is_opaque),
        ("proof_missing", ".binding", is_proved),
        ("proof_invalid", ".binding", is_proved),
        ("proof_replayed", ".binding", is_proved),
        (
            "proof_nonce",
            ".dpop.nonce",
            provider
                .pointer("/dpop/nonce")
                .is_some_and(|nonce| nonce == "required"),
        ),
        (
            "binding_mismatch",
            ".binding",
            matches!(binding, "dpop" | "mtls" | "any"),
        ),
    ]
    .into_iter()
    .filter_map(|(code, field, reachable)| reachable.then_some((code, field)))
    .collect()
}

fn of_revocation(policy: &Value) -> Vec<Reachable> {
    let Some(revocation) = policy.pointer("/authentication/revocation") else {
        return Vec::new();
    };
    let lists = |names: &[&'static str]| {
        let mut names = names.iter();
        let name = names.find(|name| match revocation.get(**name) {
            Some(Value::Array(entries)) => !entries.is_empty(),
            other => other.is_some(),
        });
        name.map(|name| format!("authentication.revocation.{name}"))
    };
    let entries = ["tokens", "subjects", "clients", "feed", "status_lists"];
    [
        ("token_revoked", lists(&entries)),
        ("key_revoked", lists(&["keys"])),
        ("revocation_unavailable", lists(&["feed", "status_lists"])),
    ]
    .into_iter()
    .filter(|(_, path)| path.is_some())
    .collect()
}

/// What the rules of routes refuse. The rules themselves are points of their own.
fn of_routes(policy: &Value) -> Vec<&'static str> {
    let accesses: Vec<&Value> = routes(policy).into_iter().map(|(_, access)| access).collect();
    let has = |fields: &[&str]| {
        let mut fields = fields.iter();
        fields.any(|field| accesses.iter().any(|access| access.get(field).is_some()))
    };
    let scopes = |kinds: &[&str]| {
        let said = accesses.iter().filter_map(|access| access.get("scopes"));
        said.flat_map(|scopes| kinds.iter().map(move |kind| mentions(scopes, kind)))
            .any(|is_there| is_there)
    };
    let is_narrowed = |access: &&Value| {
        let named = access.get("providers").and_then(Value::as_array);
        named.is_some_and(|named| named.len() < providers(policy).len())
    };
    let can_err = |access: &&Value| access["when"].as_str().is_some_and(can_err);
    [
        ("scope_missing", scopes(&["all", "any"])),
        ("scope_forbidden", scopes(&["none"])),
        ("tenant_mismatch", has(&["tenant"])),
        ("client_not_allowed", has(&["clients"])),
        ("actor_not_allowed", has(&["actors"])),
        ("step_up_required", has(&["acr", "amr", "max_auth_age"])),
        ("outside_window", has(&["windows"])),
        ("source_not_allowed", has(&["sources"])),
        (
            "condition_false",
            has(&["when", "headers", "query", "environment"]),
        ),
        ("condition_error", accesses.iter().any(can_err)),
        ("provider_not_allowed", accesses.iter().any(is_narrowed)),
    ]
    .into_iter()
    .filter_map(|(code, reachable)| reachable.then_some(code))
    .collect()
}

/// Whether a condition reads a claim and nowhere asks whether it is there: a token without it makes it err. Of all other
/// conditions nobody can tell from the text.
fn can_err(condition: &str) -> bool {
    const CLAIMS: &str = "caller.claims.";
    let asks = condition.contains("has(") || condition.contains(" in caller.claims");
    condition.contains(CLAIMS) && !asks
}
