//! A faithful Proxy-Wasm host on `wasmtime`.
