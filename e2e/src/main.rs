//! `scopegate-e2e`: the demo, the tests in Envoy, the bench, the soak and the module's size. `cargo xtask` calls it.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use scopegate_e2e::bench::{self, BenchError, soak};
use scopegate_e2e::cases::{self, CasesError, Summary};
use scopegate_e2e::demo::{self, DemoError};
use scopegate_e2e::envoy::EnvoyError;
use scopegate_e2e::nginx::NginxError;
use scopegate_e2e::size;

/// The exit status that says: this machine lacks what the task needs.
const CANNOT_RUN: u8 = 3;

/// End to end: a real proxy, a real client, an upstream that says what it saw.
#[derive(Parser)]
#[command(arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Send real requests through the real module and show every answer and its reason.
    Demo {
        /// Where the module runs.
        #[arg(long, value_enum, default_value = "wasmtime")]
        host: demo::Host,
    },
    /// Run policy tests in a real proxy, and hold every answer against the native engine's.
    Test {
        /// The proxy. NGINX is the one with ngx_wasm_module that `NGINX_WASM` names.
        #[arg(long, value_enum, default_value = "envoy")]
        host: Proxy,
        /// Test files, or folders of them.
        #[arg(default_values = ["policies", "corpus"])]
        paths: Vec<PathBuf>,
        /// Make a bundle of each policy first.
        #[arg(long)]
        bundled: bool,
    },
    /// Measure what the plugin adds to a request in Envoy, beside Envoy's own filters.
    Bench(bench::Options),
    /// Keep mixed good and hostile traffic up while keys rotate: no wrong decision, no growth of memory.
    Soak(soak::Options),
    /// Show the size of the module and what it imports, and check both.
    Size,
}

/// A real proxy.
#[derive(Clone, Copy, ValueEnum)]
enum Proxy {
    Envoy,
    Nginx,
}

/// Why a task was not done.
enum Failure {
    /// The machine lacks Envoy and cannot get it.
    Absent(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    fn other(error: impl ToString) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<EnvoyError> for Failure {
    fn from(error: EnvoyError) -> Self {
        match error {
            EnvoyError::Absent(_) => Self::Absent(error.to_string()),
            EnvoyError::NotReady { .. } | EnvoyError::Io(_) | EnvoyError::Certificate(_) => {
                Self::other(error)
            }
        }
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Envoy(error) => error.into(),
            other @ (DemoError::Mint(_)
            | DemoError::Policy(..)
            | DemoError::Gateway(_)
            | DemoError::Io(_)) => Self::other(other),
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Envoy(error) => error.into(),
            other @ (BenchError::Mint(_) | BenchError::Io(_) | BenchError::Unexpected { .. }) => {
                Self::other(other)
            }
        }
    }
}

impl From<CasesError> for Failure {
    fn from(error: CasesError) -> Self {
        match error {
            CasesError::Envoy(error) => error.into(),
            CasesError::Nginx(error @ NginxError::Absent(_)) => Self::Absent(error.to_string()),
            CasesError::Nginx(error @ (NginxError::NotReady(_) | NginxError::Io(_))) => Self::other(error),
            other @ (CasesError::File(..) | CasesError::Executor(_) | CasesError::Missing(_)) => {
                Self::other(other)
            }
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure::Absent(why)) => {
            eprintln!("error: {why}");
            ExitCode::from(CANNOT_RUN)
        }
        Err(Failure::Other(why)) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<bool, Failure> {
    let module = module().map_err(Failure::Other)?;
    Ok(match task {
        Task::Demo { host } => demo::run(host, &module)?,
        Task::Test { host, paths, bundled } => match (host, bundled) {
            (Proxy::Envoy, bundled) => report(&cases::run(&module, &paths, bundled)?, "Envoy"),
            (Proxy::Nginx, true) => {
                return Err(Failure::other("bundles are run in Envoy: leave `--bundled` out"));
            }
            (Proxy::Nginx, false) => report(&cases::nginx::run(&module, &paths)?, "NGINX"),
        },
        Task::Bench(options) => {
            bench::run(&module, &options)?;
            true
        }
        Task::Soak(options) => soak::run(&module, &options)?,
        Task::Size => size::run(&module).map_err(Failure::Other)?,
    })
}

/// Shows what came of the cases; true if all held and nothing differed.
fn report(summary: &Summary, proxy: &str) -> bool {
    let Summary {
        passed,
        failed,
        skipped,
        disagreements,
    } = summary;
    for (kind, lines) in [
        ("skipped", skipped),
        ("FAILED", failed),
        ("DIFFERS", disagreements),
    ] {
        for line in lines {
            println!("{kind} {line}");
        }
    }
    println!(
        "{} disagreements between {proxy} and the native engine",
        disagreements.len()
    );
    println!(
        "{passed} passed, {} failed, {} skipped",
        failed.len(),
        skipped.len()
    );
    *passed > 0 && failed.is_empty() && disagreements.is_empty()
}

fn module() -> Result<PathBuf, String> {
    let named = env::var_os("SCOPEGATE_WASM").map(PathBuf::from);
    let module = named.unwrap_or_else(|| PathBuf::from("target/wasm32-wasip1/release/scopegate_plugin.wasm"));
    if module.is_file() {
        return Ok(module);
    }
    Err(format!(
        "`{}` is absent: run `cargo xtask wasm`",
        module.display()
    ))
}
