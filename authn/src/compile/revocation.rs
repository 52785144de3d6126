//! The section `revocation`: entries that can match something, a feed, and the status lists of providers.

use crate::fetched::Source;
use crate::limits;
use crate::revocation::{Cutoff, Entry, Kind, RevocationList, RevocationRules, entries};
use crate::section::{ProviderType, RevocationFeed, RevocationSection, StatusListSource};
use crate::status_list::StatusListRules;

use super::{Faults, fetched};

/// Compiles the section for a policy with `providers`.
pub(crate) fn compile(
    faults: &mut Faults,
    section: &RevocationSection,
    providers: &[(&str, ProviderType)],
) -> RevocationRules {
    let path = "revocation";
    let RevocationSection {
        tokens,
        subjects,
        keys,
        clients,
        feed,
        status_lists,
    } = section;
    let lists = [
        (Kind::Token, tokens.as_ref().map(Vec::len)),
        (Kind::Subject, subjects.as_ref().map(Vec::len)),
        (Kind::Key, keys.as_ref().map(Vec::len)),
        (Kind::Client, clients.as_ref().map(Vec::len)),
    ];
    for (kind, _) in lists.iter().filter(|(_, length)| *length == Some(0)) {
        faults.empty_list(format!("{path}.{}", kind.list()));
    }
    let length = lists.iter().filter_map(|(_, length)| *length).sum::<usize>();
    if length > limits::REVOCATION_ENTRIES {
        let message = format!("there are more than {} entries", limits::REVOCATION_ENTRIES);
        faults.invalid(
            path,
            message,
            "serve them as a status list, or let tokens live shorter",
        );
        return RevocationRules::default();
    }
    if lists.iter().all(|(_, length)| length.is_none()) && feed.is_none() && status_lists.is_none() {
        let message = "nothing is revoked, and nothing says where revocations are";
        faults.invalid(
            path,
            message,
            "write a list, a `feed` or `status_lists`, or remove the field",
        );
    }
    let entries = entries(slice(tokens), slice(subjects), slice(keys), slice(clients));
    RevocationRules {
        list: list(faults, path, entries, providers),
        feed: feed.as_ref().and_then(|feed| compile_feed(faults, path, feed)),
        status_lists: compile_status_lists(faults, path, status_lists.as_deref(), providers),
    }
}

fn slice<T>(list: &Option<Vec<T>>) -> &[T] {
    list.as_deref().unwrap_or_default()
}

fn list<'s>(
    faults: &mut Faults,
    path: &str,
    entries: impl Iterator<Item = Entry<'s>>,
    providers: &[(&str, ProviderType)],
) -> RevocationList {
    let mut list = RevocationList::default();
    for entry in entries {
        let (kind, path) = (
            entry.kind,
            format!("{path}.{}[{}]", entry.kind.list(), entry.index),
        );
        if let Some(provider_type) = type_of(faults, &path, entry.provider, providers) {
            check_type(faults, &path, kind, provider_type);
        }
        let path = format!("{path}.{}", kind.field());
        if entry.name.is_empty() {
            faults.invalid(&path, "the entry is empty", "write a text, or remove the entry");
        }
        if !list.add(entry) {
            let message = format!(
                "`{}` of `{}` stands here twice",
                entry.name.escape_debug(),
                entry.provider
            );
            let help = match entry.cutoff {
                Cutoff::Always => "remove one of them",
                Cutoff::IssuedBefore(_) => "keep the entry with the later instant",
            };
            faults.duplicate(path, message, help);
        }
    }
    list
}

/// The type of the provider called `name`, which must be one of the policy's.
fn type_of(
    faults: &mut Faults,
    path: &str,
    name: &str,
    providers: &[(&str, ProviderType)],
) -> Option<ProviderType> {
    let found = providers.iter().find(|(known, _)| *known == name);
    if found.is_none() {
        let message = format!("there is no provider `{}`", name.escape_debug());
        let help = "name one of `authentication.providers`";
        faults.add("unknown_provider", format!("{path}.provider"), message, help);
    }
    found.map(|(_, provider_type)| *provider_type)
}

