//! A first test file for a policy: for each route who passes, and what each layer refuses. Every case is tried on the
//! policy before it is written, so that what is written passes; what could not be found out is said in a comment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use scopegate_document::{Instant, UnixTime};
use scopegate_engine::source::{Source, Unreadable};

use crate::executor::ExecutorError;
use crate::native::Environment;

mod asked;
mod credential;
mod document;
mod draft;
mod refusals;
mod scopes;
mod who;
mod write;
pub(crate) mod yaml;

use credential::Credential;
use document::{list, provider, providers, text, texts};
use draft::{Draft, Seen, Sketch};
use refusals::{Passing, unrouted};
use who::candidates;

/// How many callers are tried on one route: more never helped.
const MOST_CANDIDATES: usize = 24;

/// How far ahead another hour is looked for: a week.
const HOURS: u64 = 168;

/// A first test file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstTests {
    /// Its text.
    pub text: String,
    /// How many tests it holds.
    pub tests: usize,
    /// How many comments say what could not be written.
    pub gaps: usize,
}

/// A first test file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The policy cannot be read, or is none.
    #[error("the policy cannot be read")]
    Policy(Unreadable),
    /// It could not be tried.
    #[error("{0}")]
    Executor(#[from] ExecutorError),
}

impl From<Unreadable> for InitError {
    fn from(fault: Unreadable) -> Self {
        Self::Policy(fault)
    }
}

/// A test that is written, or the reason why it is not.
enum Entry {
    Test(Box<Sketch>, Value),
    Gap(String),
}

