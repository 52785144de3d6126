//! `scopegate test`: runs policy tests against the real module, natively, or both.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use scopegate_harness::executor::Executor;
use scopegate_harness::native::Native;
use scopegate_harness::report::RunReport;
use scopegate_harness::run::pool::default_jobs;
use scopegate_harness::suite::Suite;
use scopegate_host_tests::Profile;

use crate::{Exit, Failure, diagnostics, files, module, output, style};

mod bench;
mod diff;
mod human;
mod progress;
mod session;
mod trace;
mod watch;

/// Runs policy tests (*.test.yaml)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scopegate test --init policy.yaml\n  scopegate test policies\n  \
                        scopegate test --engine native --filter tenant policy.test.yaml\n  \
                        scopegate test --engine both policies\n  scopegate test --bundled policies\n  scopegate test --watch policy.test.yaml\n  \
                        scopegate test --mutate policy.test.yaml\n  \
                        scopegate test --threshold 100 --format junit policies > report.xml\n\n\
                  `--init` writes a file to begin with; `scopegate schema --tests` prints what may stand in one.\n\n\
                  Exit status:\n  0 all hold\n  1 a case failed, the executors disagree, a rule survived, or coverage is below the \
                  threshold\n  2 a file is wrong, or no case ran\n  3 a file or the module is missing"
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
    /// Makes a bundle of each policy first, and runs that
    #[arg(long)]
    bundled: bool,
    /// Runs the cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Fails when a policy's coverage is below this many per cent; never rounded up
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    threshold: Option<u8>,
    /// The proxy that the module is run as if in
    #[arg(long, value_enum, default_value_t)]
    profile: Proxy,
    /// How many cases to run at a time; by default as many as the machine has processors
    #[arg(long, short, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
    /// Ends at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Runs again whenever a file changes that the tests read, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Measures how fast the cases run, in place of saying whether they hold
    #[arg(long, conflicts_with_all = ["watch", "threshold", "fail_fast", "verbose"])]
    bench: bool,
    /// Lists passing cases too
    #[arg(long)]
    verbose: bool,
    /// Writes a first test file for the policy in PATH: for each route who passes, and what each layer refuses
    #[arg(long, conflicts_with_all = ["bench", "bundled", "engine", "fail_fast", "filter", "jobs", "mutate", "profile", "threshold", "verbose", "wasm", "watch"])]
    init: bool,
    /// Where `--init` writes; by default beside the policy
    #[arg(short, long, value_name = "FILE", requires = "init")]
    output: Option<PathBuf>,
    /// Takes each rule out of the policies in turn, and lists those that no test would miss
    #[arg(long, conflicts_with_all = ["bench", "bundled", "engine", "fail_fast", "filter", "jobs", "profile", "threshold", "verbose", "wasm", "watch"])]
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

/// The proxy that the module is run as if in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Proxy {
    /// Envoy, and what is made of it
    #[default]
    Envoy,
    /// NGINX with ngx_wasm_module
    Nginx,
    /// The letter of the Proxy-Wasm ABI
    Spec,
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

fn percent(text: &str) -> Result<u8, String> {
    let percent = text.parse().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| "write a whole number from 0 to 100".to_owned())
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    let jobs = text.parse();
    jobs.map_err(|_| "write how many cases run at a time: a whole number, at least 1".to_owned())
}

