//! `scopegate test --bench`: how fast the cases run in the module and in the engine itself.

use std::collections::BTreeSet;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;

use scopegate_harness::bench::{Measured, Spread, measure};
use scopegate_harness::executor::Executor;
use scopegate_harness::visible;

use crate::commands::test::{Format, Test};
use crate::{Exit, Failure, output};

/// The columns: who runs the cases, how many, how fast, and what each costs.
const HEADER: [&str; 7] = [
    "engine",
    "cases run",
    "cases/s",
    "case µs 50 % 99 %",
    "decision µs 50 % 99 %",
    "fuel 50 % 99 %",
    "dearest case",
];

impl Test {
    /// Measures and prints.
    pub(super) fn measure(&self, executors: &[Box<dyn Executor>]) -> Result<Exit, Failure> {
        let suites = self.suites()?;
        let mut measured = Vec::new();
        for executor in executors {
            eprintln!("measuring {}", executor.name());
            measured.push(measure(&suites, executor.as_ref(), &self.options())?);
        }
        if measured.iter().all(|measured| measured.cases == 0) {
            return Err(Failure::Invalid(
                "no case ran: there is nothing to measure".to_owned(),
            ));
        }
        output::write(&match self.format {
            Format::Json => {
                let rows: Vec<_> = measured.iter().map(Measured::to_json).collect();
                format!("{}\n", json!({"jobs": self.jobs(), "bench": rows}))
            }
            Format::Human | Format::Junit | Format::Tap | Format::Github => table(&measured),
        })?;
        Ok(verdict(&measured))
    }
}

/// Cases that fail are fast in being wrong: the figures stand, and the run is not green.
fn verdict(measured: &[Measured]) -> Exit {
    let failed: BTreeSet<&String> = measured.iter().flat_map(|it| &it.failed).collect();
    let Some(first) = failed.first() else {
        return Exit::Fine;
    };
    eprintln!(
        "error: {} of the measured cases failed, as `{}` did: run them without `--bench`",
        failed.len(),
        visible::line(first)
    );
    Exit::Findings
}

fn table(measured: &[Measured]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(HEADER);
    for it in measured {
        let spread = |spread: Spread| format!("{} {}", spread.p50, spread.p99);
        table.add_row([
            it.executor.clone(),
            it.cases.to_string(),
            format!("{:.0}", it.per_second),
            spread(it.case_us),
            spread(it.decision_us),
            it.fuel.map_or_else(|| "none".to_owned(), spread),
            visible::line(it.dearest.as_deref().unwrap_or_default()),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}
