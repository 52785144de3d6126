//! Policy tests: keys and tokens minted at run time, the `*.test.yaml` format, and the executors that must
//! agree on every answer.

#![forbid(unsafe_code)]

pub mod agreement;
pub mod bench;
mod build;
pub mod bundled;
pub mod check;
pub mod coverage;
mod defaults;
pub mod exchange;
pub mod executor;
mod faults;
mod fetching;
pub mod files;
mod fixtures;
pub mod format;
mod host_signatures;
pub mod import;
pub mod init;
pub mod issuer;
pub mod keys;
pub mod mutation;
pub mod native;
pub mod observed;
mod peer;
mod planned;
pub mod policy;
pub mod proofs;
pub mod redact;
pub mod report;
pub mod run;
mod shared;
pub mod span;
pub mod suite;
pub mod tested;
pub mod tokens;
pub mod upstream;
pub mod visible;
pub mod wasm;
