//! Where the foreign vectors are; where they are absent, a test says so by name, and fails in CI.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of foreign vectors as JSON; nothing, loudly, where the folder is absent.
pub(crate) fn load(test: &str, file: &str) -> Option<Value> {
    let folder = std::env::var_os("SCOPEGATE_VECTORS").map_or_else(beside_the_repository, PathBuf::from);
    let Ok(text) = std::fs::read(folder.join(file)) else {
        skip(
            test,
            &format!("no {file} in {}; set SCOPEGATE_VECTORS", folder.display()),
        );
        return None;
    };
    Some(serde_json::from_slice(&text).expect("vectors are JSON"))
}

/// Says past the capture of the test harness that `test` cannot run here, and adds it to the file of skips that
/// `SCOPEGATE_SKIPS` names. Where `CI` is set, nothing may be skipped.
fn skip(test: &str, reason: &str) {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!ci, "`{test}` may not be skipped in CI: {reason}");
    let line = format!("SKIPPED {test}: {reason}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error takes a line");
    if let Some(file) = std::env::var_os("SCOPEGATE_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the file of skips takes a line");
    }
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
