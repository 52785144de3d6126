//! The keys of a `jwt` provider: fetched, inline, or symmetric keys whose secrets stand outside the policy.

use zeroize::Zeroizing;

use crate::jwk::{Concern, Key, Unusable};
use crate::key_set::{KeyRemark, KeySet, RemarkKind};
use crate::provider::ProviderKeys;
use crate::remote::{Source, SourceId, Subject};
use crate::section::{KeyEntry, KeySource, Keys, Profile, SecretReference};
use crate::{Algorithm, Notice, base64url, limits};

use super::{Context, fetched, secret};

/// Whose keys are compiled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'s> {
    /// The place of the provider.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: &'s str,
    /// Its issuer, where it has one.
    pub(crate) issuer: Option<&'s str>,
    pub(crate) algorithms: &'s [Algorithm],
    pub(crate) profile: Profile,
}

/// Compiles `keys`.
pub(crate) fn compile(
    context: &mut Context<'_>,
    path: &str,
    keys: Option<&Keys>,
    owner: Owner<'_>,
) -> Option<ProviderKeys> {
    match keys {
        Some(Keys::Set(source)) => from_source(context, path, source, owner),
        Some(Keys::List(entries)) => {
            from_list(context, path, entries, owner.algorithms).map(ProviderKeys::Own)
        }
        None => {
            let help = "write `keys: {jwks_uri: URL, upstream: NAME}`, or the JWK set inline, as in `keys: {jwks: {keys: [...]}}`";
            context.faults.missing(path, help);
            None
        }
    }
}

fn from_source(
    context: &mut Context<'_>,
    path: &str,
    source: &KeySource,
    owner: Owner<'_>,
) -> Option<ProviderKeys> {
    let KeySource {
        jwks,
        jwks_file,
        jwks_uri,
        discovery,
        upstream: _,
        refresh: _,
        max_stale: _,
    } = source;
    let named = [
        ("jwks", jwks.is_some()),
        ("jwks_file", jwks_file.is_some()),
        ("jwks_uri", jwks_uri.is_some()),
        ("discovery", discovery.is_some()),
    ];
    let mut named = named
        .iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(field, _)| *field);
    let (first, second) = (named.next(), named.next());
    if let Some(second) = second {
        let message = "a provider has its keys from one place";
        let help = "write one of `jwks_uri`, `discovery`, `jwks` and `jwks_file`";
        context.faults.invalid(format!("{path}.{second}"), message, help);
        return None;
    }
    match (jwks, jwks_uri, discovery) {
        (Some(jwks), _, _) => {
            refuse_fetching(context, path, source);
            from_jwks(
                context,
                &format!("{path}.jwks"),
                jwks,
                owner.algorithms,
                owner.profile,
            )
            .map(ProviderKeys::Own)
        }
        (None, Some(uri), _) => from_elsewhere(context, path, source, ("jwks_uri", uri), owner),
        (None, None, Some(uri)) => from_elsewhere(context, path, source, ("discovery", uri), owner),
        (None, None, None) if first.is_some() => {
            let message = "`jwks_file` names a file, and files are not read here";
            let help =
                "let the `scopegate` command put the file's content in place, or write it under `jwks`";
            let field = format!("{path}.jwks_file");
            context.faults.add("jwks_file_unresolved", field, message, help);
            None
        }
        (None, None, None) => {
            let help =
                "write `jwks_uri` with an `upstream`, or the JWK set inline, as in `jwks: {keys: [...]}`";
            context.faults.missing(format!("{path}.jwks_uri"), help);
            None
        }
    }
}

/// What belongs to a fetch says nothing of keys that stand in the policy.
fn refuse_fetching(context: &mut Context<'_>, path: &str, source: &KeySource) {
    let fields = [
        ("upstream", source.upstream.is_some()),
        ("refresh", source.refresh.is_some()),
        ("max_stale", source.max_stale.is_some()),
    ];
    for (field, _) in fields.iter().filter(|(_, is_set)| *is_set) {
        let message = format!("`{field}` belongs to keys that are fetched");
        context
            .faults
            .invalid(format!("{path}.{field}"), message, "remove the field");
    }
}

