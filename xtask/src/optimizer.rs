//! The module made smaller by `wasm-opt`: about a tenth, and a few hundredths fewer instructions. `docs/performance.md`
//! has the figures of this level and of others.
//!
//! An option for what is released. What the tests run, and what must keep to the budget, is what the compiler makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Failure, on};
use crate::debian;
use crate::workspace::Workspace;

/// Where the smaller module is put, below the target folder.
const OPTIMIZED: &str = "scopegate.wasm";

/// What the compiler uses of WebAssembly beyond its first version.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Makes the module at `module` smaller and returns the path of the result; where there is no `wasm-opt`, the module
/// as it is.
pub(crate) fn optimized(workspace: &Workspace, module: &Path) -> Result<PathBuf, Failure> {
    let mut optimizer = match find(&workspace.cache) {
        Ok(found) => found,
        Err(why) => {
            eprintln!("note: there is no `wasm-opt` ({why}): the module is as the compiler made it");
            return Ok(module.to_path_buf());
        }
    };
    let to = workspace.target.join(OPTIMIZED);
    let arguments = ["-O3", "--strip-debug", "--strip-producers"];
    optimizer
        .args(FEATURES)
        .args(arguments)
        .arg(module)
        .arg("-o")
        .arg(&to);
    command::with_progress("optimising the module", || command::output(&mut optimizer))?;
    let size = |path: &Path| on(path, fs::metadata(path)).map(|file| file.len());
    eprintln!(
        "note: `{}` made the module smaller, from {} to {} bytes",
        optimizer.get_program().display(),
        size(module)?,
        size(&to)?
    );
    Ok(to)
}

/// `wasm-opt` of the machine, or Debian's.
fn find(cache: &Path) -> Result<Command, Failure> {
    match command::output(Command::new("wasm-opt").arg("--version")) {
        Ok(_) => Ok(Command::new("wasm-opt")),
        Err(_) => debian::optimizer(cache),
    }
}
