//! The tokens of a test file, with their inheritance resolved: ready to be made for any time.

use std::collections::BTreeMap;

use scopegate_document::{PolicyError, UnixTime};
use serde_json::json;

use crate::faults::nearest;
use crate::issuer::{Issuer, Location};
use crate::keys::{Algorithm, Key, KeyError};
use crate::policy::TestPolicy;
use crate::proofs::thumbprint;
use crate::tokens::TokenSpec;

/// The tokens of a test file.
#[derive(Debug, Default)]
pub(crate) struct PlannedTokens(BTreeMap<String, Planned>);

#[derive(Debug)]
struct Planned {
    spec: TokenSpec,
    issuer: Issuer,
    key: Key,
}

/// The keys of a test file, and who publishes each.
type Keys = BTreeMap<String, (Key, Option<String>)>;

impl PlannedTokens {
    /// Resolves `specs`. What is wrong goes to `faults`.
    pub(crate) fn plan(
        specs: &BTreeMap<String, TokenSpec>,
        keys: &Keys,
        policy: &TestPolicy,
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        let issuers = Issuer::all(&policy.document);
        let mut planned = BTreeMap::new();
        for name in specs.keys() {
            let token =
                resolve(name, specs, keys, &mut Vec::new()).and_then(|spec| finish(spec, keys, &issuers));
            match token {
                Ok(token) => {
                    planned.insert(name.clone(), token);
                }
                Err(Fault { field, message, help }) => {
                    let path = format!("tokens.{name}{field}");
                    faults.push(PolicyError::new("invalid_test", path, message, help));
                }
            }
        }
        Self(planned)
    }

    /// The names of all of them.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Where the token called `name` travels.
    pub(crate) fn location(&self, name: &str) -> Option<&Location> {
        self.0.get(name).map(|planned| &planned.issuer.location)
    }

    /// The API keys among them: the token, its provider, and the id of the key whose place it takes.
    pub(crate) fn api_keys(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let keys = self
            .0
            .iter()
            .map(|(name, it)| (name.as_str(), it.issuer.name.as_str(), it.spec.api_key.as_deref()));
        keys.filter_map(|(name, provider, id)| Some((name, provider, id?)))
    }

    /// Makes all tokens as of `now`.
    pub(crate) fn mint(&self, now: UnixTime) -> Result<BTreeMap<String, String>, KeyError> {
        let mint = |(name, it): (&String, &Planned)| {
            Ok((name.clone(), it.spec.mint(name, &it.issuer, &it.key, now)?))
        };
        self.0.iter().map(mint).collect()
    }
}

struct Fault {
    field: &'static str,
    message: String,
    help: String,
}

fn resolve(
    name: &str,
    specs: &BTreeMap<String, TokenSpec>,
    keys: &Keys,
    seen: &mut Vec<String>,
) -> Result<TokenSpec, Fault> {
    let missing = || Fault {
        field: ".from",
        message: format!("there is no token `{name}`"),
        help: nearest(name, &specs.keys().cloned().collect::<Vec<_>>(), "known here"),
    };
    let spec = specs.get(name).ok_or_else(missing)?;
    let Some(base) = &spec.from else {
        check_text(spec, &TokenSpec::default())?;
        check_times(spec, &TokenSpec::default())?;
        return Ok(spec.clone());
    };
    if seen.iter().any(|seen| seen == name) {
        let message = "the token is made from itself".to_owned();
        return Err(Fault {
            field: ".from",
            message,
            help: "name another token".to_owned(),
        });
    }
    seen.push(name.to_owned());
    let base = resolve(base, specs, keys, seen)?;
    let base_key = base
        .key
        .as_deref()
        .and_then(|key| keys.get(key))
        .map(|(key, _)| key.kid.clone());
    check_text(spec, &base)?;
    check_times(spec, &base)?;
    Ok(spec
        .clone()
        .over(&base, base_key.as_deref())
        .with_provider_of(&base, keys))
}

/// Of a token whose text is given nothing else counts: what its author states beside it would be lost.
fn check_text(spec: &TokenSpec, base: &TokenSpec) -> Result<(), Fault> {
    let kind = match (spec.raw.as_ref().or(base.raw.as_ref()), &spec.api_key) {
        (Some(_), _) => "raw",
        (None, Some(_)) => "api_key",
        (None, None) => return Ok(()),
    };
    let stated = TokenSpec {
        from: None,
        key: None,
        provider: None,
        api_key: None,
        raw: None,
        ..spec.clone()
    };
    if stated == TokenSpec::default() {
        return Ok(());
    }
    Err(Fault {
        field: "",
        message: format!("a token with `{kind}` has nothing else of its own"),
        help: format!("leave out either `{kind}`, or the claims, times and faults"),
    })
}