impl Test {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        self.format_fits()?;
        self.module_is_used()?;
        if self.init {
            return super::init::run(&self.paths, self.output, self.format == Format::Json);
        }
        match (self.mutate, self.bench, self.watch) {
            (true, _, _) => {
                let done = super::mutate::run(&self.files()?, self.format == Format::Json);
                done.or_else(|failure| self.told(failure))
            }
            (false, true, _) => self.measure(&self.executors()?),
            (false, false, true) => self.watch(),
            (false, false, false) => self.pass(&mut |_| ()),
        }
    }

    /// Reports for machines that list cases are of runs that do.
    fn format_fits(&self) -> Result<(), Failure> {
        let lists_no_cases = match (self.init, self.mutate, self.bench) {
            (true, _, _) => Some("--init"),
            (_, true, _) => Some("--mutate"),
            (_, _, true) => Some("--bench"),
            (false, false, false) => None,
        };
        match (lists_no_cases, self.format) {
            (Some(flag), Format::Junit | Format::Tap | Format::Github) => Err(Failure::Invalid(format!(
                "`{flag}` prints for people or as JSON: leave `--format` out, or write `--format json`"
            ))),
            (None, _) | (_, Format::Human | Format::Json) => Ok(()),
        }
    }

    /// What is said about the module is for runs that use it.
    fn module_is_used(&self) -> Result<(), Failure> {
        let said = match (&self.wasm, self.profile) {
            (Some(_), _) => "--wasm",
            (None, Proxy::Nginx | Proxy::Spec) => "--profile",
            (None, Proxy::Envoy) => return Ok(()),
        };
        match self.engine {
            Engine::Native => Err(Failure::Invalid(format!(
                "`{said}` is about the module, which `--engine native` does not run: leave one of the two out"
            ))),
            Engine::Wasm | Engine::Both => Ok(()),
        }
    }

    /// Runs the tests once and prints what came of them. `loaded` is shown the files as they were read.
    fn pass(&self, loaded: &mut dyn FnMut(&[Suite])) -> Result<Exit, Failure> {
        let executors = self.executors()?;
        match self.once(&executors, loaded) {
            Ok(report) => {
                self.print(&report)?;
                Ok(self.exit(&report))
            }
            Err(failure) => self.told(failure),
        }
    }

    /// What is wrong with the files, as JSON where that was asked for.
    fn told(&self, failure: Failure) -> Result<Exit, Failure> {
        if let Failure::Unreadable(fault) = &failure
            && self.format == Format::Json
        {
            let object = diagnostics::object(&fault.files, &fault.diagnostics);
            output::write(&format!("{object}\n"))?;
            return Ok(failure.exit());
        }
        Err(failure)
    }

    fn given_paths(&self) -> Vec<PathBuf> {
        match self.paths.as_slice() {
            [] => vec![PathBuf::from(".")],
            paths => paths.to_vec(),
        }
    }

    fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let found = files::test_files(&self.given_paths())?;
        match found.is_empty() {
            true => Err(Failure::Invalid(
                "no test files found: their names end in `.test.yaml`; `scopegate test --init policy.yaml` writes a first one"
                    .to_owned(),
            )),
            false => Ok(found),
        }
    }

    fn jobs(&self) -> usize {
        self.jobs.map_or_else(default_jobs, NonZeroUsize::get)
    }

    fn executors(&self) -> Result<Vec<Box<dyn Executor>>, Failure> {
        let wasm = || -> Result<Box<dyn Executor>, Failure> {
            let module = module::find(self.wasm.as_deref())?;
            let proxy = match self.profile {
                Proxy::Envoy => Profile::Envoy,
                Proxy::Nginx => Profile::Nginx,
                Proxy::Spec => Profile::Spec,
            };
            Ok(match self.bundled {
                true => Box::new(module.bundled()?.in_proxy(proxy)),
                false => Box::new(module.wasm()?.in_proxy(proxy)),
            })
        };
        if self.bundled && self.engine == Engine::Native {
            return Err(Failure::Invalid(
                "`--bundled` is about the plugin's module: leave `--engine native` out".to_owned(),
            ));
        }
        Ok(match self.engine {
            Engine::Wasm => vec![wasm()?],
            Engine::Native => vec![Box::new(Native)],
            Engine::Both => vec![Box::new(Native), wasm()?],
        })
    }

    fn print(&self, report: &RunReport) -> Result<(), Failure> {
        output::write(&match self.format {
            Format::Human => human::human(report, self.verbose, style::for_stdout()),
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
