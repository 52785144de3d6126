//! The real command, run as people and scripts run it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod bundle;
mod bundled;
mod check;
mod common;
mod coverage;
mod decide;
mod documented;
mod faults;
mod import;
#[path = "../../../bundle/tests/signing/keys.rs"]
mod keys;
mod newcomer;
mod pipe;
mod schemas;
mod serve;
#[path = "../../../oci/tests/registry/served.rs"]
mod served;
mod signed;
mod test;
