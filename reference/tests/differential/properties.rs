//! What holds of any policy, of the engine alone.

use scopegate_reference::{Answer, Who, is_about};
use serde_json::Value;

use crate::agreement::Dealt;
use crate::callers;
use crate::draw::one;
use crate::policies::without_route;
use crate::subject::Subject;

/// Policies that are tried for each property, and requests to each.
const POLICIES: usize = 150;
const REQUESTS: usize = 60;

fn deals() -> impl Iterator<Item = (usize, Dealt)> {
    (1..=POLICIES).map(|seed| (seed, Dealt::of(seed)))
}

/// The access rules of the route of an answer.
fn access<'p>(policy: &'p Value, answer: &Answer) -> &'p Value {
    let routes = policy["authorization"]["routes"].as_array().expect("routes");
    let route = routes
        .iter()
        .find(|route| route["id"].as_str() == answer.route.as_deref());
    &route.expect("the route of the answer")["access"]
}

/// Whether more authority may mean less access there: by a `none`, or by a condition.
fn may_turn(access: &Value) -> bool {
    access["scopes"].to_string().contains("\"none\"") || access.get("when").is_some()
}

#[test]
fn one_more_scope_never_takes_access_away_but_by_none_or_a_condition() {
    let mut kept = 0;
    for (seed, mut dealt) in deals() {
        let scopes: Vec<String> = dealt.policy.document["authorization"]["scopes"]
            .as_object()
            .expect("scopes")
            .keys()
            .cloned()
            .collect();
        for _ in 0..REQUESTS {
            let case = dealt.case();
            let Who::Caller(caller) = &case.bearer.who else {
                continue;
            };
            let before = dealt.subject.answer(&case.request, &case.bearer, case.now);
            if before.code != "allow" || may_turn(access(&case.policy.document, &before)) {
                continue;
            }
            let richer = callers::with_scope(caller, one(&mut dealt.rng, scopes.as_slice()).as_str());
            let after = dealt.subject.answer(&case.request, &richer, case.now);
            assert_eq!(after.code, "allow", "seed {seed}: {:?} after {case}", richer.who);
            kept += 1;
        }
    }
    assert!(kept > 100, "only {kept} requests were allowed");
}

#[test]
fn a_route_changes_only_requests_that_it_is_about() {
    let (mut same, mut changed) = (0, 0);
    for (seed, mut dealt) in deals() {
        let routes = dealt.policy.document["authorization"]["routes"]
            .as_array()
            .expect("routes");
        let removed = one(&mut dealt.rng, routes).clone();
        let fewer = without_route(&dealt.policy.document, &removed["id"]);
        let mut without = Subject::new(&fewer).expect("a good policy is good without a route");
        for _ in 0..REQUESTS {
            let case = dealt.case();
            let before = without.answer(&case.request, &case.bearer, case.now);
            let after = dealt.subject.answer(&case.request, &case.bearer, case.now);
            if is_about(&dealt.policy.document, &removed, &case.request) {
                changed += usize::from(before != after);
            } else {
                assert_eq!(before, after, "seed {seed}: {removed} in {case}");
                same += 1;
            }
        }
    }
    assert!(
        same > 100 && changed > 100,
        "{same} requests it is not about, {changed} that it changed"
    );
}

#[test]
fn a_grant_that_goes_gives_nothing_but_by_none_or_a_condition() {
    let mut lost = 0;
    for (seed, mut dealt) in deals() {
        let mut poorer = dealt.policy.document.clone();
        let grants = poorer["authorization"]["grants"].as_array_mut().expect("grants");
        grants.clear();
        let mut without = Subject::new(&poorer).expect("a good policy is good without a grant");
        for _ in 0..REQUESTS {
            let case = dealt.case();
            let with = dealt.subject.answer(&case.request, &case.bearer, case.now);
            let then = without.answer(&case.request, &case.bearer, case.now);
            if then.code == "allow" && with.code != "allow" {
                assert!(
                    may_turn(access(&poorer, &then)),
                    "seed {seed}: {with:?} became {then:?} in {case}"
                );
            }
            lost += usize::from(with.code == "allow" && then.code != "allow");
        }
    }
    assert!(lost > 10, "only {lost} requests needed a grant");
}

#[test]
fn the_order_of_the_file_never_matters() {
    for (seed, mut dealt) in deals() {
        let mut shuffled = dealt.policy.document.clone();
        let section = &mut shuffled["authorization"];
        for list in ["/routes", "/grants", "/ceilings"] {
            dealt.rng.shuffle(
                section
                    .pointer_mut(list)
                    .and_then(Value::as_array_mut)
                    .expect("a list"),
            );
        }
        for list in ["grants", "ceilings"] {
            for entry in section[list].as_array_mut().expect("a list") {
                dealt.rng.shuffle(entry["scopes"].as_array_mut().expect("scopes"));
            }
        }
        let mut other = Subject::new(&shuffled).expect("a good policy is good in any order");
        for _ in 0..REQUESTS {
            let case = dealt.case();
            let one = dealt.subject.answer(&case.request, &case.bearer, case.now);
            assert_eq!(
                one,
                other.answer(&case.request, &case.bearer, case.now),
                "seed {seed}: {case}"
            );
        }
    }
}
