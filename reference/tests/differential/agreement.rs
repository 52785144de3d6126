//! They agree; and a rule that is wrong is noticed.

use std::collections::BTreeMap;
use std::env;
use std::rc::Rc;

use fastrand::Rng;
use scopegate_reference::{Answer, Wrong, conflicts};

use crate::callers::{self, Bearer};
use crate::case::{Case, expected};
use crate::draw::one;
use crate::policies::{self, PROVIDERS, Policy};
use crate::requests;
use crate::shrink::shrink;
use crate::subject::Subject;
use scopegate_document::PolicyError;
use serde_json::{Value, json};

/// How many cases are tried; another number by `SCOPEGATE_DIFFERENTIAL_CASES`.
const CASES: usize = 100_000;
const CASES_VARIABLE: &str = "SCOPEGATE_DIFFERENTIAL_CASES";
/// The first seed; another by `SCOPEGATE_DIFFERENTIAL_SEED`, as a failure prints it.
const SEED_VARIABLE: &str = "SCOPEGATE_DIFFERENTIAL_SEED";
/// Requests to one policy.
const REQUESTS: usize = 60;
/// Callers of one policy.
const CALLERS: usize = 8;

/// How many kinds of differences are collected before the test gives up.
const DIFFERENCES: usize = 4;
/// How many policies are tried to see a wrong rule.
const POLICIES: usize = 1_000;
const WRONG: [Wrong; 14] = [
    Wrong::AnyIsAll,
    Wrong::NoneAfterTheCut,
    Wrong::GrantsEndLate,
    Wrong::ClosedAfterTheCut,
    Wrong::ShortestSuffix,
    Wrong::ParameterOverLiteral,
    Wrong::DotsAlwaysResolved,
    Wrong::HeadIsNotGet,
    Wrong::FewerHeadersWin,
    Wrong::InnermostActor,
    Wrong::WindowsEndLate,
    Wrong::ShadowCoversRejections,
    Wrong::ErrorsAreFalse,
    Wrong::NothingIsTooOld,
];

fn number(name: &str) -> Option<usize> {
    env::var(name)
        .ok()
        .map(|text| text.parse().expect("a whole number"))
}

/// A policy that both take, drawn from `rng`. Where both find that routes conflict, it does without one of them.
fn compiled(rng: &mut Rng, seed: usize) -> (Policy, Subject) {
    let mut policy = policies::policy(rng);
    loop {
        let pairs = conflicts(&policy.document);
        let routes = &policy.document["authorization"]["routes"];
        match Subject::new(&policy.document) {
            Ok(subject) => {
                assert!(
                    pairs.is_empty(),
                    "seed {seed}: {pairs:?} should conflict in {routes}"
                );
                return (policy, subject);
            }
            Err(errors) => {
                let (_, other) = agreed(&errors, &pairs, routes).unwrap_or_else(|| {
                    panic!(
                        "seed {seed}: {errors:#?}, and {pairs:?} in {:#}",
                        policy.document["authorization"]
                    )
                });
                policy.document = policies::without_route(&policy.document, &json!(other));
            }
        }
    }
}

/// The first pair, where every error is a conflict of a route that is in some pair.
fn agreed<'p>(
    errors: &[PolicyError],
    pairs: &'p [(String, String)],
    routes: &Value,
) -> Option<&'p (String, String)> {
    let is_in_a_pair = |error: &PolicyError| {
        let place: Option<usize> = error
            .path
            .split(['[', ']'])
            .nth(1)
            .and_then(|place| place.parse().ok());
        let id = place.and_then(|place| routes[place]["id"].as_str());
        let named = |(one, other): &(String, String)| id == Some(one) || id == Some(other);
        error.code == "route_conflict" && pairs.iter().any(named)
    };
    pairs.first().filter(|_| errors.iter().all(is_in_a_pair))
}

