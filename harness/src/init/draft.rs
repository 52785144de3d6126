//! A test file that is being written: what it describes, and cases that are tried before they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use scopegate_document::{Instant, UnixTime};

use super::credential::{self, Credential, algorithm, key_name};
use super::document::{path_of, providers, text, texts};
use super::who::Who;
use super::{InitError, document};
use crate::exchange::Outcome;
use crate::native::Native;
use crate::run::{Verdict, run};
use crate::suite::Suite;

/// A test file that is being written.
#[derive(Debug, Clone)]
pub(super) struct Draft<'a> {
    policy: &'a Value,
    /// The policy's files, as the test file names them.
    files: &'a [String],
    now: UnixTime,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) keys: BTreeMap<String, Value>,
    pub(super) tokens: BTreeMap<String, Value>,
    pub(super) upstreams: BTreeMap<String, Vec<Value>>,
    /// The names of the tokens, in the order in which tests came to need them.
    pub(super) order: Vec<String>,
    made: BTreeMap<String, Credential>,
    /// What was tried of each provider.
    tried: BTreeSet<(String, String)>,
}

/// One case that may be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sketch {
    pub(super) name: String,
    pub(super) request: Value,
    pub(super) credential: Credential,
    /// How many hours the clock moves before.
    pub(super) advance: u64,
    /// Whether the caller is given a nonce first.
    pub(super) asks_for_nonce: bool,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) is_forwarded: bool,
    pub(super) would_deny: Option<String>,
    pub(super) code: String,
    pub(super) route: Option<String>,
}

impl Seen {
    /// Whether this route let it pass.
    pub(super) fn allows(&self, route: &str) -> bool {
        self.is_forwarded && self.would_deny.is_none() && self.route.as_deref() == Some(route)
    }

    /// The code it was refused with, or would be.
    pub(super) fn refusal(&self) -> Option<&str> {
        match (&self.would_deny, self.is_forwarded) {
            (Some(code), _) => Some(code),
            (None, false) => Some(&self.code),
            (None, true) => None,
        }
    }

    /// What a test file says of it.
    pub(super) fn expectation(&self) -> Value {
        match (&self.would_deny, self.is_forwarded) {
            (Some(code), _) => json!({"would_deny": code}),
            (None, true) => json!({"allow": self.route}),
            (None, false) => json!({"deny": self.code}),
        }
    }
}

impl<'a> Draft<'a> {
    /// A file about the policy at this time, with what all of its cases need: keys, and upstreams that answer.
    pub(super) fn new(policy: &'a Value, files: &'a [String], now: UnixTime) -> Self {
        let mut draft = Self {
            policy,
            files,
            now,
            environment: environment(policy),
            keys: BTreeMap::new(),
            tokens: BTreeMap::new(),
            upstreams: BTreeMap::new(),
            order: Vec::new(),
            made: BTreeMap::new(),
            tried: BTreeSet::new(),
        };
        for provider in providers(policy) {
            if let (Some(name), Some(algorithm)) = (text(provider, "/name"), algorithm(provider)) {
                draft
                    .keys
                    .insert(key_name(name), json!({"alg": algorithm, "provider": name}));
            }
            if let (Some("introspection"), Some(upstream)) =
                (text(provider, "/type"), text(provider, "/upstream"))
            {
                draft.upstreams.entry(upstream.to_owned()).or_default();
            }
            if let Some("dpop" | "any") = text(provider, "/binding") {
                let algorithm = texts(provider, "/dpop/algorithms")
                    .first()
                    .copied()
                    .unwrap_or("ES256");
                for holder in ["phone", "thief"] {
                    draft.keys.insert(holder.to_owned(), json!({"alg": algorithm}));
                }
            }
        }
        draft.revocations();
        draft.published();
        draft
    }

    fn revocations(&mut self) {
        let feed = document::text(self.policy, "/authentication/revocation/feed/upstream");
        let uri = document::text(self.policy, "/authentication/revocation/feed/uri");
        if let (Some(upstream), Some(uri)) = (feed, uri) {
            let answer = json!({"path": path_of(uri), "json": {"tokens": []}});
            self.upstreams
                .entry(upstream.to_owned())
                .or_default()
                .push(answer);
        }
    }

