//! The layer as its callers see it: sections in JSON, requests in bytes, callers from real tokens.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::type_complexity,
    reason = "helpers of tests fail the test, and its tables are their own type"
)]

mod authorize;
mod callers;
mod circumstances;
mod common;
mod elevation;
mod foreign_vectors;
mod matching;
mod order;
mod path_readings;
mod paths;
mod policy_faults;
mod requests;
mod routing;
mod tokens;
mod upstream;
