//! The tasks of this repository: `cargo xtask wasm`, `demo`, `test` and the rest.
//!
//! Here live the command line and what each task calls. How a thing is done lives in the modules; what a
//! product does lives in the product, never here.

mod command;
mod debian;
mod foreign;
mod manifests;
mod optimizer;
mod products;
mod release;
mod remap;
mod test;
mod toolchain;
mod tools;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use scopegate_trim::Proxies;

use crate::command::Failure;
use crate::release::Build;
use crate::workspace::Workspace;

/// The tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the plugin's module and print its path.
    Wasm {
        /// Make it smaller with `wasm-opt`, where the machine has it or can fetch Debian's: `target/scopegate.wasm`.
        #[arg(long)]
        optimize: bool,
        /// The proxies it is for. What is for Envoy alone has fewer callbacks, and would crash NGINX.
        #[arg(long, value_enum, default_value_t)]
        proxy: Proxy,
    },
    /// Build the module that prints what a Proxy-Wasm host answers, and print its path.
    Conformance,
    /// Run everything: format, lints, tests, the real module, policy tests, Envoy end to end.
    Test {
        /// Run only the steps whose name contains this text (may be repeated).
        #[arg(long, value_name = "TEXT")]
        only: Vec<String>,
    },
    /// Send real requests through the real module and show every answer and its reason.
    Demo(Forwarded),
    /// Run the end-to-end tests in Envoy.
    E2e(Forwarded),
    /// Measure what the plugin adds to a request in Envoy, beside Envoy's own filters.
    Bench(Forwarded),
    /// Keep mixed good and hostile traffic up in Envoy while keys rotate: no wrong decision, no growth of memory.
    Soak(Forwarded),
    /// Show the size of the module and what it imports, and check both.
    Size,
    /// Make a folder with all that a release holds: the plugin, a bundle of each policy, `scopegate` for this machine, what they
    /// consist of, licences and digests.
    #[command(
        after_help = "An older release in the folder is replaced; a folder that holds anything else is left alone.\n\n\
                      Examples:\n  cargo xtask release\n  cargo xtask release --output /tmp/scopegate\n  \
                      cargo xtask release --development   # a trial: the command is not optimised"
    )]
    Release {
        /// The folder to make, in place of `release-files` in the target folder.
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Take the command as the tests build it, unoptimised: to try how a release is made.
        #[arg(long)]
        development: bool,
    },
}

/// The proxies that a module is for.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Proxy {
    /// All that it runs in.
    #[default]
    Any,
    /// Envoy, and what is built on it.
    Envoy,
}

impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        match proxy {
            Proxy::Any => Self::Any,
            Proxy::Envoy => Self::Envoy,
        }
    }
}

/// Arguments that belong to the program behind a task.
#[derive(clap::Args)]
struct Forwarded {
    /// Arguments of the task; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode, Failure> {
    let workspace = Workspace::find()?;
    match task {
        Task::Wasm { optimize, proxy } => {
            let module = products::plugin(&workspace, proxy.into())?;
            let module = match optimize {
                true => optimizer::optimized(&workspace, &module)?,
                false => module,
            };
            println!("{}", module.display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Conformance => {
            println!("{}", products::conformance(&workspace)?.display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Test { only } => test::run(&workspace, &only),
        Task::Demo(forwarded) => products::end_to_end(&workspace, "demo", &forwarded.arguments),
        Task::E2e(forwarded) => products::end_to_end(&workspace, "test", &forwarded.arguments),
        Task::Bench(forwarded) => products::end_to_end(&workspace, "bench", &forwarded.arguments),
        Task::Soak(forwarded) => products::end_to_end(&workspace, "soak", &forwarded.arguments),
        Task::Release { output, development } => {
            let place = output.unwrap_or_else(|| workspace.target.join("release-files"));
            let build = match development {
                true => Build::Development,
                false => Build::Optimized,
            };
            release::make(&workspace, &place, build)?;
            println!("{}", place.display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Size => products::end_to_end(&workspace, "size", &[]),
    }
}
