//! The conformance cases in real proxies: the traffic of each, the peers that it meets, and what the module printed.
//!
//! What a case is, and how a transcript is written, is said by the crate `conformance`; a proxy is configured in
//! [`envoy`] and [`nginx`].

pub mod envoy;
pub mod nginx;
mod peers;
mod traffic;

/// What the plugins are configured with; the script is the configuration of their machine.
const CONFIGURATION: &str = "the configuration of the plugin";

/// What the plugin behind the first is called: in the log, and at the head of its lines in a transcript.
const SECOND: &str = "second";
