//! What the tests inside this crate share with those beside it.

#[path = "../tests/common/mod.rs"]
#[expect(
    dead_code,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests, and those inside the crate need a part of them"
)]
pub(crate) mod common;
#[path = "../tests/native/vectors.rs"]
#[expect(dead_code, reason = "the tests inside the crate need a part of it")]
pub(crate) mod vectors;
