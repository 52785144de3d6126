//! `scopegate test --mutate`: takes each rule out of a policy in turn, and says which of them no test would miss.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use scopegate_harness::mutation::{Fate, Mutant, MutationError, PolicyMutants, mutate};
use scopegate_harness::suite::Suite;
use scopegate_harness::tested::by_policy;
use scopegate_harness::visible;

use crate::{Exit, Failure, output};

/// Mutates the policies that `files` test.
pub(crate) fn run(files: &[PathBuf], is_json: bool) -> Result<Exit, Failure> {
    let suites = files.iter().map(|file| Suite::load(file));
    let suites = suites.collect::<Result<Vec<Suite>, _>>()?;
    let mut found = Vec::new();
    for (_, suites) in by_policy(suites, |suite| &suite.policy) {
        match mutate(suites) {
            Err(error @ MutationError::Fails { .. }) => {
                eprintln!("error: {error}");
                return Ok(Exit::Findings);
            }
            mutants => found.push(mutants?),
        }
    }
    let text = match is_json {
        true => format!("{}\n", object(&found)),
        false => human(&found),
    };
    output::write(&match is_json {
        true => text,
        false => visible::lines(&text),
    })?;
    let survives = |policy: &PolicyMutants| policy.mutants.iter().any(|it| it.fate == Fate::Survived);
    Ok(match found.iter().any(survives) {
        true => Exit::Findings,
        false => Exit::Fine,
    })
}

impl From<MutationError> for Failure {
    fn from(error: MutationError) -> Self {
        match error {
            MutationError::Fails { .. } => Self::Invalid(error.to_string()),
            MutationError::Executor(error) => error.into(),
        }
    }
}

fn human(policies: &[PolicyMutants]) -> String {
    let mut text = String::new();
    for policy in policies {
        let (killed, all) = policy.counts();
        let score = policy.percent();
        let _ = writeln!(
            text,
            "{}: {killed} of {all} mutants killed, {score} %",
            policy.policy
        );
        for mutant in &policy.mutants {
            let what = format!("{}: {}", mutant.mutation.path, mutant.mutation.change);
            let _ = match &mutant.fate {
                Fate::Killed(..) => Ok(()),
                Fate::Survived => {
                    let (place, hint) = (place(mutant), &mutant.mutation.hint);
                    writeln!(text, "  survived {place}{what}\n           {hint}")
                }
                Fate::Refused(why) => writeln!(text, "  no policy {what}\n           {why}"),
                Fate::Equivalent => {
                    writeln!(
                        text,
                        "  the same {what}\n           nothing that is decided or told to an upstream would differ"
                    )
                }
            };
        }
    }
    let (killed, all) = total(policies);
    let _ = writeln!(
        text,
        "{killed} of {all} mutants killed, {} survived",
        all.saturating_sub(killed)
    );
    text
}

fn total(policies: &[PolicyMutants]) -> (usize, usize) {
    policies
        .iter()
        .map(PolicyMutants::counts)
        .fold((0, 0), |(killed, all), counts| {
            (counts.0.saturating_add(killed), counts.1.saturating_add(all))
        })
}

fn place(mutant: &Mutant) -> String {
    let place = mutant.place.as_ref();
    place.map_or_else(String::new, |(file, at)| format!("{file}:{}: ", at.line))
}

fn object(policies: &[PolicyMutants]) -> Value {
    let one = |mutant: &Mutant| {
        let place = mutant.place.as_ref();
        let (fate, by) = match &mutant.fate {
            Fate::Killed(file, case) => ("killed", json!({"file": file, "case": case})),
            Fate::Survived => ("survived", Value::Null),
            Fate::Refused(why) => ("refused", json!(why)),
            Fate::Equivalent => ("equivalent", Value::Null),
        };
        json!({
            "rule": mutant.mutation.rule,
            "path": mutant.mutation.path,
            "change": mutant.mutation.change,
            "hint": mutant.mutation.hint,
            "file": place.map(|(file, _)| file),
            "line": place.map(|(_, at)| at.line),
            "fate": fate,
            "by": by,
        })
    };
    let policy = |policy: &PolicyMutants| {
        let (killed, all) = policy.counts();
        let mutants: Vec<Value> = policy.mutants.iter().map(one).collect();
        json!({
            "policy": policy.policy,
            "killed": killed,
            "counted": all,
            "percent": policy.percent(),
            "mutants": mutants,
        })
    };
    let (killed, all) = total(policies);
    json!({
        "policies": policies.iter().map(policy).collect::<Vec<_>>(),
        "summary": {"killed": killed, "survived": all.saturating_sub(killed)},
    })
}
