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
mod token;

use scopegate_document::PolicyError;

use crate::authenticator::{Keeping, Secrets};
use crate::credential::CredentialLocation;
use crate::dpop::Origin;
use crate::fetched::Source as Place;
use crate::provider::{Authority, Kind, Provider};
use crate::remote::{Source, SourceId, Subject};
use crate::revocation::RevocationRules;
use crate::section::{
    AuthenticationSection, HostSignatures, ProviderSection, ProviderType, RevocationSection,
};
use crate::{Authenticator, Notice};

pub(crate) use faults::Faults;
pub(crate) use keys::accepts;

/// What compiling a part needs and leaves behind.
pub(crate) struct Context<'s> {
    pub(crate) secrets: &'s dyn Secrets,
    pub(crate) faults: Faults,
    pub(crate) notices: Vec<Notice>,
    /// The origins that callers see, where the policy names them.
    pub(crate) origins: Option<Vec<Origin>>,
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
        host_signatures,
        identity_headers,
    } = section;
    let mut context = Context {
        secrets,
        faults: Faults::default(),
        notices: Vec::new(),
        origins: None,
        sources: Vec::new(),
    };
    let faults = &mut context.faults;
    check_realm(faults, realm.as_deref());
    check_resource(faults, resource.as_deref());
    context.origins = binding::origins(faults, origins.as_deref());
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
    check_overlaps_by_content(&mut context.faults, &compiled);
    let providers: Vec<Provider> = compiled.into_iter().flatten().collect();
    let locations = distinct_locations(&providers);
    let identity_headers = identity::compile(&mut context.faults, identity_headers.as_ref(), &locations);
    let revocation = compile_revocation(&mut context, revocation.as_ref(), sections);
    let Context {
        secrets: _,
        faults,
        notices,
        origins: _,
        sources,
    } = context;
    let (realm, resource) = (realm.clone(), resource.clone());
    let origins = origins.clone().unwrap_or_default();
    let keeping = locations.iter().map(|location| Keeping::of(location, &providers));
    let authenticator = Authenticator {
        keeping: keeping.collect(),
        removes_proofs: Authenticator::removes_proofs(&providers),
        providers,
        locations,
        identity_headers,
        realm,
        resource,
        origins,
        asks_host: host_signatures.unwrap_or_default() == HostSignatures::Auto,
        sources,
        revocation: revocation.rules,
        feed: revocation.feed,
        status_sources: revocation.status_sources,
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

/// The revocations of a policy, and the documents that they are fetched from.
struct Revocations {
    rules: RevocationRules,
    feed: Option<SourceId>,
    status_sources: Vec<SourceId>,
}

fn compile_revocation(
    context: &mut Context<'_>,
    section: Option<&RevocationSection>,
    providers: &[ProviderSection],
) -> Revocations {
    let types: Vec<(&str, ProviderType)> = providers
        .iter()
        .map(|provider| (provider.name.as_str(), provider.provider_type))
        .collect();
    let rules = section.map(|section| revocation::compile(&mut context.faults, section, &types));
    let rules = rules.unwrap_or_default();
    let mut add = |name: String, subject: Subject, place: &Place| {
        context.sources.push(Source {
            name,
            subject,
            place: place.clone(),
            discovers: None,
        });
        SourceId(context.sources.len().saturating_sub(1))
    };
    let feed = rules
        .feed
        .as_ref()
        .map(|place| add("revocations".to_owned(), Subject::Revocations, place));
    let lists = rules.status_lists.iter().enumerate();
    let status_sources = lists
        .map(|(index, list)| {
            let name = format!("status_list.{}.{index}", list.provider);
            add(name, Subject::StatusList(index), &list.source)
        })
        .collect();
    Revocations {
        rules,
        feed,
        status_sources,
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
            let message = format!("`{}` and `{}` would claim the same credentials", names.0, names.1);
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

/// The field by which both providers, which read one place, would claim one credential; nothing where they can be
/// told apart.
fn shared_authority(first: &Provider, second: &Provider) -> Option<&'static str> {
    match (&first.kind, &second.kind) {
        (Kind::Token(first), Kind::Token(second)) => shared_tokens(&first.authority, &second.authority),
        // Signed tokens and opaque ones are told apart by their form, API keys by their digests.
        (Kind::Token(_), Kind::Introspection(_))
        | (Kind::Introspection(_), Kind::Token(_))
        | (Kind::ApiKey(_), Kind::ApiKey(_))
        | (Kind::Peer(_), _)
        | (_, Kind::Peer(_)) => None,
        (Kind::Introspection(_), Kind::Introspection(_))
        | (Kind::ApiKey(_), Kind::Token(_) | Kind::Introspection(_))
        | (Kind::Token(_) | Kind::Introspection(_), Kind::ApiKey(_)) => Some("credential"),
    }
}

fn shared_tokens(first: &Authority, second: &Authority) -> Option<&'static str> {
    match (first, second) {
        (Authority::Issuer(first), Authority::Issuer(second)) => (first == second).then_some("issuer"),
        (Authority::TrustDomains(first), Authority::TrustDomains(second)) => {
            let is_shared = first.iter().any(|domain| second.contains(domain));
            is_shared.then_some("trust_domains")
        }
        (Authority::Issuer(_), Authority::TrustDomains(_))
        | (Authority::TrustDomains(_), Authority::Issuer(_)) => None,
    }
}

fn check_overlaps_by_content(faults: &mut Faults, providers: &[Option<Provider>]) {
    let compiled = || {
        let providers = providers.iter().enumerate();
        providers.filter_map(|(index, it)| Some((index, it.as_ref()?)))
    };
    let keys: Vec<api_key::Among<'_>> = compiled()
        .filter_map(
            |(index, provider)| match (&provider.kind, provider.locations.as_slice()) {
                (Kind::ApiKey(keys), [location]) => Some(api_key::Among {
                    index,
                    name: &provider.name,
                    location,
                    keys,
                }),
                _ => None,
            },
        )
        .collect();
    api_key::check_overlaps(faults, &keys);
    let peers: Vec<mtls::Among<'_>> = compiled()
        .filter_map(|(index, provider)| match &provider.kind {
            Kind::Peer(rules) => Some(mtls::Among {
                index,
                name: &provider.name,
                rules,
            }),
            Kind::Token(_) | Kind::ApiKey(_) | Kind::Introspection(_) => None,
        })
        .collect();
    mtls::check_overlaps(faults, &peers);
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
