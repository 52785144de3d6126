//! What is seen of an executor beside its answers, against what a test expects of it. What an executor does not show is
//! never taken for right: it is named.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Mismatch, assign};
use crate::format::{CalloutExpect, ExpectSpec};
use crate::observed::{Asked, Observed};

/// The expectations that could not be looked at, because the executor does not show what they are about.
#[must_use]
pub fn unseen(expect: &ExpectSpec, observed: &Observed) -> Vec<&'static str> {
    [
        (
            "callouts",
            expect.callouts.is_some() && observed.callouts.is_none(),
        ),
        (
            "metrics",
            !expect.metrics.is_empty() && observed.metrics.is_none(),
        ),
        (
            "properties",
            !expect.properties.is_empty() && observed.properties.is_none(),
        ),
    ]
    .into_iter()
    .filter_map(|(name, is_unseen)| is_unseen.then_some(name))
    .collect()
}

/// All that is not as `expect` says.
pub(super) fn check(expect: &ExpectSpec, observed: &Observed) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    if let (Some(expected), Some(asked)) = (&expect.callouts, &observed.callouts) {
        mismatches.extend(callouts(expected, asked));
    }
    if let Some(seen) = &observed.metrics {
        mismatches.extend(metrics(&expect.metrics, seen));
    }
    if let Some(seen) = &observed.properties {
        mismatches.extend(properties(&expect.properties, seen));
    }
    mismatches
}

fn callouts(expected: &[CalloutExpect], asked: &[Asked]) -> Option<Mismatch> {
    let fits = |expected: &CalloutExpect, asked: &Asked| {
        expected.upstream == asked.upstream
            && expected
                .method
                .as_ref()
                .is_none_or(|method| *method == asked.method)
            && expected.path.as_ref().is_none_or(|path| *path == asked.path)
    };
    let times = |expected: &CalloutExpect| expected.times.unwrap_or(1);
    let wanted = expected.iter().map(times).fold(0, usize::saturating_add);
    let mut never = expected.iter().filter(|expected| times(expected) == 0);
    let none_forbidden = never.all(|never| !asked.iter().any(|asked| fits(never, asked)));
    // Each callout is one that was expected, and no other's: as many places as there are callouts, each filled.
    let all_happened = wanted == asked.len() && none_forbidden && {
        let places = expected
            .iter()
            .flat_map(|expected| std::iter::repeat_n(expected, times(expected)));
        let places: Vec<&CalloutExpect> = places.collect();
        let fits = |place: usize, callout: usize| {
            let pair = places.get(place).zip(asked.get(callout));
            pair.is_some_and(|(expected, asked)| fits(expected, asked))
        };
        let mut owners = vec![None; asked.len()];
        (0..places.len()).all(|place| assign(place, &fits, &mut owners, &mut BTreeSet::new()))
    };
    let shown = |expected: &CalloutExpect| {
        let CalloutExpect {
            upstream,
            method,
            path,
            times,
        } = expected;
        let [method, path] = [method, path].map(|part| part.as_deref().unwrap_or("*"));
        let line = format!("{method} {path} of {upstream}");
        match times.unwrap_or(1) {
            1 => line,
            times => format!("{line}, {times} times"),
        }
    };
    let mismatch = || {
        let expected = lines(expected.iter().map(shown));
        Mismatch::new("callouts", expected, lines(counted(asked).into_iter())).by("callouts")
    };
    (!all_happened).then(mismatch)
}

/// What was asked, each question once, with how often.
fn counted(asked: &[Asked]) -> Vec<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for asked in asked.iter().map(Asked::to_string) {
        match counts.iter_mut().find(|(known, _)| *known == asked) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counts.push((asked, 1)),
        }
    }
    let line = |(line, count): (String, usize)| match count {
        1 => line,
        count => format!("{line}, {count} times"),
    };
    counts.into_iter().map(line).collect()
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = lines.collect();
    match lines.is_empty() {
        true => "none".to_owned(),
        false => lines.join("\n"),
    }
}

fn metrics(expected: &BTreeMap<String, u64>, seen: &BTreeMap<String, u64>) -> Vec<Mismatch> {
    let one = |(name, expected): (&String, &u64)| {
        let now = seen.get(name).copied().unwrap_or_default();
        let mismatch = || {
            let seen = match (now, alike(name, seen)) {
                (0, others) if !others.is_empty() => format!("0; what changed: {others}"),
                (now, _) => now.to_string(),
            };
            Mismatch::new(format!("metric {name}"), expected.to_string(), seen).by(format!("metrics.{name}"))
        };
        (now != *expected).then(mismatch)
    };
    expected.iter().filter_map(one).collect()
}

/// The metrics of the same family that did change: a name is soon misspelt.
fn alike(name: &str, seen: &BTreeMap<String, u64>) -> String {
    let family = |name: &str| name.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    let of_family = seen.iter().filter(|(other, _)| family(other) == family(name));
    of_family
        .map(|(name, value)| format!("{name} by {value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn properties(expected: &BTreeMap<String, Option<String>>, seen: &BTreeMap<String, String>) -> Vec<Mismatch> {
    let one = |(path, expected): (&String, &Option<String>)| {
        let now = seen.get(path).filter(|value| !value.is_empty());
        let shown =
            |value: Option<&String>| value.map_or_else(|| "not set".to_owned(), |it| format!("`{it}`"));
        let mismatch = || {
            Mismatch::new(format!("property {path}"), shown(expected.as_ref()), shown(now))
                .by(format!("properties.{path}"))
        };
        (now != expected.as_ref()).then(mismatch)
    };
    expected.iter().filter_map(one).collect()
}
