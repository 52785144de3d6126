//! The sections of a module, read with care: it may be anything, cut off or changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use wasmparser::{Parser, Payload, Validator};

/// What the bundle says of itself, in JSON.
pub(crate) const MANIFEST: &str = "scopegate.manifest";

/// The policy, in canonical JSON.
pub(crate) const POLICY: &str = "scopegate.policy";

/// The digest of all that stands before it, but for a signature.
pub(crate) const INTEGRITY: &str = "scopegate.integrity";

/// Signatures (WebAssembly module signatures, tool conventions).
pub(crate) const SIGNATURE: &str = "signature";

/// The largest module that is looked at.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// Why a module cannot be read as a bundle, or is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is no WebAssembly module.
    #[error("this is no WebAssembly module")]
    NotWasm,
    /// It is cut off, or broken otherwise.
    #[error("the module is damaged or cut off: {0}")]
    Damaged(String),
    /// Somebody else's module.
    #[error("this is another module: {0}")]
    Foreign(&'static str),
    /// A bundle that was changed after it was made.
    #[error("the bundle was changed after it was made: {0}")]
    Changed(String),
    /// A bundle of a later version.
    #[error("this bundle has the form {0}; the newest that is known here is {known}", known = crate::manifest::VERSION)]
    Later(u32),
    /// Its engine does not say what it is.
    #[error("the module does not say what it is: {0}")]
    Silent(String),
}

/// An import of a module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Import {
    /// The module it is imported from: `env`, `wasi_snapshot_preview1`.
    pub module: String,
    /// Its name.
    pub name: String,
}

/// What a module is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sections<'b> {
    pub(crate) imports: Vec<Import>,
    pub(crate) exports: Vec<String>,
    pub(crate) custom: BTreeMap<&'b str, &'b [u8]>,
    /// Which of the sections are signatures, counted from 0.
    signatures: Vec<usize>,
    /// The digest of everything before the last section but for signatures, where that section says such a digest.
    before_integrity: Option<String>,
    /// How many bytes the sections of each kind take.
    pub(crate) data_bytes: usize,
    pub(crate) code_bytes: usize,
}

impl Sections<'_> {
    pub(crate) fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    /// Whether it has a section that only bundles have.
    pub(crate) fn is_bundle(&self) -> bool {
        [MANIFEST, POLICY, INTEGRITY]
            .iter()
            .any(|name| self.custom.contains_key(name))
    }

    /// The version of the Proxy-Wasm ABI that it announces, as in `0.2.1`.
    pub(crate) fn abi(&self) -> Option<String> {
        let mut versions = self
            .exports
            .iter()
            .filter_map(|name| name.strip_prefix("proxy_abi_version_"));
        versions.next().map(|version| version.replace('_', "."))
    }

    /// # Errors
    /// Where it is not what it was when it was made.
    pub(crate) fn intact(&self) -> Result<(), ReadError> {
        let changed = |what: &str| ReadError::Changed(what.to_owned());
        let said = self
            .custom
            .get(INTEGRITY)
            .ok_or_else(|| changed("its digest is missing"))?;
        let found = self
            .before_integrity
            .as_deref()
            .ok_or_else(|| changed("something was added at its end"))?;
        match found.as_bytes() == *said {
            true => Ok(()),
            false => Err(changed("its digest is another one")),
        }
    }
}

/// `sha256:` and the hex digits of the SHA-256 of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Reads the sections of a module. It is wholly valid where this succeeds.
///
/// # Errors
/// It is no module, or not a whole one.
pub(crate) fn read(bytes: &[u8]) -> Result<Sections<'_>, ReadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(ReadError::NotWasm);
    }
    if bytes.len() > MOST_BYTES {
        return Err(ReadError::Damaged(format!("it has more than {MOST_BYTES} bytes")));
    }
    let damaged = |error: wasmparser::BinaryReaderError| {
        ReadError::Damaged(format!("{} at byte {}", error.message(), error.offset()))
    };
    let mut sections = Sections::default();
    let mut hash = Sha256::new();
    // The digest is of the module as it was before it was signed: a signature is put first.
    hash.update(bytes.get(..8).unwrap_or_default());
    let mut start = 8;
    let mut number = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(damaged)?;
        let Some((_, range)) = payload.as_section() else {
            sections.note(&payload).map_err(damaged)?;
            continue;
        };
        let whole = bytes.get(start..range.end).unwrap_or_default();
        start = range.end;
        sections.before_integrity = None;
        match custom_name(&payload) {
            Some(INTEGRITY) => sections.before_integrity = Some(hex(&hash.clone().finalize())),
            Some(SIGNATURE) => sections.signatures.push(number),
            Some(_) | None => hash.update(whole),
        }
        number = number.saturating_add(1);
        sections.note(&payload).map_err(damaged)?;
    }
    Validator::new().validate_all(bytes).map_err(damaged)?;
    match sections.signatures.as_slice() {
        [] | [0] => Ok(sections),
        [_] => Err(ReadError::Changed(
            "its signature is not its first section".to_owned(),
        )),
        _ => Err(ReadError::Changed(
            "it has more than one section of signatures".to_owned(),
        )),
    }
}

fn custom_name<'b>(payload: &Payload<'b>) -> Option<&'b str> {
    if let Payload::CustomSection(custom) = payload {
        return Some(custom.name());
    }
    None
}

impl<'b> Sections<'b> {
    fn note(&mut self, payload: &Payload<'b>) -> Result<(), wasmparser::BinaryReaderError> {
        if let Payload::ImportSection(reader) = payload {
            for import in reader.clone().into_imports() {
                let import = import?;
                self.imports.push(Import {
                    module: import.module.to_owned(),
                    name: import.name.to_owned(),
                });
            }
        } else if let Payload::ExportSection(reader) = payload {
            for export in reader.clone() {
                self.exports.push(export?.name.to_owned());
            }
        } else if let Payload::CustomSection(custom) = payload {
            // Of two sections with one name neither can be meant: an empty one is refused by whoever reads it.
            let twice = self.custom.insert(custom.name(), custom.data()).is_some();
            if twice && custom.name().starts_with("scopegate.") {
                self.custom.insert(custom.name(), &[]);
            }
        } else if let Payload::DataSection(reader) = payload {
            self.data_bytes = reader.range().len();
        } else if let Payload::CodeSectionStart { size, .. } = payload {
            self.code_bytes = usize::try_from(*size).unwrap_or(usize::MAX);
        }
        Ok(())
    }
}
