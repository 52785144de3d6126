//! `scopegate test`: runs policy tests against the real module, natively, or both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use scopegate_harness::agreement::disagreements;
use scopegate_harness::coverage::Coverage;
use scopegate_harness::executor::Executor;
use scopegate_harness::native::Native;
use scopegate_harness::report::RunReport;
use scopegate_harness::run::{SuiteReport, run};
use scopegate_harness::suite::Suite;
use scopegate_harness::wasm::Wasm;

use crate::{Exit, Failure, diagnostics, files, module, output};

/// Runs policy tests (*.test.yaml)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scopegate test policies\n  scopegate test --engine native --filter tenant policy.test.yaml\n  \
                        scopegate test --threshold 100 --format junit policies > report.xml"
)]
pub(crate) struct Test {
    /// Test files, or folders that hold some; by default this folder
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What decides: the plugin's module, the engine itself, or both, which must then agree
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    /// The plugin's module, in place of the one that was built
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Runs the cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Fails when a policy's coverage is below this many per cent; never rounded up
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    threshold: Option<u8>,
    /// Lists passing cases too
    #[arg(long)]
    verbose: bool,
    /// Takes each rule out of the policies in turn, and lists those that no test would miss
    #[arg(long)]
    mutate: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Engine {
    /// The plugin's module in wasmtime
    #[default]
    Wasm,
    /// The engine itself, in microseconds
    Native,
    /// Both: any disagreement fails
    Both,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
    /// JUnit's XML
    Junit,
    /// The Test Anything Protocol
    Tap,
    /// Annotations for GitHub workflows
    Github,
}

impl Test {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let here = [PathBuf::from(".")];
        let paths = if self.paths.is_empty() {
            here.to_vec()
        } else {
            self.paths.clone()
        };
        let found = files::test_files(&paths)?;
        if found.is_empty() {
            return Err(Failure::Invalid(
                "no test files found: their names end in `.test.yaml`".to_owned(),
            ));
        }
        if self.mutate {
            return super::mutate::run(&found, self.format == Format::Json);
        }
        let executors = self.executors()?;
        let report = match self.run_files(&found, &executors) {
            Err(Failure::Unreadable(fault)) if self.format == Format::Json => {
                output::write(&format!(
                    "{}\n",
                    diagnostics::object(&fault.files, &fault.diagnostics)
                ))?;
                return Ok(Failure::Unreadable(fault).exit());
            }
            report => report?,
        };
        if let Some(failure) = self.nothing_ran(&report) {
            return Err(failure);
        }
        self.print(&report)?;
        Ok(self.exit(&report))
    }

    /// Tests that did not run have shown nothing: that is never green.
    fn nothing_ran(&self, report: &RunReport) -> Option<Failure> {
        let message = match (report.counts(), &self.filter) {
            ((0, 0, 0), Some(filter)) => format!("no case ran: no name contains `{filter}`"),
            ((0, 0, 0), None) => "no case ran: the files hold none".to_owned(),
            ((0, 0, skipped), _) => format!("no case ran: all {skipped} were skipped"),
            _ => return None,
        };
        Some(Failure::Invalid(message))
    }

    fn executors(&self) -> Result<Vec<Box<dyn Executor>>, Failure> {
        let wasm = || -> Result<Box<dyn Executor>, Failure> {
            Ok(Box::new(Wasm::from_file(&module::find(self.wasm.as_deref())?)?))
        };
        Ok(match self.engine {
            Engine::Wasm => vec![wasm()?],
            Engine::Native => vec![Box::new(Native)],
            Engine::Both => vec![Box::new(Native), wasm()?],
        })
    }

    fn run_files(&self, files: &[PathBuf], executors: &[Box<dyn Executor>]) -> Result<RunReport, Failure> {
        let mut report = RunReport::default();
        let mut coverage: BTreeMap<String, Coverage> = BTreeMap::new();
        for file in files {
            let suite = Suite::load(file)?;
            let runs = executors
                .iter()
                .map(|executor| run(&suite, executor.as_ref(), self.filter.as_deref()));
            let runs = runs.collect::<Result<Vec<SuiteReport>, _>>()?;
            if let [one, two] = runs.as_slice() {
                report.disagreements.extend(disagreements(one, two));
            }
            let policy = suite
                .policy
                .source
                .files()
                .first()
                .map(|file| file.name.clone())
                .unwrap_or_default();
            let reached = coverage.entry(policy).or_insert_with(|| Coverage::of(&suite));
            runs.iter().for_each(|run| reached.add(run));
            report.suites.extend(runs);
        }
        report.coverage = coverage.into_iter().collect();
        Ok(report)
    }

    fn print(&self, report: &RunReport) -> Result<(), Failure> {
        output::write(&match self.format {
            Format::Human => report.human(self.verbose),
            Format::Json => format!("{}\n", report.json()),
            Format::Junit => report.junit(),
            Format::Tap => report.tap(),
            Format::Github => report.github(),
        })
    }

    fn exit(&self, report: &RunReport) -> Exit {
        if !report.is_fine() {
            return Exit::Findings;
        }
        match self.threshold {
            Some(threshold) if report.coverage_percent() < usize::from(threshold) => {
                eprintln!(
                    "error: coverage is {} %, below the threshold of {threshold} %",
                    report.coverage_percent()
                );
                Exit::Findings
            }
            _ => Exit::Fine,
        }
    }
}
