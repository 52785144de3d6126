//! A test file, understood: its policy with the test's keys, its tokens, its cases. Every fault names file,
//! line and column. Nothing here runs anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use scopegate_document::{PolicyError, UnixTime};
use scopegate_engine::Engine;
use scopegate_engine::document::deserialize;
use scopegate_engine::source::{Source, SourceFile, Unreadable};

use crate::executor::{ExecutorError, Setup, Time};
use crate::fixtures::{self, Answers};
use crate::format::{ExpectSpec, HostNote, RequestSpec, TestDocument, UpstreamSpec};
use crate::keys::Key;
use crate::native::Environment;
use crate::planned::PlannedTokens;
use crate::policy::TestPolicy;
use crate::shared::told_how_to_begin;

mod cases;
mod expected;
mod loader;
mod matrix;
mod named;

use loader::Loader;

/// The name of the caller without a token in a matrix.
pub const NOBODY: &str = "none";

/// What time it is in a test file that does not say: 2026-01-01T00:00:00Z.
const DEFAULT_NOW: UnixTime = UnixTime(1_767_225_600);

/// What a test file begins with.
const BEGIN: &str = "begin with `policy: ./policy.yaml`";

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
    /// What else was read: the files that it shares with others, and the policies that its steps put in place of its
    /// own.
    pub also_read: Vec<PathBuf>,
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
        let source = scopegate_engine::source::load(&[path.to_path_buf()]);
        let source = source.map_err(|fault| told_how_to_begin(fault, BEGIN))?;
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
        let source = Source::from_files(vec![file], base);
        let source = source.map_err(|fault| told_how_to_begin(fault, BEGIN))?;
        Self::read(&source, name.to_owned(), base)
    }

    fn read(source: &Source, name: String, base: &Path) -> Result<Self, Unreadable> {
        if source.document().get("scopegate").is_some() {
            return Err(unreadable(source, vec![is_policy(&name)]));
        }
        let document = deserialize::<TestDocument>(source.document(), "scopegate schema --tests");
        let document = document.map_err(|error| unreadable(source, vec![error]))?;
        Loader::new(source, base).load(name, document)
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

    /// A policy that does not compile fails here, with the places of its faults, and not in an executor.
    fn check_policy(&self) -> Result<(), Unreadable> {
        let compiled = Engine::from_value(&self.policy.document, &Environment(self.environment()));
        compiled
            .map(|_| ())
            .map_err(|errors| unreadable(&self.policy.source, errors))
    }
}

/// Somebody who has no tests yet gives what there is to test.
fn is_policy(name: &str) -> PolicyError {
    let message = "this is a policy, and no tests of one";
    let help = format!("`scopegate test --init {name}` writes first tests of it");
    PolicyError::new("invalid_test", "scopegate", message, help)
}

fn unreadable(source: &Source, faults: Vec<PolicyError>) -> Unreadable {
    let files: Vec<SourceFile> = source.files().to_vec();
    Unreadable {
        files,
        diagnostics: faults.into_iter().map(|fault| source.diagnostic(fault)).collect(),
        missing_file: false,
    }
}
