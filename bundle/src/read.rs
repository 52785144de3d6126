//! Looking into a module: what it says in its sections, held against what its engine says.

use scopegate_engine::digest;
use scopegate_trim::Proxies;
use serde_json::{Value, json};

use crate::describe::{self, Described};
use crate::manifest::{self, Manifest};
use crate::module::{self, Import, MANIFEST, POLICY, ReadError, SIGNATURE, Sections};

/// What is in a module of this plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The version of the plugin, as its engine says.
    pub plugin: String,
    /// The version of the Proxy-Wasm ABI, as in `0.2.1`.
    pub abi: String,
    /// The proxies that it has the callbacks for.
    pub proxies: Proxies,
    /// What it imports from the proxy, sorted.
    pub imports: Vec<Import>,
    /// Its size in bytes.
    pub bytes: usize,
    /// The size of its machine-independent code, and of the data that it starts with.
    pub code_bytes: usize,
    /// The data that it starts with: in a bundle, the compiled policy too.
    pub data_bytes: usize,
    /// `sha256:` and the digest of the whole file.
    pub digest: String,
    /// What was found of a policy; nothing in the plain plugin.
    pub bundle: Option<(Manifest, Value)>,
    /// Whether it carries a signature. Whose, and whether that is right, is another question.
    pub is_signed: bool,
}

/// Looks into a module, and believes nothing that does not agree.
///
/// # Errors
/// It is no module of this plugin, damaged, or not what it was when it was made.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, ReadError> {
    let sections = module::read(bytes)?;
    let abi = sections
        .abi()
        .ok_or(ReadError::Foreign("it is none for proxies (Proxy-Wasm)"))?;
    if !sections.exports(describe::FUNCTION) {
        return Err(match sections.is_bundle() {
            true => ReadError::Changed("its engine is another one".to_owned()),
            false => ReadError::Foreign("it is for proxies, but not of Scopegate"),
        });
    }
    let bundle = match sections.is_bundle() {
        true => Some(contents(&sections)?),
        false => None,
    };
    let described = describe::ask(bytes)?;
    agree(bundle.as_ref().map(|(manifest, _)| manifest), &described)?;
    let proxies = Proxies::of(sections.exports.iter().map(String::as_str));
    let mut imports = sections.imports;
    imports.sort();
    Ok(Inspection {
        plugin: described.plugin,
        abi,
        proxies,
        imports,
        bytes: bytes.len(),
        code_bytes: sections.code_bytes,
        data_bytes: sections.data_bytes,
        digest: module::digest(bytes),
        bundle,
        is_signed: sections.custom.contains_key(SIGNATURE),
    })
}

/// What the sections of a bundle say, where they agree.
fn contents(sections: &Sections<'_>) -> Result<(Manifest, Value), ReadError> {
    let changed = |what: &str| ReadError::Changed(what.to_owned());
    sections.intact()?;
    let text = |name: &str| sections.custom.get(name).copied().unwrap_or_default();
    let manifest: Value = serde_json::from_slice(text(MANIFEST))
        .map_err(|_| changed("what it says of itself cannot be read"))?;
    let version = manifest.get("bundle").and_then(Value::as_u64);
    let version = version.and_then(|version| u32::try_from(version).ok());
    if let Some(later) = version.filter(|version| *version > manifest::VERSION) {
        return Err(ReadError::Later(later));
    }
    let manifest: Manifest =
        serde_json::from_value(manifest).map_err(|_| changed("what it says of itself cannot be read"))?;
    let policy: Value =
        serde_json::from_slice(text(POLICY)).map_err(|_| changed("its policy cannot be read"))?;
    if digest::canonical(&policy).as_bytes() != text(POLICY) || digest::of(&policy) != manifest.policy.digest
    {
        return Err(changed("its policy is not the one that it names"));
    }
    Ok((manifest, policy))
}

/// # Errors
/// Where the engine says something else than the sections.
fn agree(manifest: Option<&Manifest>, described: &Described) -> Result<(), ReadError> {
    let changed = |what: &str| Err(ReadError::Changed(what.to_owned()));
    let Some(manifest) = manifest else {
        return match described.policy {
            Some(_) => changed("its engine has a policy that no section shows"),
            None => Ok(()),
        };
    };
    let facts = &manifest.policy;
    let said = json!({"name": facts.name, "version": facts.version, "digest": facts.digest});
    if described.policy.as_ref() != Some(&said) {
        return changed("its engine has another policy than it shows");
    }
    if described.form != Some(manifest.form) || described.open.as_ref() != Some(&manifest.open) {
        return changed("its engine leaves other fields open than it shows");
    }
    match described.plugin == manifest.plugin.version {
        true => Ok(()),
        false => changed("its engine has another version than it shows"),
    }
}
