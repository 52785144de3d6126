//! A compiled module: loading, the ABI it speaks, what it imports and exports. Nothing here runs code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use wasmtime::{
    Cache, CacheConfig, Config, Engine, ExternType, InstancePre, ModuleExport, OptLevel, RegallocAlgorithm,
};

use crate::abi;
use crate::image::{self, Image};
use crate::signatures;
use crate::state::State;

/// The version of the Proxy-Wasm ABI, announced by a module with an export named `proxy_abi_version_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AbiVersion {
    /// `proxy_abi_version_0_1_0`
    V0_1_0,
    /// `proxy_abi_version_0_2_0`
    V0_2_0,
    /// `proxy_abi_version_0_2_1`
    V0_2_1,
    /// `proxy_abi_version_0_2_100`, a superset of 0.2.1 that Envoy itself does not load.
    V0_2_100,
}

impl AbiVersion {
    const ALL: [(&'static str, Self); 4] = [
        ("proxy_abi_version_0_1_0", Self::V0_1_0),
        ("proxy_abi_version_0_2_0", Self::V0_2_0),
        ("proxy_abi_version_0_2_1", Self::V0_2_1),
        ("proxy_abi_version_0_2_100", Self::V0_2_100),
    ];
}

/// Why a module could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read the module `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The engine could not be set up on this machine.
    #[error("cannot set up the wasm engine: {0}")]
    Engine(String),
    /// The bytes are no valid WebAssembly module.
    #[error("not a valid wasm module: {0}")]
    Invalid(String),
    /// No export announces an ABI version, so no proxy would load this.
    #[error("not a proxy-wasm module: no export `proxy_abi_version_0_1_0`, `_0_2_0`, `_0_2_1` or `_0_2_100`")]
    NoAbiMarker,
    /// A function that a proxy calls has another type than it is called with: Envoy refuses such a module.
    #[error("the module exports `{name}` with a wrong signature: a proxy calls it as {expected}")]
    Signature {
        /// Its name.
        name: String,
        /// Its parameters and result, as they should be.
        expected: String,
    },
}

/// An import of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The module it is imported from: `env`, `wasi_snapshot_preview1`.
    pub module: String,
    /// Its name.
    pub name: String,
}

/// An export of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// Whether it is a function.
    pub function: bool,
}

/// A compiled Proxy-Wasm module. Cloning is cheap: clones share the code.
#[derive(Clone)]
pub struct Module {
    engine: Engine,
    code: wasmtime::Module,
    abi: AbiVersion,
    shared: Arc<Shared>,
    /// What is laid into the memory of each machine, where the code was compiled without it.
    image: Option<Arc<Image>>,
}

/// What is found out about a module once, for all of its instances.
struct Shared {
    /// The code that was compiled, where modules with other data may share it.
    code: Option<Vec<u8>>,
    functions: BTreeMap<String, Function>,
    /// The module with its imports resolved, once it was needed; or why they cannot be.
    linked: OnceLock<Result<InstancePre<State>, String>>,
}

