//! What a first test file leaves open: whatever its tests do not reach is said in a comment, with the test that would.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::coverage::{Coverage, Point};
use crate::native::Native;
use crate::run::{Options, run_all};
use crate::suite::Suite;

use super::{FirstTests, InitError};

/// The file with a comment for each point that its tests do not reach.
pub(super) fn told(written: FirstTests, base: &Path) -> Result<FirstTests, InitError> {
    if written.tests == 0 {
        return Ok(written);
    }
    let suite = Suite::parse("a first test file", written.text.clone(), base)?;
    let mut coverage = Coverage::of(&suite);
    let options = Options {
        explain: true,
        ..Options::default()
    };
    for report in run_all(std::slice::from_ref(&suite), &[&Native], &options)? {
        coverage.add(&report);
    }
    let FirstTests {
        mut text,
        tests,
        mut gaps,
    } = written;
    let open = open_points(&coverage, &text);
    for (at, words) in open.into_iter().enumerate() {
        let space = if at == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{space}  # not written: {words}");
        gaps = gaps.saturating_add(1);
    }
    Ok(FirstTests { text, tests, gaps })
}

/// What was not reached, in words. A refusal that a rule of a route lacks is said once, of the rule; a route that nobody was
/// found to pass is named in the text already.
fn open_points(coverage: &Coverage, text: &str) -> Vec<String> {
    let of_rules: BTreeSet<&str> = coverage
        .missing()
        .filter_map(|missing| match missing.point {
            Point::Rule { code, .. } => Some(*code),
            Point::Allowed(_)
            | Point::Refused(_)
            | Point::Granted(_)
            | Point::Lacking(_)
            | Point::Code(_) => None,
        })
        .collect();
    let is_said = |point: &Point| match point {
        Point::Code(code) => of_rules.contains(code.as_str()),
        Point::Allowed(route) => text.contains(&format!("# not written: {route}: nobody was found")),
        Point::Refused(_) | Point::Rule { .. } | Point::Granted(_) | Point::Lacking(_) => false,
    };
    let open = coverage.missing().filter(|missing| !is_said(missing.point));
    open.map(|missing| format!("{}; {}", missing.point, missing.hint()))
        .collect()
}