    /// What is fetched from an upstream that is described must be there.
    fn published(&mut self) {
        for provider in providers(self.policy) {
            let upstream = text(provider, "/keys/upstream").unwrap_or_default();
            let Some(answers) = self.upstreams.get_mut(upstream) else {
                continue;
            };
            let key = key_name(text(provider, "/name").unwrap_or_default());
            if let Some(uri) = text(provider, "/keys/jwks_uri") {
                answers.push(json!({"path": path_of(uri), "jwks": [key]}));
            } else if let Some(uri) = text(provider, "/keys/discovery") {
                let origin: Vec<&str> = uri.splitn(4, '/').take(3).collect();
                let jwks = format!("{}/jwks-of-{}", origin.join("/"), credential::plain(&key));
                let metadata = json!({"issuer": text(provider, "/issuer"), "jwks_uri": jwks});
                answers.push(json!({"path": path_of(uri), "json": metadata}));
                answers.push(json!({"path": path_of(&jwks), "jwks": [key]}));
            }
        }
    }

    /// The credential of `who`, described in the file under a name that nothing else has.
    pub(super) fn credential(&mut self, provider: &Value, who: &Who) -> Credential {
        for at in 1_usize.. {
            let name = if at == 1 {
                who.name.clone()
            } else {
                format!("{}_{at}", who.name)
            };
            let credential = credential::of(provider, &Who { name, ..who.clone() });
            let Some((name, spec)) = &credential.token else {
                return credential;
            };
            match self.made.get(name) {
                Some(made) if *made == credential => return credential,
                Some(_) => {}
                None if self.tokens.contains_key(name) || name == "none" => {}
                None => {
                    self.order.push(name.clone());
                    self.tokens.insert(name.clone(), spec.clone());
                    if let Some((upstream, answer)) = &credential.answer {
                        self.upstreams
                            .entry(upstream.clone())
                            .or_default()
                            .push(answer.clone());
                    }
                    self.made.insert(name.clone(), credential.clone());
                    return credential;
                }
            }
        }
        Credential::default()
    }

    /// A token that is made from another one, under its own name.
    pub(super) fn token(&mut self, name: &str, spec: Value) -> String {
        for at in 1_usize.. {
            let name = if at == 1 {
                name.to_owned()
            } else {
                format!("{name}_{at}")
            };
            match self.tokens.get(&name) {
                Some(there) if *there == spec => return name,
                Some(_) => {}
                None => {
                    self.order.push(name.clone());
                    self.tokens.insert(name.clone(), spec);
                    return name;
                }
            }
        }
        name.to_owned()
    }

    /// Whether this was not tried of a provider before.
    pub(super) fn is_first(&mut self, provider: &Value, what: &str) -> bool {
        let name = text(provider, "/name").unwrap_or_default();
        self.tried.insert((name.to_owned(), what.to_owned()))
    }

    /// The key that nobody published, of the algorithm that a provider's keys have.
    pub(super) fn rogue(&mut self, provider: &Value) -> String {
        let algorithm = algorithm(provider).unwrap_or("ES256");
        let spec = json!({"alg": algorithm});
        let name = match self.keys.get("rogue") {
            Some(there) if *there != spec => format!("rogue_{}", credential::plain(algorithm)),
            _ => "rogue".to_owned(),
        };
        self.keys.insert(name.clone(), spec);
        name
    }

    /// The same credential hours later: a token that is made then.
    pub(super) fn later(&mut self, credential: &Credential, hours: u64) -> Credential {
        let mut later = credential.clone();
        let Some((name, spec)) = &credential.token else {
            return later;
        };
        if hours == 0 || spec.get("key").is_none() {
            return later;
        }
        let (issued, expires) = (
            format!("{hours}h"),
            format!("{}m", hours.saturating_mul(60).saturating_add(5)),
        );
        let mut changed = json!({"from": name, "issued_in": issued, "expires_in": expires});
        if let (Some(_), Some(changed)) = (spec.get("authenticated_in"), changed.as_object_mut()) {
            changed.insert("authenticated_in".to_owned(), json!(issued));
        }
        let name = self.token(&format!("{name}_in_{hours}h"), changed.clone());
        later.token = Some((name, changed));
        later
    }

