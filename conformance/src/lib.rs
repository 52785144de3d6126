//! What a Proxy-Wasm host does, put to the question: a module that calls host functions as a script says and
//! prints each answer, and the scripts.
//!
//! For WebAssembly this crate is that module. The host gives it the script as the configuration of the virtual
//! machine. It has no SDK between itself and the host: one would trap on statuses that it does not expect, which
//! are what is to be seen here. For tests this crate is the [`cases`]: each a script, the traffic that goes with
//! it, and the transcripts that real proxies made of it; and [`skips`], what is told of tests that cannot run. What a
//! host is, and how it is driven, is not known here.

#[cfg(not(target_family = "wasm"))]
pub mod cases;
#[cfg(not(target_family = "wasm"))]
pub mod differences;
#[cfg(target_family = "wasm")]
pub mod exports;
#[cfg(target_family = "wasm")]
mod host;
#[cfg(not(target_family = "wasm"))]
pub mod recorded;
#[cfg(any(test, target_family = "wasm"))]
mod script;
mod signatures;
#[cfg(not(target_family = "wasm"))]
pub mod skips;
#[cfg(any(test, target_family = "wasm"))]
mod text;
#[cfg(not(target_family = "wasm"))]
pub mod transcript;

#[cfg(not(target_family = "wasm"))]
pub use signatures::CALLBACKS;
#[cfg(not(target_family = "wasm"))]
pub use signatures::names as functions;
