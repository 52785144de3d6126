//! Finding test files below folders.

use std::path::{Path, PathBuf};

use crate::Failure;

/// The name of every test file ends so.
const SUFFIX: &str = ".test.yaml";

/// The test files at and below `paths`, in order.
pub(crate) fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => walk(path, &mut found)?,
            false if path.is_file() => found.push(path.clone()),
            false => return Err(missing(path)),
        }
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).map_err(|_| missing(folder))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            walk(&path, found)?;
        } else if name.ends_with(SUFFIX) {
            found.push(path);
        }
    }
    Ok(())
}

fn missing(path: &Path) -> Failure {
    let message = format!("cannot read `{}`", path.display());
    Failure::Environment(
        message,
        "give test files (*.test.yaml) or folders that hold some".to_owned(),
    )
}
