//! The `scopegate` command: one command for the whole life of an access policy.
//!
//! Each subcommand is a file of its own; what they share is how they end ([`Exit`]), where they write, and
//! how a policy is read. Nothing here decides about a request: executors do.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;
mod diagnostics;
mod exit;
mod files;
pub mod gateway;
mod module;
mod output;
mod secrets;
mod style;

pub use exit::{Exit, Failure};

/// Checks, tests and runs access policies.
#[derive(Debug, Parser)]
#[command(
    name = "scopegate",
    version,
    about = "One command for the whole life of an access policy",
    after_help = "Exit status: 0 fine; 1 findings or failed tests; 2 the input is invalid or the command was misused;\n\
                  3 the environment failed (no file, no network, no module)."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(commands::check::Check),
    Test(commands::test::Test),
    Decide(commands::decide::Decide),
    Serve(commands::serve::Serve),
    Bundle(commands::bundle::Bundle),
    Inspect(commands::inspect::Inspect),
    Import(commands::import::Import),
    Schema(commands::schema::Schema),
}

/// Runs the command and says how it ended.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Check(check) => check.run(),
        Command::Test(test) => test.run(),
        Command::Decide(decide) => decide.run(),
        Command::Serve(serve) => serve.run(),
        Command::Bundle(bundle) => bundle.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Import(import) => import.run(),
        Command::Schema(schema) => schema.run(),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.show();
            failure.exit().into()
        }
    }
}
