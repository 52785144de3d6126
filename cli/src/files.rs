//! Reading and writing files, finding those that hold tests, and saying so where there are none.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use scopegate_harness::files::{self, FilesError};

use crate::Failure;

/// The test files at and below `paths`, in order.
pub(crate) fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    files::test_files(paths).map_err(|error| match error {
        FilesError::Misnamed { .. } => Failure::Invalid(error.to_string()),
        FilesError::Missing { .. } => Failure::Environment(
            error.to_string(),
            "give test files (*.test.yaml) or folders that hold some".to_owned(),
        ),
    })
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        Failure::Environment(
            format!("cannot read `{}`: {error}", path.display()),
            "check the path, and that the file may be read".to_owned(),
        )
    })
}

/// Writes a file whole or not at all: whoever reads it meanwhile sees what was there before.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let draft = path.with_file_name(name);
    let written = fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| {
        // What is left of it where even that fails is in nobody's way.
        let _ = fs::remove_file(&draft);
        unwritable(path, &error)
    })
}

/// Why nothing could be written there.
pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Environment(
        format!("cannot write `{}`: {error}", path.display()),
        "check that the folder is there and may be written to".to_owned(),
    )
}