/// A time is stated once: a claim would take the place of what is counted from now, and nobody would notice.
fn check_times(spec: &TokenSpec, base: &TokenSpec) -> Result<(), Fault> {
    let times = [
        (spec.expires_in.is_some(), "exp", ".claims.exp", "expires_in"),
        (spec.issued_in.is_some(), "iat", ".claims.iat", "issued_in"),
        (spec.valid_in.is_some(), "nbf", ".claims.nbf", "valid_in"),
        (
            spec.authenticated_in.is_some(),
            "auth_time",
            ".claims.auth_time",
            "authenticated_in",
        ),
    ];
    let is_claimed = |claim: &str| spec.claims.contains_key(claim) || base.claims.contains_key(claim);
    let twice = times
        .into_iter()
        .find(|(is_counted, claim, ..)| *is_counted && is_claimed(claim));
    let Some((_, claim, field, counted)) = twice else {
        return Ok(());
    };
    Err(Fault {
        field: if spec.claims.contains_key(claim) {
            field
        } else {
            ""
        },
        message: format!("`{claim}` and `{counted}` state the same time twice"),
        help: format!("leave out either the claim `{claim}`, or `{counted}`"),
    })
}

impl TokenSpec {
    /// A forgery claims to be of the provider of the token it is made from.
    fn with_provider_of(mut self, base: &Self, keys: &Keys) -> Self {
        let of_key = || {
            base.key
                .as_ref()
                .and_then(|key| keys.get(key))
                .and_then(|(_, provider)| provider.clone())
        };
        self.provider = self.provider.or_else(of_key);
        self
    }
}

fn finish(spec: TokenSpec, keys: &Keys, issuers: &[Issuer]) -> Result<Planned, Fault> {
    let known = || keys.keys().cloned().collect::<Vec<_>>().join(", ");
    let name = match &spec.key {
        Some(name) => Some(name),
        None if spec.raw.is_some() || spec.api_key.is_some() => None,
        None => {
            let message = "the token has no key".to_owned();
            return Err(Fault {
                field: "",
                message,
                help: format!("write `key`, one of: {}", known()),
            });
        }
    };
    let (key, publisher) = match name {
        Some(name) => keys.get(name).cloned().ok_or_else(|| Fault {
            field: ".key",
            message: format!("there is no key `{name}`"),
            help: nearest(name, &keys.keys().cloned().collect::<Vec<_>>(), "known here"),
        })?,
        None => (unused()?, None),
    };
    let provider = spec.provider.clone().or(publisher);
    let issuer = match (&provider, issuers) {
        (Some(provider), _) => issuers.iter().find(|issuer| &issuer.name == provider),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let names = || {
        issuers
            .iter()
            .map(|issuer| issuer.name.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let issuer = issuer.cloned().ok_or_else(|| Fault {
        field: if provider.is_some() { ".provider" } else { "" },
        message: "the provider of the token is not clear".to_owned(),
        help: format!("write `provider`, one of: {}", names()),
    })?;
    let spec = bound(spec, keys)?;
    if let Some((field, name)) = spec.absent_duplicate(&issuer, &key) {
        return Err(Fault {
            field,
            message: format!("`{name}` does not stand there once, and cannot stand there twice"),
            help: "name one that the token has, or add it".to_owned(),
        });
    }
    Ok(Planned { spec, issuer, key })
}

/// The token with the claim `cnf`, where it is bound to a key.
fn bound(mut spec: TokenSpec, keys: &Keys) -> Result<TokenSpec, Fault> {
    let Some(name) = &spec.bound_to else {
        return Ok(spec);
    };
    let (key, _) = keys.get(name).ok_or_else(|| Fault {
        field: ".bound_to",
        message: format!("there is no key `{name}`"),
        help: nearest(name, &keys.keys().cloned().collect::<Vec<_>>(), "known here"),
    })?;
    let claim = spec.claims.entry("cnf").or_insert_with(|| json!({}));
    if let Some(members) = claim.as_object_mut() {
        members.entry("jkt").or_insert_with(|| thumbprint(key).into());
    }
    Ok(spec)
}

/// A key for a token whose text is given.
fn unused() -> Result<Key, Fault> {
    Key::generate(Algorithm::HS256, "unused").map_err(|error| Fault {
        field: "",
        message: error.to_string(),
        help: "run the tests again".to_owned(),
    })
}
