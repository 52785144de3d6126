//! Policy files as authors write them: YAML or JSON, one or several, with the place of every field.
//!
//! The plugin never sees this module: it is given the one JSON document that [`Source::json`] makes. Meaning
//! is given elsewhere; what lives here only reads, joins, and finds the place of an error.

use std::path::{Path, PathBuf};

use serde_json::Value;

use scopegate_authn::Secrets;
use scopegate_document::PolicyError;

use crate::{Compiled, Engine};

mod join;
mod key_files;
mod node;
mod wording;

pub use node::Location;

/// The code of what is wrong with a file that is no mapping, whatever it should be a file of.
pub const NOT_A_MAPPING: &str = "not_a_mapping";

/// A policy as its files say it.
#[derive(Debug, Clone)]
pub struct Source {
    files: Vec<SourceFile>,
    document: Value,
    places: node::Places,
}

/// One file of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as it was given.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The policy works; its author should know.
    Warning,
    /// The policy is refused.
    Error,
}

/// One thing that is wrong with a policy, or worth knowing, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable identifier of the kind.
    pub code: String,
    /// How much it weighs.
    pub severity: Severity,
    /// The path of the field, as in `authorization.routes[3].match.path`; empty for the document.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
    /// Where it stands, where that is known.
    pub location: Option<Location>,
}

/// A policy could not be read: the texts of its files and what is wrong with them.
#[derive(Debug)]
pub struct Unreadable {
    /// The files that could be opened, for showing the places.
    pub files: Vec<SourceFile>,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether a file could not be opened: the environment failed, not the policy.
    pub missing_file: bool,
}

/// Reads a policy from one file or several.
///
/// # Errors
/// When a file cannot be opened, is no YAML or JSON, or says what another file said already.
pub fn load(paths: &[PathBuf]) -> Result<Source, Unreadable> {
    let mut files = Vec::new();
    for path in paths {
        match std::fs::read_to_string(path) {
            Ok(text) => files.push(SourceFile {
                name: path.display().to_string(),
                text,
            }),
            Err(error) => return Err(Unreadable::missing(files, path, &error)),
        }
    }
    let base = paths
        .first()
        .and_then(|path| path.parent())
        .unwrap_or(Path::new(""))
        .to_path_buf();
    Source::from_files(files, &base)
}

impl Source {
    /// Reads a policy from texts. Files named in it (`jwks_file`) are looked up from `base`.
    ///
    /// # Errors
    /// As [`load`].
    pub fn from_files(files: Vec<SourceFile>, base: &Path) -> Result<Self, Unreadable> {
        match join::join(&files) {
            Ok((mut document, places)) => {
                let faults = key_files::resolve(&mut document, base);
                let source = Self {
                    files,
                    document,
                    places,
                };
                match faults.is_empty() {
                    true => Ok(source),
                    false => Err(source.unreadable(faults)),
                }
            }
            Err(diagnostics) => Err(Unreadable {
                files,
                diagnostics,
                missing_file: false,
            }),
        }
    }

    /// The document as the plugin is given it: one line of JSON.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        self.document.to_string().into_bytes()
    }

    /// The document as a value.
    #[must_use]
    pub const fn document(&self) -> &Value {
        &self.document
    }

    /// The files, in the order they were given.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Where the field at `path` stands; the nearest field around it where it has no place of its own.
    #[must_use]
    pub fn locate(&self, path: &str) -> Option<Location> {
        self.places.locate(path)
    }

    /// Compiles the policy. Notices become warnings.
    ///
    /// # Errors
    /// Every fault, with its place.
    pub fn compile(&self, secrets: &dyn Secrets) -> Result<(Engine, Vec<Diagnostic>), Vec<Diagnostic>> {
        match Engine::from_value(&self.document, secrets) {
            Ok(Compiled { engine, notices }) => {
                let warnings = notices.into_iter().map(|notice| {
                    let error = PolicyError::new(notice.code, notice.path, notice.message, notice.help);
                    Diagnostic {
                        severity: Severity::Warning,
                        ..self.diagnostic(error)
                    }
                });
                Ok((engine, warnings.collect()))
            }
            Err(errors) => Err(errors.into_iter().map(|error| self.diagnostic(error)).collect()),
        }
    }

    /// A fault of the document with its place; what is nowhere is shown at the start.
    #[must_use]
    pub fn diagnostic(&self, error: PolicyError) -> Diagnostic {
        let location = match error.code {
            "unknown_field" => self.places.locate_name(&error.path),
            _ => self.locate(&error.path),
        };
        let start = || (!self.files.is_empty()).then(|| Location::start(0));
        Diagnostic {
            code: error.code.to_owned(),
            severity: Severity::Error,
            location: location.or_else(start),
            path: error.path,
            message: error.message,
            help: error.help,
        }
    }

    fn unreadable(self, faults: Vec<PolicyError>) -> Unreadable {
        let diagnostics = faults.into_iter().map(|fault| self.diagnostic(fault)).collect();
        Unreadable {
            diagnostics,
            files: self.files,
            missing_file: false,
        }
    }
}

impl Unreadable {
    fn missing(files: Vec<SourceFile>, path: &Path, error: &std::io::Error) -> Self {
        // A file that is there and holds no text is itself at fault.
        let is_missing = error.kind() != std::io::ErrorKind::InvalidData;
        let help = match is_missing {
            true => "give the path of a policy file",
            false => "save it as UTF-8",
        };
        let diagnostic = Diagnostic {
            code: "file_unreadable".to_owned(),
            severity: Severity::Error,
            path: String::new(),
            message: format!("cannot read `{}`: {}", path.display(), reason(error)),
            help: help.to_owned(),
            location: None,
        };
        Self {
            files,
            diagnostics: vec![diagnostic],
            missing_file: is_missing,
        }
    }
}

/// Why a file cannot be read, in words: numbers of the operating system say nothing to people.
#[must_use]
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests;
