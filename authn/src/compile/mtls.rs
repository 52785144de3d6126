//! The rules of a provider of type `mtls`.

use crate::mtls::{MtlsRules, Names};
use crate::section::ProviderSection;
use crate::{limits, spiffe};

use super::{Context, Faults};

/// Compiles the rules of a provider; nothing where they have faults. The path is that of the provider.
///
/// Which fields belong to the type is checked before.
pub(crate) fn compile(context: &mut Context<'_>, path: &str, section: &ProviderSection) -> Option<MtlsRules> {
    let faults = &mut context.faults;
    let names = names(faults, path, section);
    let forwarded_by = section.forwarded_by.as_deref();
    if let Some(hops) = forwarded_by {
        check_hops(faults, &format!("{path}.forwarded_by"), hops);
    }
    Some(MtlsRules {
        names: names?,
        proxy_verifies: section.proxy_verifies.unwrap_or_default(),
        forwarded_by: forwarded_by.unwrap_or_default().to_vec(),
    })
}

fn names(faults: &mut Faults, path: &str, section: &ProviderSection) -> Option<Names> {
    match (&section.trust_domains, &section.dns_names) {
        (Some(domains), None) => {
            check_trust_domains(faults, &format!("{path}.trust_domains"), domains);
            Some(Names::TrustDomains(domains.clone()))
        }
        (None, Some(names)) => {
            check_dns_names(faults, &format!("{path}.dns_names"), names);
            Some(Names::Dns(names.clone()))
        }
        (None, None) => {
            let help =
                "write the trust domains of its SPIFFE IDs, as in `[prod.example.com]`, or list `dns_names`";
            faults.missing(format!("{path}.trust_domains"), help);
            None
        }
        (Some(_), Some(_)) => {
            let message = "a provider knows its callers by SPIFFE IDs or by DNS names, not by both";
            let help = "remove `trust_domains` or `dns_names`, or make them two providers";
            faults.invalid(format!("{path}.dns_names"), message, help);
            None
        }
    }
}

/// Names each entry that is no trust domain.
pub(super) fn check_trust_domains(faults: &mut Faults, path: &str, domains: &[String]) {
    let help = "write the name alone, in lower case: `prod.example.com`";
    check_each(
        faults,
        path,
        domains,
        spiffe::is_trust_domain,
        "trust domain",
        help,
    );
}

fn check_dns_names(faults: &mut Faults, path: &str, names: &[String]) {
    let help = "write the whole name in lower case, without a final dot: `batch.example.com`";
    check_each(
        faults,
        path,
        names,
        is_dns_name,
        "DNS name that a certificate can be known by",
        help,
    );
}

fn check_hops(faults: &mut Faults, path: &str, hops: &[String]) {
    let help = "write the whole SPIFFE ID, as in `spiffe://prod.example.com/ingress`";
    check_each(
        faults,
        path,
        hops,
        spiffe::is_workload_id,
        "SPIFFE ID of a hop",
        help,
    );
}

fn check_each(
    faults: &mut Faults,
    path: &str,
    list: &[String],
    is_good: fn(&str) -> bool,
    what: &str,
    help: &str,
) {
    faults.check_texts(path, list);
    let bad = list
        .iter()
        .enumerate()
        .filter(|(_, text)| !text.is_empty() && !is_good(text));
    for (index, text) in bad {
        let message = format!("`{}` is no {what}", text.escape_debug());
        faults.invalid(format!("{path}[{index}]"), message, help);
    }
}

/// Whether `name` is a DNS name in lower case. A wildcard is none: a caller has one name.
fn is_dns_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    name.len() <= limits::DNS_NAME_BYTES && name.split('.').all(is_label)
}

/// One provider of type `mtls`, among all of them.
pub(crate) struct Among<'p> {
    /// Its place in the policy.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: &'p str,
    /// Its rules.
    pub(crate) rules: &'p MtlsRules,
}

/// No certificate belongs to two providers.
pub(crate) fn check_overlaps(faults: &mut Faults, providers: &[Among<'_>]) {
    for (place, second) in providers.iter().enumerate() {
        for first in providers.iter().take(place) {
            let field = match shared_field(&first.rules.names, &second.rules.names) {
                Some(field) => field,
                None => continue,
            };
            let message = format!(
                "`{}` and `{}` would claim the same certificates",
                first.name, second.name
            );
            faults.add(
                "provider_overlap",
                format!("providers[{}].{field}", second.index),
                message,
                "give them different names to know their callers by, or make them one provider",
            );
        }
    }
}

/// The field whose values both have in common.
fn shared_field(first: &Names, second: &Names) -> Option<&'static str> {
    let share = |first: &[String], second: &[String]| first.iter().any(|name| second.contains(name));
    match (first, second) {
        (Names::TrustDomains(first), Names::TrustDomains(second)) => {
            share(first, second).then_some("trust_domains")
        }
        (Names::Dns(first), Names::Dns(second)) => share(first, second).then_some("dns_names"),
        (Names::TrustDomains(_), Names::Dns(_)) | (Names::Dns(_), Names::TrustDomains(_)) => None,
    }
}
