//! What a test file names and somebody else has: files, providers, API keys, upstreams, tokens, routes. A name that nobody
//! has is a fault, with the one that is most like it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use scopegate_document::PolicyError;
use scopegate_engine::source::{Unreadable, reason};

use crate::faults::nearest;
use crate::format::{KeySpec, OneOrMany};
use crate::issuer::Issuer;
use crate::planned::PlannedTokens;
use crate::policy::TestPolicy;
use crate::suite::expected::Names;
use crate::suite::loader::Loader;
use crate::suite::{Case, Kind, NOBODY, Step, unreadable};

/// A file that is named and cannot be read.
pub(super) struct Unnamed {
    fault: PolicyError,
    /// Whether it is not there, and not another thing.
    is_missing: bool,
}

impl Unnamed {
    fn new(field: String, message: String, help: &str) -> Self {
        Self {
            fault: PolicyError::new("invalid_test", field, message, help),
            is_missing: false,
        }
    }
}

impl Loader<'_> {
    /// The paths of the policy's files, which `field` names.
    pub(super) fn named_files(&self, policy: &OneOrMany, field: &str) -> Result<Vec<PathBuf>, Unnamed> {
        if policy.as_slice().is_empty() {
            let message = "no policy is named".to_owned();
            return Err(Unnamed::new(
                field.to_owned(),
                message,
                "name its file: `./policy.yaml`",
            ));
        }
        let named = policy.as_slice().iter().enumerate();
        named
            .map(|(at, name)| {
                let field = match policy {
                    OneOrMany::One(_) => field.to_owned(),
                    OneOrMany::Many(_) => format!("{field}[{at}]"),
                };
                self.named_file(name, field)
            })
            .collect()
    }

    fn named_file(&self, name: &str, field: String) -> Result<PathBuf, Unnamed> {
        let path: PathBuf = self.base.join(name).components().collect();
        match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                let message = format!("`{name}` is a folder");
                Err(Unnamed::new(field, message, "name the policy's file in it"))
            }
            Ok(_) => Ok(path),
            Err(error) => {
                let message = format!("cannot read `{name}`: {}", reason(&error));
                let help = "name a policy's file; paths count from the folder of this file";
                Err(Unnamed {
                    is_missing: true,
                    ..Unnamed::new(field, message, help)
                })
            }
        }
    }

    /// The test file cannot be read for want of a file that it names.
    pub(super) fn not_there(&self, Unnamed { fault, is_missing }: Unnamed) -> Unreadable {
        Unreadable {
            missing_file: is_missing,
            ..unreadable(self.source, vec![fault])
        }
    }

    /// The same, as one fault of several.
    pub(super) fn miss(&mut self, unnamed: Unnamed) {
        self.faults.push(unnamed.fault);
    }

    /// An upstream that the policy does not have is never asked. Those of fixtures may be another file's.
    pub(super) fn check_upstreams(&mut self, served: &BTreeSet<String>, names: &Names) {
        let known = &names.upstreams;
        let described = self.source.document().get("upstreams");
        let own = |name: &&String| described.is_some_and(|it| it.get(name.as_str()).is_some());
        let unknown: Vec<String> = served
            .iter()
            .filter(|name| !known.contains(name))
            .filter(own)
            .cloned()
            .collect();
        for name in unknown {
            let message = format!("the policy has no upstream `{name}`");
            let help = nearest(&name, known, "its upstreams");
            self.fault(format!("upstreams.{name}"), message, &help);
        }
    }

    pub(super) fn replace_api_keys(&mut self, policy: &mut TestPolicy, tokens: &PlannedTokens) {
        for (name, provider, id) in tokens.api_keys() {
            if let Err(known) = policy.replace_api_key(provider, id) {
                let message = format!("the provider `{provider}` has no API key `{id}`");
                let help = nearest(id, &known, "its keys");
                self.fault(format!("tokens.{name}.api_key"), message, &help);
            }
        }
    }

    pub(super) fn check_providers(&mut self, specs: &BTreeMap<String, KeySpec>, policy: &TestPolicy) {
        let known: Vec<String> = Issuer::all(&policy.document)
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

    /// Tokens that requests send and nobody describes, each where it stands first.
    pub(super) fn check_tokens(&mut self, cases: &[Case], tokens: &PlannedTokens) {
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
