//! The catalogue of scopes: their ids, and what each implies.

use std::collections::BTreeMap;

use scopegate_document::PolicyError;

use super::set::{ScopeId, ScopeSet};
use crate::compile::suggest;
use crate::router::Table;
use crate::section::ScopeEntry;

/// The scopes of a policy. Ids follow the order of the names.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    names: Vec<String>,
    ids: Table<String, ScopeId>,
    /// For each scope: itself and everything it implies, directly or not.
    closures: Vec<ScopeSet>,
}

impl Catalogue {
    /// Compiles the catalogue; faults are added to `faults`.
    pub(crate) fn compile(scopes: &BTreeMap<String, ScopeEntry>, faults: &mut Vec<PolicyError>) -> Self {
        let names: Vec<String> = scopes.keys().cloned().collect();
        let ids = names
            .iter()
            .cloned()
            .enumerate()
            .map(|(id, name)| (name, id))
            .collect();
        let mut catalogue = Self {
            names,
            ids,
            closures: Vec::new(),
        };
        faults.extend(scopes.keys().filter_map(|name| check_name(name)));
        let implied: Vec<Vec<ScopeId>> = scopes
            .iter()
            .map(|(name, entry)| catalogue.implied(name, entry, faults))
            .collect();
        catalogue.closures = catalogue.close_all(&implied);
        catalogue.check_cycles(&implied, faults);
        catalogue
    }

    /// The number of scopes.
    pub(crate) const fn len(&self) -> usize {
        self.names.len()
    }

    /// The id of a scope, by its whole name.
    pub(crate) fn id(&self, name: &str) -> Option<ScopeId> {
        self.ids.get(name).copied()
    }

    /// The name of a scope.
    pub(crate) fn name(&self, scope: ScopeId) -> &str {
        self.names.get(scope).map(String::as_str).unwrap_or_default()
    }

