//! Modules that others wrote, in Go, Rust and C++, as they are published: each is loaded, configured and shown requests,
//! and does what it is for.
//!
//! They are those of the Python wheels `gpustack-higress-plugins` 0.2.0 and 0.5.1 (Apache-2.0). `cargo xtask test` fetches
//! them into its cache; `SCOPEGATE_FOREIGN_MODULES` names another folder, with one for each wheel in it.

#[cfg(test)]
mod modules;
#[cfg(test)]
mod wheels;
