//! What the plugin adds to a request in Envoy, beside Envoy's own filters.
//!
//! The figure is Envoy's CPU time for each request, from the kernel's account of the process: on a shared machine
//! it is steady where latency is not. All rows are listeners of one process with one worker, measured in turn,
//! round after round.

mod filters;
mod load;
mod report;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use indicatif::{ProgressBar, ProgressStyle};

use crate::envoy::bootstrap::bootstrap;
use crate::envoy::{Envoy, EnvoyError, find};
use crate::mint::MintError;
use filters::Row;
pub use report::Measured;

/// Clock ticks in a second, as Linux counts processor time for every program (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Rounds; the median of them counts.
    #[arg(long, default_value_t = 5)]
    pub rounds: u32,
    /// Seconds for each row in each round.
    #[arg(long, default_value_t = 3)]
    pub seconds: u64,
    /// Connections kept busy.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Where the results are written, as Markdown.
    #[arg(long, default_value = "bench/RESULTS.md")]
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
    let rows = filters::rows(module)?;
    let listeners: Vec<_> = rows.iter().map(|row| row.listener.clone()).collect();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let program = find()?;
    let envoy = Envoy::start(&program, &bootstrap(&listeners, nowhere), Path::new("."), &[])?;
    let mut samples = vec![Vec::new(); rows.len()];
    let bar = progress(u64::from(options.rounds).saturating_mul(u64::try_from(rows.len()).unwrap_or(0)));
    for round in 0..=options.rounds {
        for (row, samples) in rows.iter().zip(&mut samples) {
            bar.set_message(row.listener.name.clone());
            let sample = measure(&envoy, row, options, round == 0)?;
            // The first round warms up: V8's optimising compiler, caches, connections.
            if round > 0 {
                samples.push(sample);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    let measured = report::measured(&rows, &samples);
    if options.json {
        println!("{}", report::json(&measured, options));
    } else {
        println!("{}", report::table(&measured));
    }
    if let Some(folder) = options.output.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&options.output, report::markdown(&measured, options, module)?)?;
    eprintln!("written to `{}`", options.output.display());
    Ok(())
}

/// Microseconds of Envoy's processor time for each request.
fn measure(envoy: &Envoy, row: &Row, options: &Options, warm_up: bool) -> Result<f64, BenchError> {
    let address = envoy
        .listener(&row.listener.name)
        .ok_or_else(|| io::Error::other("a listener is missing"))?;
    let seconds = if warm_up { 1 } else { options.seconds };
    let before = ticks(envoy.id())?;
    let served = load::run(address, row, options.connections, seconds)?;
    let after = ticks(envoy.id())?;
    Ok((after - before) / TICKS_PER_SECOND * 1e6 / served)
}

/// The processor time a process has used, in ticks: fields 14 and 15 of `/proc/PID/stat`.
fn ticks(process: u32) -> io::Result<f64> {
    let line = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = line.rsplit(')').next().unwrap_or_default().split_whitespace();
    let times: Vec<f64> = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    match times.as_slice() {
        [user, system] => Ok(user + system),
        _ => Err(io::Error::other(
            "the kernel's account of Envoy has another shape than expected",
        )),
    }
}

fn progress(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
