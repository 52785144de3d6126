//! Routes, compiled: patterns, hosts and methods into tries, access into checks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scopegate_document::PolicyError;

use super::access::{AccessScope, Guard};
use super::header_names::check_readable;
use super::matching::{CompiledMatch, compile_match};
use super::readings::compile_readings;
use crate::authorizer::PolicyContext;
use crate::checks::when::{Language, PolicyFacts};
use crate::group::{Entry, Group};
use crate::host::HostPattern;
use crate::matchers::Matchers;
use crate::mode::Mode;
use crate::pattern::{Pattern, Segment};
use crate::readings::Readings;
use crate::router::{RouteIndex, Router, is_default_port};
use crate::scopes::catalogue::Catalogue;
use crate::section::{self, Access, AccessName, AuthorizationSection, Route};

/// The most routes of a policy. Selecting takes no longer with more, but compiling does, and memory.
const MAX_ROUTES: usize = 10_000;

/// The most nodes of the patterns that one look-up may visit. Where patterns do not part at a literal and a parameter
/// and go on alike again and again, it is little more than the segments of the longest one; a path with many readings
/// is looked up for each.
const MAX_VISITS: usize = 1_024;

/// The longest id of a route, in bytes: it is repeated in audit records and metrics.
const MAX_ID: usize = 128;

/// A compiled route.
#[derive(Debug)]
pub(crate) struct CompiledRoute {
    pub(crate) id: Arc<str>,
    /// Its index in the policy, for errors.
    pub(crate) place: usize,
    /// Its pattern as written, for people and logs.
    pub(crate) shown: String,
    pub(crate) pattern: Pattern,
    /// `None`: public.
    pub(crate) guard: Option<Guard>,
    pub(crate) mode: Mode,
}

/// The routes of a policy.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) routes: Vec<CompiledRoute>,
    pub(crate) router: Router,
    /// The same routes with folded literals, where the upstream may fold.
    pub(crate) folded: Option<Router>,
    /// What the upstream is known to do with paths.
    pub(crate) readings: Readings,
    /// Whether the expression of a route could read the path.
    pub(crate) reads_paths: bool,
}

/// What a route matches, but for its pattern.
struct Surroundings {
    hosts: Vec<HostPattern>,
    methods: Vec<String>,
    matchers: Matchers,
}

impl Routes {
    /// Compiles the routes; faults are added to `faults`.
    pub(crate) fn compile(
        section: &AuthorizationSection,
        context: &PolicyContext<'_>,
        catalogue: &Catalogue,
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        if section.routes.len() > MAX_ROUTES {
            faults.push(too_many(section.routes.len()));
            return Self::default();
        }
        check_ids(&section.routes, faults);
        let readings = compile_readings(section.path_readings.as_ref(), faults);
        let mut compiled = Self {
            folded: readings.folds.then(Router::default),
            readings,
            ..Self::default()
        };
        let mut matches = Vec::new();
        let headers = section
            .conditions
            .as_ref()
            .and_then(|conditions| conditions.headers.as_deref());
        let headers = headers.unwrap_or_default();
        check_readable(headers, context, "conditions.headers", faults);
        let language = Language {
            headers,
            policy: &PolicyFacts {
                name: context.name.map(str::to_owned),
                version: context.version.map(str::to_owned),
            },
        };
        let of_policy = Mode::compile(section.mode.as_ref(), Mode::default(), "mode", faults);
        for (place, route) in section.routes.iter().enumerate() {
            let around = Around {
                context,
                catalogue,
                language,
                mode: of_policy,
            };
            if let Some((route, match_of_route)) = compile_route(route, place, &around, faults) {
                compiled.routes.push(route);
                matches.push(match_of_route);
            }
        }
        check_default_ports(&compiled.routes, &matches, faults);
        compiled.insert_all(&matches, faults);
        let has_expression =
            |route: &CompiledRoute| route.guard.as_ref().is_some_and(|guard| guard.when.is_some());
        compiled.reads_paths = compiled.routes.iter().any(has_expression);
        compiled.check_work(faults);
        compiled
    }

