//! Counters for both layers. Labels come from bounded sets: providers, routes, outcomes, codes.

use std::cell::RefCell;
use std::collections::HashMap;

use scopegate_engine::{Counted, Decision};

use crate::host::{self, HostError};

/// The counters defined so far, by name.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    ids: RefCell<HashMap<String, u32>>,
}

impl Metrics {
    /// Counts a decision in both layers.
    pub(crate) fn count(&self, decision: &Decision) -> Result<(), HostError> {
        self.increment(name("authentication", &decision.authentication))?;
        self.increment(name("authorization", &decision.authorization))
    }

    /// Counts what became of a fetch. Where counting fails, fetching goes on.
    pub(crate) fn fetched(&self, document: &str, outcome: &str) {
        let _ = self.increment(format!("scopegate.fetch.{document}.{outcome}"));
    }

    fn increment(&self, name: String) -> Result<(), HostError> {
        let known = self.ids.borrow().get(&name).copied();
        let id = match known {
            Some(id) => id,
            None => {
                let id = host::define_counter(&name)?;
                self.ids.borrow_mut().insert(name, id);
                id
            }
        };
        host::increment(id)
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
