//! What the cases of a policy's tests reached: each route, allowed and refused; each rule of a route, by what it
//! refuses; each scope, held and lacking; each refusal that a field of the policy makes reachable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::exchange::{Answer, Outcome};
use crate::run::explain::code_of;
use crate::run::{CaseReport, SuiteReport, Verdict};
use crate::suite::Suite;

mod codes;
mod hint;
mod points;

pub use points::Point;
use points::{Requirement, points, requirements};

/// The coverage of one policy, over all its test files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Everything that tests can reach, and what came of it.
    pub points: BTreeMap<Point, Reach>,
    /// Every code that was seen.
    pub codes: BTreeSet<String>,
    /// The scopes that each route asks for.
    requirements: BTreeMap<String, Requirement>,
}

/// Whether a point was reached, and where in the policy it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether a case reached it.
    pub reached: bool,
    /// The file and the line, where it has one.
    pub place: Option<(String, usize)>,
}

/// A point that no case reached.
#[derive(Debug, Clone, Copy)]
pub struct Missing<'c> {
    /// What was not reached.
    pub point: &'c Point,
    /// The file and the line of the policy that it comes from.
    pub place: Option<&'c (String, usize)>,
}

impl Missing<'_> {
    /// The test that would reach it, in words.
    #[must_use]
    pub fn hint(&self) -> String {
        hint::hint(self.point)
    }
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((file, line)) => write!(f, "{file}:{line}: {}", self.point),
            None => write!(f, "{}", self.point),
        }
    }
}

impl Coverage {
    /// The points of the policy of `suite` as its authors wrote it, none reached.
    #[must_use]
    pub fn of(suite: &Suite) -> Self {
        let source = &suite.policy.source;
        let place = |path: &str| {
            let place = source.locate(path)?;
            Some((source.files().get(place.file)?.name.clone(), place.line))
        };
        let points = points(source.document()).into_iter().map(|(point, path)| {
            let place = path.and_then(|path| place(&path));
            let reach = Reach {
                reached: false,
                place,
            };
            (point, reach)
        });
        Self {
            points: points.collect(),
            codes: BTreeSet::new(),
            requirements: requirements(source.document()),
        }
    }

    /// Adds what `report` reached. What is skipped has shown nothing, and reaches nothing.
    pub fn add(&mut self, report: &SuiteReport) {
        let is_skipped = |case: &&CaseReport| matches!(case.verdict, Verdict::Skipped(_));
        for case in report.cases.iter().filter(|case| !is_skipped(case)) {
            let numbered = case.answers.iter().enumerate();
            for (at, answer) in numbered.filter(|(at, _)| !case.elsewhere.contains(at)) {
                let records = case.records.get(at).filter(|records| explains(records, answer));
                self.add_answer(answer, records.unwrap_or(&answer.audit));
            }
        }
    }

    fn add_answer(&mut self, answer: &Answer, records: &[Value]) {
        let is_allowed = answer.outcome == Outcome::Forward && answer.would_deny.is_none();
        let code = answer.would_deny.as_ref().or(answer.code.as_ref());
        if let Some(code) = code {
            self.reach(Point::Code(code.clone()));
            self.codes.insert(code.clone());
        }
        let Some(route) = &answer.route else { return };
        match is_allowed {
            true => self.reach(Point::Allowed(route.clone())),
            false => self.reach(Point::Refused(route.clone())),
        }
        if let Some(code) = code.filter(|_| !is_allowed) {
            self.reach_rule(route, code);
        }
        let effective = records
            .iter()
            .find_map(|record| record.get("effective")?.as_array());
        let effective: Option<BTreeSet<&str>> =
            effective.map(|scopes| scopes.iter().filter_map(Value::as_str).collect());
        self.add_scopes(answer, route, effective.as_ref());
    }

    /// Scopes that the caller held when it was let in, and those that it lacked when it was refused for a scope.
    fn add_scopes(&mut self, answer: &Answer, route: &str, effective: Option<&BTreeSet<&str>>) {
        let requirement = self.requirements.get(route).cloned().unwrap_or_default();
        let code = answer.would_deny.as_deref().or(answer.code.as_deref());
        match (code, effective) {
            (Some("allow"), Some(effective)) => {
                for scope in effective {
                    self.reach(Point::Granted((*scope).to_owned()));
                }
            }
            // Without a record this much is sure.
            (Some("allow"), None) => {
                for scope in requirement.all {
                    self.reach(Point::Granted(scope));
                }
            }
            (Some("scope_missing"), Some(effective)) => {
                let named = requirement.all.into_iter().chain(requirement.any);
                for scope in named.filter(|scope| !effective.contains(scope.as_str())) {
                    self.reach(Point::Lacking(scope));
                }
            }
            _ => {}
        }
    }

    fn reach(&mut self, point: Point) {
        if let Some(reach) = self.points.get_mut(&point) {
            reach.reached = true;
        }
    }

    fn reach_rule(&mut self, route: &str, code: &str) {
        for (point, reach) in &mut self.points {
            let Point::Rule {
                route: of,
                rule: _,
                code: refusal,
            } = point
            else {
                continue;
            };
            if of == route && *refusal == code {
                reach.reached = true;
            }
        }
    }

    /// How many points were reached, and how many there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let reached = self.points.values().filter(|reach| reach.reached).count();
        (reached, self.points.len())
    }

    /// The share reached in per cent, rounded down: 100 means all.
    #[must_use]
    pub fn percent(&self) -> usize {
        let (reached, all) = self.counts();
        reached.saturating_mul(100).checked_div(all).unwrap_or(100)
    }

    /// What was not reached.
    pub fn missing(&self) -> impl Iterator<Item = Missing<'_>> {
        self.points
            .iter()
            .filter(|(_, reach)| !reach.reached)
            .map(|(point, reach)| Missing {
                point,
                place: reach.place.as_ref(),
            })
    }
}

/// Whether records are of the same decision as the answer. Those that are not say nothing about what was tested.
fn explains(records: &[Value], answer: &Answer) -> bool {
    let code = answer.would_deny.as_deref().or(answer.code.as_deref());
    code_of(records).is_some_and(|recorded| Some(recorded) == code)
}

#[cfg(test)]
mod tests;
