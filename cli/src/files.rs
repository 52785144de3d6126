//! Finding test files, and saying so where there are none.

use std::path::PathBuf;

use scopegate_harness::files;

use crate::Failure;

/// The test files at and below `paths`, in order.
pub(crate) fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    files::test_files(paths).map_err(|missing| {
        Failure::Environment(
            missing.to_string(),
            "give test files (*.test.yaml) or folders that hold some".to_owned(),
        )
    })
}
