//! Looking for a request that passes each route: callers, methods, paths and hours are tried until one does.

use std::path::Path;

use scopegate_document::UnixTime;
use serde_json::Value;

use super::InitError;
use super::asked;
use super::credential::Credential;
use super::document::{list, provider, providers, text, texts};
use super::draft::{Draft, Seen, Sketch};
use super::scopes;
use super::who::{self, candidates};

/// How many callers are tried on one route: more never helped.
const MOST_CANDIDATES: usize = 24;

/// How far ahead another hour is looked for: a week.
pub(super) const HOURS: u64 = 168;

/// A route, and the first request that was found to pass it.
pub(super) struct Route<'a> {
    pub(super) id: &'a str,
    pub(super) route: &'a Value,
    /// The caller, whoever vouches for it, and what stands below the path; nobody at all on a public route.
    pub(super) passing: Option<Found<'a>>,
    /// What became of the first request that was tried.
    pub(super) first: Option<Seen>,
}

/// A way to ask a route.
#[derive(Clone, Default)]
pub(super) struct Found<'a> {
    pub(super) who: Option<(&'a Value, who::Who)>,
    pub(super) below: &'static str,
    pub(super) method: &'static str,
    pub(super) advance: u64,
    pub(super) asks_for_nonce: bool,
}

/// Looks for a request that passes, on every route.
pub(super) fn routes<'a>(
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
pub(super) fn ways<'a>(policy: &'a Value, route: &'a Value) -> Vec<Found<'a>> {
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
    pub(super) fn sketch(&self, draft: &mut Draft<'_>, route: &Value, name: String) -> Sketch {
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