/// Keys that are fetched from `uri`, which stands in `field`.
fn from_elsewhere(
    context: &mut Context<'_>,
    path: &str,
    source: &KeySource,
    (field, uri): (&str, &str),
    owner: Owner<'_>,
) -> Option<ProviderKeys> {
    let discovers = match field {
        "discovery" if owner.issuer.is_none() => {
            let message = "metadata is found by an issuer, and this provider has none";
            context.faults.invalid(
                format!("{path}.discovery"),
                message,
                "write `jwks_uri`: the URL of its bundle",
            );
            return None;
        }
        "discovery" => owner.issuer.map(str::to_owned),
        _ => None,
    };
    let fields = fetched::Fields {
        url_field: field,
        url: uri,
        upstream: source.upstream.as_deref(),
        refresh: source.refresh,
        max_stale: source.max_stale,
    };
    let place = fetched::source(&mut context.faults, path, &fields)?;
    context.sources.push(Source {
        name: format!("keys.{}", owner.name),
        subject: Subject::Keys(owner.index),
        place,
        discovers,
    });
    Some(ProviderKeys::Fetched(SourceId(
        context.sources.len().saturating_sub(1),
    )))
}

/// Which keys of a published set a provider takes.
pub(crate) fn accepts(algorithms: &[Algorithm], profile: Profile) -> impl Fn(&Key) -> Result<(), Unusable> {
    move |key| match (key.is_jwt_svid, profile == Profile::Spiffe) {
        (false, true) => Err(Unusable("its `use` is not `jwt-svid`".to_owned())),
        (true, false) => Err(Unusable("its `use` is not `sig`".to_owned())),
        _ if !algorithms.iter().any(|algorithm| key.fits(*algorithm)) => {
            Err(Unusable("it fits none of the provider's algorithms".to_owned()))
        }
        _ => Ok(()),
    }
}

fn from_jwks(
    context: &mut Context<'_>,
    path: &str,
    jwks: &serde_json::Value,
    algorithms: &[Algorithm],
    profile: Profile,
) -> Option<KeySet> {
    let (keys, remarks) = match KeySet::from_jwks(jwks, accepts(algorithms, profile)) {
        Ok(read) => read,
        Err(error) => {
            let help = "write a JWK set, as in `{\"keys\": [...]}` (RFC 7517 section 5)";
            context.faults.add(
                "keys_invalid",
                path,
                format!("the key set cannot be used: {error}"),
                help,
            );
            return None;
        }
    };
    let notices: Vec<Notice> = remarks.iter().map(|remark| notice(path, remark)).collect();
    if keys.len() == 0 {
        let reasons: Vec<&str> = notices.iter().map(|notice| notice.message.as_str()).collect();
        let message = match reasons.as_slice() {
            [] => "the key set is empty".to_owned(),
            reasons => format!("no key of the set can be used: {}", reasons.join("; ")),
        };
        context.faults.add(
            "keys_unusable",
            path,
            message,
            "give at least one key that fits `algorithms`",
        );
        return None;
    }
    context.notices.extend(notices);
    Some(keys)
}

fn notice(path: &str, remark: &KeyRemark) -> Notice {
    let KeyRemark { index, kind } = remark;
    let (code, message, help) = match kind {
        RemarkKind::Skipped(Unusable(reason)) => (
            "key_skipped",
            format!("key {index} is skipped: {reason}"),
            "mend the key or remove it",
        ),
        RemarkKind::Concern(Concern::InlineSecret) => (
            "key_secret_inline",
            format!("key {index} is a secret that stands in the policy"),
            "use `keys: [{kid, alg, secret: {env: NAME}}]`; an inline secret is for tests",
        ),
        RemarkKind::Concern(Concern::PrivateMembers) => (
            "key_private",
            format!("key {index} holds private members"),
            "publish the public members only, and replace the key: it is no longer private",
        ),
        RemarkKind::Concern(Concern::SmallExponent) => (
            "key_small_exponent",
            format!(
                "key {index} has a public exponent under {}",
                limits::RSA_EXPONENT_USUAL
            ),
            "make RSA keys with the exponent 65537",
        ),
    };
    Notice {
        code,
        path: format!("{path}.keys[{index}]"),
        message,
        help: help.to_owned(),
    }
}

