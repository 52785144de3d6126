//! Finding test files, and saying so where there are none.

use std::path::PathBuf;

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
