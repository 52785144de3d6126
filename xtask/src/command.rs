//! Running other programs: each failure says which command failed, each long silence has a progress line.

use std::fmt;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;

/// Why a task stopped: one line for a person, and what would help where that is known.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self(message.to_owned())
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self(message)
    }
}

/// Names the file or folder that an input or output error is about.
pub(crate) fn on<T>(path: &std::path::Path, result: std::io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| Failure(format!("`{}`: {error}", path.display())))
}

/// Runs a command with the terminal as its own.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    succeeded(command, status, "")
}

/// Runs a command in silence and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started(command, &error))?;
    succeeded(command, status, &String::from_utf8_lossy(&stderr))?;
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// Shows `message` for as long as `work` lasts.
pub(crate) fn with_progress<T>(
    message: &str,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let bar = ProgressBar::new_spinner().with_message(message.to_owned());
    if bar.is_hidden() {
        eprintln!("{message}");
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    let done = work();
    bar.finish_and_clear();
    done
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure(format!(
        "`{}` could not be started: {error}",
        command.get_program().display()
    ))
}

fn succeeded(command: &Command, status: ExitStatus, said: &str) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect();
    let line = format!(
        "`{} {}` failed ({status})",
        command.get_program().display(),
        arguments.join(" ")
    );
    Err(Failure(if said.is_empty() {
        line
    } else {
        format!("{line}\n{}", said.trim_end())
    }))
}
