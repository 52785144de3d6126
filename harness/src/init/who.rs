//! Callers for a route: whom it is likely to let in, by what the policy says of scopes, roles, grants and keys. Whether
//! it does is for a trial to say.

use serde_json::{Map, Value};

use super::document::{list, members, text, texts};

/// A caller, by what a credential says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Who {
    pub(super) provider: String,
    pub(super) subject: Option<String>,
    pub(super) client: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) acr: Option<String>,
    pub(super) amr: Vec<String>,
    /// How long ago it was authenticated, as in `-1m`.
    pub(super) authenticated_in: Option<String>,
    /// Who acts for it.
    pub(super) actor: Option<String>,
    /// Further claims.
    pub(super) claims: Map<String, Value>,
    /// The id of an API key.
    pub(super) api_key: Option<String>,
    /// What the test calls it: `anna`, `as_clerk`.
    pub(super) name: String,
    /// What it is in words: `a caller with orders:read`.
    pub(super) words: String,
}

/// Callers of one provider that may pass, the likeliest first.
pub(super) fn candidates(policy: &Value, provider: &Value, access: &Value, needed: &[String]) -> Vec<Who> {
    let base = fitting(provider, access);
    match text(provider, "/type") {
        Some("api_key") => keys(provider, &base),
        Some("mtls") => certificates(policy, provider, &base),
        _ => tokens(policy, provider, &base, needed),
    }
}

/// What every caller must be who passes, scopes apart.
fn fitting(provider: &Value, access: &Value) -> Who {
    let name = text(provider, "/name").unwrap_or_default();
    // A name alone is of the route's one provider.
    let of = |item: &Value, field: &str| match item.as_str() {
        Some(alone) => Some(alone.to_owned()),
        None => text(item, field)
            .filter(|_| text(item, "/provider") == Some(name))
            .map(str::to_owned),
    };
    let mut clients = list(access, "/clients").iter();
    let client = clients.find_map(|item| of(item, "/client"));
    let mut actors = list(access, "/actors/allow").iter();
    let actor = actors.find_map(|item| of(item, "/subject"));
    let is_required = access.pointer("/actors/required") == Some(&Value::Bool(true));
    let mut amr: Vec<String> = texts(access, "/amr/all").into_iter().map(str::to_owned).collect();
    amr.extend(texts(access, "/amr/any").first().map(|&method| method.to_owned()));
    Who {
        provider: name.to_owned(),
        client,
        tenant: text(access, "/tenant").map(|_| "acme".to_owned()),
        acr: texts(access, "/acr").first().map(|&acr| acr.to_owned()),
        amr,
        authenticated_in: text(access, "/max_auth_age").map(|_| "-1s".to_owned()),
        actor: actor.filter(|_| is_required),
        ..Who::default()
    }
}

fn tokens(policy: &Value, provider: &Value, base: &Who, needed: &[String]) -> Vec<Who> {
    let mut found = Vec::new();
    let (name, words) = match needed {
        [] => ("caller".to_owned(), "a caller".to_owned()),
        needed => (
            format!("with_{}", needed.join("_")),
            format!("a caller with {}", needed.join(" and ")),
        ),
    };
    found.push(Who {
        scopes: needed.to_vec(),
        name,
        words,
        ..base.clone()
    });
    if !texts(provider, "/claims/roles").is_empty() && !needed.is_empty() {
        let role = |(role, _): (&str, &Value)| Who {
            roles: vec![role.to_owned()],
            name: format!("as_{role}"),
            words: format!("a caller with the role {role}"),
            ..base.clone()
        };
        found.extend(members(policy, "/authorization/roles").map(role));
    }
    found.extend(granted(policy, base));
    found.extend(granted(policy, base).into_iter().map(|who| Who {
        scopes: needed.to_vec(),
        ..who
    }));
    found
}

/// Those whom a grant is for.
fn granted(policy: &Value, base: &Who) -> Vec<Who> {
    let grants = list(policy, "/authorization/grants").iter();
    let grants = grants.filter(|grant| text(grant, "/caller/provider") == Some(base.provider.as_str()));
    let who = |grant: &Value| {
        let named = |field: &str| text(grant, &format!("/caller/{field}")).map(str::to_owned);
        let (subject, client, tenant) = (named("subject"), named("client"), named("tenant"));
        let whom = subject
            .clone()
            .or_else(|| client.clone())
            .or_else(|| tenant.clone());
        let whom = whom.unwrap_or_else(|| "caller".to_owned());
        Who {
            subject,
            client: client.or_else(|| base.client.clone()),
            tenant: tenant.or_else(|| base.tenant.clone()),
            name: last_part(&whom),
            words: format!("{}, by a grant", last_part(&whom)),
            ..base.clone()
        }
    };
    grants.map(who).collect()
}

fn keys(provider: &Value, base: &Who) -> Vec<Who> {
    let key = |key: &Value| {
        let id = text(key, "/id")?;
        Some(Who {
            subject: text(key, "/subject").map(str::to_owned),
            tenant: text(key, "/tenant").map(str::to_owned),
            api_key: Some(id.to_owned()),
            name: last_part(id),
            words: format!("the API key {id}"),
            ..base.clone()
        })
    };
    list(provider, "/keys").iter().filter_map(key).collect()
}

fn certificates(policy: &Value, provider: &Value, base: &Who) -> Vec<Who> {
    let domain = texts(provider, "/trust_domains")
        .first()
        .map(|domain| format!("spiffe://{domain}/a-service"));
    let any = domain.or_else(|| texts(provider, "/dns_names").first().map(|&name| name.to_owned()));
    let any = any.map(|subject| Who {
        name: "a_service".to_owned(),
        words: "a certificate".to_owned(),
        subject: Some(subject),
        ..base.clone()
    });
    granted(policy, base).into_iter().chain(any).collect()
}

/// The last part of a name, as in `nightly` of `spiffe://prod/batch/nightly`.
fn last_part(name: &str) -> String {
    let last = name.rsplit(['/', ':']).find(|part| !part.is_empty());
    last.unwrap_or(name).to_owned()
}
