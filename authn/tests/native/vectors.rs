//! Where the foreign vectors are; where they are absent, a test says so by name, and fails in CI.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of foreign vectors as JSON; nothing, loudly, where the folder is absent.
pub(crate) fn load(test: &str, file: &str) -> Option<Value> {
    let folder = std::env::var_os("SCOPEGATE_VECTORS").map_or_else(beside_the_repository, PathBuf::from);
    let Ok(text) = std::fs::read(folder.join(file)) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "`{test}` needs {file} and may not be skipped in CI"
        );
        // Past the capture of the test harness: a skip must be seen.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED {test}: no {file} in {}",
            folder.display()
        );
        return None;
    };
    Some(serde_json::from_slice(&text).expect("vectors are JSON"))
}

fn beside_the_repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors")
}

/// The array `name` of a vector file.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name]
        .as_array()
        .map(Vec::as_slice)
        .expect("a list of vectors")
}

/// A text of a vector.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().expect("a text in a vector")
}

/// Hex digits as bytes.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
    text.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