    /// Adds the routes in the order of their ids: the order of the file decides nothing, not even which of several
    /// routes that conflict are named together.
    fn insert_all(&mut self, matches: &[Surroundings], faults: &mut Vec<PolicyError>) {
        let mut order: Vec<(&str, RouteIndex)> = Vec::new();
        let routes = std::mem::take(&mut self.routes);
        order.extend(
            routes
                .iter()
                .enumerate()
                .map(|(index, route)| (&*route.id, index)),
        );
        order.sort_unstable();
        let mut conflicts = BTreeSet::new();
        for (_, index) in order {
            let others = routes.get(index).zip(matches.get(index));
            let others = others.map(|(route, surroundings)| self.insert(index, &route.pattern, surroundings));
            let id = |index: &RouteIndex| routes.get(*index).map(|route| (&*route.id, *index));
            if let Some(other) = others.into_iter().flatten().min_by_key(id) {
                conflicts.insert((index.max(other), index.min(other)));
            }
        }
        for (later, earlier) in conflicts {
            let both = routes.get(later).zip(routes.get(earlier));
            faults.extend(both.map(|(route, other)| conflict(route, other)));
        }
        self.routes = routes;
    }

    /// What a request can cost is known before there is one.
    fn check_work(&self, faults: &mut Vec<PolicyError>) {
        let visits = self.router.most_visits();
        if visits > MAX_VISITS {
            faults.push(PolicyError::new(
                "patterns_entangled",
                "routes",
                format!("one path can be tried against {visits} beginnings of patterns"),
                format!(
                    "let patterns part by literals: at most {MAX_VISITS} may have to be tried where a literal and a \
                     parameter stand in one place"
                ),
            ));
        }
        for (route, excess) in self.router.groups().filter_map(Group::excess) {
            let route = self.routes.get(route);
            faults.extend(route.map(|route| {
                PolicyError::new(
                    "too_many_matches",
                    format!("routes[{}].match", route.place),
                    format!("of one host and the pattern `{}`, {excess}", route.shown),
                    "part the routes by path: patterns cost nothing",
                )
            }));
        }
    }

    /// Adds a route, and gives those that it conflicts with.
    fn insert(
        &mut self,
        route: RouteIndex,
        pattern: &Pattern,
        surroundings: &Surroundings,
    ) -> Vec<RouteIndex> {
        let Surroundings {
            hosts,
            methods,
            matchers,
        } = surroundings;
        let entry = Entry {
            route,
            methods,
            matchers,
        };
        let conflicts = self.router.insert(hosts, pattern, &entry);
        match &mut self.folded {
            // Whatever conflicts does so folded as well.
            Some(folded) => folded.insert(hosts, &fold_pattern(pattern), &entry),
            None => conflicts,
        }
    }
}

/// What a route may refer to of the policy around it.
struct Around<'a> {
    context: &'a PolicyContext<'a>,
    catalogue: &'a Catalogue,
    language: Language<'a>,
    mode: Mode,
}

/// Compiles one route; `None` where its match has faults.
fn compile_route(
    route: &Route,
    place: usize,
    around: &Around<'_>,
    faults: &mut Vec<PolicyError>,
) -> Option<(CompiledRoute, Surroundings)> {
    let Route {
        id,
        matches,
        access,
        mode,
    } = route;
    let path = format!("routes[{place}]");
    let matched = compile_match(matches, around.context, &format!("{path}.match"), faults);
    let pattern = matched.as_ref().map(|matched| &matched.pattern);
    let scope = AccessScope {
        context: around.context,
        catalogue: around.catalogue,
        language: around.language,
        pattern,
    };
    let guard = scope.compile(access, &format!("{path}.access"), faults);
    if let (true, Some(section::Mode::Watched(_))) =
        (matches!(access, Access::Named(AccessName::Public)), mode)
    {
        faults.push(nothing_to_watch(&path));
    }
    let mode = Mode::compile(mode.as_ref(), around.mode, &format!("{path}.mode"), faults);
    let CompiledMatch {
        hosts,
        methods,
        pattern,
        matchers,
        shown,
    } = matched?;
    let id = id.as_str().into();
    Some((
        CompiledRoute {
            id,
            place,
            shown,
            pattern,
            guard,
            mode,
        },
        Surroundings {
            hosts,
            methods,
            matchers,
        },
    ))
}

