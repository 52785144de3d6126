//! The keys of a provider of type `api_key`.

use crate::api_key::{ApiKey, ApiKeys, KeyDigest};
use crate::credential::CredentialLocation;
use crate::section::{KeyEntry, Keys, ProviderSection};
use crate::{hex, limits};

use super::{Context, Faults};

/// Compiles the keys of a provider; nothing where they have faults. The path is that of the provider.
///
/// Which fields belong to the type is checked before, and where the credential stands is compiled elsewhere; that it
/// stands somewhere is checked here, because an API key has no usual place.
pub(crate) fn compile(context: &mut Context<'_>, path: &str, section: &ProviderSection) -> Option<ApiKeys> {
    let faults = &mut context.faults;
    if section.credential.is_none() {
        faults.missing(
            format!("{path}.credential"),
            "write where requests carry the key, as in `{header: x-api-key}`",
        );
    }
    let path = format!("{path}.keys");
    let entries = match &section.keys {
        Some(Keys::List(entries)) => entries,
        Some(Keys::Set(_)) => {
            let message = "a key set verifies signatures, and API keys have none";
            faults.add("field_not_of_type", path, message, HELP);
            return None;
        }
        None => {
            faults.missing(path, HELP);
            return None;
        }
    };
    if entries.is_empty() {
        faults.empty_list(&path);
        return None;
    }
    if entries.len() > limits::API_KEYS {
        let message = format!("there are more than {} keys", limits::API_KEYS);
        faults.invalid(
            path,
            message,
            "remove keys that are no longer used, or use introspection",
        );
        return None;
    }
    let keys: Vec<Option<ApiKey>> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| key(faults, &format!("{path}[{index}]"), entry))
        .collect();
    check_distinct(faults, &path, entries, &keys);
    keys.into_iter()
        .collect::<Option<Vec<ApiKey>>>()
        .map(ApiKeys::new)
}

const HELP: &str = "list the keys, as in `[{id: acme-2026, sha256: \"<64 hex digits>\", subject: acme}]`";

fn key(faults: &mut Faults, path: &str, entry: &KeyEntry) -> Option<ApiKey> {
    let KeyEntry {
        kid,
        alg,
        secret,
        id,
        sha256,
        subject,
        tenant,
        client,
        expires,
    } = entry;
    let foreign = [
        ("kid", kid.is_some()),
        ("alg", alg.is_some()),
        ("secret", secret.is_some()),
    ];
    for (field, _) in foreign.iter().filter(|(_, is_set)| *is_set) {
        let message = format!("`{field}` belongs to the symmetric keys of a `jwt` provider");
        let help =
            "an API key is `{id, sha256, subject}`, with `tenant`, `client` and `expires` where it has them";
        faults.add("field_not_of_type", format!("{path}.{field}"), message, help);
    }
    let id = required(
        faults,
        path,
        "id",
        id.as_deref(),
        "name the key, for audit records: `id: acme-2026`",
    );
    let subject_help = "write whom the key stands for, as in `subject: acme`";
    let subject = required(faults, path, "subject", subject.as_deref(), subject_help);
    let tenant = optional(faults, path, "tenant", tenant.as_deref());
    let client = optional(faults, path, "client", client.as_deref());
    let digest = digest(faults, format!("{path}.sha256"), sha256.as_deref());
    Some(ApiKey {
        id: id?,
        digest: digest?,
        subject: subject?,
        tenant,
        client,
        expires: expires.map(|expires| expires.0),
    })
}

fn required(faults: &mut Faults, path: &str, field: &str, text: Option<&str>, help: &str) -> Option<String> {
    match text {
        None => faults.missing(format!("{path}.{field}"), help),
        Some("") => faults.invalid(format!("{path}.{field}"), format!("the {field} is empty"), help),
        Some(text) => return Some(text.to_owned()),
    }
    None
}

fn optional(faults: &mut Faults, path: &str, field: &str, text: Option<&str>) -> Option<String> {
    let text = text?;
    required(
        faults,
        path,
        field,
        Some(text),
        "write a text, or remove the field",
    )
}

fn digest(faults: &mut Faults, path: String, text: Option<&str>) -> Option<KeyDigest> {
    let help = "write 64 hex digits, as `printf %s \"$KEY\" | sha256sum` prints them";
    let Some(text) = text else {
        faults.missing(path, help);
        return None;
    };
    let digest = hex::digest(text.as_bytes()).map(KeyDigest::from_bytes);
    match digest {
        None => faults.invalid(path, "this is no SHA-256", help),
        // Whoever hashes an unset variable gets this, and every empty credential would be the caller.
        Some(digest) if digest == KeyDigest::of(b"") => {
            faults.invalid(path, "this is the SHA-256 of nothing", help);
        }
        Some(_) => {}
    }
    digest
}

/// No two keys have one name or one digest. A list may be long: sorted, not compared each with each.
fn check_distinct(faults: &mut Faults, path: &str, entries: &[KeyEntry], keys: &[Option<ApiKey>]) {
    let mut seen_ids = std::collections::BTreeSet::new();
    for (index, id) in entries
        .iter()
        .enumerate()
        .filter_map(|(index, it)| Some((index, it.id.as_deref()?)))
    {
        if !id.is_empty() && !seen_ids.insert(id) {
            let message = format!("`{}` stands here twice", id.escape_debug());
            faults.duplicate(
                format!("{path}[{index}].id"),
                message,
                "give each key its own `id`",
            );
        }
    }
    let mut seen = std::collections::BTreeMap::new();
    for (index, key) in keys
        .iter()
        .enumerate()
        .filter_map(|(index, it)| Some((index, it.as_ref()?)))
    {
        if let Some(earlier) = seen.insert(key.digest, key.id.as_str()) {
            let message = format!("this is the key `{}` again", earlier.escape_debug());
            faults.duplicate(
                format!("{path}[{index}].sha256"),
                message,
                "give each caller a key of its own",
            );
        }
    }
}

/// One provider of API keys, among all of them.
pub(crate) struct Among<'p> {
    /// Its place in the policy.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: &'p str,
    /// Where it reads keys.
    pub(crate) location: &'p CredentialLocation,
    /// Its keys.
    pub(crate) keys: &'p ApiKeys,
}

/// No key belongs to two providers that read one place: nobody could say whose it is.
pub(crate) fn check_overlaps(faults: &mut Faults, providers: &[Among<'_>]) {
    let mut seen: Vec<(usize, std::collections::BTreeMap<KeyDigest, &str>)> = Vec::new();
    for provider in providers {
        let earlier = seen.iter().filter_map(|(place, keys)| {
            let other = providers.get(*place)?;
            other
                .location
                .overlaps(provider.location)
                .then_some((other, keys))
        });
        for (other, keys) in earlier {
            for (place, key) in provider.keys.iter().enumerate() {
                let Some(id) = keys.get(&key.digest) else { continue };
                let message = format!(
                    "`{}` and `{}` would claim the same key: this is `{}`",
                    other.name,
                    provider.name,
                    id.escape_debug()
                );
                faults.add(
                    "provider_overlap",
                    format!("providers[{}].keys[{place}].sha256", provider.index),
                    message,
                    "remove the key from one of them",
                );
            }
        }
        let keys = provider
            .keys
            .iter()
            .map(|key| (key.digest, key.id.as_str()))
            .collect();
        seen.push((seen.len(), keys));
    }
}
