//! The only crate that sees both layers.
//!
//! A policy document becomes an [`Engine`]; the engine turns a request, the time and its keys, all values,
//! into a [`Decision`]. Nothing here reads a clock, a file or a host.

#![forbid(unsafe_code)]

pub mod decision;
pub mod engine;
pub mod request;

pub use decision::{Decision, Forward, Layer, Outcome, Reply};
pub use engine::{Compiled, Engine};
pub use request::Request;
