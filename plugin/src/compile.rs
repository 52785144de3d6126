//! The one door to what reads and compiles the text of a policy. A bundle of a compiled policy has no use for it: whoever makes
//! one calls [`refuse`] wherever [`compile`] was called, and leaves out what only that reaches.
//!
//! So both have the same parameters and the same result, both are exported by name, and nobody reaches the compiler past them.

#![cfg_attr(
    target_family = "wasm",
    expect(unsafe_code, reason = "functions are exported by their names")
)]

use scopegate_authn::Secrets;
use scopegate_document::PolicyError;
use scopegate_engine::{Compiled, Engine};

/// Compiles the text of a policy.
///
/// # Errors
/// Every fault of the policy, in words.
#[cfg_attr(target_family = "wasm", unsafe(export_name = "scopegate_compile"))]
#[inline(never)]
pub(crate) fn compile(text: &[u8], secrets: &dyn Secrets) -> Result<Compiled, Vec<String>> {
    Engine::from_json(text, secrets).map_err(|errors| errors.iter().map(PolicyError::to_string).collect())
}

/// Compiles nothing.
///
/// # Errors
/// Always.
#[cfg_attr(target_family = "wasm", unsafe(export_name = "scopegate_refuse"))]
#[cfg_attr(
    not(target_family = "wasm"),
    expect(dead_code, reason = "called in bundles only")
)]
#[inline(never)]
fn refuse(_: &[u8], _: &dyn Secrets) -> Result<Compiled, Vec<String>> {
    Err(vec![
        "this is a bundle of a compiled policy: it compiles no other".to_owned(),
    ])
}
