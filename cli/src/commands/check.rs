//! `scopegate check`: schema and meaning of a policy, every finding with its place.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use scopegate_engine::source::{self, Diagnostic, Severity, SourceFile, Unreadable};

use crate::secrets::{self, CheckedSecrets};
use crate::{Exit, Failure, diagnostics, output, style};

/// Checks a policy: schema, meaning, and what its author should know
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scopegate check policy.yaml\n  scopegate check authentication.yaml authorization.yaml\n  \
                        scopegate check --deny warnings --format json policy.yaml"
)]
pub(crate) struct Check {
    /// The policy: one file, or several that are joined
    #[arg(required = true, value_name = "POLICY")]
    policy: Vec<PathBuf>,
    /// What else is an error
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What else is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Warnings end with status 1
    Warnings,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

impl Check {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (files, found, exit) = match source::load(&self.policy) {
            Ok(source) => {
                for name in secrets::missing(source.document()) {
                    eprintln!("note: the environment has no `{name}`; the secret itself is not checked");
                }
                let found = source.compile(&CheckedSecrets);
                let found = found.map_or_else(|errors| errors, |(_, warnings)| warnings);
                let exit = self.exit(&found);
                (source.files().to_vec(), found, exit)
            }
            Err(
                unreadable @ Unreadable {
                    missing_file: true, ..
                },
            ) if self.format == Format::Human => return Err(unreadable.into()),
            Err(Unreadable {
                files,
                diagnostics,
                missing_file,
            }) => {
                let exit = if missing_file {
                    Exit::Environment
                } else {
                    Exit::Invalid
                };
                (files, diagnostics, exit)
            }
        };
        self.print(&files, &found)?;
        Ok(exit)
    }

    fn exit(&self, found: &[Diagnostic]) -> Exit {
        let has = |severity| found.iter().any(|diagnostic| diagnostic.severity == severity);
        match (has(Severity::Error), has(Severity::Warning), self.deny) {
            (true, _, _) => Exit::Invalid,
            (false, true, Some(Deny::Warnings)) => Exit::Findings,
            (false, _, _) => Exit::Fine,
        }
    }

    fn print(&self, files: &[SourceFile], found: &[Diagnostic]) -> Result<(), Failure> {
        output::write(&match self.format {
            Format::Json => format!("{}\n", diagnostics::object(files, found)),
            Format::Human => {
                let shown = diagnostics::human(files, found, style::for_stdout());
                let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
                let (errors, warnings) = diagnostics::counts(found);
                let counts = (number(errors, "error"), number(warnings, "warning"));
                format!("{shown}{}: {}, {}\n", names.join(", "), counts.0, counts.1)
            }
        })
    }
}

fn number(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
