//! Finding the plugin's module.

use std::path::{Path, PathBuf};

use crate::Failure;

/// Where the build leaves the module, below its target folder.
const BUILT: &str = "wasm32-wasip1/release/scopegate_plugin.wasm";

/// The variable that names another module.
const VARIABLE: &str = "SCOPEGATE_WASM";

/// The module: the one `given`, `$SCOPEGATE_WASM`, or the one built in this folder or one around it.
pub(crate) fn find(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let named = given
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    match named {
        Some(path) if path.is_file() => Ok(path),
        Some(path) => Err(missing(&format!("there is no module at `{}`", path.display()))),
        None => {
            built().ok_or_else(|| missing(&format!("the plugin's module is not built: no `target/{BUILT}`")))
        }
    }
}

fn built() -> Option<PathBuf> {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let here = std::env::current_dir().ok()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let around = here
        .ancestors()
        .chain(source.ancestors())
        .map(|folder| folder.join("target"));
    let mut modules = named.into_iter().chain(around).map(|target| target.join(BUILT));
    modules.find(|path| path.is_file())
}

fn missing(message: &str) -> Failure {
    Failure::Environment(
        message.to_owned(),
        "build it with `cargo xtask wasm`, or name one in `SCOPEGATE_WASM`".to_owned(),
    )
}
