//! One run of tests, from the files to the report.

use std::collections::BTreeSet;

use scopegate_harness::agreement::disagreements;
use scopegate_harness::coverage::Coverage;
use scopegate_harness::executor::Executor;
use scopegate_harness::files;
use scopegate_harness::report::RunReport;
use scopegate_harness::run::{Options, SuiteReport, run_all};
use scopegate_harness::suite::Suite;
use scopegate_harness::tested::by_policy;
use scopegate_harness::visible;

use crate::Failure;
use crate::commands::test::Test;
use crate::commands::test::progress::Progress;

impl Test {
    /// Reads the files and runs them.
    pub(super) fn once(
        &self,
        executors: &[Box<dyn Executor>],
        loaded: &mut dyn FnMut(&[Suite]),
    ) -> Result<RunReport, Failure> {
        let suites = self.suites()?;
        loaded(&suites);
        let executors: Vec<&dyn Executor> = executors.iter().map(AsRef::as_ref).collect();
        let options = self.options();
        let wanted = |suite: &Suite| suite.cases.iter().filter(|case| options.wants(case)).count();
        let (chosen, all) = (
            suites.iter().map(wanted).sum::<usize>(),
            suites.iter().map(|suite| suite.cases.len()).sum::<usize>(),
        );
        if let Some(filter) = self.filter.as_ref().filter(|_| chosen > 0) {
            eprintln!("{chosen} of {all} cases have `{filter}` in their names");
        }
        let progress = Progress::new(chosen.saturating_mul(executors.len()));
        let on_case = || progress.step();
        let options = Options {
            on_case: &on_case,
            ..options
        };
        let runs = run_all(&suites, &executors, &options);
        progress.end();
        let report = self.report(&suites, runs?, executors.len());
        match self.nothing_ran(&report) {
            Some(failure) => Err(failure),
            None => Ok(report),
        }
    }

    /// The test files, read.
    pub(super) fn suites(&self) -> Result<Vec<Suite>, Failure> {
        let loaded = files::load(&self.files()?, self.jobs());
        Ok(loaded.into_iter().collect::<Result<Vec<Suite>, _>>()?)
    }

    pub(super) fn options(&self) -> Options<'_> {
        Options {
            filter: self.filter.as_deref(),
            jobs: self.jobs(),
            fail_fast: self.fail_fast,
            explain: true,
            ..Options::default()
        }
    }

    fn report(&self, suites: &[Suite], runs: Vec<SuiteReport>, executors: usize) -> RunReport {
        let mut report = RunReport::default();
        let tested = || suites.iter().zip(runs.chunks(executors.max(1)));
        for (_, runs) in tested() {
            if let [one, two] = runs {
                report.disagreements.extend(disagreements(one, two));
            }
        }
        for (policy, tested) in by_policy(tested(), |(suite, _)| &suite.policy) {
            let coverage = tested.first().map(|(suite, _)| Coverage::of(suite));
            let mut coverage = coverage.unwrap_or_default();
            let runs = tested.iter().flat_map(|(_, runs)| runs.iter());
            runs.for_each(|run| coverage.add(run));
            report.coverage.push((policy, coverage));
        }
        report.wants_coverage = self.threshold.is_some();
        report.suites = runs;
        report
    }

    /// Tests that did not run have shown nothing: that is never green.
    fn nothing_ran(&self, report: &RunReport) -> Option<Failure> {
        let message = match (report.counts(), &self.filter) {
            ((0, 0, 0), Some(filter)) => format!("no case ran: no name contains `{filter}`"),
            ((0, 0, 0), None) => "no case ran: the files hold none".to_owned(),
            ((0, 0, skipped), _) => {
                let reasons: BTreeSet<&str> = report.suites.iter().flat_map(SuiteReport::skipped).collect();
                let reasons = reasons.into_iter().collect::<Vec<_>>().join("; ");
                format!(
                    "no case ran: all {skipped} were skipped: {}",
                    visible::line(&reasons)
                )
            }
            _ => return None,
        };
        Some(Failure::Invalid(message))
    }
}