/// An entry that could never match is a mistake, and the author believes that something is revoked.
fn check_type(faults: &mut Faults, path: &str, kind: Kind, provider_type: ProviderType) {
    let (has_it, help) = match kind {
        Kind::Subject => (true, ""),
        Kind::Token => (
            matches!(provider_type, ProviderType::Jwt | ProviderType::Introspection),
            "revoke by the subject or the key",
        ),
        Kind::Key => (
            matches!(provider_type, ProviderType::Jwt | ProviderType::ApiKey),
            "revoke by the subject or the client",
        ),
        Kind::Client => (
            !matches!(provider_type, ProviderType::Mtls),
            "revoke by the subject",
        ),
    };
    if !has_it {
        let message = format!("credentials of this provider have no `{}`", kind.field());
        faults.invalid(format!("{path}.provider"), message, help);
    }
}

fn compile_feed(faults: &mut Faults, path: &str, feed: &RevocationFeed) -> Option<Source> {
    let RevocationFeed {
        uri,
        upstream,
        refresh,
        max_stale,
    } = feed;
    let fields = fetched::Fields {
        url_field: "uri",
        url: uri,
        upstream: Some(upstream),
        refresh: *refresh,
        max_stale: *max_stale,
    };
    fetched::source(faults, &format!("{path}.feed"), &fields)
}

fn compile_status_lists(
    faults: &mut Faults,
    path: &str,
    lists: Option<&[StatusListSource]>,
    providers: &[(&str, ProviderType)],
) -> Vec<StatusListRules> {
    let path = format!("{path}.status_lists");
    let sections = lists.unwrap_or_default();
    if lists.is_some() && sections.is_empty() {
        faults.empty_list(&path);
    }
    if sections.len() > limits::STATUS_LISTS {
        let message = format!("there are more than {} status lists", limits::STATUS_LISTS);
        faults.invalid(&path, message, "let the issuer use fewer, longer lists");
        return Vec::new();
    }
    let mut compiled: Vec<StatusListRules> = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(list) = compile_status_list(faults, &path, section, providers) else {
            continue;
        };
        for earlier in compiled
            .iter()
            .filter(|earlier| earlier.provider == list.provider)
        {
            check_pair(faults, &path, earlier, &list);
        }
        compiled.push(list);
    }
    compiled
}

fn compile_status_list(
    faults: &mut Faults,
    path: &str,
    section: &StatusListSource,
    providers: &[(&str, ProviderType)],
) -> Option<StatusListRules> {
    let StatusListSource {
        provider,
        uri,
        upstream,
        refresh,
        max_stale,
        optional,
    } = section;
    let provider_type = type_of(faults, path, provider, providers);
    if provider_type.is_some_and(|provider_type| provider_type != ProviderType::Jwt) {
        let message = "a status list is signed with the keys of its provider, and this one has none";
        faults.invalid(
            format!("{path}.provider"),
            message,
            "name a provider of type `jwt`",
        );
    }
    let fields = fetched::Fields {
        url_field: "uri",
        url: uri,
        upstream: Some(upstream),
        refresh: *refresh,
        max_stale: *max_stale,
    };
    Some(StatusListRules {
        provider: provider.clone(),
        uri: uri.clone(),
        source: fetched::source(faults, path, &fields)?,
        is_optional: optional.unwrap_or_default(),
    })
}

/// Two lists of one provider are two lists, and agree on what a token without `status` is worth.
fn check_pair(faults: &mut Faults, path: &str, earlier: &StatusListRules, later: &StatusListRules) {
    if earlier.uri == later.uri {
        let message = format!("`{}` stands here twice", later.uri.escape_debug());
        faults.duplicate(format!("{path}.uri"), message, "remove one of them");
    } else if earlier.is_optional != later.is_optional {
        let message = "another list of the provider says otherwise";
        let help = "say the same in every list of a provider: it is about its tokens, not about the list";
        faults.invalid(format!("{path}.optional"), message, help);
    }
}

#[cfg(test)]
mod tests;
