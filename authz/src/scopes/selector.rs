//! Some callers of a provider, and rules found by the caller they are about.

use scopegate_authn::Verified;
use scopegate_document::PolicyError;
use serde_json::{Map, Value};

use crate::router::Table;
use crate::section::{CallerSelector, Ceiling};

/// What is decided from of a caller: values alone, so that this layer can be tested without a credential.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallerFacts<'c> {
    pub(crate) provider: &'c str,
    pub(crate) subject: Option<&'c str>,
    pub(crate) client: Option<&'c str>,
    pub(crate) tenant: Option<&'c str>,
    pub(crate) scopes: &'c [String],
    pub(crate) roles: &'c [String],
    /// All claims of a token; none of any other credential.
    pub(crate) claims: &'c Map<String, Value>,
}

impl<'c> From<&'c Verified> for CallerFacts<'c> {
    fn from(caller: &'c Verified) -> Self {
        Self {
            provider: caller.provider(),
            subject: caller.subject(),
            client: caller.client(),
            tenant: caller.tenant(),
            scopes: caller.scopes(),
            roles: caller.roles(),
            claims: caller.claims(),
        }
    }
}

/// Some callers of one provider: those for which everything that is written is equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) provider: String,
    subject: Option<String>,
    client: Option<String>,
    tenant: Option<String>,
}

impl From<&CallerSelector> for Selector {
    fn from(selector: &CallerSelector) -> Self {
        let CallerSelector {
            provider,
            subject,
            client,
            tenant,
        } = selector.clone();
        Self {
            provider,
            subject,
            client,
            tenant,
        }
    }
}

impl From<&Ceiling> for Selector {
    fn from(ceiling: &Ceiling) -> Self {
        let Ceiling {
            provider,
            subject,
            client,
            tenant,
            scopes: _,
        } = ceiling.clone();
        Self {
            provider,
            subject,
            client,
            tenant,
        }
    }
}

impl Selector {
    /// Whether it is about every caller of its provider.
    pub(crate) const fn is_whole_provider(&self) -> bool {
        self.subject.is_none() && self.client.is_none() && self.tenant.is_none()
    }

    /// The empty fields of it, each a fault: nobody's subject is empty.
    pub(crate) fn check(&self, path: &str) -> impl Iterator<Item = PolicyError> {
        let fields = [
            ("subject", &self.subject),
            ("client", &self.client),
            ("tenant", &self.tenant),
        ];
        let empty = fields
            .into_iter()
            .filter(|(_, value)| value.as_deref() == Some(""))
            .map(|(name, _)| name);
        empty.map(move |name| {
            PolicyError::new(
                "empty_value",
                format!("{path}.{name}"),
                format!("`{name}` is empty"),
                "name the callers meant, or leave the field out",
            )
        })
    }

    fn selects(&self, caller: &CallerFacts<'_>) -> bool {
        let fits =
            |wanted: &Option<String>, seen: Option<&str>| wanted.is_none() || wanted.as_deref() == seen;
        self.provider == caller.provider
            && fits(&self.subject, caller.subject)
            && fits(&self.client, caller.client)
            && fits(&self.tenant, caller.tenant)
    }
}

/// Rules found by the callers they are about, without looking at all of them.
#[derive(Debug)]
pub(crate) struct BySelector<T> {
    rules: Vec<(Selector, T)>,
    by_provider: Table<String, Indices>,
}

#[derive(Debug, Default)]
struct Indices {
    by_subject: Table<String, Vec<usize>>,
    by_client: Table<String, Vec<usize>>,
    by_tenant: Table<String, Vec<usize>>,
    others: Vec<usize>,
}

impl<T> Default for BySelector<T> {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            by_provider: Table::default(),
        }
    }
}

impl<T> BySelector<T> {
    /// Adds a rule.
    pub(crate) fn push(&mut self, selector: Selector, rule: T) {
        let index = self.rules.len();
        let of_provider = self.by_provider.entry(selector.provider.clone()).or_default();
        let list = match (&selector.subject, &selector.client, &selector.tenant) {
            (Some(subject), _, _) => of_provider.by_subject.entry(subject.clone()).or_default(),
            (None, Some(client), _) => of_provider.by_client.entry(client.clone()).or_default(),
            (None, None, Some(tenant)) => of_provider.by_tenant.entry(tenant.clone()).or_default(),
            (None, None, None) => &mut of_provider.others,
        };
        list.push(index);
        self.rules.push((selector, rule));
    }

    /// The rules about `caller`, in no order that matters, each with its place in the policy.
    pub(crate) fn about<'s>(&'s self, caller: &CallerFacts<'_>) -> impl Iterator<Item = (usize, &'s T)> {
        let of_provider = self.by_provider.get(caller.provider);
        let lists = of_provider.map(|indices| {
            let in_table =
                |table: &'s Table<String, Vec<usize>>, key: Option<&str>| key.and_then(|key| table.get(key));
            [
                Some(&indices.others),
                in_table(&indices.by_subject, caller.subject),
                in_table(&indices.by_client, caller.client),
                in_table(&indices.by_tenant, caller.tenant),
            ]
        });
        let indices = lists.into_iter().flatten().flatten().flatten();
        let caller = *caller;
        indices.filter_map(move |index| {
            let (selector, rule) = self.rules.get(*index)?;
            selector.selects(&caller).then_some((*index, rule))
        })
    }
}
