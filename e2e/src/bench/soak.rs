//! Minutes of good and hostile requests at once, in a real Envoy whose keys rotate: no wrong decision, no growth of
//! memory, and how long good requests take beside Envoy's own filters.
//!
//! Here live the run as a whole and what makes it fail. The kinds of requests are in `kinds`, the keys in `keys`, the
//! callers in `traffic`.

mod keys;
mod kinds;
mod memory;
mod report;
mod sender;
mod setting;
mod traffic;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io, thread};

use indicatif::ProgressBar;

use super::{BenchError, plot, progress};
use crate::wait;
use keys::Rotation;
use kinds::KINDS;
pub use memory::{Growth, Sample};
pub use report::{Outcome, Times};
use setting::Setting;
pub use traffic::Count;
use traffic::{Seen, Traffic};

/// How long, and how much.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Seconds of traffic.
    #[arg(long, default_value_t = 300)]
    pub seconds: u64,
    /// Seconds from one change of the keys to the next.
    #[arg(long, default_value_t = 20)]
    pub rotation: u64,
    /// Connections kept busy.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Requests to the plugin in a second; as many, the same ones, go to Envoy's own filters.
    #[arg(long, default_value_t = 1_000)]
    pub rate: u32,
    /// The folder in which the results are written: `SOAK.md`, `soak.json` and `soak.svg`.
    #[arg(long, default_value = "bench")]
    pub output: PathBuf,
    /// Print the results as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the soak with this module and writes what came of it; true if nothing was wrong.
///
/// # Errors
/// There is no Envoy, or the machine failed.
pub fn run(module: &Path, options: &Options) -> Result<bool, BenchError> {
    let outcome = soak(module, options)?;
    match options.json {
        true => println!("{}", outcome.json(options)),
        false => println!("{}", outcome.table()),
    }
    fs::create_dir_all(&options.output)?;
    fs::write(options.output.join("SOAK.md"), outcome.markdown(options))?;
    fs::write(
        options.output.join("soak.json"),
        format!("{:#}\n", outcome.json(options)),
    )?;
    fs::write(options.output.join("soak.svg"), plot::timeline(&outcome.samples))?;
    eprintln!("written to `{}`", options.output.display());
    let faults = outcome.faults();
    for fault in &faults {
        eprintln!("WRONG {fault}");
    }
    Ok(faults.is_empty())
}

/// Runs the soak with this module.
///
/// # Errors
/// There is no Envoy, or the machine failed. What the plugin does wrong is in the outcome.
pub fn soak(module: &Path, options: &Options) -> Result<Outcome, BenchError> {
    let setting = Setting::start(module)?;
    let traffic = Traffic::new(&setting, options.rate);
    let (seen, samples) = thread::scope(|scope| {
        let callers: Vec<_> = (0..options.connections)
            .map(|_| scope.spawn(|| stopping(&traffic, traffic.caller())))
            .collect();
        let rotation =
            scope.spawn(|| stopping(&traffic, rotate(&setting.rotation, &traffic, options.rotation)));
        let samples = stopping(&traffic, watch(&setting, &traffic, options.seconds));
        traffic.stop();
        let mut seen = callers.into_iter().map(|caller| joined(caller.join()));
        let seen = seen.try_fold(Seen::default(), |all, one| Ok::<_, BenchError>(all.and(one?)));
        joined(rotation.join())?;
        Ok::<_, BenchError>((seen?, samples?))
    })?;
    forwarded(&setting, &traffic);
    traffic.hold_refused(&seen.refused);
    let log = setting.envoy.log();
    if let Some(line) = log
        .lines()
        .find(|line| TRAPS.iter().any(|trap| line.contains(trap)))
    {
        traffic.fault(format!("Envoy's log: {line}"));
    }
    let (wrong, told) = traffic.wrong();
    Ok(Outcome {
        wrong,
        told,
        counts: KINDS.iter().map(|kind| kind.name).zip(seen.counts).collect(),
        growth: Growth::of(&samples),
        samples,
        changes: setting.rotation.changes(),
        fetches: setting.rotation.fetches(),
        again: seen.again.map(Times::of),
        first: seen.first.map(Times::of),
    })
}

/// What Envoy logs where a module fails.
const TRAPS: [&str; 3] = ["panicked at", "Uncaught RuntimeError", "Function: proxy_"];

/// Where one part fails, all of them end.
fn stopping<T>(traffic: &Traffic<'_>, result: Result<T, BenchError>) -> Result<T, BenchError> {
    if result.is_err() {
        traffic.stop();
    }
    result
}

fn joined<T>(result: thread::Result<Result<T, BenchError>>) -> Result<T, BenchError> {
    result.unwrap_or_else(|_| Err(io::Error::other("a part of the soak failed").into()))
}

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until it is due or the traffic is over; whether it is due.
fn is_due(traffic: &Traffic<'_>, due: std::time::Instant) -> bool {
    while !traffic.is_over() && wait::now() < due {
        thread::sleep(LOOK.min(due.saturating_duration_since(wait::now())));
    }
    !traffic.is_over()
}

/// Changes the keys again and again.
fn rotate(rotation: &Rotation, traffic: &Traffic<'_>, seconds: u64) -> Result<(), BenchError> {
    let period = Duration::from_secs(seconds.max(1));
    let mut due = wait::now() + period;
    while is_due(traffic, due) {
        rotation.advance()?;
        due = (due + period).max(wait::now());
    }
    Ok(())
}

/// Takes a sample each second.
fn watch(setting: &Setting, traffic: &Traffic<'_>, seconds: u64) -> Result<Vec<Sample>, BenchError> {
    let bar: ProgressBar = progress(seconds);
    let begun = wait::now();
    let mut samples = Vec::new();
    for second in 1..=seconds {
        if !is_due(traffic, begun + Duration::from_secs(second)) {
            break;
        }
        samples.push(Sample::take(&setting.envoy, second)?);
        forwarded(setting, traffic);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(samples)
}

/// Looks at what has come to the upstreams. What Envoy's own filters let through is forgotten.
fn forwarded(setting: &Setting, traffic: &Traffic<'_>) {
    setting
        .upstream
        .take()
        .iter()
        .for_each(|request| traffic.forwarded(request));
    drop(setting.beside.take());
}