fn nothing_to_watch(path: &str) -> PolicyError {
    PolicyError::new(
        "invalid_value",
        format!("{path}.mode"),
        "a public route denies nobody: there is nothing to watch",
        "leave `mode` out, or say in `access` who may pass",
    )
}

fn conflict(route: &CompiledRoute, other: &CompiledRoute) -> PolicyError {
    PolicyError::new(
        "route_conflict",
        format!("routes[{}].match", route.place),
        format!(
            "the routes `{}` (`{}`) and `{}` (`{}`) can match one request with equal rank",
            other.id, other.shown, route.id, route.shown
        ),
        format!(
            "let them differ in host, method or pattern, or in a value of one header, query parameter or content type; \
             the other is `routes[{}]`",
            other.place
        ),
    )
}

/// Folds the case of a text as an upstream could: through upper case and lower case.
pub(crate) fn fold(text: &str) -> String {
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

fn fold_pattern(pattern: &Pattern) -> Pattern {
    let folded = pattern.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => Segment::Literal(fold(text)),
        Segment::Parameter(name) => Segment::Parameter(name.clone()),
    });
    Pattern {
        segments: folded.collect(),
        rest: pattern.rest,
    }
}

fn too_many(count: usize) -> PolicyError {
    PolicyError::new(
        "too_many_routes",
        "routes",
        format!("the policy has {count} routes"),
        format!("write at most {MAX_ROUTES}; patterns with parameters take the place of lists"),
    )
}

fn check_ids(routes: &[Route], faults: &mut Vec<PolicyError>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, route) in routes.iter().enumerate() {
        let path = format!("routes[{index}].id");
        let shown = route.id.escape_debug();
        let barred = |character: char| character.is_control() || character.is_whitespace();
        if route.id.is_empty() || route.id.len() > MAX_ID || route.id.chars().any(barred) {
            faults.push(PolicyError::new(
                "invalid_id",
                &path,
                format!("`{shown}` is no id"),
                format!(
                    "write 1 to {MAX_ID} bytes without spaces and control characters, as in `orders.list`"
                ),
            ));
        }
        if let Some(other) = seen.insert(&route.id, index) {
            faults.push(PolicyError::new(
                "duplicate_id",
                path,
                format!("the id `{shown}` is taken by `routes[{other}]`"),
                "give each route an id of its own: records and metrics name it",
            ));
        }
    }
}

/// A request without a port could be meant for either default port.
fn check_default_ports(routes: &[CompiledRoute], matches: &[Surroundings], faults: &mut Vec<PolicyError>) {
    let mut seen: BTreeMap<(bool, &str), u16> = BTreeMap::new();
    let mut reported = BTreeSet::new();
    for (CompiledRoute { place: index, .. }, Surroundings { hosts, .. }) in routes.iter().zip(matches) {
        for host in hosts {
            let Some(port) = host.port.filter(|port| is_default_port(*port)) else {
                continue;
            };
            let name = (host.wildcard, host.host.as_str());
            let other = *seen.entry(name).or_insert(port);
            if other != port && reported.insert(name) {
                faults.push(PolicyError::new(
                    "invalid_host",
                    format!("routes[{index}].match.hosts"),
                    format!("routes name `{}` with both ports 80 and 443", host.host),
                    "name one of them, or leave the port out: clients leave out default ports",
                ));
            }
        }
    }
}
