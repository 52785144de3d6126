//! What test files share: keys, tokens, upstreams and an environment that stand in files of their own. Each thing is
//! described once; a file that says what another one said is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scopegate_document::PolicyError;
use scopegate_engine::document::deserialize;
use scopegate_engine::source::{self, Diagnostic, Source, SourceFile, Unreadable};

use crate::format::{FixtureDocument, OneOrMany, TestDocument};

/// Fixtures, read: what a test file has besides its own.
#[derive(Default)]
pub(crate) struct Shared {
    sources: Vec<Source>,
    paths: Vec<PathBuf>,
    /// Which file described what: `tokens.reader` stands in the file at this index.
    origins: BTreeMap<String, usize>,
    document: FixtureDocument,
}

impl Shared {
    /// Reads the fixtures that `document` names, and puts them into it.
    pub(crate) fn join(
        document: &mut TestDocument,
        source: &Source,
        base: &Path,
    ) -> Result<Self, Unreadable> {
        let mut shared = Self::default();
        if let Some(named) = document.fixtures.take() {
            shared.read(&named, source, base, &mut Vec::new())?;
        }
        let mut own = FixtureDocument {
            fixtures: None,
            environment: std::mem::take(&mut document.environment),
            keys: std::mem::take(&mut document.keys),
            tokens: std::mem::take(&mut document.tokens),
            upstreams: std::mem::take(&mut document.upstreams),
        };
        if let Some(fault) = shared.clash(&own) {
            return Err(unreadable(source, fault));
        }
        own.extend(std::mem::take(&mut shared.document));
        document.environment = own.environment;
        document.keys = own.keys;
        document.tokens = own.tokens;
        document.upstreams = own.upstreams;
        Ok(shared)
    }

    /// The files, as they were read.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// What is wrong, each fault in the file that says it. `source` is the test file's.
    pub(crate) fn unreadable(&self, source: &Source, faults: Vec<PolicyError>) -> Unreadable {
        let mut files: Vec<SourceFile> = source.files().to_vec();
        let own = files.len();
        files.extend(self.sources.iter().flat_map(Source::files).cloned());
        let diagnostic = |fault: PolicyError| match self.origin(&fault.path) {
            Some((at, shared)) => {
                let mut diagnostic: Diagnostic = shared.diagnostic(fault);
                if let Some(place) = &mut diagnostic.location {
                    place.file = place.file.saturating_add(own).saturating_add(at);
                }
                diagnostic
            }
            None => source.diagnostic(fault),
        };
        Unreadable {
            diagnostics: faults.into_iter().map(diagnostic).collect(),
            files,
            missing_file: false,
        }
    }

    /// The file that describes what this path is of.
    fn origin(&self, path: &str) -> Option<(usize, &Source)> {
        let is_of = |name: &str| {
            path.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let (_, at) = self.origins.iter().find(|(name, _)| is_of(name))?;
        Some((*at, self.sources.get(*at)?))
    }

    fn read(
        &mut self,
        named: &OneOrMany,
        by: &Source,
        base: &Path,
        around: &mut Vec<PathBuf>,
    ) -> Result<(), Unreadable> {
        for (at, name) in named.as_slice().iter().enumerate() {
            let field = match named {
                OneOrMany::One(_) => "fixtures".to_owned(),
                OneOrMany::Many(_) => format!("fixtures[{at}]"),
            };
            let path: PathBuf = base.join(name).components().collect();
            let same = std::fs::canonicalize(&path).map_err(|error| {
                let message = format!("cannot read `{name}`: {}", source::reason(&error));
                unreadable(
                    by,
                    fault(
                        field.clone(),
                        message,
                        "give the path of a file with keys, tokens or upstreams",
                    ),
                )
            })?;
            if around.contains(&same) {
                let message = format!("`{name}` takes from itself");
                return Err(unreadable(
                    by,
                    fault(field, message, "leave one of the two `fixtures` out"),
                ));
            }
            let known = self
                .paths
                .iter()
                .filter_map(|known| std::fs::canonicalize(known).ok());
            if known.into_iter().any(|known| known == same) {
                continue;
            }
            around.push(same);
            self.read_one(path, around)?;
            around.pop();
        }
        Ok(())
    }

    fn read_one(&mut self, path: PathBuf, around: &mut Vec<PathBuf>) -> Result<(), Unreadable> {
        let source = source::load(std::slice::from_ref(&path));
        let source = source.map_err(|fault| told_how_to_begin(fault, "begin with `keys:` or `tokens:`"))?;
        let document = deserialize::<FixtureDocument>(source.document(), "scopegate schema --tests");
        let mut document = document.map_err(|error| unreadable(&source, error))?;
        if let Some(named) = document.fixtures.take() {
            let base = path.parent().unwrap_or(Path::new("")).to_path_buf();
            self.read(&named, &source, &base, around)?;
        }
        if let Some(fault) = self.clash(&document) {
            return Err(unreadable(&source, fault));
        }
        let at = self.sources.len();
        self.origins
            .extend(described(&document).into_iter().map(|name| (name, at)));
        self.document.extend(document);
        self.sources.push(source);
        self.paths.push(path);
        Ok(())
    }

    /// The first thing of `document` that another file describes already.
    fn clash(&self, document: &FixtureDocument) -> Option<PolicyError> {
        let described = described(document);
        let (name, at) = described
            .iter()
            .find_map(|name| Some((name, *self.origins.get(name)?)))?;
        let file = self
            .paths
            .get(at)
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        let message = format!("this is described in `{file}` already");
        Some(fault(name.clone(), message, "give one of the two another name"))
    }
}

impl FixtureDocument {
    /// Takes what another file describes; that no name is in both was looked at before.
    fn extend(&mut self, other: Self) {
        let Self {
            fixtures: _,
            environment,
            keys,
            tokens,
            upstreams,
        } = other;
        self.environment.extend(environment);
        self.keys.extend(keys);
        self.tokens.extend(tokens);
        self.upstreams.extend(upstreams);
    }
}

/// The paths of everything that a file describes.
fn described(document: &FixtureDocument) -> Vec<String> {
    let FixtureDocument {
        fixtures: _,
        environment,
        keys,
        tokens,
        upstreams,
    } = document;
    let of = |section: &'static str| move |name: &String| format!("{section}.{name}");
    let names = environment
        .keys()
        .map(of("environment"))
        .chain(keys.keys().map(of("keys")));
    let names = names.chain(tokens.keys().map(of("tokens")));
    names.chain(upstreams.keys().map(of("upstreams"))).collect()
}

/// The same, where a file is no mapping: with how a file of its kind begins.
pub(crate) fn told_how_to_begin(mut unreadable: Unreadable, help: &str) -> Unreadable {
    let faults = unreadable.diagnostics.iter_mut();
    for fault in faults.filter(|fault| fault.code == source::NOT_A_MAPPING) {
        help.clone_into(&mut fault.help);
    }
    unreadable
}

fn fault(path: String, message: String, help: &str) -> PolicyError {
    PolicyError::new("invalid_test", path, message, help)
}

fn unreadable(source: &Source, fault: PolicyError) -> Unreadable {
    Unreadable {
        files: source.files().to_vec(),
        diagnostics: vec![source.diagnostic(fault)],
        missing_file: false,
    }
}
