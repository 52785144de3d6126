//! Routing against a matcher that looks at every route: slow, and plainly the language.

use crate::common::{authorizer, select};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A route, as the plain matcher knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    host: Option<&'static str>,
    segments: Vec<&'static str>,
    methods: Vec<&'static str>,
    headers: Vec<(&'static str, Form)>,
    query: Vec<(&'static str, Form)>,
    types: Vec<&'static str>,
}

/// What a header or a parameter must be.
#[derive(Debug, Clone, PartialEq)]
enum Form {
    Is(&'static str),
    Any(Vec<&'static str>),
    Present(bool),
}

/// A request that all its readers read alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) host: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

/// How specific a route is among those of its host and pattern.
type Rank = (u8, usize, usize, bool);

impl Form {
    fn fits(&self, value: Option<&str>) -> bool {
        match self {
            Self::Is(wanted) => value == Some(wanted),
            Self::Any(wanted) => value.is_some_and(|value| wanted.contains(&value)),
            Self::Present(present) => value.is_some() == *present,
        }
    }

    fn written(&self) -> Value {
        match self {
            Self::Is(wanted) => json!(wanted),
            Self::Any(wanted) => json!({"any": wanted}),
            Self::Present(present) => json!({"present": present}),
        }
    }

    /// Whether some value, or absence, fits both: tried with all there are.
    fn meets(&self, other: &Self) -> bool {
        let values = [None, Some("1"), Some("2"), Some("3"), Some("other")];
        values.iter().any(|value| self.fits(*value) && other.fits(*value))
    }
}

impl Route {
    fn pattern(&self) -> String {
        // The parameter of every pattern has one name here; patterns may not repeat it.
        let named = |(place, segment): (usize, &&str)| match *segment {
            "{x}" => format!("/{{x{place}}}"),
            literal => format!("/{literal}"),
        };
        let pattern: String = self.segments.iter().enumerate().map(named).collect();
        if pattern.is_empty() {
            "/".to_owned()
        } else {
            pattern
        }
    }

    pub(crate) fn written(&self, id: &str) -> Value {
        let mut matches = json!({"path": self.pattern()});
        let fields = |named: &[(&str, Form)]| {
            let written = named
                .iter()
                .map(|(name, form)| ((*name).to_owned(), form.written()));
            Value::Object(written.collect())
        };
        if let Some(host) = self.host {
            matches["hosts"] = json!([host]);
        }
        for (field, is_empty, value) in [
            ("methods", self.methods.is_empty(), json!(self.methods)),
            ("headers", self.headers.is_empty(), fields(&self.headers)),
            ("query", self.query.is_empty(), fields(&self.query)),
            ("content_type", self.types.is_empty(), json!(self.types)),
        ] {
            if !is_empty {
                matches[field] = value;
            }
        }
        json!({"id": id, "match": matches, "access": "public"})
    }

    /// How well the host fits: exact, then the longest suffix, then none.
    fn host_rank(&self, host: &str) -> Option<usize> {
        match self.host {
            None => Some(0),
            Some(pattern) => match pattern.strip_prefix('*') {
                Some(suffix) => host.ends_with(suffix).then_some(suffix.len()),
                None => (pattern == host).then_some(1_000),
            },
        }
    }

    /// How well each segment fits, from the left: literal, parameter, end, rest. Greater is more specific.
    fn path_rank(&self, path: &[&str]) -> Option<Vec<u8>> {
        let mut rank = Vec::new();
        let mut rest = path.iter();
        for segment in &self.segments {
            match *segment {
                "**" => {
                    rank.push(0);
                    return Some(rank);
                }
                "{x}" => {
                    rest.next()?;
                    rank.push(2);
                }
                literal => {
                    if *rest.next()? != literal {
                        return None;
                    }
                    rank.push(3);
                }
            }
        }
        rank.push(1);
        rest.next().is_none().then_some(rank)
    }

    fn method_rank(&self, method: &str) -> Option<u8> {
        if self.methods.contains(&method) {
            return Some(3);
        }
        if method == "HEAD" && self.methods.contains(&"GET") {
            return Some(2);
        }
        (self.methods.is_empty() && method != "OPTIONS").then_some(1)
    }

    /// How specific it is, where it fits what is beyond host and path.
    fn rank(&self, asked: &Asked) -> Option<Rank> {
        let value = |named: &[(&str, &'static str)], name: &str| {
            named
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| *value)
        };
        let all = |wanted: &[(&str, Form)], named: &[(&str, &'static str)]| {
            wanted.iter().all(|(name, form)| form.fits(value(named, name)))
        };
        let media = value(asked.headers, "content-type");
        let has_type = |wanted: &&str| match (wanted.strip_suffix('*'), media) {
            (Some(prefix), Some(media)) => media.starts_with(prefix),
            (None, Some(media)) => *wanted == media,
            (_, None) => false,
        };
        let fits = all(&self.headers, asked.headers)
            && all(&self.query, asked.query)
            && (self.types.is_empty() || self.types.iter().any(has_type));
        let rank = (
            self.method_rank(asked.method)?,
            self.headers.len(),
            self.query.len(),
            !self.types.is_empty(),
        );
        fits.then_some(rank)
    }

    /// Whether host and path fit, and how well.
    fn place(&self, asked: &Asked) -> Option<(usize, Vec<u8>)> {
        let segments: Vec<&str> = asked
            .path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        Some((self.host_rank(asked.host)?, self.path_rank(&segments)?))
    }

    /// Whether host and path fit.
    pub(crate) fn is_in_place(&self, asked: &Asked) -> bool {
        self.place(asked).is_some()
    }

    /// Whether one request can match both with equal rank.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        let methods = (self.methods.is_empty() && other.methods.is_empty())
            || self.methods.iter().any(|method| other.methods.contains(method));
        let meet = |one: &[(&str, Form)], other: &[(&str, Form)]| {
            let meets = |(name, form): &(&str, Form)| {
                other
                    .iter()
                    .filter(|(found, _)| found == name)
                    .all(|(_, other)| form.meets(other))
            };
            one.iter().all(meets)
        };
        let share = |one: &&str| {
            let covers = |range: &str, media: &str| {
                range
                    .strip_suffix('*')
                    .is_some_and(|prefix| media.starts_with(prefix))
            };
            other
                .types
                .iter()
                .any(|other| one == other || covers(one, other) || covers(other, one))
        };
        other.host == self.host
            && other.segments == self.segments
            && methods
            && (self.headers.len(), self.query.len(), self.types.is_empty())
                == (other.headers.len(), other.query.len(), other.types.is_empty())
            && meet(&self.headers, &other.headers)
            && meet(&self.query, &other.query)
            && (self.types.is_empty() || self.types.iter().any(share))
    }
}

fn reference(routes: &[Route], asked: &Asked) -> String {
    let Some(best) = routes.iter().filter_map(|route| route.place(asked)).max() else {
        return "no_route".to_owned();
    };
    let of_best = routes
        .iter()
        .enumerate()
        .filter(|(_, route)| route.place(asked).as_ref() == Some(&best));
    let chosen = of_best
        .filter_map(|(index, route)| Some((route.rank(asked)?, index)))
        .max();
    chosen.map_or_else(|| "no_route".to_owned(), |(_, index)| format!("r{index}"))
}

/// Routes over so few words that most of them meet.
pub(crate) fn a_route() -> impl Strategy<Value = Route> {
    let host = prop::sample::select(vec![
        None,
        None,
        Some("a.x.example"),
        Some("*.x.example"),
        Some("*.example"),
    ]);
    let segment = prop::sample::select(vec!["a", "b", "{x}"]);
    let segments = (prop::collection::vec(segment, 0..3), any::<bool>());
    let methods = prop::sample::select(vec![
        vec![],
        vec![],
        vec!["GET"],
        vec!["HEAD"],
        vec!["POST", "PUT"],
        vec!["OPTIONS"],
    ]);
    let form = prop::sample::select(vec![
        Form::Is("1"),
        Form::Is("2"),
        Form::Any(vec!["1", "3"]),
        Form::Present(true),
        Form::Present(false),
    ]);
    let named = move |names: [&'static str; 2]| {
        let name = prop::sample::select(names.to_vec());
        let pairs = prop::collection::vec((name, form.clone()), 0..3);
        pairs.prop_map(|mut pairs| {
            pairs.sort_by_key(|(name, _)| *name);
            pairs.dedup_by_key(|(name, _)| *name);
            pairs
        })
    };
    let types = prop::sample::select(vec![
        vec![],
        vec![],
        vec!["a/json"],
        vec!["a/*"],
        vec!["text/csv", "a/json"],
    ]);
    let beyond = (named(["x-v", "x-b"]), named(["f", "q"]), types);
    // Half of the routes match nothing beyond the method, as most routes do.
    let beyond = prop_oneof![Just((vec![], vec![], vec![])), beyond];
    (host, segments, methods, beyond).prop_map(
        |(host, (mut segments, rest), methods, (headers, query, types))| {
            if rest {
                segments.push("**");
            }
            Route {
                host,
                segments,
                methods,
                headers,
                query,
                types,
            }
        },
    )
}

/// Leaves out routes that would conflict with an earlier one.
pub(crate) fn without_conflicts(routes: Vec<Route>) -> Vec<Route> {
    let mut kept: Vec<Route> = Vec::new();
    for route in routes {
        if !kept.iter().any(|other| other.conflicts_with(&route)) {
            kept.push(route);
        }
    }
    kept
}

/// Requests that tell the routes of [`a_route`] apart.
pub(crate) fn requests() -> Vec<Asked> {
    const QUERIES: [&[(&str, &str)]; 4] = [&[], &[("f", "1")], &[("q", "2"), ("f", "3")], &[("q", "other")]];
    const HEADERS: [&[(&str, &str)]; 5] = [
        &[],
        &[("x-v", "1")],
        &[("x-v", "2"), ("x-b", "3")],
        &[("content-type", "a/json"), ("x-b", "1")],
        &[("content-type", "text/csv")],
    ];
    let mut requests = Vec::new();
    for host in ["a.x.example", "b.x.example", "other.test"] {
        for path in ["/", "/a", "/b", "/a/b", "/c", "/a/c", "/b/c/a"] {
            for method in ["GET", "HEAD", "POST", "OPTIONS"] {
                for (query, headers) in QUERIES
                    .iter()
                    .flat_map(|query| HEADERS.map(|headers| (*query, headers)))
                {
                    requests.push(Asked {
                        method,
                        host,
                        path,
                        query,
                        headers,
                    });
                }
            }
        }
    }
    requests
}

impl Asked {
    pub(crate) fn of(&self, authorizer: &scopegate_authz::Authorizer) -> String {
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let target = match query.is_empty() {
            true => self.path.to_owned(),
            false => format!("{}?{}", self.path, query.join("&")),
        };
        select(authorizer, self.method, target, self.host, self.headers)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_trie_selects_what_looking_at_every_route_selects(routes in prop::collection::vec(a_route(), 1..16)) {
        let routes = without_conflicts(routes);
        let written = routes.iter().enumerate().map(|(index, route)| route.written(&format!("r{index}")));
        let compiled = authorizer(&json!({"routes": written.collect::<Vec<_>>()}));
        for asked in requests() {
            prop_assert_eq!(asked.of(&compiled), reference(&routes, &asked), "{:?}", asked);
        }
    }
}

#[test]
fn each_of_ten_thousand_routes_is_found() {
    let routes = |count: usize| {
        let route = |index: usize| json!({"id": format!("r{index}"), "match": {"path": format!("/v1/r{index}/{{id}}/x")}, "access": "public"});
        authorizer(&json!({"routes": (0..count).map(route).collect::<Vec<_>>()}))
    };
    let many = routes(10_000);
    for index in [0, 1, 4_999, 9_999] {
        assert_eq!(
            crate::common::get(&many, format!("/v1/r{index}/7/x")),
            format!("r{index}")
        );
    }
    assert_eq!(crate::common::get(&many, "/v1/r10000/7/x"), "no_route");
}
