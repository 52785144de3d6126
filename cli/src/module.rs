//! Finding the plugin's module: a file, or the one that is part of the command.

use std::path::{Path, PathBuf};

use scopegate_harness::bundled::Bundled;
use scopegate_harness::executor::ExecutorError;
use scopegate_harness::wasm::Wasm;

use crate::Failure;
use crate::files;

/// Where the build leaves the module, below its target folder.
const BUILT: &str = "wasm32-wasip1/release/scopegate_plugin.wasm";

/// The variable that names another module.
const VARIABLE: &str = "SCOPEGATE_WASM";

/// What messages call the module that is part of the command.
const EMBEDDED_NAME: &str = "the module in this command";

/// The module of a release, which needs no other file.
#[cfg(embedded)]
const EMBEDDED: Option<&[u8]> = Some(include_bytes!(concat!(env!("OUT_DIR"), "/plugin.wasm")));
#[cfg(not(embedded))]
const EMBEDDED: Option<&[u8]> = None;

/// The sources, around which a module may be built. A release knows nothing of the machine that it was made on.
#[cfg(embedded)]
const SOURCES: Option<&str> = None;
#[cfg(not(embedded))]
const SOURCES: Option<&str> = Some(env!("CARGO_MANIFEST_DIR"));

/// The plugin's module.
pub(crate) enum Module {
    /// A file.
    File(PathBuf),
    /// Part of the command.
    Embedded(&'static [u8]),
}

impl Module {
    /// The file that it is in, where it is in one of its own.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Embedded(_) => None,
        }
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::File(path) => files::read(path),
            Self::Embedded(bytes) => Ok(bytes.to_vec()),
        }
    }

    /// It, compiled.
    pub(crate) fn wasm(&self) -> Result<Wasm, ExecutorError> {
        match self {
            Self::File(path) => Wasm::from_file(path),
            Self::Embedded(bytes) => Wasm::from_bytes(bytes, EMBEDDED_NAME),
        }
    }

    /// It, to make bundles of.
    pub(crate) fn bundled(&self) -> Result<Bundled, ExecutorError> {
        match self {
            Self::File(path) => Bundled::from_file(path),
            Self::Embedded(bytes) => Bundled::from_bytes(bytes.to_vec(), EMBEDDED_NAME),
        }
    }
}

/// The module: the one `given`, `$SCOPEGATE_WASM`, the one built in this folder or one around it, or the one in the command.
pub(crate) fn find(given: Option<&Path>) -> Result<Module, Failure> {
    let named = given
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    match named {
        Some(path) if path.is_file() => Ok(Module::File(path)),
        Some(path) => Err(missing(&format!("there is no module at `{}`", path.display()))),
        None => built()
            .map(Module::File)
            .or(EMBEDDED.map(Module::Embedded))
            .ok_or_else(|| missing(&format!("the plugin's module is not built: no `target/{BUILT}`"))),
    }
}

fn built() -> Option<PathBuf> {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let here = std::env::current_dir().ok()?;
    let around = here
        .ancestors()
        .chain(
            SOURCES
                .into_iter()
                .flat_map(|folder| Path::new(folder).ancestors()),
        )
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
