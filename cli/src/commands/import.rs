//! `scopegate import`: tests of other tools as tests of ours.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use scopegate_harness::import::{Imported, Lost, plugin_tester};

use super::init;
use crate::{Exit, Failure, output};

/// Makes tests out of what another tool has
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    from: From,
}

/// Whose files are read.
#[derive(Debug, Subcommand)]
enum From {
    PluginTester(PluginTester),
}

/// Makes a test file out of a suite of Google's plugin tester (service-extensions, *.textpb)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scopegate import plugin-tester tests.textpb --policy policy.yaml -o policy.test.yaml\n  \
                        scopegate import plugin-tester tests.textpb\n\n\
                        What has no counterpart is listed on standard error, a line each; the status is then 1."
)]
pub(crate) struct PluginTester {
    /// The suite, in Protobuf's text format
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The policy that the tests are of; `policy.yaml` beside them where it is left out
    #[arg(long, value_name = "POLICY")]
    policy: Option<PathBuf>,
    /// Where the tests are written; standard output where it is left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: super::check::Format,
}

impl Import {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.from {
            From::PluginTester(import) => import.run(),
        }
    }
}

impl PluginTester {
    fn run(self) -> Result<Exit, Failure> {
        let source = std::fs::read_to_string(&self.file).map_err(|error| {
            let message = format!("cannot read `{}`: {error}", self.file.display());
            if error.kind() == std::io::ErrorKind::InvalidData {
                return Failure::Invalid(message);
            }
            Failure::Environment(message, "give a suite of the plugin tester".to_owned())
        })?;
        let folder = |path: &Path| path.parent().unwrap_or(Path::new("")).to_path_buf();
        let target = self.output.as_deref().map(folder).unwrap_or_default();
        let policy = match &self.policy {
            Some(policy) => init::relative(policy, &target),
            None => "policy.yaml".to_owned(),
        };
        let name = self.file.display().to_string();
        let imported = plugin_tester(&name, &source, &policy, &folder(&self.file))?;
        for lost in &imported.lost {
            eprintln!("{}", said(&name, lost));
        }
        if let Some(target) = &self.output {
            init::create(target, &imported.text)?;
        }
        self.print(&imported)?;
        Ok(match imported.lost.is_empty() {
            true => Exit::Fine,
            false => Exit::Findings,
        })
    }

    fn print(&self, imported: &Imported) -> Result<(), Failure> {
        let lost = |lost: &Lost| json!({"line": lost.line, "test": lost.test, "what": lost.what});
        let is_json = matches!(self.format, super::check::Format::Json);
        output::write(&match (is_json, &self.output) {
            (true, target) => {
                let lost: Vec<_> = imported.lost.iter().map(lost).collect();
                let text = target.is_none().then_some(&imported.text);
                let object = json!({"file": target, "text": text, "tests": imported.tests, "lost": lost});
                format!("{object}\n")
            }
            (false, None) => imported.text.clone(),
            (false, Some(target)) => format!("wrote {}: {} tests\n", target.display(), imported.tests),
        })
    }
}

fn said(file: &str, lost: &Lost) -> String {
    let line = lost.line.map(|line| format!(":{line}")).unwrap_or_default();
    let test = lost
        .test
        .as_ref()
        .map(|test| format!("{test}: "))
        .unwrap_or_default();
    format!("{file}{line}: {test}{}", lost.what)
}
