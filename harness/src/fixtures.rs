//! Answers of upstreams as test files write them, made into rules: keys published, tokens put in place.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::build::{fill, placeholders};
use crate::exchange::Headers;
use crate::format::{FailSpec, UpstreamSpec};
use crate::keys::Key;
use crate::upstream::{Rule, Served, Upstreams};

/// Answers by upstream, with the keys that they publish.
pub(crate) type Answers = BTreeMap<String, Vec<UpstreamSpec>>;

/// Puts keys in place of their names. What is wrong comes back: the path of the field, what is wrong, what would be
/// right.
pub(crate) fn publish<'k>(
    answers: &mut Answers,
    path: &str,
    key: impl Fn(&str) -> Option<(&'k Key, &'static str)>,
    is_token: impl Fn(&str) -> bool,
) -> Vec<(String, String, String)> {
    let mut faults = Vec::new();
    for (upstream, specs) in answers {
        for (at, spec) in specs.iter_mut().enumerate() {
            let path = format!("{path}.{upstream}[{at}]");
            let mut fault = |field: &str, message: String, help: &str| {
                faults.push((format!("{path}{field}"), message, help.to_owned()));
            };
            let bodies = [
                spec.json.is_some(),
                spec.body.is_some(),
                spec.jwks.is_some(),
                spec.fails.is_some(),
            ];
            if bodies.iter().filter(|stated| **stated).count() > 1 {
                let message = "the answer has more than one body".to_owned();
                fault("", message, "write one of `json`, `body`, `jwks`, `fails`");
            }
            if let Some(names) = spec.jwks.take() {
                let mut keys = Vec::new();
                for name in names {
                    match key(&name) {
                        Some((key, usage)) => keys.push(key.jwk(usage)),
                        None => fault(
                            ".jwks",
                            format!("there is no key `{name}`"),
                            "describe it under `keys`",
                        ),
                    }
                }
                spec.json = Some(json!({"keys": keys}));
            }
            for name in texts(spec)
                .iter()
                .flat_map(|text| placeholders(text))
                .filter(|name| !is_token(name))
            {
                fault(
                    "",
                    format!("there is no token `{name}`"),
                    "describe it under `tokens`",
                );
            }
        }
    }
    faults
}

fn texts(spec: &UpstreamSpec) -> Vec<String> {
    let form = spec.form.values().cloned();
    let json = spec.json.as_ref().map(Value::to_string);
    form.chain(spec.body.clone()).chain(json).collect()
}

/// All upstreams, with the tokens that were made for this run.
pub(crate) fn upstreams(answers: &Answers, tokens: &BTreeMap<String, String>) -> Upstreams {
    let mut upstreams = Upstreams::default();
    for (name, specs) in answers {
        upstreams.set(name, rules(specs, tokens));
    }
    upstreams
}

/// The rules that `specs` stand for, with the tokens that were made for this run.
pub(crate) fn rules(specs: &[UpstreamSpec], tokens: &BTreeMap<String, String>) -> Vec<Rule> {
    let rule = |spec: &UpstreamSpec| Rule {
        method: spec.method.clone(),
        path: spec.path.clone(),
        form: spec
            .form
            .iter()
            .map(|(name, value)| (name.clone(), fill(value, tokens)))
            .collect(),
        served: served(spec, tokens),
    };
    specs.iter().map(rule).collect()
}

fn served(spec: &UpstreamSpec, tokens: &BTreeMap<String, String>) -> Served {
    match spec.fails {
        Some(FailSpec::Broken) => return Served::Broken,
        Some(FailSpec::Silent) => return Served::Silent,
        None => {}
    }
    let body = match (&spec.json, &spec.body) {
        (Some(json), _) => fill(&json.to_string(), tokens),
        (None, Some(body)) => fill(body, tokens),
        (None, None) => String::new(),
    };
    let bytes = |(name, value): (&String, &String)| (name.clone().into_bytes(), value.clone().into_bytes());
    let mut headers: Headers = spec.headers.iter().map(bytes).collect();
    let states_type = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    if spec.json.is_some() && !states_type {
        headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
    }
    Served::Answer {
        status: spec.status.unwrap_or(200),
        headers,
        body: body.into_bytes(),
    }
}
