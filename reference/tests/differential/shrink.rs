//! Making a case small: whatever can be left out while the two still differ, is.

use std::rc::Rc;

use serde_json::Value;

use crate::case::Case;

/// The smallest case that is found by leaving out, one thing at a time, as long as `differs` holds.
pub(crate) fn shrink(mut case: Case, differs: &dyn Fn(&Case) -> bool) -> Case {
    while let Some(smaller) = candidates(&case).into_iter().find(differs) {
        case = smaller;
    }
    case
}

fn candidates(case: &Case) -> Vec<Case> {
    let mut candidates = Vec::new();
    let mut places = Vec::new();
    list_places(
        &case.policy.document["authorization"],
        "/authorization",
        &mut places,
    );
    for place in places {
        let mut smaller = case.clone();
        remove(&mut Rc::make_mut(&mut smaller.policy).document, &place);
        candidates.push(smaller);
    }
    for header in 0..case.request.headers.len() {
        let mut smaller = case.clone();
        smaller.request.headers.remove(header);
        candidates.push(smaller);
    }
    for byte in 0..case.request.target.len() {
        let mut smaller = case.clone();
        smaller.request.target.remove(byte);
        candidates.push(smaller);
    }
    if case.request.authority.is_some() {
        let mut smaller = case.clone();
        smaller.request.authority = None;
        candidates.push(smaller);
    }
    candidates
}

/// Every member and item, the outer ones first.
fn list_places(value: &Value, at: &str, places: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (escaped(name), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(place, value)| (place.to_string(), value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, _) in &children {
        places.push(format!("{at}/{name}"));
    }
    for (name, child) in children {
        list_places(child, &format!("{at}/{name}"), places);
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn remove(document: &mut Value, place: &str) {
    let (parent, name) = place.rsplit_once('/').expect("a place below the root");
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.remove(&name.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(items)) => {
            items.remove(name.parse().expect("a place in a list"));
        }
        other => panic!("nothing at {parent}: {other:?}"),
    }
}
