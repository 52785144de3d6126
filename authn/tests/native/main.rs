//! The tests of this layer that run natively: rules, refusals, foreign vectors, properties.
#![cfg(not(target_arch = "wasm32"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on must fail, and helpers of tests are tests"
)]

#[path = "../common/mod.rs"]
mod common;

mod api_keys;
mod bound;
mod compile;
mod credentials;
mod discovered;
mod envoy;
mod fetched;
mod fields;
mod hostile;
mod ietf;
mod introspection;
mod ml_dsa;
mod order;
mod peers;
mod profiles;
mod properties;
mod rejects;
mod requirements;
mod revoked;
mod several;
mod statuses;
mod stripped;
mod vectors;
mod world;
mod wycheproof_jose;
mod wycheproof_primitives;
