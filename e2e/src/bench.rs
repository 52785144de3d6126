//! What the plugin adds to a request in Envoy, beside Envoy's own filters.
//!
//! The figure is Envoy's processor time for each request, from the kernel's account of the process: on a shared machine
//! it is steady where latency is not. All rows are listeners of one process with one worker, measured in turn,
//! round after round. The machine may be twice as fast a minute later, so each row is compared with what it adds to,
//! measured just before it, and the median of these differences counts.

mod load;
mod native;
mod plot;
mod policies;
mod process;
mod report;
mod requests;
mod rows;
pub mod soak;
mod start;
mod sweep;

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
use rows::{Crowd, Row};
pub use start::Started;

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Rounds; the median of them counts.
    #[arg(long, default_value_t = 31)]
    pub rounds: u32,
    /// Requests for each row in each round, where the same ones are sent again and again. Rows that take longer than
    /// half a second of Envoy's time for it get fewer.
    #[arg(long, default_value_t = 2_000)]
    pub requests: usize,
    /// Requests for each row in each round, where each brings a token or a proof of its own.
    #[arg(long, default_value_t = 300)]
    pub first_sights: usize,
    /// A look in a minute or two: seven rounds, no starts.
    #[arg(long)]
    pub quick: bool,
    /// Measures cost against size instead: routes, scopes, tokens in the cache and beside it, headers, bytes of
    /// the token. Written as
    /// `SWEEPS.md`, `sweeps.json` and `sweeps.svg`.
    #[arg(long)]
    pub sweep: bool,
    /// Connections kept busy.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Measures only the rows whose name contains this, and the first.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Another module, each row of which is measured beside ours: the plugin before a change, say.
    #[arg(long, value_name = "FILE")]
    pub beside: Option<PathBuf>,
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
    let options = &options.in_force();
    if options.sweep {
        return run_sweep(module, options);
    }
    let folder = tempfile::tempdir()?;
    let rows = chosen(module, folder.path(), options)?;
    let program = find()?;
    let samples = measure(&program, &rows, options)?;
    let results = report::Results {
        rows: report::measured(&rows, &samples),
        started: match options.only.is_none() && !options.quick {
            true => start::measure(&program, module)?,
            false => Vec::new(),
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

/// The rows that are asked for, the first among them always; those of the other module behind ours.
fn chosen(module: &Path, folder: &Path, options: &Options) -> Result<Vec<Row>, BenchError> {
    let mut rows = rows::rows(module, folder)?;
    if let Some(other) = &options.beside {
        let others = rows::rows(other, folder)?.into_iter().filter(Row::is_ours);
        rows.extend(others.map(|row| Row {
            name: format!("{} ({})", row.name, other.display()),
            ..row
        }));
        rows.sort_by_key(|row| row.group);
    }
    if let Some(only) = &options.only {
        let mut number = 0_usize..;
        rows.retain(|row| number.next() == Some(0) || row.name.contains(only.as_str()));
    }
    Ok(rows)
}

impl Options {
    /// What `quick` makes of them.
    fn in_force(&self) -> Self {
        match self.quick {
            false => self.clone(),
            true => Self {
                rounds: self.rounds.min(7),
                ..self.clone()
            },
        }
    }
}

/// Measures cost against size.
fn run_sweep(module: &Path, options: &Options) -> Result<(), BenchError> {
    let rows = sweep::rows(module)?;
    let samples = measure(&find()?, &rows, options)?;
    let measured = report::measured(&rows, &samples);
    let sweeps = report::sweeps(&measured);
    match options.json {
        true => println!("{}", report::sweeps_json(&sweeps, options)),
        false => println!("{}", report::sweeps_table(&sweeps)),
    }
    fs::create_dir_all(&options.output)?;
    fs::write(
        options.output.join("SWEEPS.md"),
        report::sweeps_markdown(&sweeps, options),
    )?;
    fs::write(
        options.output.join("sweeps.json"),
        format!("{:#}\n", report::sweeps_json(&sweeps, options)),
    )?;
    fs::write(options.output.join("sweeps.svg"), plot::lines(&sweeps))?;
    eprintln!("written to `{}`", options.output.display());
    Ok(())
}

/// A row in a round: microseconds of Envoy's processor time for each request.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// What a request took.
    spent: f64,
    /// How much more that is than what the row is compared with took just before.
    added: f64,
}

/// Each row in each round.
fn measure(program: &Path, rows: &[Row], options: &Options) -> Result<Vec<Vec<Sample>>, BenchError> {
    let listener = |(number, row): (usize, &Row)| {
        Listener::new(&number.to_string(), row.filters.clone())
            .answering_at_once()
            .plain()
    };
    let listeners: Vec<_> = rows.iter().enumerate().map(listener).collect();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let envoy = Envoy::start(program, &bootstrap(&listeners, nowhere), Path::new("."), &[])?;
    process::pin(envoy.id(), 0);
    for (number, row) in rows.iter().enumerate() {
        if let Some(crowd) = &row.crowd {
            gather(&envoy, (number, row), crowd, options.connections)?;
        }
    }
    let mut samples = vec![Vec::new(); rows.len()];
    let bar = progress(u64::from(options.rounds).saturating_mul(u64::try_from(rows.len()).unwrap_or(0)));
    for round in 0..=options.rounds {
        for (number, (row, samples)) in rows.iter().zip(&mut samples).enumerate() {
            bar.set_message(row.name.clone());
            let earlier = samples.last().map(|sample: &Sample| sample.spent);
            let count = row.load.count(options, earlier);
            let other = row.against.and_then(|place| Some((place, rows.get(place)?)));
            let bare = other.map(|other| spent(&envoy, other, (options, count), round));
            let bare = bare.transpose()?;
            let spent = spent(&envoy, (number, row), (options, count), round)?;
            samples.push(Sample {
                spent,
                added: bare.map_or(0.0, |bare| spent - bare),
            });
            bar.inc(u64::from(round > 0));
        }
    }
    bar.finish_and_clear();
    // The first round warms up: V8's optimising compiler, caches, connections.
    for samples in &mut samples {
        samples.remove(0);
    }
    Ok(samples)
}

/// Microseconds of Envoy's processor time for each request.
fn spent(
    envoy: &Envoy,
    (number, row): (usize, &Row),
    (options, count): (&Options, usize),
    round: u32,
) -> Result<f64, BenchError> {
    // One more, which is looked at whole.
    let each = count.saturating_add(1);
    let round = usize::try_from(round).unwrap_or_default();
    // Rounds may differ in their number: none of two brings what another brought.
    let most = options.first_sights.saturating_add(1);
    let made = row.load.requests(round.saturating_mul(most), each)?;
    let before = process::processor_time(envoy.id())?;
    send(envoy, (number, row), &made, (count, options.connections))?;
    let used = process::processor_time(envoy.id())?.saturating_sub(before);
    Ok(used.as_secs_f64() * 1e6 / f64::from(u32::try_from(each).unwrap_or(u32::MAX)))
}

/// Sends the first of these requests, and `count` of the others or the only one again.
fn send(
    envoy: &Envoy,
    (number, row): (usize, &Row),
    made: &[Vec<u8>],
    (count, connections): (usize, usize),
) -> Result<(), BenchError> {
    let address = envoy.listener(&number.to_string());
    let address = address.ok_or_else(|| io::Error::other("a listener is missing"))?;
    let (first, rest) = match made {
        [only] => (only, made),
        [first, rest @ ..] => (first, rest),
        [] => return Err(io::Error::other("there are no requests").into()),
    };
    let requests = Requests {
        requests: rest,
        count,
    };
    load::run((&row.name, address), requests, (first, row.status), connections)
}

/// Requests of a crowd that are made at once.
const PART: usize = 5_000;

/// More than all that one worker keeps of tokens: memory grows by no more over the second half of a crowd.
const MOST_KILOBYTES: u64 = 16 * 1024;

/// Sends what a row has seen before it is measured.
fn gather(
    envoy: &Envoy,
    (number, row): (usize, &Row),
    crowd: &Crowd,
    connections: usize,
) -> Result<(), BenchError> {
    let mut half = 0;
    for first in (0..crowd.size).step_by(PART) {
        let count = PART.min(crowd.size.saturating_sub(first));
        let made = crowd.requests.requests(first, count)?;
        send(
            envoy,
            (number, row),
            &made,
            (count.saturating_sub(1), connections),
        )?;
        if first < crowd.size / 2 {
            half = process::resident_kilobytes(envoy.id())?;
        }
    }
    let all = process::resident_kilobytes(envoy.id())?;
    match all.saturating_sub(half) > MOST_KILOBYTES {
        true => {
            let size = crowd.size;
            let grown = format!(
                "{}: memory grew from {half} to {all} kB over the second half of {size} tokens",
                row.name
            );
            Err(io::Error::other(grown).into())
        }
        false => Ok(()),
    }
}

impl Load {
    /// How many requests a row gets in a round.
    fn count(&self, options: &Options, earlier: Option<f64>) -> usize {
        match self {
            Self::Same(_) => within_limit(options.requests, earlier),
            Self::Each(requests) => within_limit(options.requests, earlier).max(requests.len()),
            Self::Fresh(_) => options.first_sights,
        }
    }
}

/// The microseconds of Envoy's time that a row gets in a round, where its requests are sent again and again.
const LIMIT_MICROSECONDS: f64 = 500_000.0;

/// The fewest requests that say something.
const FEWEST: usize = 100;

/// `requests`, or as many as can be made in time, told by what one took before; a few where nobody knows yet.
fn within_limit(requests: usize, earlier: Option<f64>) -> usize {
    let Some(each) = earlier else {
        return requests.min(WARMING);
    };
    // A cast from floating point saturates.
    let most = (LIMIT_MICROSECONDS / each.max(1.0)) as usize;
    requests.min(most.max(FEWEST))
}

/// Requests of the round that warms up: V8 compiles a module before it runs, so that caches and connections are all that
/// is cold.
const WARMING: usize = 2_000;

fn progress(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
