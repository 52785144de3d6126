//! A real Envoy: found, configured, started on loopback, and ended with its handle.

pub mod bootstrap;
mod find;
mod process;
mod tls;

pub use find::find;
pub use process::{Envoy, EnvoyError};
