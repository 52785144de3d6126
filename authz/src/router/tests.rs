//! How many nodes a look-up visits: counted, never timed.

use std::cell::Cell;

use super::Router;
use crate::group::Entry;
use crate::host::{Authority, HostPattern};
use crate::matchers::Matchers;
use crate::pattern::Pattern;

thread_local! {
    static VISITS: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn count_visit() {
    VISITS.set(VISITS.get().saturating_add(1));
}

fn router<'p>(patterns: impl IntoIterator<Item = (&'p str, String)>) -> Router {
    let mut router = Router::default();
    for (route, (host, pattern)) in patterns.into_iter().enumerate() {
        let hosts: Vec<HostPattern> = Vec::from_iter(HostPattern::parse(host).ok());
        let pattern = Pattern::parse(&pattern).expect("a pattern");
        let entry = Entry {
            route,
            methods: &[],
            matchers: &Matchers::default(),
        };
        assert!(router.insert(&hosts, &pattern, &entry).is_empty(), "{pattern:?}");
    }
    router
}

/// How many nodes are visited for a path, and the route that is found.
fn visits(router: &Router, host: &str, path: &str) -> (usize, bool) {
    VISITS.set(0);
    let authority = Authority::parse(host.as_bytes()).expect("an authority");
    let found = router.find(Some(&authority), path.as_bytes()).is_some();
    (VISITS.get(), found)
}

#[test]
fn ten_thousand_routes_cost_what_their_segments_cost() {
    let table = router((0..10_000).map(|index| ("", format!("/v1/r{index}/{{id}}/x"))));
    assert_eq!(table.most_visits(), 5);
    assert_eq!(visits(&table, "h", "/v1/r9999/7/x"), (5, true));
    assert_eq!(visits(&table, "h", "/v1/r10000/7/x"), (2, false));
    assert_eq!(visits(&table, "h", &"/v1".repeat(200)), (2, false));
}

#[test]
fn a_long_path_costs_no_more_than_the_patterns_are_long() {
    let deep = "/a".repeat(128);
    let table = router([("", deep.clone()), ("", "/**".to_owned())]);
    assert_eq!(visits(&table, "h", &deep), (129, true));
    for path in [
        "/a".repeat(200),
        "/a".repeat(4_096),
        format!("{deep}/b"),
        "/".repeat(8_192),
    ] {
        let (count, found) = visits(&table, "h", &path);
        assert!(count <= table.most_visits(), "{count} for {} bytes", path.len());
        assert!(found, "{path}");
    }
    assert_eq!(table.most_visits(), 129);
}

/// Every way of writing `a` or `{x}` in each of `depth` places.
fn web(depth: u32) -> Vec<String> {
    let segment = |pattern: u32, place: u32| match pattern >> place & 1 {
        0 => "/a".to_owned(),
        _ => format!("/{{x{place}}}"),
    };
    let pattern = |pattern: u32| {
        (0..depth)
            .map(|place| segment(pattern, place))
            .collect::<String>()
            + "/end"
    };
    (0..1 << depth).map(pattern).collect()
}

#[test]
fn backtracking_through_a_web_is_what_was_said_of_it() {
    for depth in 1..=9 {
        let table = router(web(depth).into_iter().map(|pattern| ("", pattern)));
        let most = table.most_visits();
        let path = "/a".repeat(depth as usize);
        for end in ["", "/a", "/end", "/x", "/a/a/a"] {
            let (count, _) = visits(&table, "h", &format!("{path}{end}"));
            assert!(count <= most, "{count} of {most} at {depth}{end}");
        }
        // The worst path takes both ways at every place, and finds nothing at the end of each.
        let (count, found) = visits(&table, "h", &format!("{path}/a"));
        assert_eq!((count, found), ((1 << (depth + 1)) - 1, false), "{depth}");
    }
}

#[test]
fn hosts_that_hold_one_another_add_up() {
    let suffix = |count: usize| format!("*.{}example", "a.".repeat(count));
    let suffixes: Vec<String> = (0..20).map(suffix).collect();
    let mut patterns: Vec<(&str, String)> = suffixes
        .iter()
        .map(|host| (host.as_str(), "/x/y".to_owned()))
        .collect();
    patterns.push(("", "/x/{y}/z".to_owned()));
    patterns.push(("a.a.example", "/x/q".to_owned()));
    let table = router(patterns);
    let host = format!("b.{}example", "a.".repeat(19));
    assert_eq!(visits(&table, &host, "/x/other"), (20 * 2 + 3, false));
    assert!(table.most_visits() >= 43, "{}", table.most_visits());
    assert!(table.most_visits() <= 21 * 3 + 4, "{}", table.most_visits());
}
