//! A test file, understood: its policy with the test's keys, its tokens, its cases. Every fault names file,
//! line and column. Nothing here runs anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use scopegate_document::{PolicyError, UnixTime};
use scopegate_engine::Engine;
use scopegate_engine::document::deserialize;
use scopegate_engine::source::{Source, SourceFile, Unreadable};

use crate::executor::{ExecutorError, MAX_ADVANCE_SECONDS, Setup, Time};
use crate::faults::{self, nearest};
use crate::fixtures::{self, Answers};
use crate::format::{
    Allow, ExpectSpec, HostNote, KeySpec, MatrixSpec, OneOrMany, RequestSpec, StepSpec, TestDocument,
    TestSpec, UpstreamSpec,
};
use crate::issuer::Issuer;
use crate::keys::{Key, KeyRing};
use crate::native::Environment;
use crate::planned::PlannedTokens;
use crate::policy::TestPolicy;
use crate::shared::Shared;

/// The name of the caller without a token in a matrix.
pub const NOBODY: &str = "none";

/// What time it is in a test file that does not say: 2026-01-01T00:00:00Z.
const DEFAULT_NOW: UnixTime = UnixTime(1_767_225_600);

/// A test file, ready to run.
#[derive(Debug)]
pub struct Suite {
    /// The path of the file, as it was given.
    pub name: String,
    /// What time it is for the policy.
    pub now: UnixTime,
    /// The file itself, with the place of each of its fields.
    pub source: Source,
    /// The policy.
    pub policy: TestPolicy,
    /// The cases, in the order of the file; those of the matrix last.
    pub cases: Vec<Case>,
    pub(crate) tokens: PlannedTokens,
    /// The keys that proofs are made with.
    pub(crate) keys: BTreeMap<String, Key>,
    minted: Mutex<BTreeMap<UnixTime, BTreeMap<String, String>>>,
    environment: BTreeMap<String, String>,
    upstreams: Answers,
    described: Value,
    /// The files that it shares with others, as they were read.
    pub fixtures: Vec<PathBuf>,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is tested, in words.
    pub name: String,
    /// The line of the file it stands in, from 1.
    pub line: Option<usize>,
    /// Its path in the file: `tests[3]`, or `matrix.cells.GET /orders` for a cell of that row.
    pub path: String,
    /// How it is written.
    pub kind: Kind,
    /// What is done.
    pub steps: Vec<Step>,
    /// What is different in Envoy.
    pub envoy: Option<HostNote>,
}

/// How a case is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// As a request and what is expected.
    Plain,
    /// As steps.
    Steps,
    /// As a cell of the matrix: a request is its row, this caller its column.
    Cell(String),
}

/// One step of a case.
#[derive(Debug, Clone)]
pub enum Step {
    /// A request, and what is expected of its answer.
    Send(Box<RequestSpec>, Box<ExpectSpec>),
    /// The clock moves forward by these seconds.
    Advance(u64),
    /// Upstreams answer otherwise from now on.
    Answer(BTreeMap<String, Vec<UpstreamSpec>>),
    /// Another policy, in JSON, and whether it is expected to be taken.
    Reconfigure(Vec<u8>, bool),
}

impl Case {
    /// Whether it changes the world, and so must not share one with other cases.
    #[must_use]
    pub fn needs_own_session(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step, Step::Send(..)))
    }

    /// The path of what is expected of the step at `index`, from 0.
    #[must_use]
    pub fn expectation(&self, index: usize) -> String {
        match &self.kind {
            Kind::Plain => format!("{}.expect", self.path),
            Kind::Steps => format!("{}.steps[{index}].expect", self.path),
            Kind::Cell(caller) => format!("{}.{caller}", self.path),
        }
    }
}

impl Suite {
    /// Reads the test file at `path`.
    ///
    /// # Errors
    /// When a file cannot be opened or is wrong: the test file, or its policy.
    pub fn load(path: &Path) -> Result<Self, Unreadable> {
        let source = scopegate_engine::source::load(&[path.to_path_buf()])?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::read(&source, path.display().to_string(), base)
    }

