//! The tests of a file as cases: each step does one thing, and what is expected of an answer is one decision.

use crate::executor::MAX_ADVANCE_SECONDS;
use crate::faults;
use crate::fixtures;
use crate::format::{Allow, ExpectSpec, RequestSpec, StepSpec, TestSpec};
use crate::policy::TestPolicy;
use crate::suite::loader::{Known, Loader};
use crate::suite::{Case, Kind, Step};

impl Loader<'_> {
    pub(super) fn tests(&mut self, tests: Vec<TestSpec>, known: &Known<'_>) -> Vec<Case> {
        let mut cases = Vec::new();
        for (
            at,
            TestSpec {
                name,
                request,
                expect,
                steps,
                envoy,
            },
        ) in tests.into_iter().enumerate()
        {
            let path = format!("tests[{at}]");
            let line = self.source.locate(&path).map(|place| place.line);
            let is_plain = request.is_some() || expect.is_some();
            if is_plain != steps.is_empty() {
                self.fault(
                    path.clone(),
                    format!("the test `{name}` says too little or too much"),
                    "write `request` and `expect`, or `steps`",
                );
                continue;
            }
            let steps = match is_plain {
                true => {
                    let step = StepSpec {
                        request,
                        expect,
                        advance: None,
                        answer: None,
                        reconfigure: None,
                        accepted: None,
                    };
                    self.step(step, &path, known).into_iter().collect()
                }
                false => self.steps(steps, &path, known),
            };
            let is_asked = |step: &Step| matches!(step, Step::Send(..));
            if !steps.iter().any(is_asked) && self.faults.is_empty() {
                self.fault(
                    path.clone(),
                    format!("the test `{name}` sends no request"),
                    "add a step with `request` and `expect`",
                );
            }
            cases.push(Case {
                name,
                line,
                path,
                kind: if is_plain { Kind::Plain } else { Kind::Steps },
                steps,
                envoy,
            });
        }
        cases
    }

    fn steps(&mut self, steps: Vec<StepSpec>, path: &str, known: &Known<'_>) -> Vec<Step> {
        let mut lowered = Vec::new();
        for (at, step) in steps.into_iter().enumerate() {
            lowered.extend(self.step(step, &format!("{path}.steps[{at}]"), known));
        }
        lowered
    }

    fn step(&mut self, step: StepSpec, path: &str, known: &Known<'_>) -> Option<Step> {
        match step {
            StepSpec {
                request: Some(request),
                expect: Some(expect),
                advance: None,
                answer: None,
                reconfigure: None,
                accepted: None,
            } => {
                self.check_expect(&expect, &format!("{path}.expect"));
                self.add(faults::expectations(&expect, &format!("{path}.expect")));
                self.check_proof(&request, path, known);
                let path = format!("{path}.request");
                self.add(faults::target(&request, &path).into_iter().collect());
                self.add(faults::bytes(&request, &path));
                self.add(faults::peer(&request, &path));
                Some(Step::Send(Box::new(request), Box::new(expect)))
            }
            StepSpec {
                request: None,
                expect: None,
                advance: Some(length),
                answer: None,
                reconfigure: None,
                accepted: None,
            } => {
                let seconds = u64::try_from(length.as_seconds()).unwrap_or_default();
                if seconds > MAX_ADVANCE_SECONDS {
                    let message = "the clock would go on by more than a hundred years".to_owned();
                    self.fault(format!("{path}.advance"), message, "write `36600d` at most");
                    return None;
                }
                Some(Step::Advance(seconds))
            }
            StepSpec {
                request: None,
                expect: None,
                advance: None,
                answer: Some(mut answers),
                reconfigure: None,
                accepted: None,
            } => {
                let path = format!("{path}.answer");
                let unknown = answers.keys().filter(|name| !known.served.contains(*name));
                for name in unknown.cloned().collect::<Vec<_>>() {
                    let message = format!("the upstream `{name}` is not described");
                    self.fault(format!("{path}.{name}"), message, "describe it under `upstreams`");
                }
                self.add(fixtures::publish(&mut answers, &path, known.key, known.is_token));
                Some(Step::Answer(answers))
            }
            StepSpec {
                request: None,
                expect: None,
                advance: None,
                answer: None,
                reconfigure: Some(policy),
                accepted,
            } => {
                let paths = match self.named_files(&policy, &format!("{path}.reconfigure")) {
                    Ok(paths) => paths,
                    Err(unnamed) => {
                        self.miss(unnamed);
                        return None;
                    }
                };
                self.also_read.extend(paths.iter().cloned());
                match TestPolicy::load(&paths, known.published, known.served) {
                    Ok(mut policy) => {
                        // A key that the other policy does not have any more is one of the things a test may try.
                        for (_, provider, id) in known.tokens.api_keys() {
                            let _ = policy.replace_api_key(provider, id);
                        }
                        let step = Step::Reconfigure(policy.json(), accepted.unwrap_or(true));
                        self.given.push(policy);
                        Some(step)
                    }
                    Err(error) => {
                        let first = error.diagnostics.into_iter().next();
                        let message = first.map(|it| it.message).unwrap_or_default();
                        self.fault(
                            format!("{path}.reconfigure"),
                            message,
                            "name the files of a policy",
                        );
                        None
                    }
                }
            }
            misfit @ StepSpec { .. } => {
                let (message, help) = not_one_thing(&misfit);
                self.fault(path.to_owned(), message.to_owned(), help);
                None
            }
        }
    }

    fn check_proof(&mut self, request: &RequestSpec, path: &str, known: &Known<'_>) {
        let key = request.dpop.as_ref().map(|proof| proof.key.as_str());
        if let Some(key) = key.filter(|key| (known.key)(key).is_none()) {
            let message = format!("there is no key `{key}` to make a proof with");
            self.fault(format!("{path}.request.dpop.key"), message, "name one of `keys`");
        }
    }

    fn check_expect(&mut self, expect: &ExpectSpec, path: &str) {
        let verdicts = [
            expect.allow.is_some(),
            expect.deny.is_some(),
            expect.reject.is_some(),
            expect.would_deny.is_some(),
        ];
        // A refusal of whatever kind is told by its status at least.
        let is_vague = expect.allow == Some(Allow::Any(false)) && expect.status.is_none();
        if verdicts.iter().filter(|stated| **stated).count() != 1 || is_vague {
            let message = "what is expected is not one decision".to_owned();
            self.fault(
                path.to_owned(),
                message,
                "write one of `allow: ROUTE`, `deny: CODE`, `reject: CODE`, `would_deny: CODE`",
            );
        }
    }
}

/// Why a step is not one thing, and what would make it one.
const fn not_one_thing(step: &StepSpec) -> (&'static str, &'static str) {
    let StepSpec {
        request,
        expect,
        advance,
        answer,
        reconfigure,
        accepted,
    } = step;
    let others = advance.is_some() || answer.is_some() || reconfigure.is_some();
    match (request.is_some(), expect.is_some(), others) {
        (true, false, false) => (
            "nothing is expected of the answer",
            "add `expect: {allow: ROUTE}` or `expect: {deny: CODE}`",
        ),
        (false, true, false) => ("no request is sent", "add `request: {method: GET, path: /...}`"),
        (false, false, false) if accepted.is_some() => (
            "`accepted` is about a policy that is given",
            "add `reconfigure: ./other.yaml`",
        ),
        _ => (
            "a step does one thing",
            "write `request` with `expect`, or `advance`, or `answer`, or `reconfigure`",
        ),
    }
}
