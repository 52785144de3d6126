//! The routes of one host and pattern: the method selects among them, then headers, query and content type.

use std::cmp::Reverse;

use crate::matchers::{Headers, Matchers, Names, Specificity};
use crate::query::{Query, Unclear};
use crate::router::RouteIndex;

/// The most routes of one host and pattern that match more than a method: each is looked at for each request.
const MAX_MATCHED: usize = 128;

/// The most headers, and the most query parameters, that the routes of one host and pattern match on: a request is
/// looked through once for each.
const MAX_NAMES: usize = 32;

/// The routes of one host and pattern.
#[derive(Debug, Default)]
pub(crate) struct Group {
    named: Vec<(String, RouteIndex)>,
    unnamed: Option<RouteIndex>,
    /// The routes that match more than a method. Where there are none, nothing else of a request is looked at.
    matched: Option<Box<Matched>>,
}

/// Routes that match more than a method, and all that they look at.
#[derive(Debug, Default)]
struct Matched {
    names: Names,
    routes: Vec<MatchedRoute>,
}

#[derive(Debug)]
struct MatchedRoute {
    route: RouteIndex,
    /// Empty: any but OPTIONS.
    methods: Vec<String>,
    matchers: Matchers,
}

/// A route to be added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) route: RouteIndex,
    /// Empty: any but OPTIONS.
    pub(crate) methods: &'a [String],
    pub(crate) matchers: &'a Matchers,
}

/// What of a request selects within a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'r> {
    pub(crate) method: &'r str,
    pub(crate) headers: Headers<'r>,
    pub(crate) query: Query<'r>,
}

/// How well a method fits: named, GET's for HEAD, not named. Greater is more specific.
type MethodRank = u8;

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.unnamed.is_none() && self.matched.is_none()
    }

    /// One of its routes, and what is too much, where they match more than a request is looked through for.
    pub(crate) fn excess(&self) -> Option<(RouteIndex, String)> {
        let Matched { names, routes } = self.matched.as_deref()?;
        let first = routes.first()?.route;
        let excess = |count: usize, most: usize, what: &str| {
            (count > most).then(|| (first, format!("{count} {what}, and at most {most} are looked at")))
        };
        excess(
            routes.len(),
            MAX_MATCHED,
            "routes match headers, query parameters or content types",
        )
        .or_else(|| excess(names.headers.len(), MAX_NAMES, "headers are matched on"))
        .or_else(|| excess(names.query.len(), MAX_NAMES, "query parameters are matched on"))
    }

    /// The most specific route that fits: by method, then by the headers, query parameters and content types it names.
    ///
    /// # Errors
    /// When what a route matches on is shown in a way that upstreams read differently.
    pub(crate) fn select(&self, shown: Shown<'_>) -> Result<Option<RouteIndex>, Unclear> {
        match &self.matched {
            None => Ok(self.by_method(shown.method).map(|(_, route)| route)),
            Some(matched) => {
                let found = matched.names.find(shown.headers, &shown.query, false)?;
                let fitting = matched.routes.iter().filter(|route| route.matchers.fit(&found));
                let ranked = fitting.filter_map(|route| route.rank(shown.method));
                Ok(ranked
                    .chain(self.rank(shown.method))
                    .max()
                    .map(|(.., route)| route))
            }
        }
    }

    /// The route that a preflight asks about. It shows neither the headers nor the body of the request to come: of
    /// routes that differ in those, the one that asks least, and of several the first by id.
    ///
    /// # Errors
    /// As for [`Group::select`].
    pub(crate) fn select_preflight(&self, asked: Shown<'_>) -> Result<Option<RouteIndex>, Unclear> {
        let Some(matched) = &self.matched else {
            return Ok(self.by_method(asked.method).map(|(_, route)| route));
        };
        let found = matched.names.find(asked.headers, &asked.query, true)?;
        let fitting = matched
            .routes
            .iter()
            .filter(|route| route.matchers.fit_query(&found));
        let ranked = fitting.filter_map(|route| route.rank(asked.method));
        let order = |(method, (headers, query, types), route): (MethodRank, Specificity, RouteIndex)| {
            ((Reverse(method), Reverse(query), headers, types), route)
        };
        let all = self.rank(asked.method).into_iter().chain(ranked).map(order);
        // `min_by_key` gives the first of those that are equal: routes are added in the order of their ids.
        Ok(all.min_by_key(|(order, _)| *order).map(|(_, route)| route))
    }

    /// Adds a route, and gives those with equal rank that one request can match as well.
    pub(crate) fn insert(&mut self, entry: &Entry<'_>) -> Vec<RouteIndex> {
        if !entry.matchers.is_empty() {
            return self.matched.get_or_insert_default().insert(entry);
        }
        let route = entry.route;
        if entry.methods.is_empty() {
            let taken = *self.unnamed.get_or_insert(route);
            return Vec::from_iter((taken != route).then_some(taken));
        }
        let mut conflicts = Vec::new();
        for method in entry.methods {
            match self.named(method) {
                Some(taken) if taken != route => conflicts.push(taken),
                Some(_) => {}
                None => self.named.push((method.clone(), route)),
            }
        }
        conflicts
    }

    fn rank(&self, method: &str) -> Option<(MethodRank, Specificity, RouteIndex)> {
        let (rank, route) = self.by_method(method)?;
        Some((rank, Specificity::default(), route))
    }

    /// The route that names nothing but methods: named over not named; HEAD is served by GET's route unless one
    /// names HEAD; OPTIONS only where it is named.
    fn by_method(&self, method: &str) -> Option<(MethodRank, RouteIndex)> {
        let unnamed = self.unnamed.filter(|_| method != "OPTIONS");
        let of_head = || if method == "HEAD" { self.named("GET") } else { None };
        let named = self.named(method).map(|route| (3, route));
        named
            .or_else(|| of_head().map(|route| (2, route)))
            .or_else(|| unnamed.map(|route| (1, route)))
    }

    fn named(&self, method: &str) -> Option<RouteIndex> {
        self.named
            .iter()
            .find(|(name, _)| name == method)
            .map(|(_, route)| *route)
    }
}

impl Matched {
    fn insert(&mut self, entry: &Entry<'_>) -> Vec<RouteIndex> {
        let Entry {
            route,
            methods,
            matchers,
        } = *entry;
        let others = self.routes.iter().filter(|other| other.conflicts_with(entry));
        let conflicts = others.map(|other| other.route).collect();
        self.names.add(matchers);
        self.routes.push(MatchedRoute {
            route,
            methods: methods.to_vec(),
            matchers: matchers.clone(),
        });
        conflicts
    }
}

impl MatchedRoute {
    fn rank(&self, method: &str) -> Option<(MethodRank, Specificity, RouteIndex)> {
        let names = |method: &str| self.methods.iter().any(|other| other == method);
        let rank = match self.methods.is_empty() {
            true if method == "OPTIONS" => return None,
            true => 1,
            false if names(method) => 3,
            false if method == "HEAD" && names("GET") => 2,
            false => return None,
        };
        Some((rank, self.matchers.specificity(), self.route))
    }

    /// Whether a request can match both with equal rank.
    fn conflicts_with(&self, entry: &Entry<'_>) -> bool {
        let both_unnamed = self.methods.is_empty() && entry.methods.is_empty();
        let methods = both_unnamed || self.methods.iter().any(|method| entry.methods.contains(method));
        self.route != entry.route
            && methods
            && self.matchers.specificity() == entry.matchers.specificity()
            && !self.matchers.are_disjoint(entry.matchers)
    }
}
