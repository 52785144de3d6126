//! The policy under test: its files, and the keys that tests put in place of its providers'.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use sha2::{Digest as _, Sha256};

use scopegate_engine::source::{self, Source, Unreadable};

use crate::issuer::Issuer;
use crate::keys::Key;
use crate::tokens::api_key;

/// Where in the environment the shared secrets of test keys are put.
const SECRET_PREFIX: &str = "SCOPEGATE_TEST_SECRET_";

/// The lists that several files of a policy may each give items of.
const JOINED_LISTS: [&str; 3] = [
    "/authorization/ceilings",
    "/authorization/grants",
    "/authorization/routes",
];

/// A policy with the keys of a test.
#[derive(Debug)]
pub struct TestPolicy {
    /// Its files.
    pub source: Source,
    /// The document as the plugin is given it.
    pub document: Value,
    /// What its environment must hold.
    pub environment: BTreeMap<String, String>,
}

impl TestPolicy {
    /// Reads a policy and puts `keys`, by provider, in place of the providers' own. Those that a provider fetches from
    /// one of the upstreams `served` stay where they are.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(
        paths: &[PathBuf],
        keys: &BTreeMap<String, Vec<Key>>,
        served: &BTreeSet<String>,
    ) -> Result<Self, Unreadable> {
        let source = source::load(paths)?;
        let mut document = source.document().clone();
        let mut environment = BTreeMap::new();
        for issuer in Issuer::all(&document) {
            let is_served = fetches_from(&document, &issuer.name).is_some_and(|name| served.contains(&name));
            if let Some(keys) = keys.get(&issuer.name).filter(|_| !is_served) {
                let section = key_section(&issuer, keys, &mut environment);
                replace(&mut document, &issuer.name, section);
            }
        }
        Ok(Self {
            source,
            document,
            environment,
        })
    }

    /// Puts a key made for tests in place of the API key called `id`.
    ///
    /// # Errors
    /// Where the provider has no such key: the ids of those that it has.
    pub(crate) fn replace_api_key(&mut self, provider: &str, id: &str) -> Result<(), Vec<String>> {
        let providers = self
            .document
            .pointer_mut("/authentication/providers")
            .and_then(Value::as_array_mut);
        let named = |candidate: &&mut Value| candidate.get("name").and_then(Value::as_str) == Some(provider);
        let provider = providers.into_iter().flatten().find(named);
        let keys = provider.and_then(|provider| provider.get_mut("keys")?.as_array_mut());
        let mut known = Vec::new();
        for key in keys.into_iter().flatten().filter_map(Value::as_object_mut) {
            match key.get("id").and_then(Value::as_str) {
                Some(found) if found == id => {
                    let digest = Sha256::digest(api_key(id).as_bytes());
                    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                    key.insert("sha256".to_owned(), hex.into());
                    return Ok(());
                }
                Some(other) => known.push(other.to_owned()),
                None => {}
            }
        }
        Err(known)
    }

    /// The names of its files, as whoever tests it gives them.
    #[must_use]
    pub fn name(&self) -> String {
        let names = self.source.files().iter().map(|file| file.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Puts the items of lists that its files share in the order that they have in `other`, which is the same policy
    /// with its files in another order. Places in the one document are then those in the other.
    pub fn order_as(&mut self, other: &Self) {
        for list in JOINED_LISTS {
            let items = |policy: &Self| policy.source.document().pointer(list)?.as_array().cloned();
            let (Some(own), Some(others)) = (items(self), items(other)) else {
                continue;
            };
            let Some(made) = self.document.pointer_mut(list).and_then(Value::as_array_mut) else {
                continue;
            };
            let at = others
                .iter()
                .filter_map(|item| own.iter().position(|own| own == item));
            let ordered: Vec<Value> = at.filter_map(|at| made.get(at).cloned()).collect();
            if ordered.len() == made.len() {
                *made = ordered;
            }
        }
    }

    /// The document in JSON.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        self.document.to_string().into_bytes()
    }

    /// The ids of its routes, in order, and whether each is public.
    #[must_use]
    pub fn routes(&self) -> Vec<(String, bool)> {
        let routes = self
            .document
            .pointer("/authorization/routes")
            .and_then(Value::as_array);
        let route = |route: &Value| {
            let is_public = route.get("access").and_then(Value::as_str) == Some("public");
            Some((route.get("id")?.as_str()?.to_owned(), is_public))
        };
        routes.into_iter().flatten().filter_map(route).collect()
    }

    /// The authority of requests that state none: the first origin's, else the first exact host of a route.
    #[must_use]
    pub fn default_authority(&self) -> String {
        let origin = self
            .document
            .pointer("/authentication/origins/0")
            .and_then(Value::as_str);
        let origin = origin.and_then(|origin| origin.split("://").nth(1));
        origin
            .map(str::to_owned)
            .or_else(|| self.first_host())
            .unwrap_or_else(|| "localhost".to_owned())
    }

    fn first_host(&self) -> Option<String> {
        let routes = self.document.pointer("/authorization/routes")?.as_array()?;
        let hosts = routes
            .iter()
            .filter_map(|route| route.pointer("/match/hosts")?.as_array())
            .flatten();
        hosts
            .filter_map(Value::as_str)
            .find(|host| !host.starts_with('*'))
            .map(str::to_owned)
    }
}

/// The upstream that a provider fetches its keys from.
fn fetches_from(document: &Value, provider: &str) -> Option<String> {
    let providers = document.pointer("/authentication/providers")?.as_array()?;
    let named = |candidate: &&Value| candidate.get("name").and_then(Value::as_str) == Some(provider);
    let upstream = providers.iter().find(named)?.pointer("/keys/upstream")?;
    upstream.as_str().map(str::to_owned)
}

/// The upstreams that a policy names, whatever for.
#[must_use]
pub fn named_upstreams(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for section in ["/authentication/providers", "/authentication/revocation"] {
        if let Some(section) = document.pointer(section) {
            collect_upstreams(section, &mut names);
        }
    }
    names
}

fn collect_upstreams(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            names.extend(fields.get("upstream").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect_upstreams(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_upstreams(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Shared secrets come from the environment, as they should; key pairs are published in a JWK Set. A provider
/// with both has all of them in the set.
fn key_section(issuer: &Issuer, keys: &[Key], environment: &mut BTreeMap<String, String>) -> Value {
    if !keys.iter().all(|key| key.algorithm.is_symmetric()) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk(issuer.key_usage())).collect();
        return json!({"jwks": {"keys": keys}});
    }
    let mut secret = |key: &Key| {
        let name = format!("{SECRET_PREFIX}{}", environment.len());
        environment.insert(name.clone(), key.shared_secret().unwrap_or_default());
        json!({"kid": key.kid, "alg": key.algorithm.name(), "secret": {"env": name}})
    };
    keys.iter().map(&mut secret).collect()
}

fn replace(document: &mut Value, provider: &str, keys: Value) {
    let providers = document
        .pointer_mut("/authentication/providers")
        .and_then(Value::as_array_mut);
    let named =
        |candidate: &&mut Map<String, Value>| candidate.get("name").and_then(Value::as_str) == Some(provider);
    let found = providers
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
        .find(named);
    if let Some(found) = found {
        found.insert("keys".to_owned(), keys);
    }
}