    /// Reads the text of a test file called `name`, in which paths count from `base`.
    ///
    /// # Errors
    /// When the text is wrong, or its policy.
    pub fn parse(name: &str, text: String, base: &Path) -> Result<Self, Unreadable> {
        let file = SourceFile {
            name: name.to_owned(),
            text,
        };
        let source = Source::from_files(vec![file], base)?;
        Self::read(&source, name.to_owned(), base)
    }

    fn read(source: &Source, name: String, base: &Path) -> Result<Self, Unreadable> {
        let document = deserialize::<TestDocument>(source.document(), "scopegate schema --tests");
        let document = document.map_err(|error| unreadable(source, vec![error]))?;
        Loader {
            source,
            base,
            faults: Vec::new(),
        }
        .load(name, document)
    }

    /// What an executor is given, where its clock can be set: its upstreams answer with tokens made as of `now`.
    ///
    /// # Errors
    /// When a key cannot sign.
    pub fn setup_at(&self, now: UnixTime) -> Result<Setup, ExecutorError> {
        Ok(Setup {
            name: self.name.clone(),
            policy: self.policy.json(),
            environment: self.environment(),
            time: Time::Fixed(self.now),
            upstreams: fixtures::upstreams(&self.upstreams, &self.mint(now)?),
        })
    }

    /// The file as it was written, with what it takes from elsewhere.
    pub(crate) const fn described(&self) -> &Value {
        &self.described
    }

    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        environment.extend(self.policy.environment.clone());
        environment
    }

    /// Makes the tokens as of `now`. The same time gives the same bytes, so that executors can be compared:
    /// signatures such as PSS are random.
    ///
    /// # Errors
    /// When a key cannot sign.
    pub fn mint(&self, now: UnixTime) -> Result<BTreeMap<String, String>, ExecutorError> {
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = minted.get(&now) {
            return Ok(tokens.clone());
        }
        let tokens = self
            .tokens
            .mint(now)
            .map_err(|error| ExecutorError::Failed(error.to_string()))?;
        minted.insert(now, tokens.clone());
        Ok(tokens)
    }
}

struct Loader<'a> {
    source: &'a Source,
    base: &'a Path,
    faults: Vec<PolicyError>,
}

