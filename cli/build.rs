//! Takes the plugin's module into the command where `SCOPEGATE_EMBED` names one, as a release does.

use std::env;
use std::fs;
use std::path::PathBuf;

/// The variable that names the module.
const VARIABLE: &str = "SCOPEGATE_EMBED";

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rustc-check-cfg=cfg(embedded)");
    let Some(module) = env::var_os(VARIABLE).filter(|module| !module.is_empty()) else {
        return Ok(());
    };
    let module = PathBuf::from(module);
    let folder = env::var_os("OUT_DIR").ok_or("cargo gives no folder for what is built")?;
    println!("cargo::rerun-if-changed={}", module.display());
    println!("cargo::rustc-cfg=embedded");
    // A copy, so that the sources name a place that is always the same.
    fs::copy(&module, PathBuf::from(folder).join("plugin.wasm"))
        .map(|_| ())
        .map_err(|error| format!("`{}`, which `{VARIABLE}` names: {error}", module.display()))
}
