//! Test files: finding them below folders, and reading them all. Every way of running tests begins here.

use std::io;
use std::path::{Path, PathBuf};

use scopegate_engine::source::Unreadable;

use crate::run::pool::in_parallel;
use crate::suite::Suite;

/// The name of every test file ends so.
pub const SUFFIX: &str = ".test.yaml";

/// A folder or a file that could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`: {source}", path = path.display())]
pub struct Missing {
    /// Its path.
    pub path: PathBuf,
    source: io::Error,
}

/// The test files at and below `paths`, in the order of the paths and then of their names. A file that is named itself
/// may be called anything; folders called `target`, and hidden ones, are not looked into.
///
/// # Errors
/// When a path is neither a file nor a folder that can be read.
pub fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Missing> {
    let mut found = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => walk(path, &mut found)?,
            false => {
                std::fs::metadata(path).map_err(|source| missing(path, source))?;
                found.push(path.clone());
            }
        }
    }
    Ok(found)
}

/// Reads test files, several at a time. They come back in the order in which they were given.
///
/// # Errors
/// For each file that is wrong, or whose policy is: what is wrong with it.
pub fn load(files: &[PathBuf], jobs: usize) -> Vec<Result<Suite, Unreadable>> {
    in_parallel(jobs, files, |path| Suite::load(path))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Missing> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|source| missing(folder, source))?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                walk(&path, found)?;
            }
        } else if name.ends_with(SUFFIX) {
            found.push(path);
        }
    }
    Ok(())
}

fn missing(path: &Path, source: io::Error) -> Missing {
    Missing {
        path: path.to_owned(),
        source,
    }
}
