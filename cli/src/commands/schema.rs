//! `scopegate schema`: the JSON Schema of policies, or of their tests.

use clap::Args;

use crate::{Exit, Failure, output};

/// Prints the JSON Schema of policies
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scopegate schema > policy.schema.json\n  scopegate schema --tests > test.schema.json"
)]
pub(crate) struct Schema {
    /// The schema of test files instead
    #[arg(long)]
    tests: bool,
    /// How to print: a schema is JSON in either
    #[arg(long, value_enum, default_value_t)]
    format: super::check::Format,
}

impl Schema {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let schema = match self.tests {
            true => scopegate_harness::format::schema(),
            false => scopegate_engine::schema(),
        };
        output::write(&match self.format {
            super::check::Format::Human => format!("{schema:#}\n"),
            super::check::Format::Json => format!("{schema}\n"),
        })?;
        Ok(Exit::Fine)
    }
}