/// Writes tests of the policy `source`. `files` are its names as seen from `base`, the folder of the test file; `now`
/// is the time to begin with, where no grant and no key has an earlier end that matters.
///
/// # Errors
/// When the policy does not compile.
pub fn first_tests(
    source: &Source,
    files: &[String],
    base: &Path,
    now: UnixTime,
) -> Result<FirstTests, InitError> {
    let policy = source.document();
    let secrets = Environment(draft::environment(policy));
    source.compile(&secrets).map_err(|diagnostics| Unreadable {
        files: source.files().to_vec(),
        diagnostics,
        missing_file: false,
    })?;
    let mut best: Option<(UnixTime, Vec<Route<'_>>)> = None;
    for now in times(policy, now) {
        let routes = routes(policy, files, base, now)?;
        let allowed = |routes: &[Route<'_>]| routes.iter().filter(|it| it.passing.is_some()).count();
        let is_all = allowed(&routes) == routes.len();
        if best
            .as_ref()
            .is_none_or(|(_, best)| allowed(&routes) > allowed(best))
        {
            best = Some((now, routes));
        }
        if is_all {
            break;
        }
    }
    let (now, routes) = best.unwrap_or((now, Vec::new()));
    let mut draft = Draft::new(policy, files, now);
    let mut sections: Vec<(String, Vec<Entry>)> = Vec::new();
    for route in &routes {
        let entries = route.entries(policy, &mut draft, base)?;
        sections.push((route.id.to_owned(), entries));
    }
    let nowhere = unrouted();
    let seen = draft.seen(&nowhere, base)?;
    let found = nowhere
        .into_iter()
        .zip(seen)
        .find(|(_, seen)| seen.refusal() == Some("no_route"));
    if let Some((sketch, seen)) = found {
        sections.push((
            String::new(),
            vec![Entry::Test(Box::new(sketch), seen.expectation())],
        ));
    }
    Ok(write::file(draft, &sections))
}

/// The times at which the policy is looked at: the given one, and an hour before each end that it names.
fn times(policy: &Value, now: UnixTime) -> Vec<UnixTime> {
    let mut ends = BTreeSet::new();
    collect_ends(policy, &mut ends);
    let before = ends.into_iter().map(|end: UnixTime| end.minus(3_600));
    std::iter::once(now).chain(before).collect()
}

fn collect_ends(value: &Value, ends: &mut BTreeSet<UnixTime>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_end = matches!(name.as_str(), "until" | "expires");
                let end = value
                    .as_str()
                    .filter(|_| is_end)
                    .and_then(|text| text.parse::<Instant>().ok());
                ends.extend(end.map(|end| end.0));
                collect_ends(value, ends);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_ends(item, ends)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A route, and the first request that was found to pass it.
struct Route<'a> {
    id: &'a str,
    route: &'a Value,
    /// The caller, whoever vouches for it, and what stands below the path; nobody at all on a public route.
    passing: Option<Found<'a>>,
    /// What became of the first request that was tried.
    first: Option<Seen>,
}

#[derive(Clone, Default)]
struct Found<'a> {
    who: Option<(&'a Value, who::Who)>,
    below: &'static str,
    method: &'static str,
    advance: u64,
    asks_for_nonce: bool,
}

/// Looks for a request that passes, on every route.
fn routes<'a>(
    policy: &'a Value,
    files: &[String],
    base: &Path,
    now: UnixTime,
) -> Result<Vec<Route<'a>>, InitError> {
    let mut draft = Draft::new(policy, files, now);
    let mut tried: Vec<(usize, Found<'a>)> = Vec::new();
    let mut sketches = Vec::new();
    let routes = list(policy, "/authorization/routes");
    for (at, route) in routes.iter().enumerate() {
        for found in ways(policy, route) {
            sketches.push(found.sketch(&mut draft, route, String::new()));
            tried.push((at, found));
        }
    }
    let seen = draft.seen(&sketches, base)?;
    let mut found: Vec<Route<'a>> = Vec::new();
    for (at, route) in routes.iter().enumerate() {
        let id = text(route, "/id").unwrap_or_default();
        let mut of_route = tried.iter().zip(&seen).filter(|((of, _), _)| *of == at);
        let first = of_route.clone().next().map(|(_, seen)| seen.clone());
        let passing = of_route
            .find(|(_, seen)| seen.allows(id))
            .map(|((_, found), _)| found.clone());
        found.push(Route {
            id,
            route,
            passing,
            first,
        });
    }
    for (at, route) in found
        .iter_mut()
        .enumerate()
        .filter(|(_, route)| route.passing.is_none())
    {
        let shut = tried
            .iter()
            .zip(&seen)
            .find(|((of, _), seen)| *of == at && seen.refusal() == Some("outside_window"));
        if let Some(((_, way), _)) = shut {
            route.passing = at_another_hour(&mut draft, way, route, base)?;
        }
    }
    Ok(found)
}

/// The ways to try on a route: callers, methods and paths.
fn ways<'a>(policy: &'a Value, route: &'a Value) -> Vec<Found<'a>> {
    let access = route.pointer("/access").unwrap_or(&Value::Null);
    if access.as_str() == Some("public") {
        return asked(route, &Found::default());
    }
    let needed = scopes::needed(policy, access.pointer("/scopes").unwrap_or(&Value::Null));
    let named: Vec<&'a Value> = match access.get("providers") {
        Some(_) => texts(access, "/providers")
            .into_iter()
            .filter_map(|name| provider(policy, name))
            .collect(),
        None => providers(policy).iter().collect(),
    };
    let mut ways = Vec::new();
    for provider in named {
        let asks_for_nonce = text(provider, "/dpop/nonce") == Some("required");
        let callers = candidates(policy, provider, access, &needed)
            .into_iter()
            .take(MOST_CANDIDATES);
        for who in callers {
            let way = Found {
                who: Some((provider, who)),
                asks_for_nonce,
                ..Found::default()
            };
            ways.extend(asked(route, &way));
        }
    }
    ways
}

/// The same caller with each request that the route may be about.
fn asked<'a>(route: &Value, way: &Found<'a>) -> Vec<Found<'a>> {
    let below: &[&'static str] = match text(route, "/match/path").is_some_and(|path| path.ends_with("/**")) {
        true => &["/page", ""],
        false => &[""],
    };
    // A route of any method may have to leave some to routes that name them.
    let methods: &[&'static str] =
        match route.pointer("/match/methods").is_some() || route.pointer("/match/grpc").is_some() {
            true => &["GET"],
            false => &["GET", "POST", "PATCH"],
        };
    let pairs = methods
        .iter()
        .flat_map(|method| below.iter().map(move |below| (*method, *below)));
    pairs
        .map(|(method, below)| Found {
            method,
            below,
            ..way.clone()
        })
        .collect()
}

