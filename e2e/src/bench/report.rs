//! The results as a table, JSON and Markdown.

use std::fmt::Write as _;
use std::{fs, thread};

use comfy_table::{CellAlignment, Table, presets};
use scopegate_document::Instant;
use serde_json::{Value, json};

use super::rows::{Group, Row};
use super::{Options, Sample, Started, sweep};

/// A row and its figures, in microseconds of processor time for each request.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What it belongs to.
    pub group: &'static str,
    /// What was measured.
    pub name: String,
    /// The median of the rounds.
    pub median: f64,
    /// What it adds to the row without filters, measured just before it: the median of the rounds.
    pub added: f64,
    /// Half of the rounds are between these.
    pub quartiles: (f64, f64),
    /// The same as a part of what Envoy's own filters add as they are by default.
    pub ratio: f64,
}

/// The row that everything is compared with: Envoy's own check, as it is configured by default, and its rules.
const NATIVE: &str = "jwt_authn RS256, rbac 23";

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) rows: Vec<Measured>,
    pub(super) started: Vec<Started>,
    pub(super) module_bytes: u64,
    pub(super) machine: String,
}

pub(super) fn measured(rows: &[Row], samples: &[Vec<Sample>]) -> Vec<Measured> {
    let sorted = |figure: fn(&Sample) -> f64| {
        let rows = samples.iter().map(move |samples| {
            let mut figures: Vec<f64> = samples.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures
        });
        rows.collect::<Vec<_>>()
    };
    let (spent, added) = (sorted(|sample| sample.spent), sorted(|sample| sample.added));
    let native = rows.iter().position(|row| row.name == NATIVE);
    let native = native
        .and_then(|place| added.get(place))
        .map_or(f64::NAN, |added| quantile(added, 2));
    let figures = rows
        .iter()
        .zip(&spent)
        .zip(&added)
        .map(|((row, spent), added)| Measured {
            group: group(row.group),
            name: row.name.clone(),
            median: quantile(spent, 2),
            added: quantile(added, 2),
            quartiles: (quantile(added, 1), quantile(added, 3)),
            ratio: quantile(added, 2) / native,
        });
    figures.collect()
}

const fn group(group: Group) -> &'static str {
    match group {
        Group::Floor => "floor",
        Group::Native => "Envoy's own filters",
        Group::Warm => "Scopegate, a token seen before",
        Group::FirstSight => "Scopegate, a first sight",
        Group::Others => "Scopegate, no caller or no access",
    }
}

/// So many quarters of these lie below it.
fn quantile(sorted: &[f64], quarters: usize) -> f64 {
    let place = sorted.len().saturating_mul(quarters) / 4;
    sorted.get(place).copied().unwrap_or_default()
}

/// One line of a sweep: what grows, and what it adds at each size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sweep {
    pub(super) name: &'static str,
    /// Size, and the microseconds added.
    pub(super) points: Vec<(usize, f64)>,
}

/// The rows of a sweep, by what grows.
pub(super) fn sweeps(measured: &[Measured]) -> Vec<Sweep> {
    let mut sweeps: Vec<Sweep> = Vec::new();
    let (pairs, _) = measured.as_chunks::<2>();
    for ((dimension, size), [_, filtered]) in sweep::points().zip(pairs) {
        let point = (size, filtered.added);
        match sweeps.last_mut().filter(|sweep| sweep.name == dimension.name) {
            Some(sweep) => sweep.points.push(point),
            None => sweeps.push(Sweep {
                name: dimension.name,
                points: vec![point],
            }),
        }
    }
    sweeps
}

fn sweep_cells(sweeps: &[Sweep]) -> impl Iterator<Item = [String; 4]> {
    sweeps.iter().flat_map(|sweep| {
        let first = sweep.points.first().map_or(f64::NAN, |(_, added)| *added);
        sweep.points.iter().map(move |(size, added)| {
            [
                sweep.name.to_owned(),
                size.to_string(),
                format!("{added:.1}"),
                format!("{:.2}", added / first),
            ]
        })
    })
}

const SWEPT: [&str; 4] = ["what grows", "to", "added us", "of the first"];

