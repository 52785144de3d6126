//! What the plugin adds to a request in Envoy, beside Envoy's own filters.
//!
//! The figure is Envoy's processor time for each request, from the kernel's account of the process: on a shared machine
//! it is steady where latency is not. All rows are listeners of one process with one worker, measured in turn,
//! round after round.

mod load;
mod native;
mod plot;
mod policies;
mod process;
mod report;
mod requests;
mod rows;
mod start;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use indicatif::{ProgressBar, ProgressStyle};

use crate::envoy::bootstrap::{Listener, bootstrap};
use crate::envoy::{Envoy, EnvoyError, find};
use crate::mint::MintError;
use load::Requests;
pub use report::Measured;
use requests::Load;
use rows::Row;
pub use start::Started;

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Rounds; the median of them counts.
    #[arg(long, default_value_t = 5)]
    pub rounds: u32,
    /// Requests for each row in each round, where one request is sent again and again.
    #[arg(long, default_value_t = 20_000)]
    pub requests: usize,
    /// Requests for each row in each round, where each brings a token or a proof of its own.
    #[arg(long, default_value_t = 2_000)]
    pub first_sights: usize,
    /// Connections kept busy.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Measures only the rows whose name contains this, and the first.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// The folder in which the results are written: `RESULTS.md`, `results.json` and `results.svg`.
    #[arg(long, default_value = "bench")]
    pub output: PathBuf,
    /// Print the results as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Envoy is absent or does not run.
    #[error(transparent)]
    Envoy(#[from] EnvoyError),
    /// The keys or tokens could not be made.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// A file or connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A request was not answered as its row says: its figure would mean nothing.
    #[error("{row}: answered {seen}, expected {expected}")]
    Unexpected {
        /// The row.
        row: String,
        /// The status that came.
        seen: u16,
        /// The status that was due.
        expected: u16,
    },
}

/// Runs the bench with this module.
///
/// # Errors
/// There is no Envoy, or something did not answer as it must.
pub fn run(module: &Path, options: &Options) -> Result<(), BenchError> {
    let folder = tempfile::tempdir()?;
    let mut rows = rows::rows(module, folder.path())?;
    if let Some(only) = &options.only {
        let mut number = 0_usize..;
        rows.retain(|row| number.next() == Some(0) || row.name.contains(only.as_str()));
    }
    let program = find()?;
    let samples = measure(&program, &rows, options)?;
    let results = report::Results {
        rows: report::measured(&rows, &samples),
        started: match options.only {
            None => start::measure(&program, module)?,
            Some(_) => Vec::new(),
        },
        module_bytes: fs::metadata(module)?.len(),
        machine: report::machine(),
    };
    match options.json {
        true => println!("{}", results.json(options)),
        false => println!("{}", results.table()),
    }
    fs::create_dir_all(&options.output)?;
    fs::write(options.output.join("RESULTS.md"), results.markdown(options))?;
    fs::write(
        options.output.join("results.json"),
        format!("{:#}\n", results.json(options)),
    )?;
    fs::write(options.output.join("results.svg"), plot::bars(&results.rows))?;
    eprintln!("written to `{}`", options.output.display());
    Ok(())
}

/// The microseconds of each row in each round.
fn measure(program: &Path, rows: &[Row], options: &Options) -> Result<Vec<Vec<f64>>, BenchError> {
    let listener = |(number, row): (usize, &Row)| {
        Listener::new(&number.to_string(), row.filters.clone())
            .answering_at_once()
            .plain()
    };
    let listeners: Vec<_> = rows.iter().enumerate().map(listener).collect();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let envoy = Envoy::start(program, &bootstrap(&listeners, nowhere), Path::new("."), &[])?;
    process::pin(envoy.id(), 0);
    let mut samples = vec![Vec::new(); rows.len()];
    let bar = progress(u64::from(options.rounds).saturating_mul(u64::try_from(rows.len()).unwrap_or(0)));
    for round in 0..=options.rounds {
        for (number, (row, samples)) in rows.iter().zip(&mut samples).enumerate() {
            bar.set_message(row.name.clone());
            let sample = sample(&envoy, (number, row), options, round)?;
            // The first round warms up: V8's optimising compiler, caches, connections.
            if round > 0 {
                samples.push(sample);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(samples)
}

/// Microseconds of Envoy's processor time for each request.
fn sample(
    envoy: &Envoy,
    (number, row): (usize, &Row),
    options: &Options,
    round: u32,
) -> Result<f64, BenchError> {
    let address = envoy.listener(&number.to_string());
    let address = address.ok_or_else(|| io::Error::other("a listener is missing"))?;
    let count = match row.load {
        Load::Same(_) => options.requests,
        Load::Fresh(_) => options.first_sights,
    };
    // One more, which is looked at whole.
    let each = count.saturating_add(1);
    let round = usize::try_from(round).unwrap_or_default();
    let made = row.load.requests(round.saturating_mul(each), each)?;
    let (first, rest) = match made.as_slice() {
        [only] => (only, made.as_slice()),
        [first, rest @ ..] => (first, rest),
        [] => return Err(io::Error::other("there are no requests").into()),
    };
    let requests = Requests {
        requests: rest,
        count,
    };
    let before = process::processor_time(envoy.id())?;
    load::run(
        (&row.name, address),
        requests,
        (first, row.status),
        options.connections,
    )?;
    let used = process::processor_time(envoy.id())?.saturating_sub(before);
    Ok(used.as_secs_f64() * 1e6 / f64::from(u32::try_from(each).unwrap_or(u32::MAX)))
}

fn progress(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
