//! Where the modules are, and what is done where they are not.

use std::path::PathBuf;

use scopegate_conformance::skips;
use scopegate_host_tests::Module;

/// The wheels, by their versions.
pub(crate) const OLD: &str = "gpustack-higress-plugins-0.2.0";
pub(crate) const NEW: &str = "gpustack-higress-plugins-0.5.1";

/// Every module of the wheels.
const ALL: [(&str, &str); 22] = [
    (OLD, "ai-proxy/2.0.0"),
    (OLD, "ai-statistics/2.0.0"),
    (OLD, "ext-auth/2.0.0"),
    (OLD, "gpustack-set-header-pre-route/1.0.0"),
    (OLD, "gpustack-token-usage/1.0.0"),
    (OLD, "model-mapper/2.0.0"),
    (OLD, "model-router/2.0.0"),
    (OLD, "transformer/2.0.0"),
    (NEW, "ai-data-masking/2.0.3"),
    (NEW, "ai-statistics/2.0.0"),
    (NEW, "gpustack-ai-proxy/2.0.3-patched"),
    (NEW, "gpustack-ext-auth/0.1.3"),
    (NEW, "gpustack-generic-proxy-router/1.0.1"),
    (NEW, "gpustack-ip-acl/0.1.0"),
    (NEW, "gpustack-lb/0.1.2"),
    (NEW, "gpustack-lb-decision-service/0.2.1"),
    (NEW, "gpustack-lb-least-load/0.1.0"),
    (NEW, "gpustack-lb-session-affinity/0.1.0"),
    (NEW, "gpustack-rate-limit/1.0.1"),
    (NEW, "gpustack-set-header-pre-route/1.0.1"),
    (NEW, "gpustack-token-usage/1.2.2"),
    (NEW, "transformer/2.0.0"),
];

fn folder() -> PathBuf {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cached = || caches.unwrap_or_else(home).join("scopegate");
    std::env::var_os("SCOPEGATE_FOREIGN_MODULES").map_or_else(cached, PathBuf::from)
}

/// A module of a wheel, by its name and version; `None`, and a word about it, where it is absent.
pub(crate) fn module(wheel: &str, plugin: &str) -> Option<Module> {
    assert!(ALL.contains(&(wheel, plugin)), "{wheel}: {plugin} is in no list");
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

/// Says that a test was skipped for want of this.
fn skip(what: &str) {
    let why = format!(
        "not in `{}`, where `cargo xtask test tests` puts it",
        folder().display()
    );
    skips::skip(what, &why);
}

/// The test of each is found by its name in `modules`.
#[test]
fn no_module_of_the_wheels_is_left_out() {
    let tests = include_str!("modules.rs");
    for (wheel, plugin) in ALL {
        assert!(
            tests.contains(&format!("\"{plugin}\"")),
            "{wheel}: {plugin} has no test"
        );
    }
    for wheel in [OLD, NEW] {
        let plugins = folder().join(wheel).join("gpustack_higress_plugins/plugins");
        let Ok(folders) = std::fs::read_dir(plugins) else {
            skip(wheel);
            continue;
        };
        let listed = ALL.iter().filter(|(of, _)| *of == wheel).count();
        assert_eq!(folders.count(), listed, "{wheel}");
    }
}
