//! Test files: finding them below folders, and reading them all. Every way of running tests begins here.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use scopegate_engine::source::{self, Unreadable, reason};

use crate::run::pool::in_parallel;
use crate::suite::Suite;

/// The name of every test file ends so.
pub const SUFFIX: &str = ".test.yaml";

/// What marks a folder of things that can be made again (<https://bford.info/cachedir/>); cargo puts it into its own.
const CACHE_TAG: &str = "CACHEDIR.TAG";

/// Why test files could not be found.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A folder or a file could not be looked at.
    #[error("cannot read `{path}`: {reason}", path = path.display(), reason = reason(source))]
    Missing {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is one of tests, and its name says otherwise: it would never run.
    #[error("`{path}` holds tests and would not run: call it `{right}`", path = path.display())]
    Misnamed {
        /// Its path.
        path: PathBuf,
        /// What it should be called.
        right: String,
    },
}

/// The test files at and below `paths`, in the order of the paths and then of their names, each once however many links
/// lead to it. A file that is named itself may be called anything; hidden folders, and those that cargo builds in, are not
/// looked into.
///
/// # Errors
/// When a path is neither a file nor a folder that can be read, and for a file below a folder that holds tests and is
/// almost called as test files are.
pub fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FilesError> {
    let mut search = Search::default();
    for path in paths {
        match path.is_dir() {
            true => search.walk(path)?,
            false => {
                std::fs::metadata(path).map_err(|source| missing(path, source))?;
                search.add(path.clone());
            }
        }
    }
    Ok(search.found)
}

/// Reads test files, several at a time. They come back in the order in which they were given.
///
/// # Errors
/// For each file that is wrong, or whose policy is: what is wrong with it.
pub fn load(files: &[PathBuf], jobs: usize) -> Vec<Result<Suite, Unreadable>> {
    in_parallel(jobs, files, |path| Suite::load(path))
}

#[derive(Default)]
struct Search {
    found: Vec<PathBuf>,
    /// What was looked at, by the paths that no link is part of.
    seen: BTreeSet<PathBuf>,
}

impl Search {
    fn walk(&mut self, folder: &Path) -> Result<(), FilesError> {
        if !self.is_new(folder) {
            return Ok(());
        }
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|source| missing(folder, source))?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            if path.is_dir() {
                let is_built = name == "target" && path.join(CACHE_TAG).is_file();
                if !name.starts_with('.') && !is_built {
                    self.walk(&path)?;
                }
            } else if name.ends_with(SUFFIX) {
                // A pipe is waited for, for ever: one that is meant is named itself.
                if path.exists() && !path.is_file() {
                    return Err(missing(&path, io::Error::other("it is no file")));
                }
                self.add(path);
            } else if let Some(right) = right_name(&name).filter(|_| holds_tests(&path)) {
                return Err(FilesError::Misnamed { path, right });
            }
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf) {
        if self.is_new(&path) {
            self.found.push(path);
        }
    }

    /// A path that leads nowhere is new: whoever reads it says so.
    fn is_new(&mut self, path: &Path) -> bool {
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        self.seen.insert(real)
    }
}

/// What a file should be called whose name is almost that of a test file: `x_test.yaml`, `x.test.yml`, `X.TEST.YAML`.
fn right_name(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let stem = lower
        .strip_suffix(".yaml")
        .or_else(|| lower.strip_suffix(".yml"))
        .or_else(|| lower.strip_suffix(".json"))?;
    let stem = stem.strip_suffix("test").or_else(|| stem.strip_suffix("tests"))?;
    let own = name.get(..stem.len())?.trim_end_matches(['.', '_', '-']);
    Some(match own {
        "" => format!("policy{SUFFIX}"),
        own => format!("{own}{SUFFIX}"),
    })
}

/// Whether a file says what only a test file says. Many tools have tests in files of such names.
fn holds_tests(path: &Path) -> bool {
    match source::load(&[path.to_path_buf()]) {
        Ok(source) => {
            let says = |name: &str| source.document().get(name).is_some();
            says("policy") && (says("tests") || says("matrix"))
        }
        Err(faulty) => {
            let mut lines = faulty.files.iter().flat_map(|file| file.text.lines());
            lines.any(|line| line.starts_with("policy:"))
        }
    }
}

fn missing(path: &Path, source: io::Error) -> FilesError {
    FilesError::Missing {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::{right_name, test_files};

    #[test]
    fn a_pipe_is_no_test_file_and_is_waited_for_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("access.test.yaml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let error = test_files(&[folder.path().to_path_buf()])
            .unwrap_err()
            .to_string();
        assert!(error.contains("access.test.yaml`: it is no file"), "{error}");
    }

    #[test]
    fn a_name_that_is_almost_right_has_a_right_one() {
        for (name, right) in [
            ("access.test.yml", Some("access.test.yaml")),
            ("X.TEST.YAML", Some("X.test.yaml")),
            ("x_test.yaml", Some("x.test.yaml")),
            ("x-tests.yml", Some("x.test.yaml")),
            ("tests.yaml", Some("policy.test.yaml")),
            ("policy.yaml", None),
            ("x.test.json", Some("x.test.yaml")),
            ("package.json", None),
        ] {
            assert_eq!(right_name(name).as_deref(), right, "{name}");
        }
    }
}