fn from_list(
    context: &mut Context<'_>,
    path: &str,
    entries: &[KeyEntry],
    algorithms: &[Algorithm],
) -> Option<KeySet> {
    if entries.is_empty() {
        context.faults.empty_list(path);
    }
    if entries.len() > limits::KEYS_PER_SET {
        let message = format!("there are more than {} keys", limits::KEYS_PER_SET);
        context
            .faults
            .invalid(path, message, "remove keys that are no longer used");
        return None;
    }
    let keys: Vec<Option<Key>> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| symmetric_key(context, &format!("{path}[{index}]"), entry, algorithms))
        .collect();
    let keys: Option<Vec<Key>> = keys.into_iter().collect();
    for (index, key) in keys.iter().flatten().enumerate() {
        let mut earlier = keys.iter().flatten().take(index);
        if key.id.is_some() && earlier.any(|earlier| earlier.id == key.id && earlier.overlaps(key)) {
            let message = "another key has the same `kid` and `alg`";
            context.faults.duplicate(
                format!("{path}[{index}].kid"),
                message,
                "give each key its own `kid`",
            );
        }
    }
    keys.filter(|keys| !keys.is_empty()).map(KeySet::new)
}

fn symmetric_key(
    context: &mut Context<'_>,
    path: &str,
    entry: &KeyEntry,
    algorithms: &[Algorithm],
) -> Option<Key> {
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
        ("id", id.is_some()),
        ("sha256", sha256.is_some()),
        ("subject", subject.is_some()),
        ("tenant", tenant.is_some()),
        ("client", client.is_some()),
        ("expires", expires.is_some()),
    ];
    for (field, _) in foreign.iter().filter(|(_, is_set)| *is_set) {
        let message = format!("`{field}` belongs to the keys of an `api_key` provider");
        let help = "a symmetric key is `{kid, alg, secret: {env: NAME}}`";
        context
            .faults
            .add("field_not_of_type", format!("{path}.{field}"), message, help);
    }
    let algorithm = symmetric_algorithm(context, path, *alg, algorithms);
    let secret = read_secret(context, path, secret.as_ref());
    match Key::from_secret(kid.clone(), algorithm?, secret?) {
        Ok(key) => Some(key),
        Err(Unusable(reason)) => {
            let help = "make a random secret at least as long as the hash (RFC 7518 section 3.2)";
            context.faults.add(
                "secret_weak",
                format!("{path}.secret"),
                format!("the key cannot be used: {reason}"),
                help,
            );
            None
        }
    }
}

fn symmetric_algorithm(
    context: &mut Context<'_>,
    path: &str,
    algorithm: Option<Algorithm>,
    algorithms: &[Algorithm],
) -> Option<Algorithm> {
    let path = format!("{path}.alg");
    let Some(algorithm) = algorithm else {
        context.faults.missing(path, "write `HS256`, `HS384` or `HS512`");
        return None;
    };
    if !algorithm.is_symmetric() {
        let message = format!("`{algorithm}` is no algorithm of a symmetric key");
        context.faults.invalid(
            path,
            message,
            "write `HS256`, `HS384` or `HS512`; public keys stand in a JWK set",
        );
        return None;
    }
    if !algorithms.contains(&algorithm) {
        let message = format!("the provider does not list `{algorithm}`");
        context.faults.invalid(
            path,
            message,
            "add it to the provider's `algorithms`, or remove the key",
        );
        return None;
    }
    Some(algorithm)
}

fn read_secret(
    context: &mut Context<'_>,
    path: &str,
    reference: Option<&SecretReference>,
) -> Option<Zeroizing<Vec<u8>>> {
    let path = format!("{path}.secret");
    let text = secret::read(context, &path, reference, "base64url without padding")?;
    let secret = base64url::decode(text.as_bytes()).map(Zeroizing::new);
    if secret.is_none() {
        let message = "the value of this variable is not base64url without padding";
        context.faults.add(
            "secret_malformed",
            format!("{path}.env"),
            message,
            "encode the secret as base64url",
        );
    }
    secret
}
