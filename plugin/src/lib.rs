//! The Proxy-Wasm adapter: gather facts, call the engine, apply the answer.