/// The same request in the first hour in which the route is open.
fn at_another_hour<'a>(
    draft: &mut Draft<'_>,
    way: &Found<'a>,
    route: &Route<'a>,
    base: &Path,
) -> Result<Option<Found<'a>>, InitError> {
    let mut draft = draft.clone();
    let later = |advance: u64| Found {
        advance,
        ..way.clone()
    };
    let ways: Vec<Found<'a>> = (1..=HOURS).map(later).collect();
    let sketches: Vec<Sketch> = ways
        .iter()
        .map(|way| way.sketch(&mut draft, route.route, String::new()))
        .collect();
    let seen = draft.seen(&sketches, base)?;
    let open = ways.into_iter().zip(seen).find(|(_, seen)| seen.allows(route.id));
    Ok(open.map(|(way, _)| way))
}

impl Found<'_> {
    fn sketch(&self, draft: &mut Draft<'_>, route: &Value, name: String) -> Sketch {
        let credential = match &self.who {
            Some((provider, who)) => draft.credential(provider, who),
            None => Credential::default(),
        };
        let tenant = self.who.as_ref().and_then(|(_, who)| who.tenant.clone());
        Sketch {
            name,
            request: asked::request(
                route,
                self.method,
                tenant.as_deref().unwrap_or("acme"),
                self.below,
            ),
            credential: draft.later(&credential, self.advance),
            advance: self.advance,
            asks_for_nonce: self.asks_for_nonce,
        }
    }
}

impl Route<'_> {
    /// The tests of this route.
    fn entries(&self, policy: &Value, draft: &mut Draft<'_>, base: &Path) -> Result<Vec<Entry>, InitError> {
        let Some(found) = &self.passing else {
            return self.without_passing(policy, draft, base);
        };
        let name = match &found.who {
            None => format!("{}, anybody passes", self.id),
            Some((_, who)) => format!("{}, {} passes", self.id, who.words),
        };
        let sketch = found.sketch(draft, self.route, name);
        let mut entries = vec![Entry::Test(Box::new(sketch.clone()), json!({"allow": self.id}))];
        let Some((provider, who)) = found.who.clone() else {
            return Ok(entries);
        };
        let now = Found {
            advance: 0,
            ..found.clone()
        };
        let passing = Passing {
            policy,
            route: self.route,
            provider,
            who,
            sketch: now.sketch(draft, self.route, String::new()),
            below: found.below,
            method: found.method,
        };
        entries.extend(refused(&passing, found.asks_for_nonce, draft, base)?);
        if self.route.pointer("/access/windows").is_some() {
            entries.push(self.shut(found, draft, base)?);
        }
        if self.route.pointer("/access/when").is_some() {
            let gap = format!(
                "{}: `when` is not tried here; write a request for which it is false, and expect `deny: condition_false`",
                self.id
            );
            entries.push(Entry::Gap(gap));
        }
        Ok(entries)
    }

    /// Nobody was found who passes: what strangers are told, and what is missing.
    fn without_passing(
        &self,
        policy: &Value,
        draft: &mut Draft<'_>,
        base: &Path,
    ) -> Result<Vec<Entry>, InitError> {
        let became = match &self.first {
            Some(seen) => match (seen.refusal(), &seen.route) {
                (Some(code), _) => format!("the likeliest caller is refused with `{code}`"),
                (None, Some(other)) => format!("the likeliest request is one of `{other}`"),
                (None, None) => "the likeliest request passes".to_owned(),
            },
            None => "there is no caller to try".to_owned(),
        };
        let id = self.id;
        let gap =
            format!("{id}: nobody was found who passes: {became}. Write a request, and expect `allow: {id}`");
        let mut entries = vec![Entry::Gap(gap)];
        if let Some((provider, who)) = ways(policy, self.route).into_iter().find_map(|way| way.who) {
            let way = Found {
                who: Some((provider, who.clone())),
                method: "GET",
                ..Found::default()
            };
            let sketch = way.sketch(draft, self.route, String::new());
            let passing = Passing {
                policy,
                route: self.route,
                provider,
                who,
                sketch,
                below: "",
                method: "GET",
            };
            let refused = refused(&passing, false, draft, base)?;
            entries.extend(
                refused
                    .into_iter()
                    .filter(|entry| matches!(entry, Entry::Test(..))),
            );
        }
        Ok(entries)
    }

    /// The same request in the first hour in which the route is shut.
    fn shut(&self, found: &Found<'_>, draft: &mut Draft<'_>, base: &Path) -> Result<Entry, InitError> {
        let name = format!("{}, nobody at another hour", self.id);
        let mut scratch = draft.clone();
        let hours: Vec<u64> = (0..=HOURS).collect();
        let at = |advance: &u64| Found {
            advance: *advance,
            ..found.clone()
        };
        let sketches: Vec<Sketch> = hours
            .iter()
            .map(|hour| at(hour).sketch(&mut scratch, self.route, name.clone()))
            .collect();
        let seen = scratch.seen(&sketches, base)?;
        let shut = hours
            .iter()
            .zip(&seen)
            .find(|(_, seen)| seen.refusal() == Some("outside_window"));
        Ok(match shut {
            Some((hour, seen)) => Entry::Test(
                Box::new(at(hour).sketch(draft, self.route, name)),
                seen.expectation(),
            ),
            None => Entry::Gap(format!(
                "{}: in the week from now there is no hour at which it is shut",
                self.id
            )),
        })
    }
}