    /// Tries cases, and says what came of each.
    pub(super) fn seen(&self, sketches: &[Sketch], base: &Path) -> Result<Vec<Seen>, InitError> {
        if sketches.is_empty() {
            return Ok(Vec::new());
        }
        let test = |(at, sketch): (usize, &Sketch)| {
            let steps = sketch.steps(&json!({"allow": true}));
            json!({"name": format!("{at}"), "steps": steps})
        };
        let mut document = self.document();
        let tests: Vec<Value> = sketches.iter().enumerate().map(test).collect();
        document.insert("tests".to_owned(), tests.into());
        let suite = Suite::parse("a first test file", Value::Object(document).to_string(), base)?;
        let report = run(&suite, &Native, None)?;
        let seen = report
            .cases
            .into_iter()
            .map(|case| match (case.answers.last(), case.verdict) {
                (Some(answer), _) => Seen {
                    is_forwarded: answer.outcome == Outcome::Forward,
                    would_deny: answer.would_deny.clone(),
                    code: answer.code.clone().unwrap_or_default(),
                    route: answer.route.clone(),
                },
                (None, Verdict::Passed | Verdict::Failed(_) | Verdict::Skipped(_)) => Seen {
                    is_forwarded: false,
                    would_deny: None,
                    code: String::new(),
                    route: None,
                },
            });
        Ok(seen.collect())
    }

    /// The file, its cases apart.
    pub(super) fn document(&self) -> Map<String, Value> {
        let mut upstreams = self.upstreams.clone();
        for provider in providers(self.policy) {
            // What no answer is for is a token that nobody issued.
            let upstream = text(provider, "/upstream").and_then(|name| upstreams.get_mut(name));
            if let (Some("introspection"), Some(answers)) = (text(provider, "/type"), upstream) {
                let path = path_of(text(provider, "/endpoint").unwrap_or_default());
                answers.push(json!({"method": "POST", "path": path, "json": {"active": false}}));
            }
        }
        let fields = [
            ("policy", json!(self.files)),
            ("now", json!(Instant(self.now))),
            ("environment", json!(self.environment)),
            ("keys", json!(self.keys)),
            ("tokens", json!(self.tokens)),
            ("upstreams", json!(upstreams)),
        ];
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

impl Sketch {
    /// Its steps: the last one is the request, with what is expected of it.
    pub(super) fn steps(&self, expect: &Value) -> Vec<Value> {
        let mut steps = Vec::new();
        if self.advance > 0 {
            steps.push(json!({"advance": format!("{}h", self.advance)}));
        }
        let request = self.full_request();
        if self.asks_for_nonce {
            steps.push(json!({"request": request, "expect": {"deny": "proof_nonce"}}));
        }
        steps.push(json!({"request": request, "expect": expect}));
        steps
    }

    fn full_request(&self) -> Value {
        let Self {
            request, credential, ..
        } = self;
        let mut request = request.as_object().cloned().unwrap_or_default();
        if let Some((name, _)) = &credential.token {
            request.insert("token".to_owned(), json!(name));
        }
        if let Some(key) = &credential.proof {
            request.insert("dpop".to_owned(), json!({"key": key}));
        }
        if let Some(peer) = credential.peer.as_ref().and_then(Value::as_object) {
            let there = request.entry("peer").or_insert_with(|| json!({}));
            if let Some(there) = there.as_object_mut() {
                there.extend(peer.clone());
            }
        }
        Value::Object(request)
    }
}

/// What the environment must hold: the secrets that the policy names, and what its routes ask of it.
pub(super) fn environment(policy: &Value) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    secrets(policy, &mut environment);
    for route in document::list(policy, "/authorization/routes") {
        let wanted = document::members(route, "/access/environment");
        let wanted = wanted.filter_map(|(name, value)| Some((name.to_owned(), value.as_str()?.to_owned())));
        for (name, value) in wanted {
            environment.entry(name).or_insert(value);
        }
    }
    environment
}

fn secrets(value: &Value, environment: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => match (members.len(), members.get("env").and_then(Value::as_str)) {
            (1, Some(name)) => {
                // Long enough for any HMAC, and nobody's.
                environment.insert(name.to_owned(), "A".repeat(86));
            }
            _ => members.values().for_each(|value| secrets(value, environment)),
        },
        Value::Array(items) => items.iter().for_each(|item| secrets(item, environment)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
