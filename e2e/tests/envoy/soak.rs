//! The soak in short: mixed good and hostile traffic while keys change. The long one is `cargo xtask soak`.

use std::path::PathBuf;

use scopegate_e2e::bench::soak::{Options, soak};

use crate::common::{envoy, module};

#[test]
fn no_decision_is_wrong_and_memory_stays_while_keys_rotate_under_hostile_traffic() {
    let test = "no_decision_is_wrong_and_memory_stays_while_keys_rotate_under_hostile_traffic";
    if envoy(test).is_none() {
        return;
    }
    let options = Options {
        seconds: 15,
        rotation: 3,
        connections: 64,
        rate: 200,
        output: PathBuf::new(),
        json: false,
    };
    let outcome = soak(&module(), &options).unwrap();
    assert_eq!(outcome.faults(), [""; 0]);
    assert!(!outcome.changes.is_empty(), "the keys never changed");
}
