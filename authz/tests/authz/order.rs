//! What must not matter: the order of the file, and routes that a request does not match.

use std::collections::BTreeSet;

use crate::common::{authorizer, corp, section};
use crate::routing::{Route, a_route, requests, without_conflicts};
use crate::tokens;
use proptest::prelude::*;
use scopegate_authz::{Action, Authorizer, Target};
use serde_json::{Value, json};

fn policy(routes: &[(String, Route)]) -> Value {
    let written = routes.iter().map(|(id, route)| route.written(id));
    json!({"routes": written.collect::<Vec<_>>()})
}

/// Names that stay with their routes when the order changes.
fn named(routes: Vec<Route>) -> Vec<(String, Route)> {
    let name = |(index, route): (usize, Route)| (format!("r{index:02}"), route);
    routes.into_iter().enumerate().map(name).collect()
}

/// The faults of a policy, without their places.
fn faults(policy: &Value) -> BTreeSet<(&'static str, BTreeSet<String>)> {
    let Err(faults) = Authorizer::compile(&section(policy), &corp()) else {
        return BTreeSet::new();
    };
    // Of two routes that conflict, the later one of the file is at fault: both are named in backticks.
    let quoted = |message: &str| message.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    faults
        .iter()
        .map(|fault| (fault.code, quoted(&fault.message)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_routes_never_matters(
        (written, shuffled) in prop::collection::vec(a_route(), 1..14).prop_map(without_conflicts).prop_map(named)
            .prop_flat_map(|routes| (Just(routes.clone()), Just(routes).prop_shuffle())),
    ) {
        let (one, other) = (authorizer(&policy(&written)), authorizer(&policy(&shuffled)));
        for asked in requests() {
            prop_assert_eq!(asked.of(&one), asked.of(&other), "{:?}", asked);
        }
    }

    /// The same conflicts are found between the same routes.
    #[test]
    fn the_order_of_routes_never_hides_a_fault(
        (written, shuffled) in prop::collection::vec(a_route(), 1..24).prop_map(named)
            .prop_flat_map(|routes| (Just(routes.clone()), Just(routes).prop_shuffle())),
    ) {
        let found = faults(&policy(&written));
        prop_assert_eq!(&found, &faults(&policy(&shuffled)));
        let conflict = written.iter().enumerate().any(|(index, (_, one))| {
            written.iter().skip(index + 1).any(|(_, other)| one.conflicts_with(other))
        });
        prop_assert_eq!(found.is_empty(), !conflict, "{:?}", found);
    }

    /// A route that is added takes what it matches, and leaves everything else as it was.
    #[test]
    fn a_route_that_is_added_changes_only_what_it_matches(routes in prop::collection::vec(a_route(), 2..14)) {
        let mut routes = named(without_conflicts(routes));
        let after = authorizer(&policy(&routes));
        let Some((id, added)) = routes.pop() else { return Ok(()) };
        let before = authorizer(&policy(&routes));
        for asked in requests() {
            let (was, is) = (asked.of(&before), asked.of(&after));
            if is == id {
                prop_assert!(added.is_in_place(&asked), "{:?}", asked);
            } else if was != is {
                // It makes a more specific place: what was answered by a broader one is now by none.
                prop_assert!(added.is_in_place(&asked) && is == "no_route", "{:?}: {} then {}", asked, was, is);
            }
        }
    }

    /// Grants and ceilings unite and intersect: neither has an order.
    #[test]
    fn the_order_of_grants_and_ceilings_never_matters(
        (grants, shuffled_grants) in shuffles(a_grant()),
        (ceilings, shuffled_ceilings) in shuffles(a_ceiling()),
        scopes in prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..4),
        subject in prop::sample::select(vec!["anna", "bert"]),
    ) {
        let claims = json!({"sub": subject, "client_id": "web", "scope": scopes.join(" ")});
        let caller = tokens::caller("corp", &claims);
        let decide = |grants: &[Value], ceilings: &[Value]| {
            let routes: Vec<Value> = ["a", "b", "c", "d"].iter().map(|scope| json!({
                "id": scope, "match": {"path": format!("/{scope}")}, "access": {"scopes": {"all": [scope]}},
            })).collect();
            let policy = json!({
                "scopes": {"a": "a", "b": {"implies": ["a"]}, "c": "c", "d": "d"},
                "grants": grants, "ceilings": ceilings, "routes": routes,
            });
            let authorizer = authorizer(&policy);
            ["/a", "/b", "/c", "/d"].map(|path| {
                let target = Target { method: b"GET", path: path.as_bytes(), authority: Some(b"a"), headers: &[] };
                let Ok(Action::Guarded(action)) = authorizer.select(target) else { panic!("{path} is guarded") };
                let decided = action.authorize(&caller, &tokens::now(target));
                decided.map(|permit| permit.effective().map(str::to_owned).collect::<Vec<_>>()).map_err(|denial| denial.deny)
            })
        };
        prop_assert_eq!(decide(&grants, &ceilings), decide(&shuffled_grants, &shuffled_ceilings));
    }
}

fn shuffles(item: impl Strategy<Value = Value>) -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    prop::collection::vec(item, 0..5).prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle()))
}

fn some_scopes() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["a", "b", "c", "d"], 1..4)
}

fn a_grant() -> impl Strategy<Value = Value> {
    let until = prop::sample::select(vec!["2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]);
    let subject = prop::sample::select(vec!["anna", "bert"]);
    (subject, some_scopes(), prop::option::of(until)).prop_map(|(subject, scopes, until)| {
        let mut grant = json!({"caller": {"provider": "corp", "subject": subject}, "scopes": scopes});
        if let Some(until) = until {
            grant["until"] = json!(until);
            grant["reason"] = json!("a test");
        }
        grant
    })
}

fn a_ceiling() -> impl Strategy<Value = Value> {
    let selector = prop::sample::select(vec![
        json!({}),
        json!({"subject": "anna"}),
        json!({"client": "web"}),
        json!({"client": "kiosk"}),
    ]);
    (selector, some_scopes()).prop_map(|(mut ceiling, scopes)| {
        ceiling["provider"] = json!("corp");
        ceiling["scopes"] = json!(scopes);
        ceiling
    })
}