pub(super) fn sweeps_table(sweeps: &[Sweep]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(SWEPT);
    table.add_rows(sweep_cells(sweeps));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

pub(super) fn sweeps_json(sweeps: &[Sweep], options: &Options) -> Value {
    let point = |(size, added): &(usize, f64)| json!({"size": size, "added_us": added});
    let sweep = |sweep: &Sweep| json!({"grows": sweep.name, "points": sweep.points.iter().map(point).collect::<Vec<_>>()});
    json!({
        "date": Instant(crate::mint::now()), "machine": machine(), "rounds": options.rounds,
        "requests": options.requests, "connections": options.connections,
        "sweeps": sweeps.iter().map(sweep).collect::<Vec<_>>(),
    })
}

pub(super) fn sweeps_markdown(sweeps: &[Sweep], options: &Options) -> String {
    let date = serde_json::to_string(&Instant(crate::mint::now())).unwrap_or_default();
    let mut text = format!(
        "# What a request with a token seen before costs, as one thing grows\n\n\
         Envoy's processor time that the plugin adds to a request (the kernel's account of its threads), one worker on \
         one core,\n{} connections, a direct response, HS256. {} rounds in turn, the median of what they add. \
         `cargo xtask bench --sweep` writes this file,\n`sweeps.json` and the picture. Where nothing else is said: \
         1,000 routes, 2 scopes, 1 token, 4 headers, a token of 1,000 bytes.\n\n\
         - Date: {}\n- Machine: {}\n\n![Cost against size](sweeps.svg)\n\n",
        options.connections,
        options.rounds,
        date.trim_matches('"'),
        machine(),
    );
    put_table(&mut text, &SWEPT, 1, sweep_cells(sweeps));
    text
}

const HEADER: [&str; 6] = [
    "",
    "filter",
    "us/request",
    "added us",
    "half of the rounds",
    "of native default",
];
const STARTED: [&str; 5] = [
    "filter",
    "workers",
    "start, ms of processor time",
    "start, ms",
    "memory, MB",
];

fn cells(row: &Measured) -> [String; 6] {
    [
        row.group.to_owned(),
        row.name.clone(),
        format!("{:.1}", row.median),
        format!("{:.1}", row.added),
        format!("{:.1} to {:.1}", row.quartiles.0, row.quartiles.1),
        format!("{:.2}", row.ratio),
    ]
}

fn start_cells(start: &Started) -> [String; 5] {
    [
        start.name.clone(),
        start.workers.to_string(),
        format!("{:.0}", start.milliseconds),
        format!("{:.0}", start.wall),
        format!("{:.0}", start.megabytes),
    ]
}

impl Results {
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).set_header(HEADER);
        table.add_rows(self.rows.iter().map(cells));
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    pub(super) fn json(&self, options: &Options) -> Value {
        let row = |row: &Measured| {
            json!({"group": row.group, "filter": row.name, "us_per_request": row.median, "added_us": row.added,
                   "added_us_quartiles": [row.quartiles.0, row.quartiles.1], "of_native_default": row.ratio})
        };
        let start = |start: &Started| {
            json!({"filter": start.name, "workers": start.workers, "start_ms": start.milliseconds,
                   "wall_ms": start.wall,
                   "memory_mb": start.megabytes})
        };
        json!({
            "date": Instant(crate::mint::now()), "machine": self.machine, "module_bytes": self.module_bytes,
            "rounds": options.rounds, "requests": options.requests, "first_sights": options.first_sights,
            "connections": options.connections,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "starts": self.started.iter().map(start).collect::<Vec<_>>(),
        })
    }

    pub(super) fn markdown(&self, options: &Options) -> String {
        let date = serde_json::to_string(&Instant(crate::mint::now())).unwrap_or_default();
        let mut text = format!(
            "# What Scopegate adds to a request in Envoy\n\n\
             Envoy's processor time for each request (the kernel's account of its threads), one worker on one core, {} \
             connections,\na direct response. {} rounds in turn: {} requests a round where one request is sent again and \
             again, {} where each\nbrings a token or a proof that nobody has seen. In each round a row is compared \
             with `no filter`, measured just before it;\nwhat it adds is the median of these differences. \
             `cargo xtask bench` writes this file, `results.json` and the picture.\n\n\
             - Date: {}\n- Machine: {}\n- Module: {} bytes\n\n\
             ![What each filter adds to a request](results.svg)\n\n",
            options.connections,
            options.rounds,
            options.requests,
            options.first_sights,
            date.trim_matches('"'),
            self.machine,
            self.module_bytes,
        );
        put_table(&mut text, &HEADER, 2, self.rows.iter().map(cells));
        let _ = write!(
            text,
            "\n\"Of native default\" compares what a row adds with what `{NATIVE}` adds: Envoy's own filters with the \
             cache of\n`jwt_authn` off, as it is by default. \"In the sandbox\" is `host_signatures: never`: the \
             signature is checked in pure Rust,\nas in every host that offers no check of its own.\n",
        );
        if !self.started.is_empty() {
            text.push_str("\n## Start and memory\n\n");
            put_table(&mut text, &STARTED, 1, self.started.iter().map(start_cells));
        }
        text
    }
}

/// A table; the first `left` columns are texts.
fn put_table<const N: usize>(
    text: &mut String,
    header: &[&str; N],
    left: usize,
    rows: impl Iterator<Item = [String; N]>,
) {
    let mut line = |cells: &[String]| {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(&header.map(str::to_owned));
    let rule: [String; N] =
        std::array::from_fn(|column| if column < left { "---" } else { "---:" }.to_owned());
    line(&rule);
    rows.for_each(|cells| line(&cells));
}

pub(super) fn machine() -> String {
    let facts = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = facts
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1).map(str::trim));
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{}, {cores} cores, load average {load}",
        model.unwrap_or("unknown processor")
    )
}
