//! `scopegate check`: schema and meaning of a policy, every finding with its place.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use scopegate_engine::source::{self, Diagnostic, Severity, SourceFile, Unreadable};

use crate::secrets::{self, CheckedSecrets};
use crate::{Exit, Failure, diagnostics, style};

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
        let (files, found) = match source::load(&self.policy) {
            Ok(source) => {
                for name in secrets::missing(source.document()) {
                    eprintln!("note: the environment has no `{name}`; the secret itself is not checked");
                }
                let found = source.compile(&CheckedSecrets);
                (
                    source.files().to_vec(),
                    found.map_or_else(|errors| errors, |(_, warnings)| warnings),
                )
            }
            Err(
                unreadable @ Unreadable {
                    missing_file: true, ..
                },
            ) => return Err(unreadable.into()),
            Err(Unreadable {
                files, diagnostics, ..
            }) => (files, diagnostics),
        };
        self.print(&files, &found);
        Ok(self.exit(&found))
    }

    fn exit(&self, found: &[Diagnostic]) -> Exit {
        let has = |severity| found.iter().any(|diagnostic| diagnostic.severity == severity);
        match (has(Severity::Error), has(Severity::Warning), self.deny) {
            (true, _, _) => Exit::Invalid,
            (false, true, Some(Deny::Warnings)) => Exit::Findings,
            (false, _, _) => Exit::Fine,
        }
    }

    fn print(&self, files: &[SourceFile], found: &[Diagnostic]) {
        let count = |severity| {
            found
                .iter()
                .filter(|diagnostic| diagnostic.severity == severity)
                .count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        match self.format {
            Format::Json => {
                let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
                let report = json!({
                    "files": names,
                    "diagnostics": diagnostics::json(files, found),
                    "summary": {"errors": errors, "warnings": warnings},
                });
                println!("{report}");
            }
            Format::Human => {
                print!("{}", diagnostics::human(files, found, style::for_stdout()));
                let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
                println!(
                    "{}: {}, {}",
                    names.join(", "),
                    number(errors, "error"),
                    number(warnings, "warning")
                );
            }
        }
    }
}

fn number(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
