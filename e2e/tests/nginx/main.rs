//! Tests in a real NGINX with ngx_wasm_module, where `NGINX_WASM` names one. Nobody distributes
//! one, so that these tests are a comparison that may be missed, in CI too: what they recorded is what every run holds
//! our own host to.

#[cfg(test)]
mod conformance;