/// A function that the module exports.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    pub(crate) export: ModuleExport,
    pub(crate) returns: bool,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("abi", &self.abi)
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles the module in a file. The machine code is kept in the user's wasmtime cache folder, so that the
    /// next process starts at once.
    ///
    /// # Errors
    /// The file cannot be read, or what [`Module::from_bytes`] refuses.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    /// Compiles a binary module.
    ///
    /// # Errors
    /// The bytes are no valid module, it announces no ABI version, or a proxy could not call its functions.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::compiled(bytes, None)
    }

    /// Compiles a binary module so that others with the same code can share it: see [`Module::with_data_of`]. Modules that
    /// were initialised before and written down differ in nothing but their data.
    ///
    /// # Errors
    /// As [`Module::from_bytes`].
    pub fn shared(bytes: &[u8]) -> Result<Self, LoadError> {
        match image::take_apart(bytes) {
            Some(parts) => Self::compiled(&parts.code, Some(parts.image)),
            None => Self::from_bytes(bytes),
        }
    }

    /// Another module with the same code as this one, which is not compiled again. Nothing where this is none that shares
    /// its code, or the other differs in more than data.
    #[must_use]
    pub fn with_data_of(&self, bytes: &[u8]) -> Option<Self> {
        let parts = image::take_apart(bytes)?;
        let is_same = self.shared.code.as_ref() == Some(&parts.code);
        is_same.then(|| Self {
            image: Some(parts.image),
            ..self.clone()
        })
    }

    fn compiled(bytes: &[u8], image: Option<Arc<Image>>) -> Result<Self, LoadError> {
        let engine =
            Engine::new(&config(bytes.len())).map_err(|error| LoadError::Engine(error.to_string()))?;
        let code = wasmtime::Module::new(&engine, bytes)
            .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        let abi = abi_of(&code).ok_or(LoadError::NoAbiMarker)?;
        if let Some((name, expected)) = signatures::wrong(&code, abi) {
            let name = name.to_owned();
            return Err(LoadError::Signature { name, expected });
        }
        let shared = Arc::new(Shared {
            code: image.is_some().then(|| bytes.to_vec()),
            functions: functions(&code),
            linked: OnceLock::new(),
        });
        Ok(Self {
            engine,
            code,
            abi,
            shared,
            image,
        })
    }

    /// The ABI the module speaks.
    #[must_use]
    pub fn abi(&self) -> AbiVersion {
        self.abi
    }

    /// What the module imports, in order. A name may appear twice.
    #[must_use]
    pub fn imports(&self) -> Vec<Import> {
        let named = |import: wasmtime::ImportType<'_>| Import {
            module: import.module().to_owned(),
            name: import.name().to_owned(),
        };
        self.code.imports().map(named).collect()
    }

    /// What the module exports, in order.
    #[must_use]
    pub fn exports(&self) -> Vec<Export> {
        let named = |export: wasmtime::ExportType<'_>| Export {
            name: export.name().to_owned(),
            function: matches!(export.ty(), ExternType::Func(_)),
        };
        self.code.exports().map(named).collect()
    }

    /// Whether this is a clone of the other: the same code, compiled once.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared) && self.image == other.image
    }

    pub(crate) fn image(&self) -> Option<&Image> {
        self.image.as_deref()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn code(&self) -> &wasmtime::Module {
        &self.code
    }

    /// The function that the module exports under this name.
    pub(crate) fn function(&self, name: &str) -> Option<Function> {
        self.shared.functions.get(name).copied()
    }

    /// The module with its imports resolved; the error says which could not be.
    pub(crate) fn linked(&self) -> Result<&InstancePre<State>, &str> {
        let link = || abi::link(self).and_then(|linker| linker.instantiate_pre(&self.code));
        let linked = self
            .shared
            .linked
            .get_or_init(|| link().map_err(|error| format!("{error:#}")));
        linked.as_ref().map_err(String::as_str)
    }
}

fn functions(code: &wasmtime::Module) -> BTreeMap<String, Function> {
    let exports = code.exports().filter_map(|export| {
        let returns = export.ty().func()?.results().len() > 0;
        let found = Function {
            export: code.get_export_index(export.name())?,
            returns,
        };
        Some((export.name().to_owned(), found))
    });
    exports.collect()
}

/// Below this size compiling is faster than asking a cache.
const CACHED_FROM_BYTES: usize = 32 * 1024;

/// From this size on the machine code is made in a hurry: a module that carries the runtime of a language takes a third
/// less time to compile so, and is rarely what a test waits for afterwards.
const HURRIED_FROM_BYTES: usize = 4 * 1024 * 1024;

fn config(size: usize) -> Config {
    let mut config = Config::new();
    config.consume_fuel(true);
    // Pointers of the ABI have 32 bits.
    config.wasm_memory64(false);
    if size >= CACHED_FROM_BYTES {
        // A machine with no writable cache folder compiles every time, and that is all.
        config.cache(Cache::new(CacheConfig::new()).ok());
    }
    if size >= HURRIED_FROM_BYTES {
        config.cranelift_opt_level(OptLevel::None);
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    }
    config
}

fn abi_of(code: &wasmtime::Module) -> Option<AbiVersion> {
    let exported = |name| matches!(code.get_export(name), Some(ExternType::Func(_)));
    AbiVersion::ALL
        .into_iter()
        .find_map(|(name, version)| exported(name).then_some(version))
}
