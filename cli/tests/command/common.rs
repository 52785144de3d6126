//! Runs the real command.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The folder of the fixtures: the working directory of every run, so that output holds no absolute path.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The plugin's module.
pub(crate) fn module() -> PathBuf {
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/wasm32-wasip1/release/scopegate_plugin.wasm");
    let path = std::env::var_os("SCOPEGATE_WASM").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "no module at `{}`: build it with `cargo xtask wasm`",
        path.display()
    );
    path
}

/// The command, not yet run.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
    command
        .args(arguments)
        .current_dir(fixtures())
        .env("SCOPEGATE_WASM", module())
        .env("NO_COLOR", "1");
    command
}

/// Runs the command with this input.
pub(crate) fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = command(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that ends without reading closes the pipe: that is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// What it wrote on standard output.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it wrote on standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