/// A policy that compiles, and callers for it.
pub(crate) struct Dealt {
    pub(crate) rng: Rng,
    pub(crate) policy: Rc<Policy>,
    pub(crate) subject: Subject,
    pub(crate) bearers: Vec<Bearer>,
}

impl Dealt {
    /// What the seed deals.
    pub(crate) fn of(seed: usize) -> Self {
        let mut rng = Rng::with_seed(seed as u64);
        let (policy, subject) = compiled(&mut rng, seed);
        let count = policy.document["authentication"]["providers"]
            .as_array()
            .map_or(0, Vec::len);
        let bearers = (0..CALLERS)
            .map(|_| callers::bearer(&mut rng, &PROVIDERS[..count]))
            .collect();
        Self {
            rng,
            policy: Rc::new(policy),
            subject,
            bearers,
        }
    }

    /// The next case.
    pub(crate) fn case(&mut self) -> Case {
        let (request, now) = requests::request(&mut self.rng, &self.policy);
        let bearer = one(&mut self.rng, &self.bearers).clone();
        Case {
            policy: Rc::clone(&self.policy),
            request,
            bearer,
            now,
        }
    }
}

/// The first case of the seed on which the two differ.
fn difference(seed: usize, wrong: Option<Wrong>, counted: &mut Counted) -> Option<Case> {
    let mut dealt = Dealt::of(seed);
    for _ in 0..REQUESTS {
        let case = dealt.case();
        let answer = expected(&case.policy, &case.request, &case.bearer.who, case.now, wrong);
        let found = dealt.subject.answer(&case.request, &case.bearer, case.now);
        counted.count(&found.code);
        if answer != found {
            return Some(case);
        }
    }
    None
}

/// How many cases came out how.
#[derive(Default)]
struct Counted(BTreeMap<String, usize>);

impl Counted {
    fn count(&mut self, code: &str) {
        *self.0.entry(code.to_owned()).or_default() += 1;
    }

    fn total(&self) -> usize {
        self.0.values().sum()
    }
}

fn differs(case: &Case) -> bool {
    conflicts(&case.policy.document).is_empty()
        && answers(case).is_some_and(|(found, answer)| found != answer)
}

/// What the engine and the reference answer, where the policy compiles.
fn answers(case: &Case) -> Option<(Answer, Answer)> {
    let mut subject = Subject::new(&case.policy.document).ok()?;
    let found = subject.answer(&case.request, &case.bearer, case.now);
    Some((
        found,
        expected(&case.policy, &case.request, &case.bearer.who, case.now, None),
    ))
}

#[test]
fn the_engine_answers_as_the_reference_does() {
    let cases = number(CASES_VARIABLE).unwrap_or(CASES);
    let first = number(SEED_VARIABLE).unwrap_or(1);
    let mut counted = Counted::default();
    let mut faults: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut seed = first;
    while counted.total() < cases && faults.len() < DIFFERENCES {
        if let Some(case) = difference(seed, None, &mut counted) {
            let case = shrink(case, &differs);
            let (found, answer) = answers(&case).expect("a policy that compiles");
            let kind = (found.code.clone(), answer.code.clone());
            faults.entry(kind).or_insert_with(|| {
                format!("{SEED_VARIABLE}={seed}\nengine:    {found:?}\nreference: {answer:?}\n{case}")
            });
        }
        seed += 1;
    }
    println!(
        "{} policies, {} cases: {:?}",
        seed - first,
        counted.total(),
        counted.0
    );
    assert!(
        faults.is_empty(),
        "{}",
        faults.into_values().collect::<Vec<_>>().join("\n\n")
    );
}

#[test]
fn a_rule_that_is_wrong_is_noticed() {
    for wrong in WRONG {
        let noticed =
            (1..=POLICIES).any(|seed| difference(seed, Some(wrong), &mut Counted::default()).is_some());
        assert!(noticed, "{wrong:?} made no difference to {POLICIES} policies");
    }
}
