//! How a command ends: its exit status, and what it says when it cannot go on.

use std::process::ExitCode;

use scopegate_engine::source::Unreadable;
use scopegate_harness::executor::ExecutorError;

use scopegate_harness::visible;

use crate::{diagnostics, style};

/// The exit status of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is fine.
    Fine,
    /// There are findings, failed tests, or a difference.
    Findings,
    /// The input is invalid, or the command was misused.
    Invalid,
    /// The environment failed: no file, no network, no module.
    Environment,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Invalid => 2,
            Exit::Environment => 3,
        })
    }
}

/// Why a command cannot go on.
#[derive(Debug)]
pub enum Failure {
    /// Something in the input is wrong.
    Invalid(String),
    /// The environment lacks something; the second text says what helps.
    Environment(String, String),
    /// Files of a policy, or of its tests, are wrong.
    Unreadable(Unreadable),
}

impl Failure {
    /// The exit status it ends with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Invalid(_) => Exit::Invalid,
            Self::Environment(..) => Exit::Environment,
            Self::Unreadable(Unreadable {
                missing_file: true, ..
            }) => Exit::Environment,
            Self::Unreadable(_) => Exit::Invalid,
        }
    }

    /// Says it on standard error.
    pub fn show(&self) {
        match self {
            Self::Invalid(message) => eprintln!("error: {}", visible::lines(message)),
            Self::Environment(message, help) => {
                eprintln!("error: {}\nhelp: {help}", visible::lines(message));
            }
            Self::Unreadable(unreadable) => {
                eprint!(
                    "{}",
                    diagnostics::human(&unreadable.files, &unreadable.diagnostics, style::for_stderr())
                );
            }
        }
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable)
    }
}

impl From<ExecutorError> for Failure {
    fn from(error: ExecutorError) -> Self {
        match error {
            ExecutorError::Refused(_) => Self::Invalid(error.to_string()),
            ExecutorError::Failed(message) | ExecutorError::Unsupported(message) => Self::Environment(
                message,
                "check the module that was given, or build it anew with `cargo xtask wasm`".to_owned(),
            ),
        }
    }
}
