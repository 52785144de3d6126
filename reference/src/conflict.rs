//! "Two routes that can match one request with equal rank are a compile error that names both."

use serde_json::Value;

use crate::matching;
use crate::pattern;
use crate::readings::Upstream;
use crate::value::{members, routes, text, texts};

/// The pairs of routes that conflict, by id, in the order of the file.
#[must_use]
pub fn conflicts(policy: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let routes = routes(policy);
    let folds_case = Upstream::of(policy).folds_case;
    for (place, one) in routes.iter().enumerate() {
        for other in routes.iter().skip(place.saturating_add(1)) {
            if same_rank(one, other, folds_case) && !are_disjoint(one, other) {
                let id = |route: &Value| text(route, "id").unwrap_or_default().to_owned();
                pairs.push((id(one), id(other)));
            }
        }
    }
    pairs
}

/// One host and pattern, one rank.
fn same_rank(one: &Value, other: &Value, folds_case: bool) -> bool {
    let parts = |route: &Value| pattern::parts(&matching::pattern(route));
    let count = |route: &Value, name: &str| members(matching::of(route), name).len();
    let typed = |route: &Value| matching::of(route).get("content_type").is_some();
    pattern::same_shape(&parts(one), &parts(other), folds_case)
        && share(
            texts(matching::of(one), "hosts"),
            texts(matching::of(other), "hosts"),
        )
        && share(matching::methods(one), matching::methods(other))
        && count(one, "headers") == count(other, "headers")
        && count(one, "query") == count(other, "query")
        && typed(one) == typed(other)
}

/// Both name none, or both name one that is the same.
fn share(one: Option<Vec<String>>, other: Option<Vec<String>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.iter().any(|name| other.contains(name)),
        _ => false,
    }
}

/// "unless some header/query/content type makes them provably disjoint (e.g. same header, disjoint values; present
/// false against any value)".
fn are_disjoint(one: &Value, other: &Value) -> bool {
    let (one, other) = (matching::of(one), matching::of(other));
    some_disjoint(one, other, "headers", true)
        || some_disjoint(one, other, "query", false)
        || disjoint_types(texts(one, "content_type"), texts(other, "content_type"))
}

fn some_disjoint(one: &Value, other: &Value, field: &str, folds_case: bool) -> bool {
    let same_name = |a: &str, b: &str| {
        if folds_case {
            a.eq_ignore_ascii_case(b)
        } else {
            a == b
        }
    };
    let (one, other) = (members(one, field), members(other, field));
    one.iter().any(|(name, wanted)| {
        other
            .iter()
            .any(|(found, against)| same_name(name, found) && disjoint_forms(wanted, against))
    })
}

fn disjoint_forms(one: &Value, other: &Value) -> bool {
    let present = |form: &Value| form.get("present").and_then(Value::as_bool);
    match (present(one), present(other)) {
        (Some(one), Some(other)) => one != other,
        (Some(present), None) | (None, Some(present)) => !present,
        (None, None) => {
            let accepted = matching::accepted(other);
            !matching::accepted(one)
                .iter()
                .any(|value| accepted.contains(value))
        }
    }
}

fn disjoint_types(one: Option<Vec<String>>, other: Option<Vec<String>>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return false;
    };
    let overlap = |a: &String, b: &String| {
        let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
        matching::covers(&a, &b) || matching::covers(&b, &a)
    };
    !one.iter().any(|a| other.iter().any(|b| overlap(a, b)))
}
