//! How fast tests run: cases in a second, the time of each, and the instructions that the module spends on a request.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::executor::{Executor, ExecutorError};
use crate::native::stopwatch;
use crate::run::{CaseReport, Options, Verdict, run_all};
use crate::suite::Suite;

/// What was measured of an executor.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The executor.
    pub executor: String,
    /// How many cases were run, over all rounds.
    pub cases: usize,
    /// How many cases it runs in a second, with as many threads as were asked for: in its best round.
    pub per_second: f64,
    /// The time of a case, in microseconds: its requests are made, decided on and looked at.
    pub case_us: Spread,
    /// The time of a decision alone, in microseconds.
    pub decision_us: Spread,
    /// The fuel that the module burns for a request, about one unit for each instruction; where there is a module.
    pub fuel: Option<Spread>,
    /// The case whose request burns the most.
    pub dearest: Option<String>,
    /// The cases that do not hold: how fast they are says little.
    pub failed: BTreeSet<String>,
}

/// How values are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Half of them are at most this.
    pub p50: u64,
    /// Nine of ten are.
    pub p90: u64,
    /// Ninety-nine of a hundred are.
    pub p99: u64,
    /// All are.
    pub max: u64,
}

/// Rounds after which a measurement ends, and the microseconds after which no further round begins.
const ROUNDS: (usize, u128) = (20, 2_000_000);

/// Runs all cases through an executor, again and again for about two seconds.
///
/// # Errors
/// When the executor does not take a policy, or fails.
pub fn measure(
    suites: &[Suite],
    executor: &dyn Executor,
    options: &Options<'_>,
) -> Result<Measured, ExecutorError> {
    let options = Options {
        explain: false,
        fail_fast: false,
        ..*options
    };
    let (most, patience) = ROUNDS;
    let mut measured = Samples::default();
    let start = stopwatch();
    for _ in 0..most {
        let round = stopwatch();
        let reports = run_all(suites, &[executor], &options)?;
        let seconds = round.elapsed().as_secs_f64();
        let cases = reports.iter().flat_map(|report| &report.cases);
        let ran: usize = cases.map(|case| measured.add(case)).sum();
        measured.cases = measured.cases.saturating_add(ran);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = ran as f64 / seconds.max(f64::EPSILON);
        measured.best = measured.best.max(rate);
        if start.elapsed().as_micros() >= patience {
            break;
        }
    }
    Ok(measured.sum_up(executor.name()))
}

#[derive(Default)]
struct Samples {
    cases: usize,
    best: f64,
    case_us: Vec<u64>,
    decision_us: Vec<u64>,
    fuel: Vec<u64>,
    dearest: Option<(u64, String)>,
    failed: BTreeSet<String>,
}

impl Samples {
    /// How many cases ran: a skipped one did not.
    fn add(&mut self, case: &CaseReport) -> usize {
        match case.verdict {
            Verdict::Skipped(_) => return 0,
            Verdict::Passed => {}
            Verdict::Failed(_) => {
                self.failed.insert(case.name.clone());
            }
        }
        self.case_us.push(case.elapsed_us);
        for answer in &case.answers {
            self.decision_us.push(answer.elapsed_us);
            let Some(fuel) = answer.observed.fuel else {
                continue;
            };
            self.fuel.push(fuel);
            if self.dearest.as_ref().is_none_or(|(most, _)| fuel > *most) {
                self.dearest = Some((fuel, case.name.clone()));
            }
        }
        1
    }

    fn sum_up(self, executor: &str) -> Measured {
        Measured {
            executor: executor.to_owned(),
            cases: self.cases,
            per_second: self.best,
            case_us: Spread::of(self.case_us),
            decision_us: Spread::of(self.decision_us),
            fuel: (!self.fuel.is_empty()).then(|| Spread::of(self.fuel)),
            dearest: self.dearest.map(|(_, name)| name),
            failed: self.failed,
        }
    }
}

impl Spread {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let last = values.len().saturating_sub(1);
        let at = |per_cent: usize| {
            let at = last.saturating_mul(per_cent) / 100;
            values.get(at).copied().unwrap_or_default()
        };
        Self {
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }
    }

    fn to_json(self) -> Value {
        let Self { p50, p90, p99, max } = self;
        json!({"p50": p50, "p90": p90, "p99": p99, "max": max})
    }
}

impl Measured {
    /// As one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "executor": self.executor,
            "cases": self.cases,
            "cases_per_second": self.per_second.round(),
            "case_us": self.case_us.to_json(),
            "decision_us": self.decision_us.to_json(),
            "fuel": self.fuel.map(Spread::to_json),
            "dearest": self.dearest,
            "failed": self.failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_read_off_the_values() {
        let spread = Spread::of((0..=100).rev().collect());
        assert_eq!(
            (spread.p50, spread.p90, spread.p99, spread.max),
            (50, 90, 99, 100)
        );
        assert_eq!(Spread::of(vec![7]).p99, 7);
        assert_eq!(Spread::of(Vec::new()).max, 0);
    }
}
