//! Which field belongs to which provider type: one table for all of them.
//!
//! A field that does not belong is refused, never ignored. What a field may say is checked where its type is
//! compiled.

use crate::section::{ProviderSection, ProviderType};

use super::Faults;

use ProviderType::{ApiKey, Introspection, Jwt, Mtls};

/// Refuses the fields of `section` that do not belong to its type.
pub(crate) fn refuse_foreign(faults: &mut Faults, path: &str, section: &ProviderSection) {
    for (field, owners) in fields_set(section) {
        if owners.contains(&section.provider_type) {
            continue;
        }
        let owners: Vec<String> = owners.iter().map(|owner| format!("`{}`", name(*owner))).collect();
        let message = format!("`{field}` belongs to providers of type {}", owners.join(" and "));
        faults.add(
            "field_not_of_type",
            format!("{path}.{field}"),
            message,
            "remove the field",
        );
    }
}

/// The fields that are set, each with the types it belongs to. `name` and `type` belong to all.
fn fields_set(section: &ProviderSection) -> impl Iterator<Item = (&'static str, &'static [ProviderType])> {
    let ProviderSection {
        name: _,
        provider_type: _,
        issuer,
        trust_domains,
        dns_names,
        audiences,
        algorithms,
        profile,
        keys,
        clock_skew,
        max_lifetime,
        require,
        claims,
        binding,
        dpop,
        credential,
        forward_credential,
        proxy_verifies,
        forwarded_by,
        endpoint,
        upstream,
        client_auth,
        cache,
    } = section;
    let table: [(&'static str, bool, &'static [ProviderType]); 21] = [
        ("issuer", issuer.is_some(), &[Jwt, Introspection]),
        ("trust_domains", trust_domains.is_some(), &[Jwt, Mtls]),
        ("dns_names", dns_names.is_some(), &[Mtls]),
        ("audiences", audiences.is_some(), &[Jwt, Introspection]),
        ("algorithms", algorithms.is_some(), &[Jwt]),
        ("profile", profile.is_some(), &[Jwt]),
        ("keys", keys.is_some(), &[Jwt, ApiKey]),
        ("clock_skew", clock_skew.is_some(), &[Jwt, Introspection]),
        ("max_lifetime", max_lifetime.is_some(), &[Jwt]),
        ("require", require.is_some(), &[Jwt, Introspection]),
        ("claims", claims.is_some(), &[Jwt, Introspection]),
        ("binding", binding.is_some(), &[Jwt, Introspection]),
        ("dpop", dpop.is_some(), &[Jwt, Introspection]),
        ("credential", credential.is_some(), &[Jwt, ApiKey, Introspection]),
        (
            "forward_credential",
            forward_credential.is_some(),
            &[Jwt, ApiKey, Introspection],
        ),
        ("proxy_verifies", proxy_verifies.is_some(), &[Mtls]),
        ("forwarded_by", forwarded_by.is_some(), &[Mtls]),
        ("endpoint", endpoint.is_some(), &[Introspection]),
        ("upstream", upstream.is_some(), &[Introspection]),
        ("client_auth", client_auth.is_some(), &[Introspection]),
        ("cache", cache.is_some(), &[Introspection]),
    ];
    let set = table.into_iter().filter(|(_, is_set, _)| *is_set);
    set.map(|(field, _, owners)| (field, owners))
}

/// The name of a type, as authors write it.
const fn name(provider_type: ProviderType) -> &'static str {
    match provider_type {
        Jwt => "jwt",
        ApiKey => "api_key",
        Mtls => "mtls",
        Introspection => "introspection",
    }
}
