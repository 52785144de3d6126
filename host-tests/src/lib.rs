//! A faithful Proxy-Wasm host on wasmtime: any Proxy-Wasm module can be loaded, driven and observed.
//!
//! A [`Module`] is compiled once. A [`Host`] is one virtual machine with one plugin in it: it starts the module
//! as a proxy does, gives it a configuration, and takes requests through the whole life of a stream. Everything
//! the module could depend on is a value of the test: the clock, the random numbers, the environment, the
//! upstreams, the faults. Nothing is global, so tests run in parallel.
//!
//! ```no_run
//! use scopegate_host_tests::{Clock, Host, Module, Outcome, Request};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let module = Module::from_file("filter.wasm")?;
//! let mut host =
//!     Host::builder(&module).configuration(r#"{"mode":"strict"}"#).clock(Clock::virtual_at(1_790_000_000)).build()?;
//! let exchange = host.request(Request::get("api.example.com", "/orders").header("authorization", "Bearer x"));
//! assert!(matches!(exchange.outcome, Outcome::LocalReply(_)));
//! # Ok(())
//! # }
//! ```
//!
//! # What there is
//! - [`Host`]: one plugin in one machine; [`Chain`]: several on the same streams; hosts with one [`SharedData`]: workers.
//! - [`Request`] in, [`Exchange`] with its [`Outcome`] out; [`Connection`] for TCP; single steps ([`Step`]) for gateways.
//! - [`Clock`], [`LocalUpstreams`], [`Answer`], [`GrpcAnswer`], [`Faults`], [`Limits`], [`FailurePolicy`]: the world around.
//! - [`HostCall`], [`LogLine`], [`Metric`], [`Trap`], [`Cost`], [`Leaks`], [`Comparison`]: what is to be seen of it.
//!
//! `docs/host.md` is one page on all of it. `examples/any-module` is a first test to copy.
//!
//! # What is modelled
//! Proxy-Wasm ABI 0.1.0, 0.2.0 and 0.2.1 (and 0.2.100, whose further functions answer `UNIMPLEMENTED`), with the
//! behaviour of Envoy's proxy-wasm-cpp-host; [`Profile`] says what other hosts do differently. All of
//! `wasi_snapshot_preview1` and `wasi_unstable` that Envoy offers is there, with Envoy's answers.
//!
//! Not modelled: metadata frames, watermarks and buffer limits. Where the profile is [`Profile::Nginx`], the request goes
//! to the upstream as `proxy_pass` without a URI sends it: the target as it came, whatever the module makes of `:path`.

mod abi;
mod answers;
mod builder;
mod callout;
mod chain;
mod clock;
mod compare;
mod connection;
mod exchange;
mod fault;
mod flow;
mod foreign;
mod grpc;
mod grpc_answers;
mod grpc_callouts;
mod headers;
mod host;
mod image;
mod lane;
mod lifecycle;
mod limits;
mod local_reply;
mod log;
mod measure;
mod memory;
mod metrics;
mod module;
mod nginx;
mod pairs;
mod parts;
mod profile;
mod properties;
mod protobuf;
mod queue;
mod random;
mod redact;
mod reload;
mod shared_data;
mod signatures;
mod slots;

mod state;
mod stream;
mod tcp;
mod time;
mod trace;
mod upstreams;
mod vm;
mod wasi;

pub use abi::{BufferType, MapType, Status, StreamType};
pub use builder::{HostBuilder, StartError};
pub use callout::{Answer, Callout, CalloutToken};
pub use chain::{Chain, ChainBuilder, Plugin};
pub use clock::Clock;
pub use compare::{Comparison, Difference, Transcript};
pub use connection::{Connection, TcpExchange, TcpOutcome};
pub use exchange::{Exchange, LocalReply, Message, Outcome, Request, Response};
pub use fault::Faults;
pub use grpc::{GrpcAnswer, GrpcCallout, GrpcEvent, GrpcKind};
pub use headers::Headers;
pub use host::Host;
pub use limits::{FailurePolicy, Limits};
pub use log::{LogLevel, LogLine};
pub use measure::{Cost, Holdings, Leaks};
pub use metrics::Metric;
pub use module::{AbiVersion, Export, Import, LoadError, Module};
pub use profile::Profile;
pub use shared_data::SharedData;
pub use stream::{Step, StreamId};
pub use tcp::{CloseType, Passed, TcpStep};
pub use trace::HostCall;
pub use upstreams::LocalUpstreams;
pub use vm::Trap;

/// The page `docs/host.md`, so that what it shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../../docs/host.md")]
pub struct Page;
