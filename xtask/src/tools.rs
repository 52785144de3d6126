//! Tools that cargo can install: each of one exact version, in a folder of the cache that names it.

use std::path::PathBuf;

use crate::command::{self, Failure};
use crate::workspace::Workspace;

/// `cargo-deny`, which looks at licences, sources and duplicate versions of dependencies.
pub(crate) const DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
    program: "cargo-deny",
};
/// Lists what a product consists of, as a CycloneDX document.
pub(crate) const CYCLONEDX: Tool = Tool {
    package: "cargo-cyclonedx",
    version: "0.5.9",
    program: "cargo-cyclonedx",
};
/// Runs tests built for a browser in Node. Its version must be that of `wasm-bindgen` in `Cargo.lock`.
pub(crate) const BINDGEN: Tool = Tool {
    package: "wasm-bindgen-cli",
    version: "0.2.130",
    program: "wasm-bindgen-test-runner",
};
/// How a tool is built: it works for seconds, so it need not be fast, and machines have few cores.
const QUICKLY: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

/// A program of a package of one version.
pub(crate) struct Tool {
    package: &'static str,
    version: &'static str,
    program: &'static str,
}

impl Tool {
    /// The path of the program, installed where it is absent.
    pub(crate) fn path(&self, workspace: &Workspace) -> Result<PathBuf, Failure> {
        let folder = workspace.cache.join(format!("{}-{}", self.package, self.version));
        let program = folder.join("bin").join(self.program);
        if !program.is_file() {
            eprintln!(
                "note: installing {} {} into `{}` (once)",
                self.package,
                self.version,
                folder.display()
            );
            let mut cargo = workspace.cargo();
            cargo
                .args([
                    "install",
                    "--quiet",
                    "--locked",
                    "--version",
                    self.version,
                    self.package,
                    "--root",
                ])
                .arg(&folder)
                .envs(QUICKLY);
            // Apart from the repository's own target folder, and gone afterwards.
            cargo.env_remove("CARGO_TARGET_DIR");
            command::run(&mut cargo)?;
        }
        Ok(program)
    }
}
