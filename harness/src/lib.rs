//! Policy tests: keys and tokens minted at run time, the `*.test.yaml` format, and the executors that must
//! agree on every answer.

#![forbid(unsafe_code)]

pub mod issuer;
pub mod keys;
pub mod span;
pub mod tokens;
