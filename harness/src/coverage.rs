//! What the cases of a policy's tests reached: each route, allowed and refused; each refusal that the
//! policy's own rules can give.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::exchange::Outcome;
use crate::run::SuiteReport;
use crate::suite::Suite;

/// The coverage of one policy, over all its test files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Everything that tests can reach, and whether they did.
    pub points: BTreeMap<Point, bool>,
    /// Every code that was seen.
    pub codes: BTreeSet<String>,
}

/// Something that tests can reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// A request was allowed by this route.
    Allowed(String),
    /// A request was refused on this guarded route.
    Refused(String),
    /// A request was refused with this code.
    Code(String),
}

impl Coverage {
    /// The points of the policy of `suite`, none reached.
    #[must_use]
    pub fn of(suite: &Suite) -> Self {
        let mut points = BTreeMap::new();
        for (route, is_public) in suite.policy.routes() {
            points.insert(Point::Allowed(route.clone()), false);
            if !is_public {
                points.insert(Point::Refused(route), false);
            }
        }
        for code in reachable_codes(&suite.policy.document) {
            points.insert(Point::Code(code.to_owned()), false);
        }
        Self {
            points,
            codes: BTreeSet::new(),
        }
    }

    /// Adds what `report` reached.
    pub fn add(&mut self, report: &SuiteReport) {
        for answer in report.cases.iter().flat_map(|case| &case.answers) {
            if let Some(route) = &answer.route {
                let point = match (answer.outcome, &answer.would_deny) {
                    (Outcome::Forward, None) => Point::Allowed(route.clone()),
                    (Outcome::Forward, Some(_)) | (Outcome::Reply, _) => Point::Refused(route.clone()),
                };
                self.reach(point);
            }
            if let Some(code) = answer.would_deny.as_ref().or(answer.code.as_ref()) {
                self.reach(Point::Code(code.clone()));
                self.codes.insert(code.clone());
            }
        }
    }

    fn reach(&mut self, point: Point) {
        if let Some(reached) = self.points.get_mut(&point) {
            *reached = true;
        }
    }

    /// How many points were reached, and how many there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (
            self.points.values().filter(|reached| **reached).count(),
            self.points.len(),
        )
    }

    /// The share reached in per cent, rounded down: 100 means all.
    #[must_use]
    pub fn percent(&self) -> usize {
        let (reached, all) = self.counts();
        reached.saturating_mul(100).checked_div(all).unwrap_or(100)
    }

    /// What was not reached.
    pub fn missing(&self) -> impl Iterator<Item = &Point> {
        self.points
            .iter()
            .filter(|(_, reached)| !**reached)
            .map(|(point, _)| point)
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Allowed(route) => write!(f, "route {route}: no request was allowed"),
            Self::Refused(route) => write!(f, "route {route}: no request was refused"),
            Self::Code(code) => write!(f, "{code}: no request was refused so"),
        }
    }
}

/// The refusals that follow from what this policy says. Faults of form that any token can have are not
/// counted: they are the plugin's to test, not the policy's.
fn reachable_codes(policy: &Value) -> Vec<&'static str> {
    let routes = policy.pointer("/authorization/routes").and_then(Value::as_array);
    let accesses: Vec<&Value> = routes
        .into_iter()
        .flatten()
        .filter_map(|route| route.get("access"))
        .collect();
    let is_guarded = accesses.iter().any(|access| access.as_str() != Some("public"));
    let has = |field: &str| accesses.iter().any(|access| access.get(field).is_some());
    let scopes = |kind: &str| {
        accesses
            .iter()
            .any(|access| access.get("scopes").is_some_and(|it| mentions(it, kind)))
    };
    let listed = policy
        .pointer("/authentication/providers")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let providers = listed.len();
    let has_type = |kind: &str| listed.iter().any(|provider| provider["type"] == *kind);
    let is_bound = |kinds: &[&str]| {
        let binding = |provider: &Value| provider["binding"].as_str().is_some_and(|it| kinds.contains(&it));
        listed.iter().any(binding)
    };
    let some_key_ends = listed.iter().any(|provider| {
        let keys = provider["keys"].as_array();
        has_type("api_key") && keys.is_some_and(|keys| keys.iter().any(|key| key.get("expires").is_some()))
    });
    let is_narrowed = |access: &&Value| {
        access
            .get("providers")
            .and_then(Value::as_array)
            .is_some_and(|named| named.len() < providers)
    };
    [
        ("no_route", true),
        ("credential_missing", is_guarded),
        ("token_expired", is_guarded && has_type("jwt")),
        ("signature_invalid", is_guarded && has_type("jwt")),
        ("api_key_unknown", is_guarded && has_type("api_key")),
        ("api_key_expired", is_guarded && some_key_ends),
        ("peer_unidentified", is_guarded && has_type("mtls")),
        ("token_inactive", is_guarded && has_type("introspection")),
        ("proof_missing", is_guarded && is_bound(&["dpop", "any"])),
        ("proof_replayed", is_guarded && is_bound(&["dpop", "any"])),
        ("binding_mismatch", is_guarded && is_bound(&["mtls", "any"])),
        ("scope_missing", scopes("all") || scopes("any")),
        ("scope_forbidden", scopes("none")),
        ("tenant_mismatch", has("tenant")),
        ("client_not_allowed", has("clients")),
        ("actor_not_allowed", has("actors")),
        (
            "step_up_required",
            has("acr") || has("amr") || has("max_auth_age"),
        ),
        ("outside_window", has("windows")),
        ("source_not_allowed", has("sources")),
        (
            "condition_false",
            ["when", "headers", "query", "environment"].into_iter().any(has),
        ),
        ("provider_not_allowed", accesses.iter().any(is_narrowed)),
    ]
    .into_iter()
    .filter_map(|(code, reachable)| reachable.then_some(code))
    .collect()
}

fn mentions(value: &Value, kind: &str) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name == kind || mentions(value, kind)),
        Value::Array(items) => items.iter().any(|item| mentions(item, kind)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
