//! Policy bundles: one `.wasm` that holds the plugin with a policy compiled into it, and all that can be asked of such a file.
//!
//! A bundle is made by running the plugin's module once, handing it the policy where a proxy hands it the configuration,
//! and writing the memory that it then has into a new module. Bytes come in and bytes go out: files, keys on disk and
//! command lines are somebody else's.

#![forbid(unsafe_code)]

mod bake;
mod describe;
mod host;
mod inline;
mod manifest;
mod module;
mod read;
mod sign;

pub use bake::{Baker, BundleError, Options};
pub use describe::{Described, Form};
pub use inline::{InlineSecret, inline_secrets, redacted};
pub use manifest::{Built, Manifest, Open, PluginFacts, PolicyFacts, secrets};
pub use module::{Import, ReadError};
pub use read::{Inspection, inspect};
pub use scopegate_trim::Proxies;
pub use sign::{SignatureError, sign, signature_of, verify};
