//! Finding the plugin's module: a file, or the one that is part of the command.

use std::path::{Path, PathBuf};

use scopegate_harness::bundled::Bundled;
use scopegate_harness::executor::ExecutorError;
use scopegate_harness::wasm::Wasm;

use crate::Failure;
use crate::files;

/// The variable that names another module.
const VARIABLE: &str = "SCOPEGATE_WASM";

/// What messages call the module that is part of the command.
const EMBEDDED_NAME: &str = "the module in this command";

/// The module of a release, which needs no other file.
#[cfg(embedded)]
const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/plugin.wasm"));

/// The plugin's module.
pub(crate) enum Module {
    /// A file.
    File(PathBuf),
    /// Part of the command.
    #[cfg_attr(
        not(embedded),
        expect(dead_code, reason = "a command without a module never has it")
    )]
    Embedded(&'static [u8]),
}

impl Module {
    /// What messages call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => format!("`{}`", path.display()),
            Self::Embedded(_) => EMBEDDED_NAME.to_owned(),
        }
    }

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

/// The module: the one `given`, the one that `$SCOPEGATE_WASM` names, or the one in the command. A command with none in it takes
/// the one that was built in this folder or one around it.
pub(crate) fn find(given: Option<&Path>) -> Result<Module, Failure> {
    let named = given
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    match named {
        Some(path) if path.is_file() => Ok(Module::File(path)),
        Some(path) => Err(missing(&format!("there is no module at `{}`", path.display()))),
        None => unnamed(),
    }
}

/// A release looks for no file: whoever could put one around the folder that it runs in would choose the plugin.
#[cfg(embedded)]
fn unnamed() -> Result<Module, Failure> {
    Ok(Module::Embedded(EMBEDDED))
}

#[cfg(not(embedded))]
fn unnamed() -> Result<Module, Failure> {
    built::find().map(Module::File).ok_or_else(|| {
        missing(&format!(
            "the plugin's module is not built: no `target/{}`",
            built::PLACE
        ))
    })
}

/// Where the sources are, and a module may be built around them.
#[cfg(not(embedded))]
mod built {
    use std::path::{Path, PathBuf};

    /// Where the build leaves the module, below its target folder.
    pub(super) const PLACE: &str = "wasm32-wasip1/release/scopegate_plugin.wasm";

    pub(super) fn find() -> Option<PathBuf> {
        let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let here = std::env::current_dir().ok()?;
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        let around = here.ancestors().chain(sources.ancestors());
        let around = around.map(|folder| folder.join("target"));
        let mut modules = named.into_iter().chain(around).map(|target| target.join(PLACE));
        modules.find(|path| path.is_file())
    }
}

fn missing(message: &str) -> Failure {
    Failure::Environment(
        message.to_owned(),
        "build it with `cargo xtask wasm`, or name one in `SCOPEGATE_WASM`".to_owned(),
    )
}
