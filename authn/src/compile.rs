//! From the section as written to an [`Authenticator`]: every fault found, each with its path and its remedy.
//!
//! Conversions destructure every field, so that a new field breaks the build until somebody decides what it does.

mod api_key;
pub(crate) mod binding;
mod faults;
mod fetched;
mod fields;
mod identity;
mod introspection;
mod keys;
mod location;
mod mtls;
mod provider;
mod revocation;
mod secret;

use scopegate_document::PolicyError;

use crate::authenticator::Secrets;
use crate::credential::CredentialLocation;
use crate::provider::{Authority, Provider};
use crate::remote::Source;
use crate::section::AuthenticationSection;
use crate::{Authenticator, Notice};

pub(crate) use faults::Faults;
pub(crate) use keys::accepts;

/// What compiling a part needs and leaves behind.
pub(crate) struct Context<'s> {
    pub(crate) secrets: &'s dyn Secrets,
    pub(crate) faults: Faults,
    pub(crate) notices: Vec<Notice>,
    /// The documents that are fetched, found so far.
    pub(crate) sources: Vec<Source>,
}

/// Compiles the section.
pub(crate) fn compile(
    section: &AuthenticationSection,
    secrets: &dyn Secrets,
) -> Result<(Authenticator, Vec<Notice>), Vec<PolicyError>> {
    let AuthenticationSection {
        realm,
        resource,
        origins,
        providers,
        revocation,
        identity_headers,
    } = section;
    let mut context = Context {
        secrets,
        faults: Faults::default(),
        notices: Vec::new(),
        sources: Vec::new(),
    };
    let faults = &mut context.faults;
    check_realm(faults, realm.as_deref());
    check_resource(faults, resource.as_deref());
    check_origins(faults, origins.as_deref());
    if revocation.is_some() {
        faults.push(PolicyError::not_enforced("revocation"));
    }
    if let Some([]) = providers.as_deref() {
        faults.empty_list("providers");
    }
    let sections = providers.as_deref().unwrap_or_default();
    let compiled: Vec<Option<Provider>> = sections
        .iter()
        .enumerate()
        .map(|(index, it)| provider::compile(&mut context, index, it))
        .collect();
    check_names(&mut context.faults, sections.iter().map(|it| it.name.as_str()));
    check_overlaps(&mut context.faults, &compiled);
    let providers: Vec<Provider> = compiled.into_iter().flatten().collect();
    let locations = distinct_locations(&providers);
    let identity_headers = identity::compile(&mut context.faults, identity_headers.as_ref(), &locations);
    let Context {
        secrets: _,
        faults,
        notices,
        sources,
    } = context;
    let (realm, resource) = (realm.clone(), resource.clone());
    let origins = origins.clone().unwrap_or_default();
    let authenticator = Authenticator {
        providers,
        locations,
        identity_headers,
        realm,
        resource,
        origins,
        sources,
    };
    faults.or((authenticator, notices))
}

fn check_realm(faults: &mut Faults, realm: Option<&str>) {
    let is_quotable = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\');
    if realm.is_some_and(|realm| realm.is_empty() || !realm.bytes().all(is_quotable)) {
        let message = "the realm holds what a challenge cannot carry unchanged";
        faults.invalid(
            "realm",
            message,
            "use visible ASCII characters and spaces, without `\"` and `\\`",
        );
    }
}

fn check_resource(faults: &mut Faults, resource: Option<&str>) {
    let Some(resource) = resource else { return };
    let is_uri = resource.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty() && !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let is_clean = resource
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'#'));
    if !is_uri || !is_clean {
        let message = format!("`{}` is no resource identifier", resource.escape_debug());
        faults.invalid(
            "resource",
            message,
            "write an absolute URI without a fragment, as in `https://api.example.com`",
        );
    }
}

fn check_origins(faults: &mut Faults, origins: Option<&[String]>) {
    if let Some([]) = origins {
        faults.empty_list("origins");
    }
    for (index, origin) in origins.unwrap_or_default().iter().enumerate() {
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        let is_host_byte = |byte: u8| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
        };
        if !host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_host_byte)) {
            let message = format!("`{}` is no origin", origin.escape_debug());
            let help =
                "write scheme, host and perhaps port in lower case, no path: `https://api.example.com`";
            faults.invalid(format!("origins[{index}]"), message, help);
        }
    }
}

fn check_names<'n>(faults: &mut Faults, names: impl Iterator<Item = &'n str>) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, name) in names.enumerate() {
        let path = format!("providers[{index}].name");
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("`{}` is no provider name", name.escape_debug());
            faults.invalid(&path, message, "use visible ASCII characters, without blanks");
        } else if seen.contains(&name) {
            faults.duplicate(
                &path,
                format!("provider `{name}` is defined twice"),
                "give each provider its own name",
            );
        }
        seen.push(name);
    }
}

/// No two providers may claim one credential.
fn check_overlaps(faults: &mut Faults, providers: &[Option<Provider>]) {
    let compiled = || {
        let providers = providers.iter().enumerate();
        providers.filter_map(|(index, it)| Some((index, it.as_ref()?)))
    };
    for (later, second) in compiled() {
        for (_, first) in compiled().filter(|(earlier, _)| *earlier < later) {
            check_overlap(faults, later, first, second);
        }
    }
}

fn check_overlap(faults: &mut Faults, later: usize, first: &Provider, second: &Provider) {
    let pairs = || {
        let others = |location| second.locations.iter().map(move |other| (location, other));
        first.locations.iter().flat_map(others)
    };
    let names = (&first.name, &second.name);
    if pairs().any(|(one, other)| one.is_same(other)) {
        if let Some(field) = shared_authority(first, second) {
            let message = format!("`{}` and `{}` would claim the same tokens", names.0, names.1);
            let help =
                "give them different issuers or different credential locations, or make them one provider";
            faults.add(
                "provider_overlap",
                format!("providers[{later}].{field}"),
                message,
                help,
            );
        }
    } else if pairs().any(|(one, other)| one.overlaps(other)) {
        let message = format!(
            "`{}` and `{}` read one header in different ways",
            names.0, names.1
        );
        let help = "read it with a scheme in both, or read another header";
        faults.add(
            "provider_overlap",
            format!("providers[{later}].credential"),
            message,
            help,
        );
    }
}

/// The field by which both providers would claim one token, where there is one.
fn shared_authority(first: &Provider, second: &Provider) -> Option<&'static str> {
    match (&first.tokens()?.authority, &second.tokens()?.authority) {
        (Authority::Issuer(first), Authority::Issuer(second)) => (first == second).then_some("issuer"),
        (Authority::TrustDomains(first), Authority::TrustDomains(second)) => {
            let is_shared = first.iter().any(|domain| second.contains(domain));
            is_shared.then_some("trust_domains")
        }
        (Authority::Issuer(_), Authority::TrustDomains(_))
        | (Authority::TrustDomains(_), Authority::Issuer(_)) => None,
    }
}

fn distinct_locations(providers: &[Provider]) -> Vec<CredentialLocation> {
    let mut locations: Vec<CredentialLocation> = Vec::new();
    for location in providers.iter().flat_map(|provider| &provider.locations) {
        if !locations.iter().any(|known| known.is_same(location)) {
            locations.push(location.clone());
        }
    }
    locations
}

#[cfg(test)]
mod tests;
