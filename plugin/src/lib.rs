//! The Proxy-Wasm adapter, thin: gather facts, call the engine, apply the answer.
//!
//! Nothing is decided here. What can fail here is the host; whatever fails, the request is not forwarded.

mod baked;
mod callout;
mod clock;
mod compile;
mod documents;
mod environment;
mod facts;
mod host;
mod log;
mod metrics;
mod nginx;
mod nonces;
mod opened;
mod peer;
mod policy;
mod proofs;
mod proxy;
mod question;
mod reply;
mod root;
#[cfg(target_family = "wasm")]
mod seal;
mod shared;
mod signatures;
mod stream;
mod verdict;
mod waiting;

use std::rc::Rc;

use proxy_wasm::traits::RootContext;

/// What the host calls once, before anything else.
#[cfg(target_family = "wasm")]
mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| super::new_root());
    }}
}

#[cfg_attr(
    not(target_family = "wasm"),
    expect(dead_code, reason = "called by the host's entry point only")
)]
fn new_root() -> Box<dyn RootContext> {
    Box::new(root::Root::new(Rc::new(root::State::default())))
}
