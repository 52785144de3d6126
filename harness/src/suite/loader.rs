//! Reading a test file: what it describes is made, what it names is looked up, and its cases are put together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use scopegate_document::PolicyError;
use scopegate_engine::source::{Source, Unreadable};

use crate::faults;
use crate::fixtures;
use crate::format::{KeySpec, TestDocument};
use crate::issuer::Issuer;
use crate::keys::{Key, KeyRing};
use crate::planned::PlannedTokens;
use crate::policy::TestPolicy;
use crate::shared::Shared;
use crate::suite::expected::Names;
use crate::suite::{DEFAULT_NOW, NOBODY, Suite};

/// A test file that is being read.
pub(super) struct Loader<'a> {
    pub(super) source: &'a Source,
    pub(super) base: &'a Path,
    pub(super) faults: Vec<PolicyError>,
    pub(super) also_read: Vec<PathBuf>,
    /// The policies that steps put in place of the file's own.
    pub(super) given: Vec<TestPolicy>,
}

impl<'a> Loader<'a> {
    pub(super) const fn new(source: &'a Source, base: &'a Path) -> Self {
        Self {
            source,
            base,
            faults: Vec::new(),
            also_read: Vec::new(),
            given: Vec::new(),
        }
    }

    pub(super) fn load(mut self, name: String, mut document: TestDocument) -> Result<Suite, Unreadable> {
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
        let paths = match self.named_files(&policy, "policy") {
            Ok(paths) => paths,
            Err(fault) => return Err(self.not_there(fault)),
        };
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
        self.add(faults::names_of_cells(&cases));
        let names = Names::of([&policy].into_iter().chain(&self.given));
        self.check_upstreams(&served, &names);
        self.check_expected(&cases, &names);
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
            also_read: [shared.paths(), &self.also_read].concat(),
        };
        suite.check_policy()?;
        Ok(suite)
    }

    pub(super) fn fault(&mut self, path: String, message: String, help: &str) {
        self.faults
            .push(PolicyError::new("invalid_test", path, message, help));
    }

    pub(super) fn add(&mut self, faults: Vec<faults::Fault>) {
        for (path, message, help) in faults {
            self.fault(path, message, &help);
        }
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
}

/// What a test file has that its cases may name.
pub(super) struct Known<'a> {
    pub(super) published: &'a BTreeMap<String, Vec<Key>>,
    pub(super) served: &'a BTreeSet<String>,
    pub(super) key: &'a dyn Fn(&str) -> Option<(&'a Key, &'static str)>,
    pub(super) is_token: &'a dyn Fn(&str) -> bool,
    pub(super) tokens: &'a PlannedTokens,
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
