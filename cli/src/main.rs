//! The `scopegate` command.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    scopegate::run(scopegate::Cli::parse())
}
