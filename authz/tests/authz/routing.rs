//! Routing against a matcher that looks at every route: slow, and plainly the language.

use crate::common::{authorizer, select};
use proptest::prelude::*;
use serde_json::json;

#[derive(Debug, Clone)]
struct Route {
    host: Option<&'static str>,
    segments: Vec<&'static str>,
    methods: Vec<&'static str>,
}

impl Route {
    fn pattern(&self) -> String {
        format!("/{}", self.segments.join("/"))
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
}

fn reference(routes: &[Route], host: &str, path: &[&str], method: &str) -> String {
    let fits = |route: &Route| Some((route.host_rank(host)?, route.path_rank(path)?));
    let Some(best) = routes.iter().filter_map(fits).max() else {
        return "no_route".to_owned();
    };
    let of_best = routes
        .iter()
        .enumerate()
        .filter(|(_, route)| fits(route).as_ref() == Some(&best));
    let chosen = of_best
        .filter_map(|(index, route)| Some((route.method_rank(method)?, index)))
        .max();
    chosen.map_or_else(|| "no_route".to_owned(), |(_, index)| format!("r{index}"))
}

fn a_route() -> impl Strategy<Value = Route> {
    let host = prop::sample::select(vec![
        None,
        None,
        Some("a.x.example"),
        Some("*.x.example"),
        Some("*.example"),
    ]);
    let segment = prop::sample::select(vec!["a", "b", "{x}"]);
    let segments = (prop::collection::vec(segment, 0..4), any::<bool>());
    let methods = prop::sample::select(vec![
        vec![],
        vec!["GET"],
        vec!["HEAD"],
        vec!["POST", "PUT"],
        vec!["OPTIONS"],
    ]);
    (host, segments, methods).prop_map(|(host, (mut segments, rest), methods)| {
        if rest {
            segments.push("**");
        }
        Route {
            host,
            segments,
            methods,
        }
    })
}

/// Leaves out routes that would conflict with an earlier one.
fn without_conflicts(routes: Vec<Route>) -> Vec<Route> {
    let mut kept: Vec<Route> = Vec::new();
    for route in routes {
        let overlaps = |other: &Route| {
            let methods = (route.methods.is_empty() && other.methods.is_empty())
                || route.methods.iter().any(|method| other.methods.contains(method));
            other.host == route.host && other.segments == route.segments && methods
        };
        if !kept.iter().any(overlaps) {
            kept.push(route);
        }
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_trie_selects_what_looking_at_every_route_selects(routes in prop::collection::vec(a_route(), 1..16)) {
        // The parameter of every pattern has one name; patterns may not repeat it.
        let numbered = |pattern: String| pattern.split("{x}").enumerate().fold(String::new(), |all, (index, part)| match index {
            0 => part.to_owned(),
            _ => format!("{all}{{x{index}}}{part}"),
        });
        let routes = without_conflicts(routes);
        let as_written = |(index, route): (usize, &Route)| {
            let mut matches = json!({"path": numbered(route.pattern())});
            if let Some(host) = route.host {
                matches["hosts"] = json!([host]);
            }
            if !route.methods.is_empty() {
                matches["methods"] = json!(route.methods);
            }
            json!({"id": format!("r{index}"), "match": matches, "access": "public"})
        };
        let compiled = authorizer(&json!({"routes": routes.iter().enumerate().map(as_written).collect::<Vec<_>>()}));
        for host in ["a.x.example", "b.x.example", "x.example", "other.test"] {
            for path in ["/", "/a", "/b", "/a/b", "/b/a", "/c", "/a/c", "/a/a/a", "/a/b/c", "/b/b/b/b", "/c/c/a/b/a"] {
                let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
                for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE"] {
                    let seen = select(&compiled, method, path, host, &[]);
                    prop_assert_eq!(seen, reference(&routes, host, &segments, method), "{} {}{}", method, host, path);
                }
            }
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
