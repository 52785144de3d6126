//! What tests of a policy can reach, read off the policy document. Faults of form that any token can have are not
//! counted: they are the plugin's to test, not the policy's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::codes;

/// Something that tests can reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// A request was allowed by this route.
    Allowed(String),
    /// A request was refused on this guarded route.
    Refused(String),
    /// A request was refused by this rule of a route.
    Rule {
        /// The route.
        route: String,
        /// The fields of its `access` that make the rule.
        rule: String,
        /// The code that it refuses with.
        code: &'static str,
    },
    /// A caller that holds this scope was let in.
    Granted(String),
    /// A caller was refused for want of this scope.
    Lacking(String),
    /// A request was refused with this code.
    Code(String),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(route) => write!(f, "route {route}: no request was allowed"),
            Self::Refused(route) => write!(f, "route {route}: no request was refused"),
            Self::Rule { route, rule, code: _ } => {
                write!(f, "route {route}: no request was refused by `{rule}`")
            }
            Self::Granted(scope) => write!(f, "scope {scope}: nobody who holds it was let in"),
            Self::Lacking(scope) => write!(f, "scope {scope}: nobody was refused for want of it"),
            Self::Code(code) => write!(f, "{code}: no request was refused so"),
        }
    }
}

/// The scopes that a route asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Requirement {
    /// Those without which nobody is let in.
    pub(super) all: BTreeSet<String>,
    /// Those of which some do.
    pub(super) any: BTreeSet<String>,
}

/// The rules of a route: the fields that make each, and the code that it refuses with. Fields that refuse with the
/// same code are one rule: nobody can tell from an answer which of them it was.
const RULES: [(&[&str], &str); 9] = [
    (&["tenant"], "tenant_mismatch"),
    (&["clients"], "client_not_allowed"),
    (&["actors"], "actor_not_allowed"),
    (&["acr", "amr", "max_auth_age"], "step_up_required"),
    (&["windows"], "outside_window"),
    (&["sources"], "source_not_allowed"),
    (&["when", "headers", "query", "environment"], "condition_false"),
    (&["providers"], "provider_not_allowed"),
    (&["scopes"], "scope_missing"),
];

/// Everything that tests of this policy can reach, and the path of the field that it comes from.
pub(super) fn points(policy: &Value) -> Vec<(Point, Option<String>)> {
    let mut points = Vec::new();
    let mut asked_for = BTreeSet::new();
    for (at, (id, access)) in routes(policy).into_iter().enumerate() {
        let path = format!("authorization.routes[{at}]");
        points.push((Point::Allowed(id.to_owned()), Some(path.clone())));
        if access.as_str() == Some("public") {
            continue;
        }
        points.push((Point::Refused(id.to_owned()), Some(path.clone())));
        points.extend(rules(policy, id, access, &path));
        let Requirement { all, any } = requirement(access);
        asked_for.extend(all.into_iter().chain(any));
    }
    let catalogue = policy.pointer("/authorization/scopes").and_then(Value::as_object);
    for (scope, described) in catalogue.into_iter().flatten() {
        let path = format!("authorization.scopes.{scope}");
        let is_asked_for = asked_for.contains(scope);
        let implies = described.get("implies").is_some() && can_be_held(policy, scope);
        if is_asked_for || implies {
            points.push((Point::Granted(scope.clone()), Some(path.clone())));
        }
        if is_asked_for {
            points.push((Point::Lacking(scope.clone()), Some(path)));
        }
    }
    let codes = codes::reachable(policy).into_iter();
    points.extend(codes.map(|(code, path)| (Point::Code(code.to_owned()), path)));
    points
}

/// Whether any ceiling or grant leaves a caller this scope.
fn can_be_held(policy: &Value, scope: &str) -> bool {
    let named = |section: &str| policy.pointer(section).and_then(Value::as_array);
    let Some(ceilings) = named("/authorization/ceilings") else {
        return true;
    };
    let sections = ceilings
        .iter()
        .chain(named("/authorization/grants").into_iter().flatten());
    let mut patterns = sections
        .filter_map(|section| section.get("scopes")?.as_array())
        .flatten()
        .filter_map(Value::as_str);
    patterns.any(|pattern| covers(pattern, scope))
}

/// Whether a pattern covers a scope: `*` covers all, `orders:*` exactly one more segment.
fn covers(pattern: &str, scope: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(start) => scope.strip_prefix(start).is_some_and(|rest| !rest.contains(':')),
        None => pattern == scope,
    }
}

/// The scopes that each route asks for, by its id.
pub(super) fn requirements(policy: &Value) -> BTreeMap<String, Requirement> {
    let routes = routes(policy).into_iter();
    routes
        .map(|(id, access)| (id.to_owned(), requirement(access)))
        .collect()
}

pub(super) fn routes(policy: &Value) -> Vec<(&str, &Value)> {
    let routes = policy.pointer("/authorization/routes").and_then(Value::as_array);
    routes
        .into_iter()
        .flatten()
        .filter_map(|route| {
            Some((
                route.get("id")?.as_str()?,
                route.get("access").unwrap_or(&Value::Null),
            ))
        })
        .collect()
}

fn rules(policy: &Value, route: &str, access: &Value, path: &str) -> Vec<(Point, Option<String>)> {
    let providers = providers(policy).len();
    let says = |field: &str| match access.get(field) {
        None => false,
        Some(value) if field == "scopes" => mentions(value, "all") || mentions(value, "any"),
        // A list of all providers refuses nobody.
        Some(value) if field == "providers" => value.as_array().is_some_and(|it| it.len() < providers),
        Some(_) => true,
    };
    let rule = |rule: &str, code: &'static str, field: &str| {
        let point = Point::Rule {
            route: route.to_owned(),
            rule: rule.to_owned(),
            code,
        };
        (point, Some(format!("{path}.access.{field}")))
    };
    let mut points: Vec<_> = RULES
        .into_iter()
        .filter_map(|(fields, code)| {
            let said: Vec<&str> = fields.iter().copied().filter(|field| says(field)).collect();
            Some(rule(&said.join("`, `"), code, said.first()?))
        })
        .collect();
    if access
        .get("scopes")
        .is_some_and(|scopes| mentions(scopes, "none"))
    {
        points.push(rule("scopes.none", "scope_forbidden", "scopes"));
    }
    points
}

/// The scopes of a requirement, wherever in it they are named. Those under a `none` are not asked for.
fn requirement(access: &Value) -> Requirement {
    let mut requirement = Requirement::default();
    if let Some(scopes) = access.get("scopes") {
        collect(scopes, true, &mut requirement);
    }
    requirement
}

fn collect(value: &Value, is_needed: bool, requirement: &mut Requirement) {
    match value {
        Value::String(scope) => {
            let kind = match is_needed {
                true => &mut requirement.all,
                false => &mut requirement.any,
            };
            kind.insert(scope.clone());
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect(item, is_needed, requirement)),
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "all" => collect(value, is_needed, requirement),
                    "any" => collect(value, false, requirement),
                    _ => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn providers(policy: &Value) -> &[Value] {
    policy
        .pointer("/authentication/providers")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
}

pub(super) fn mentions(value: &Value, kind: &str) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name == kind || mentions(value, kind)),
        Value::Array(items) => items.iter().any(|item| mentions(item, kind)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
