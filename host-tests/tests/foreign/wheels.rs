//! Where the modules are, and what is done where they are not.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use scopegate_host_tests::Module;

/// The wheels, by their versions.
pub(crate) const OLD: &str = "gpustack-higress-plugins-0.2.0";
pub(crate) const NEW: &str = "gpustack-higress-plugins-0.5.1";

fn folder() -> PathBuf {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cached = || caches.unwrap_or_else(home).join("scopegate");
    std::env::var_os("SCOPEGATE_FOREIGN_MODULES").map_or_else(cached, PathBuf::from)
}

/// A module of a wheel, by its name and version; `None`, and a word about it, where it is absent.
pub(crate) fn module(wheel: &str, plugin: &str) -> Option<Module> {
    let file = folder().join(wheel);
    let file = file
        .join("gpustack_higress_plugins/plugins")
        .join(plugin)
        .join("plugin.wasm");
    if file.is_file() {
        return Some(Module::from_file(&file).unwrap_or_else(|error| panic!("{plugin}: {error}")));
    }
    skip(&format!("{wheel}: {plugin}"));
    None
}

/// Says that a test was skipped: on the standard error, and in the file that `SCOPEGATE_SKIPS` names. Where `CI` is set,
/// nothing may be skipped.
fn skip(what: &str) {
    let mut line = String::new();
    writeln!(
        line,
        "SKIPPED {what}: not in `{}`, where `cargo xtask test tests` puts it",
        folder().display()
    )
    .unwrap();
    eprint!("{line}");
    if let Some(file) = std::env::var_os("SCOPEGATE_SKIPS") {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
    let is_strict = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!is_strict, "{line}");
}
