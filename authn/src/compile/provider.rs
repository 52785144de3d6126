//! One provider: what its type is, where it reads credentials, what those are bound to. The rules of each type are
//! compiled in a module of their own.

use crate::Notice;
use crate::credential::CredentialLocation;
use crate::provider::{Kind, Provider};
use crate::section::{Binding, ProviderSection, ProviderType};

use super::{Context, api_key, binding, fields, introspection, location, mtls, token};

/// Compiles one provider; nothing where it has faults.
pub(crate) fn compile(
    context: &mut Context<'_>,
    index: usize,
    section: &ProviderSection,
) -> Option<Provider> {
    let path = format!("providers[{index}]");
    fields::refuse_foreign(&mut context.faults, &path, section);
    let kind = kind(context, (index, &path), section);
    let locations = locations(context, &path, section);
    let binding = binding(context, &path, section);
    Some(Provider {
        name: section.name.as_str().into(),
        locations: locations?,
        forward_credential: section.forward_credential.unwrap_or_default(),
        binding: binding?,
        kind: kind?,
    })
}

fn kind(context: &mut Context<'_>, (index, path): (usize, &str), section: &ProviderSection) -> Option<Kind> {
    match section.provider_type {
        ProviderType::Jwt => {
            token::compile(context, (index, path), section).map(|rules| Kind::Token(Box::new(rules)))
        }
        ProviderType::ApiKey => api_key::compile(context, path, section).map(Kind::ApiKey),
        ProviderType::Mtls => mtls::compile(context, path, section).map(Kind::Peer),
        ProviderType::Introspection => {
            introspection::compile(context, path, section).map(|rules| Kind::Introspection(Box::new(rules)))
        }
    }
}

/// Where it reads credentials: nowhere, where the connection is the credential.
fn locations(
    context: &mut Context<'_>,
    path: &str,
    section: &ProviderSection,
) -> Option<Vec<CredentialLocation>> {
    let binding = section.binding.unwrap_or_default();
    let path = format!("{path}.credential");
    let locations = match section.provider_type {
        ProviderType::Mtls => Vec::new(),
        ProviderType::ApiKey => {
            let own = section.credential.as_ref()?;
            location::compile(&mut context.faults, &path, Some(own), Binding::None)?
        }
        ProviderType::Jwt | ProviderType::Introspection => {
            location::compile(&mut context.faults, &path, section.credential.as_ref(), binding)?
        }
    };
    warn_of_query(context, &path, &locations);
    Some(locations)
}

/// What its tokens are bound to; nothing for what is no token.
fn binding(
    context: &mut Context<'_>,
    path: &str,
    section: &ProviderSection,
) -> Option<Option<crate::confirmation::BindingRules>> {
    match section.provider_type {
        ProviderType::ApiKey | ProviderType::Mtls => Some(None),
        ProviderType::Jwt | ProviderType::Introspection => {
            let Context { faults, origins, .. } = context;
            let skew = token::clock_skew(section.clock_skew);
            let kind = section.binding.unwrap_or_default();
            binding::compile(
                faults,
                path,
                kind,
                section.dpop.as_ref(),
                origins.as_deref(),
                skew,
            )
            .map(Some)
        }
    }
}

fn warn_of_query(context: &mut Context<'_>, path: &str, locations: &[CredentialLocation]) {
    if locations
        .iter()
        .any(|location| matches!(location, CredentialLocation::Query { .. }))
    {
        context.notices.push(Notice {
            code: "credential_in_query",
            path: format!("{path}.query"),
            message: "credentials in a query end up in logs and histories (RFC 6750 section 2.3)".to_owned(),
            help: "read the credential from a header".to_owned(),
        });
    }
}
