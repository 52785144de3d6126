//! End to end: a real proxy with the real module, a client that sends any bytes, an upstream that says what
//! it saw.
//!
//! Here live Envoy's process and bootstrap, the client, the upstream, and what is built of them: the tests, the
//! demo and the bench. What a decision should be is said by the policies and their tests, never here.

#![forbid(unsafe_code)]

pub mod bench;
pub mod cases;
pub mod certificates;
pub mod client;
pub mod conformance;
pub mod demo;
pub mod envoy;
pub mod executor;
pub mod http1;
pub mod key_server;
pub mod log;
pub mod mint;
pub mod nginx;
pub mod normalising;
mod peers;
pub mod size;
pub mod upstream;
pub mod wait;