    /// The names of `scopes`, sorted.
    pub(crate) fn names<'a>(&'a self, scopes: &ScopeSet) -> impl Iterator<Item = &'a str> {
        scopes.iter().map(|scope| self.name(scope))
    }

    /// A scope and everything it implies, added to `set`.
    pub(crate) fn close_into(&self, scope: ScopeId, set: &mut ScopeSet) {
        if let Some(closure) = self.closures.get(scope) {
            set.union_with(closure);
        }
    }

    /// Everything that `scopes` imply, and they themselves.
    pub(crate) fn close(&self, scopes: &ScopeSet) -> ScopeSet {
        let mut closed = ScopeSet::empty(self.len());
        scopes
            .iter()
            .for_each(|scope| self.close_into(scope, &mut closed));
        closed
    }

    /// The scopes that an entry of a list stands for: a name, `orders:*` for exactly one more segment, or `*`
    /// for all.
    pub(crate) fn expand(&self, entry: &str, path: &str) -> Result<Vec<ScopeId>, PolicyError> {
        if !entry.contains('*') {
            return self
                .id(entry)
                .map(|id| vec![id])
                .ok_or_else(|| self.unknown(entry, path));
        }
        if entry == "*" {
            return match self.len() {
                0 => Err(PolicyError::new(
                    "unknown_scope",
                    path,
                    "`*` covers no scope: the catalogue is empty",
                    "add scopes to `authorization.scopes`, or say `authenticated: true`",
                )),
                all => Ok((0..all).collect()),
            };
        }
        let prefix = entry
            .strip_suffix('*')
            .filter(|prefix| prefix.ends_with(':') && !prefix.contains('*'));
        let Some(prefix) = prefix else {
            return Err(PolicyError::new(
                "invalid_scope",
                path,
                format!("`{}` is no pattern of scopes", entry.escape_debug()),
                "write `orders:*` for exactly one more segment, or `*` alone for the whole catalogue",
            ));
        };
        let covered = |name: &str| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && !rest.contains(':'))
        };
        let ids: Vec<ScopeId> = (0..self.len()).filter(|id| covered(self.name(*id))).collect();
        match ids.is_empty() {
            true => Err(PolicyError::new(
                "unknown_scope",
                path,
                format!("`{}` covers no scope of the catalogue", entry.escape_debug()),
                "add the scopes it is meant to cover to `authorization.scopes`",
            )),
            false => Ok(ids),
        }
    }

    /// Expands a list whose path is `path`; an empty list is a fault.
    pub(crate) fn expand_list(&self, list: &[String], path: &str, faults: &mut Vec<PolicyError>) -> ScopeSet {
        let mut set = ScopeSet::empty(self.len());
        if list.is_empty() {
            faults.push(crate::compile::empty_list(path));
        }
        for (index, entry) in list.iter().enumerate() {
            match self.expand(entry, &format!("{path}[{index}]")) {
                Ok(ids) => ids.into_iter().for_each(|id| set.insert(id)),
                Err(fault) => faults.push(fault),
            }
        }
        set
    }

    fn unknown(&self, name: &str, path: &str) -> PolicyError {
        PolicyError::new(
            "unknown_scope",
            path,
            format!("the scope `{}` is not in the catalogue", name.escape_debug()),
            suggest(
                name,
                self.names.iter().map(String::as_str),
                "add it to `authorization.scopes`",
            ),
        )
    }

    fn implied(&self, name: &str, entry: &ScopeEntry, faults: &mut Vec<PolicyError>) -> Vec<ScopeId> {
        let list = match entry {
            ScopeEntry::Description(_) => None,
            ScopeEntry::Details(details) => details.implies.as_deref(),
        };
        let own = self.id(name);
        let mut set = match list {
            Some(list) => self.expand_list(list, &format!("scopes.{name}.implies"), faults),
            None => return Vec::new(),
        };
        // A pattern may cover the scope that implies it; to write it by name is a fault, found as a cycle.
        let by_name = list.is_some_and(|list| list.iter().any(|entry| entry == name));
        if let (false, Some(own)) = (by_name, own) {
            let mut others = ScopeSet::empty(self.len());
            set.iter()
                .filter(|scope| *scope != own)
                .for_each(|scope| others.insert(scope));
            set = others;
        }
        set.iter().collect()
    }

    fn close_all(&self, implied: &[Vec<ScopeId>]) -> Vec<ScopeSet> {
        (0..self.len())
            .map(|scope| self.reachable(scope, implied))
            .collect()
    }

    fn reachable(&self, from: ScopeId, implied: &[Vec<ScopeId>]) -> ScopeSet {
        let mut reached = ScopeSet::empty(self.len());
        let mut pending = vec![from];
        while let Some(scope) = pending.pop() {
            if !reached.contains(scope) {
                reached.insert(scope);
                pending.extend(implied.get(scope).into_iter().flatten());
            }
        }
        reached
    }

    fn check_cycles(&self, implied: &[Vec<ScopeId>], faults: &mut Vec<PolicyError>) {
        for (scope, direct) in implied.iter().enumerate() {
            let reaches_back = |next: &&ScopeId| {
                self.closures
                    .get(**next)
                    .is_some_and(|closure| closure.contains(scope))
            };
            if let Some(next) = direct.iter().find(reaches_back) {
                let (name, next) = (self.name(scope), self.name(*next));
                faults.push(PolicyError::new(
                    "implies_cycle",
                    format!("scopes.{name}.implies"),
                    format!("`{name}` implies `{next}`, which leads back to `{name}`"),
                    "let the wider scope imply the narrower, and not the other way round",
                ));
            }
        }
    }
}

/// A scope is a scope-token (RFC 6749 section 3.3), and `*` is kept for patterns.
fn check_name(name: &str) -> Option<PolicyError> {
    let in_token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if !name.is_empty() && name.bytes().all(in_token) && !name.contains('*') {
        return None;
    }
    Some(PolicyError::new(
        "invalid_scope",
        format!("scopes.{name}"),
        format!("`{}` is no scope", name.escape_debug()),
        "write printable ASCII without spaces, quotes, `\\` and `*`, as in `orders:read` (RFC 6749 section 3.3)",
    ))
}
