//! Counters for both layers, for documents and for the token cache. Labels come from bounded sets: providers, routes,
//! outcomes, codes.

use std::cell::RefCell;
use std::collections::HashMap;

use scopegate_authn::CacheUse;
use scopegate_engine::{Counted, Decision};

use crate::host::{self, HostError, Metric};

/// The metrics defined so far, by name.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    ids: RefCell<HashMap<String, u32>>,
}

impl Metrics {
    /// Counts a decision in both layers.
    pub(crate) fn count(&self, decision: &Decision) -> Result<(), HostError> {
        self.add(name("authentication", &decision.authentication), 1)?;
        self.add(name("authorization", &decision.authorization), 1)
    }

    /// Counts what became of a fetch. Where counting fails, fetching goes on.
    pub(crate) fn fetched(&self, document: &str, outcome: &str) {
        let _ = self.add(format!("scopegate.fetch.{document}.{outcome}"), 1);
    }

    /// Shows how old a document is, in seconds.
    pub(crate) fn aged(&self, document: &str, seconds: i64) {
        let seconds = u64::try_from(seconds).unwrap_or_default();
        self.set(format!("scopegate.age.{document}"), seconds);
    }

    /// Counts what the token cache did since `before`, and shows what it holds.
    pub(crate) fn cached(&self, before: &CacheUse, now: &CacheUse) {
        let CacheUse {
            tokens,
            bytes,
            bound,
            hits,
            misses,
            evictions,
        } = now;
        for (name, now, before) in [
            ("hits", hits, before.hits),
            ("misses", misses, before.misses),
            ("evictions", evictions, before.evictions),
        ] {
            if let Some(more @ 1..) = now.checked_sub(before).and_then(|more| i64::try_from(more).ok()) {
                let _ = self.add(format!("scopegate.token_cache.{name}"), more);
            }
        }
        let tokens = u64::try_from(*tokens).unwrap_or_default();
        for (name, value) in [("tokens", tokens), ("bytes", *bytes), ("bound", *bound)] {
            self.set(format!("scopegate.token_cache.{name}"), value);
        }
    }

    /// Where a number cannot be shown, nothing else is held up.
    fn set(&self, name: String, value: u64) {
        if let Ok(id) = self.defined(Metric::Gauge, name) {
            let _ = host::record(id, value);
        }
    }

    fn add(&self, name: String, more: i64) -> Result<(), HostError> {
        host::increment(self.defined(Metric::Counter, name)?, more)
    }

    fn defined(&self, kind: Metric, name: String) -> Result<u32, HostError> {
        if let Some(known) = self.ids.borrow().get(&name) {
            return Ok(*known);
        }
        let id = host::define_metric(kind, &name)?;
        self.ids.borrow_mut().insert(name, id);
        Ok(id)
    }
}

/// As in `scopegate.authorization.orders.list.deny.scope_missing`.
fn name(layer: &str, counted: &Counted) -> String {
    let name = counted.name.as_deref().unwrap_or("none");
    match counted.reason {
        Some(reason) => format!("scopegate.{layer}.{name}.{}.{reason}", counted.outcome),
        None => format!("scopegate.{layer}.{name}.{}", counted.outcome),
    }
}

#[cfg(test)]
mod tests {
    use scopegate_engine::Counted;

    use super::name;

    #[test]
    fn a_counter_is_named_by_layer_name_outcome_and_reason() {
        let denied = Counted {
            name: Some("orders.list".to_owned()),
            outcome: "deny",
            reason: Some("scope_missing"),
        };
        assert_eq!(
            name("authorization", &denied),
            "scopegate.authorization.orders.list.deny.scope_missing"
        );
        let skipped = Counted {
            name: None,
            outcome: "skipped",
            reason: None,
        };
        assert_eq!(
            name("authentication", &skipped),
            "scopegate.authentication.none.skipped"
        );
    }
}
