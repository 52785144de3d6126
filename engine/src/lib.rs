//! The only crate that sees both layers.
//!
//! A policy document becomes an [`Engine`]; the engine turns a request and the time, both values, into a
//! [`Decision`]. Nothing here reads a clock, a file or a host; with the feature `authoring`, [`source`] reads
//! the files that authors write.

#![forbid(unsafe_code)]

mod audit;
mod decide;
pub mod decision;
pub mod digest;
pub mod document;
pub mod engine;
mod identity;
mod limited;
mod metadata;
mod reply;
pub mod request;
#[cfg(feature = "authoring")]
pub mod source;
mod written;

pub use decide::{Pending, Progress, Unready};
pub use decision::{Caller, Counted, Decision, Forward, Layer, Outcome, Record, Reply};
pub use document::{PolicyDocument, Property, schema};
pub use engine::{Compiled, Engine};
pub use request::Request;
