//! Counters for both layers, for documents and for the token cache. Labels come from bounded sets: providers, routes,
//! outcomes, codes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use scopegate_authn::CacheUse;
use scopegate_engine::{Counted, Decision};

use crate::host::{self, HostError, Metric};

/// The metrics defined so far, by name.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    ids: RefCell<HashMap<String, u32>>,
    /// Whether the host fails the plugin for a metric too many, or for too long a name.
    is_limited: Cell<bool>,
    /// Where names are put together: what is counted on every request allocates nothing.
    scratch: RefCell<String>,
    /// What was counted before, each in its slot: most decisions are like an earlier one.
    known: RefCell<Vec<Option<Known>>>,
}

/// A counter that was found by what it counts. It holds the name, so that no other can stand in its place in memory.
#[derive(Debug)]
struct Known {
    layer: &'static str,
    counted: Counted,
    id: u32,
}

/// How many counters are found without their names.
const SLOTS: usize = 256;

impl Known {
    /// Whether it is the counter of `counted`: the same name, and not one that reads the same.
    fn is_of(&self, layer: &'static str, counted: &Counted) -> bool {
        let is_same_name = match (&self.counted.name, &counted.name) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_same_name
            && std::ptr::eq(self.layer, layer)
            && std::ptr::eq(self.counted.outcome, counted.outcome)
            && match (self.counted.reason, counted.reason) {
                (Some(one), Some(other)) => std::ptr::eq(one, other),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
    }
}

/// The slot of a counter, by where its texts stand in memory.
fn slot_of(layer: &'static str, counted: &Counted) -> usize {
    let place = |text: &str| text.as_ptr().addr();
    let name = counted.name.as_deref().map_or(0, place);
    let texts = [layer, counted.outcome, counted.reason.unwrap_or_default()].map(place);
    let mixed = texts.into_iter().fold(name, |mixed, text| {
        mixed.wrapping_mul(0x9e37_79b1).wrapping_add(text)
    });
    (mixed.wrapping_mul(0x9e37_79b1) >> 16) % SLOTS
}

/// How long the name of a metric may be where that is limited: 256 bytes in ngx_wasm_module, less the plugin's name and
/// some to spare.
const NAME_BYTES: usize = 192;

/// How many metrics there may be where that is limited: each takes at most a kilobyte of the 5 MiB that ngx_wasm_module
/// has for them by default.
const MOST: usize = 4_096;

impl Metrics {
    /// From now on nothing is counted that the host might fail for.
    pub(crate) fn limit(&self) {
        self.is_limited.set(true);
    }

    /// Counts a decision in both layers.
    pub(crate) fn count(&self, decision: &Decision) -> Result<(), HostError> {
        self.step("authentication", &decision.authentication)?;
        self.step("authorization", &decision.authorization)
    }

    fn step(&self, layer: &'static str, counted: &Counted) -> Result<(), HostError> {
        let slot = slot_of(layer, counted);
        let mut known = self.known.borrow_mut();
        let found = known.get(slot).and_then(Option::as_ref);
        if let Some(found) = found.filter(|found| found.is_of(layer, counted)) {
            return host::increment(found.id, 1);
        }
        let mut name = self.scratch.borrow_mut();
        put_name(&mut name, layer, counted);
        let Some(id) = self.defined(Metric::Counter, &name)? else {
            return Ok(());
        };
        known.resize_with(SLOTS, || None);
        if let Some(place) = known.get_mut(slot) {
            let counted = counted.clone();
            *place = Some(Known { layer, counted, id });
        }
        host::increment(id, 1)
    }

    /// Counts what became of a fetch. Where counting fails, fetching goes on.
    pub(crate) fn fetched(&self, document: &str, outcome: &str) {
        let _ = self.add(&format!("scopegate.fetch.{document}.{outcome}"), 1);
    }

    /// Shows how old a document is, in seconds.
    pub(crate) fn aged(&self, document: &str, seconds: i64) {
        let seconds = u64::try_from(seconds).unwrap_or_default();
        self.set(&format!("scopegate.age.{document}"), seconds);
    }

    /// Shows whether the host is asked about signatures made with `algorithm`: 1, or 0 where it is not after it was tried.
    pub(crate) fn asks_host(&self, algorithm: &str, is_asked: bool) {
        self.set(&format!("scopegate.host_signatures.{algorithm}"), is_asked.into());
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
                let _ = self.add(&format!("scopegate.token_cache.{name}"), more);
            }
        }
        let number = |tokens| u64::try_from(tokens).unwrap_or_default();
        for (name, now, before) in [
            ("tokens", number(*tokens), number(before.tokens)),
            ("bytes", *bytes, before.bytes),
            ("bound", *bound, before.bound),
        ] {
            // All workers of a proxy share a gauge: one that serves nothing must not say that nothing is held.
            if now != before {
                self.set(&format!("scopegate.token_cache.{name}"), now);
            }
        }
    }

    /// Where a number cannot be shown, nothing else is held up.
    fn set(&self, name: &str, value: u64) {
        if let Ok(Some(id)) = self.defined(Metric::Gauge, name) {
            let _ = host::record(id, value);
        }
    }

    fn add(&self, name: &str, more: i64) -> Result<(), HostError> {
        match self.defined(Metric::Counter, name)? {
            Some(id) => host::increment(id, more),
            None => Ok(()),
        }
    }

    /// The metric's number; none where the host would fail for it.
    fn defined(&self, kind: Metric, name: &str) -> Result<Option<u32>, HostError> {
        if let Some(known) = self.ids.borrow().get(name) {
            return Ok(Some(*known));
        }
        if self.is_limited.get() && (name.len() > NAME_BYTES || self.ids.borrow().len() >= MOST) {
            return Ok(None);
        }
        let id = host::define_metric(kind, name)?;
        self.ids.borrow_mut().insert(name.to_owned(), id);
        Ok(Some(id))
    }
}

/// As in `scopegate.authorization.orders.list.deny.scope_missing`.
fn put_name(text: &mut String, layer: &str, counted: &Counted) {
    let name = counted.name.as_deref().unwrap_or("none");
    text.clear();
    text.push_str("scopegate");
    for part in [layer, name, counted.outcome].into_iter().chain(counted.reason) {
        text.push('.');
        text.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use scopegate_engine::Counted;

    use super::put_name;

    fn name(layer: &str, counted: &Counted) -> String {
        let mut text = "what stood there before".to_owned();
        put_name(&mut text, layer, counted);
        text
    }

    #[test]
    fn a_counter_is_named_by_layer_name_outcome_and_reason() {
        let denied = Counted {
            name: Some("orders.list".into()),
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