impl Loader<'_> {
    fn load(mut self, name: String, mut document: TestDocument) -> Result<Suite, Unreadable> {
        let shared = Shared::join(&mut document, self.source, self.base)?;
        let described = serde_json::to_value(&document).unwrap_or_default();
        let TestDocument {
            policy,
            fixtures: _,
            now,
            environment,
            keys,
            tokens,
            mut upstreams,
            tests,
            matrix,
        } = document;
        let specs = keys;
        let keys = self.keys(&specs);
        let published = published(&keys);
        let paths = self.paths(&policy);
        let served: BTreeSet<String> = upstreams.keys().cloned().collect();
        let mut policy = TestPolicy::load(&paths, &published, &served)?;
        self.check_providers(&specs, &policy);
        if tokens.contains_key(NOBODY) {
            let message = format!("`{NOBODY}` stands for no token at all");
            self.fault(format!("tokens.{NOBODY}"), message, "give the token another name");
        }
        let tokens = PlannedTokens::plan(&tokens, &keys, &policy, &mut self.faults);
        self.replace_api_keys(&mut policy, &tokens);
        self.add(faults::same_names(&tests));
        let is_token = |name: &str| tokens.contains(name);
        self.add(faults::placeholders(&tests, matrix.as_ref(), is_token));
        self.check_upstreams(&served, &policy, &tests);
        let usages = usages(&policy, &keys);
        let known = Known {
            published: &published,
            served: &served,
            key: &|name: &str| Some((&keys.get(name)?.0, *usages.get(name)?)),
            is_token: &is_token,
            tokens: &tokens,
        };
        self.add(fixtures::publish(
            &mut upstreams,
            "upstreams",
            known.key,
            known.is_token,
        ));
        let mut cases = self.tests(tests, &known);
        cases.extend(matrix.map(|matrix| self.matrix(matrix)).unwrap_or_default());
        if cases.is_empty() && self.faults.is_empty() {
            self.fault(
                String::new(),
                "the file tests nothing".to_owned(),
                "write `tests`, or a `matrix`",
            );
        }
        self.check_tokens(&cases, &tokens);
        if !self.faults.is_empty() {
            return Err(shared.unreadable(self.source, self.faults));
        }
        let suite = Suite {
            name,
            source: self.source.clone(),
            now: now.map_or(DEFAULT_NOW, |now| now.0),
            policy,
            cases,
            tokens,
            keys: keys.into_iter().map(|(name, (key, _))| (name, key)).collect(),
            minted: Mutex::default(),
            environment,
            upstreams,
            described,
            fixtures: shared.paths().to_vec(),
        };
        suite.check_policy()?;
        Ok(suite)
    }

    fn fault(&mut self, path: String, message: String, help: &str) {
        self.faults
            .push(PolicyError::new("invalid_test", path, message, help));
    }

    fn add(&mut self, faults: Vec<faults::Fault>) {
        for (path, message, help) in faults {
            self.fault(path, message, &help);
        }
    }

    fn paths(&self, policy: &OneOrMany) -> Vec<PathBuf> {
        policy
            .as_slice()
            .iter()
            .map(|path| self.base.join(path).components().collect())
            .collect()
    }

    fn keys(&mut self, specs: &BTreeMap<String, KeySpec>) -> BTreeMap<String, (Key, Option<String>)> {
        let mut ring = KeyRing::default();
        let mut keys = BTreeMap::new();
        for (name, spec) in specs {
            let kid = spec.kid.clone().unwrap_or_else(|| name.clone());
            let algorithm = spec.alg.parse();
            match algorithm.map(|algorithm| ring.generate(algorithm, kid)) {
                Ok(Ok(key)) => {
                    keys.insert(name.clone(), (key, spec.provider.clone()));
                }
                Ok(Err(error)) => {
                    self.fault(format!("keys.{name}"), error.to_string(), "run the tests again")
                }
                Err(error) => {
                    self.fault(
                        format!("keys.{name}.alg"),
                        error.to_string(),
                        "name a registered algorithm",
                    );
                }
            }
        }
        keys
    }

    fn replace_api_keys(&mut self, policy: &mut TestPolicy, tokens: &PlannedTokens) {
        for (name, provider, id) in tokens.api_keys() {
            if let Err(known) = policy.replace_api_key(provider, id) {
                let message = format!("the provider `{provider}` has no API key `{id}`");
                let help = nearest(id, &known, "its keys");
                self.fault(format!("tokens.{name}.api_key"), message, &help);
            }
        }
    }

    fn check_providers(&mut self, specs: &BTreeMap<String, KeySpec>, policy: &TestPolicy) {
        let known: Vec<String> = crate::issuer::Issuer::all(&policy.document)
            .into_iter()
            .map(|issuer| issuer.name)
            .collect();
        let named = specs
            .iter()
            .filter_map(|(name, spec)| Some((name, spec.provider.as_deref()?)));
        let unknown = named.filter(|(_, provider)| !known.iter().any(|known| known == provider));
        let unknown: Vec<_> = unknown
            .map(|(name, provider)| (name.clone(), provider.to_owned()))
            .collect();
        for (name, provider) in unknown {
            let message = format!("the policy has no provider `{provider}`");
            let help = nearest(&provider, &known, "its providers");
            self.fault(format!("keys.{name}.provider"), message, &help);
        }
    }

    fn tests(&mut self, tests: Vec<TestSpec>, known: &Known<'_>) -> Vec<Case> {
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
                self.add(
                    faults::target(&request, &format!("{path}.request"))
                        .into_iter()
                        .collect(),
                );
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
            } => match TestPolicy::load(&self.paths(&policy), known.published, known.served) {
                Ok(mut policy) => {
                    // A key that the other policy does not have any more is one of the things a test may try.
                    for (_, provider, id) in known.tokens.api_keys() {
                        let _ = policy.replace_api_key(provider, id);
                    }
                    Some(Step::Reconfigure(policy.json(), accepted.unwrap_or(true)))
                }
                Err(error) => {
                    let first = error
                        .diagnostics
                        .first()
                        .map(|it| it.message.clone())
                        .unwrap_or_default();
                    self.fault(format!("{path}.reconfigure"), first, "name the files of a policy");
                    None
                }
            },
            StepSpec { .. } => {
                let message = "a step does one thing".to_owned();
                self.fault(
                    path.to_owned(),
                    message,
                    "write `request` with `expect`, or `advance`, or `answer`, or `reconfigure`",
                );
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

    /// An upstream that no policy of this file has is never asked. Those of fixtures may be another file's.
    fn check_upstreams(&mut self, served: &BTreeSet<String>, policy: &TestPolicy, tests: &[TestSpec]) {
        let mut known = Vec::new();
        named_upstreams(&policy.document, &mut known);
        let is_replaced = tests
            .iter()
            .flat_map(|test| &test.steps)
            .any(|step| step.reconfigure.is_some());
        let own = |name: &&String| self.source.locate(&format!("upstreams.{name}")).is_some();
        let unknown: Vec<String> = served
            .iter()
            .filter(|name| !is_replaced && !known.contains(name))
            .filter(own)
            .cloned()
            .collect();
        for name in unknown {
            let message = format!("the policy has no upstream `{name}`");
            let help = nearest(&name, &known, "its upstreams");
            self.fault(format!("upstreams.{name}"), message, &help);
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

    fn matrix(&mut self, matrix: MatrixSpec) -> Vec<Case> {
        let MatrixSpec {
            callers,
            request,
            cells,
        } = matrix;
        let mut cases = Vec::new();
        self.add(faults::callers(&callers));
        self.add(faults::every_request(&request));
        if cells.is_empty() {
            let message = "the matrix has no cells".to_owned();
            self.fault(
                "matrix.cells".to_owned(),
                message,
                "write a row for each request: `GET /orders: {reader: allow}`",
            );
        }
        for (row, listed) in &cells {
            let path = format!("matrix.cells.{row}");
            let line = self.source.locate(&path).map(|place| place.line);
            let Some((method, target)) = row.split_once(' ') else {
                self.fault(
                    path,
                    format!("`{row}` is no request"),
                    "write a method and a path: `GET /orders`",
                );
                continue;
            };
            for unknown in listed.keys().filter(|caller| !callers.contains(caller)) {
                let message = format!("`{unknown}` is none of the matrix's callers");
                let help = format!("add it to `callers`; {}", nearest(unknown, &callers, "there"));
                self.fault(format!("{path}.{unknown}"), message, &help);
            }
            for caller in &callers {
                let mut request = request.clone();
                request.method = Some(method.to_owned());
                request.path = Some(target.to_owned());
                request.token = (caller != NOBODY).then(|| OneOrMany::One(caller.clone()));
                let expect = listed.get(caller).map_or_else(unlisted, |cell| expect_cell(cell));
                cases.push(Case {
                    name: format!("{row} as {caller}"),
                    line,
                    path: path.clone(),
                    kind: Kind::Cell(caller.clone()),
                    steps: vec![Step::Send(Box::new(request), Box::new(expect))],
                    envoy: None,
                });
            }
        }
        cases
    }

    /// Tokens that requests send and nobody describes, each where it stands first.
    fn check_tokens(&mut self, cases: &[Case], tokens: &PlannedTokens) {
        let mut told = BTreeSet::new();
        for case in cases {
            for (at, step) in case.steps.iter().enumerate() {
                let Step::Send(request, _) = step else { continue };
                let names = request.token.iter().flat_map(OneOrMany::as_slice);
                let unknown = names.filter(|name| *name != NOBODY && !tokens.contains(name));
                for name in unknown.filter(|name| told.insert((*name).clone())) {
                    let path = match &case.kind {
                        Kind::Plain => format!("{}.request.token", case.path),
                        Kind::Steps => format!("{}.steps[{at}].request.token", case.path),
                        Kind::Cell(_) => "matrix.callers".to_owned(),
                    };
                    let help = nearest(name, &tokens.names(), "known here");
                    self.fault(path, format!("there is no token `{name}`"), &help);
                }
            }
        }
    }
}

impl Suite {
    /// A policy that does not compile fails here, with the places of its faults, and not in an executor.
    fn check_policy(&self) -> Result<(), Unreadable> {
        let compiled = Engine::from_value(&self.policy.document, &Environment(self.environment()));
        compiled
            .map(|_| ())
            .map_err(|errors| unreadable(&self.policy.source, errors))
    }
}

/// What a test file has that its cases may name.
struct Known<'a> {
    published: &'a BTreeMap<String, Vec<Key>>,
    served: &'a BTreeSet<String>,
    key: &'a dyn Fn(&str) -> Option<(&'a Key, &'static str)>,
    is_token: &'a dyn Fn(&str) -> bool,
    tokens: &'a PlannedTokens,
}

/// The names that a policy gives the upstreams of its own documents and questions, wherever they stand.
fn named_upstreams(document: &Value, names: &mut Vec<String>) {
    match document {
        Value::Object(members) => {
            names.extend(members.get("upstream").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| named_upstreams(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| named_upstreams(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The use that each key is published with.
fn usages(
    policy: &TestPolicy,
    keys: &BTreeMap<String, (Key, Option<String>)>,
) -> BTreeMap<String, &'static str> {
    let issuers = Issuer::all(&policy.document);
    let usage = |provider: &Option<String>| {
        let issuer = issuers
            .iter()
            .find(|issuer| Some(&issuer.name) == provider.as_ref());
        issuer.map_or("sig", Issuer::key_usage)
    };
    keys.iter()
        .map(|(name, (_, provider))| (name.clone(), usage(provider)))
        .collect()
}

fn published(keys: &BTreeMap<String, (Key, Option<String>)>) -> BTreeMap<String, Vec<Key>> {
    let mut published: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for (key, provider) in keys.values() {
        if let Some(provider) = provider {
            published.entry(provider.clone()).or_default().push(key.clone());
        }
    }
    published
}

fn expect_cell(cell: &str) -> ExpectSpec {
    if let Some(code) = cell.strip_prefix("would_deny:") {
        return ExpectSpec {
            would_deny: Some(code.trim().to_owned()),
            ..ExpectSpec::default()
        };
    }
    match (cell, cell.strip_prefix("allow:")) {
        ("allow", _) => ExpectSpec {
            allow: Some(Allow::Any(true)),
            ..ExpectSpec::default()
        },
        (_, Some(route)) => ExpectSpec {
            allow: Some(Allow::Route(route.trim().to_owned())),
            ..ExpectSpec::default()
        },
        (code, None) => ExpectSpec {
            deny: Some(code.to_owned()),
            ..ExpectSpec::default()
        },
    }
}

/// What no answer can fulfil: nothing is left unsaid in a matrix.
fn unlisted() -> ExpectSpec {
    ExpectSpec::default()
}

fn unreadable(source: &Source, faults: Vec<PolicyError>) -> Unreadable {
    let files: Vec<SourceFile> = source.files().to_vec();
    Unreadable {
        files,
        diagnostics: faults.into_iter().map(|fault| source.diagnostic(fault)).collect(),
        missing_file: false,
    }
}
