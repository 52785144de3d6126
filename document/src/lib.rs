//! What both sections of a policy document are written in.
//!
//! Here live strict JSON, what becomes of it as a document, instants, durations, and the error that names a field. Nothing here knows
//! what a token or a route is: `authn` and `authz` build on this crate and not on each other's sections.

#![forbid(unsafe_code)]

pub mod error;
pub mod json;
pub mod shape;
pub mod time;

pub use error::PolicyError;
pub use shape::ShapeError;
pub use time::{Duration, Instant, UnixTime};
