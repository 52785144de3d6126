//! What is computed here, against what the libraries say.

#[cfg(not(target_arch = "wasm32"))]
mod agreement;