/// What is refused as it should be. A rule may be found by several callers; the first is written.
fn refused(
    passing: &Passing<'_>,
    asks_for_nonce: bool,
    draft: &mut Draft<'_>,
    base: &Path,
) -> Result<Vec<Entry>, InitError> {
    let refusals = passing.refusals(draft);
    let plain: Vec<Sketch> = refusals.iter().map(|it| it.sketch.clone()).collect();
    let with_nonce = |sketch: &Sketch| Sketch {
        asks_for_nonce: sketch.credential.proof.is_some(),
        ..sketch.clone()
    };
    let patient: Vec<Sketch> = match asks_for_nonce {
        true => plain.iter().map(with_nonce).collect(),
        false => Vec::new(),
    };
    let seen = draft.seen(&plain, base)?;
    let seen_patient = draft.seen(&patient, base)?;
    let mut entries = Vec::new();
    let mut written: BTreeMap<&[&str], bool> = BTreeMap::new();
    for (at, refusal) in refusals.iter().enumerate() {
        let ways = [
            (plain.get(at), seen.get(at)),
            (patient.get(at), seen_patient.get(at)),
        ];
        let fits = |seen: &Seen| seen.refusal().is_some_and(|code| refusal.codes.contains(&code));
        let way = ways
            .into_iter()
            .find_map(|(sketch, seen)| Some((sketch?, seen.filter(|seen| fits(seen))?)));
        let is_written = written.entry(refusal.codes).or_default();
        // Several keys may lack a scope; one is enough. Other rules are tried once.
        let is_one_of_many = refusal.codes == ["scope_missing"] && passing.who.api_key.is_some();
        match way {
            Some(_) if is_one_of_many && *is_written => {}
            Some((sketch, seen)) => {
                *is_written = true;
                entries.push(Entry::Test(Box::new(sketch.clone()), seen.expectation()));
            }
            None if is_one_of_many => {}
            None => {
                let seen = seen.get(at).and_then(Seen::refusal).unwrap_or("nothing at all");
                let gap = format!(
                    "{}: refused with {seen} where that was tried; look into it",
                    refusal.sketch.name
                );
                entries.push(Entry::Gap(gap));
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
