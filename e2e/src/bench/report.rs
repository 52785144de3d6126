//! The results as a table, JSON and Markdown.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io, thread};

use comfy_table::{CellAlignment, Table, presets};
use scopegate_document::Instant;
use serde_json::{Value, json};

use super::Options;
use super::filters::Row;

/// A row and its figures, in microseconds of processor time for each request.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What was measured.
    pub name: String,
    /// The median of the rounds.
    pub median: f64,
    /// The lowest and the highest round.
    pub range: (f64, f64),
    /// What it adds to the row without filters.
    pub added: f64,
    /// The same as a part of what Envoy's own check without its cache adds.
    pub ratio: f64,
}

/// The row that everything is compared with: Envoy's own check, as it is configured by default, and its rules.
const NATIVE: &str = "jwt_authn RS256, rbac";

pub(super) fn measured(rows: &[Row], samples: &[Vec<f64>]) -> Vec<Measured> {
    let named = || rows.iter().map(|row| row.listener.name.as_str()).zip(samples);
    let base = named().next().map_or(0.0, |(_, samples)| median(samples));
    let native = named()
        .find(|(name, _)| *name == NATIVE)
        .map_or(1.0, |(_, samples)| median(samples) - base);
    let figures = named().map(|(name, samples)| {
        let (low, high) = samples.iter().fold((f64::MAX, 0.0_f64), |(low, high), one| {
            (low.min(*one), high.max(*one))
        });
        let added = median(samples) - base;
        let name = name.to_owned();
        Measured {
            name,
            median: median(samples),
            range: (low, high),
            added,
            ratio: added / native,
        }
    });
    figures.collect()
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

const HEADER: [&str; 5] = ["filter", "us/request", "range", "added us", "of native default"];

fn cells(row: &Measured) -> [String; 5] {
    [
        row.name.clone(),
        format!("{:.1}", row.median),
        format!("{:.1} to {:.1}", row.range.0, row.range.1),
        format!("{:.1}", row.added),
        format!("{:.2}", row.ratio),
    ]
}

pub(super) fn table(rows: &[Measured]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(HEADER);
    table.add_rows(rows.iter().map(cells));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

pub(super) fn json(rows: &[Measured], options: &Options) -> Value {
    let row = |row: &Measured| {
        json!({"filter": row.name, "us_per_request": row.median, "lowest": row.range.0, "highest": row.range.1,
               "added_us": row.added, "of_native_default": row.ratio})
    };
    json!({
        "rounds": options.rounds, "seconds": options.seconds, "connections": options.connections,
        "machine": machine(), "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

pub(super) fn markdown(rows: &[Measured], options: &Options, module: &Path) -> io::Result<String> {
    let date = serde_json::to_string(&Instant(crate::mint::now()))?;
    let date = date.trim_matches('"');
    let size = fs::metadata(module)?.len();
    let mut text = format!(
        "# What Scopegate adds to a request in Envoy\n\n\
         Envoy's CPU time for each request (`utime + stime` over requests served), one worker, {} connections, a \
         direct\nresponse, {} rounds of {} s in turn, median. `cargo xtask bench` writes this file.\n\n\
         - Date: {date}\n- Machine: {}\n- Module: {size} bytes\n\n",
        options.connections,
        options.rounds,
        options.seconds,
        machine(),
    );
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    text.push_str(&line(&HEADER.map(str::to_owned)));
    text.push_str("|---|---:|---:|---:|---:|\n");
    for row in rows {
        text.push_str(&line(&cells(row)));
    }
    let _ = write!(
        text,
        "\n\"Of native default\" compares what a row adds with what `{NATIVE}` adds: Envoy's own filters with the \
         cache of\n`jwt_authn` off, as it is by default.\n"
    );
    Ok(text)
}

fn machine() -> String {
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
