//! Scopes as a policy means them: what a list stands for, and what more of them could ever be noticed.
//!
//! INVARIANT: what is left out here changes no decision and no header. Where that is not certain, everything is in.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::derive::{Derived, text};
use super::edit::Place;

/// The list with `more` added; the list itself where it stands for all of that already.
pub(super) fn widened(derived: &Derived<'_>, listed: &[Value], more: BTreeSet<String>) -> Value {
    let held = closed(derived, listed);
    match more.is_subset(&held) {
        true => json!(listed),
        false => {
            let listed = listed.iter().filter_map(Value::as_str).map(str::to_owned);
            json!(listed.chain(more).collect::<BTreeSet<_>>())
        }
    }
}

/// The scopes that some token could confer: those that the ceiling of a whole provider covers. With `none` anywhere,
/// which looks at scopes before they are cut, or a provider without such a ceiling, all of them.
pub(super) fn let_through(derived: &Derived<'_>) -> BTreeSet<String> {
    let all: BTreeSet<String> = derived.scopes().into_iter().cloned().collect();
    let ceilings = derived.items(&Place::of(&["authorization", "ceilings"]));
    let is_of_all = |ceiling: &&Value| {
        ["subject", "client", "tenant"]
            .iter()
            .all(|field| ceiling.get(field).is_none())
    };
    let bounded: Vec<&Value> = ceilings.iter().filter(is_of_all).collect();
    let has_one = |name: &&str| bounded.iter().any(|ceiling| text(ceiling, "provider") == *name);
    let routes = derived.items(&Place::of(&["authorization", "routes"]));
    if routes.iter().any(|route| mentions(route, "none")) || !derived.providers().iter().all(has_one) {
        return all;
    }
    let patterns = bounded
        .iter()
        .filter_map(|ceiling| ceiling.get("scopes")?.as_array())
        .flatten();
    let patterns: Vec<&str> = patterns.filter_map(Value::as_str).collect();
    all.into_iter()
        .filter(|scope| patterns.iter().any(|pattern| covers(pattern, scope)))
        .collect()
}

/// The scopes that `name` could imply: not those that imply it already, and without grants, which no ceiling cuts, not
/// those that no token could confer.
pub(super) fn impliable(derived: &Derived<'_>, name: &str) -> BTreeSet<String> {
    let grants = derived.items(&Place::of(&["authorization", "grants"]));
    let noticed = match grants.is_empty() {
        true => let_through(derived),
        false => derived.scopes().into_iter().cloned().collect(),
    };
    let implies_it = |other: &String| closed(derived, &[json!(other)]).contains(name);
    noticed.into_iter().filter(|other| !implies_it(other)).collect()
}

/// The scopes that can be noticed of this grant: what the routes ask for on which it counts. All of them, where a header
/// tells the upstream the scopes, or an expression may look at any.
pub(super) fn seen_of(derived: &Derived<'_>, grant: &Value) -> BTreeSet<String> {
    let named = grant.get("routes").and_then(Value::as_array);
    asked_by(derived, grant, |id| named.is_none_or(|named| named.contains(id)))
}

/// Whether no route beside those that the grant names asks for what it gives.
pub(super) fn is_of_its_routes_alone(derived: &Derived<'_>, grant: &Value) -> bool {
    let named = grant.get("routes").and_then(Value::as_array);
    let elsewhere = asked_by(derived, grant, |id| {
        named.is_some_and(|named| !named.contains(id))
    });
    let given = grant
        .get("scopes")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    closed(derived, given).is_disjoint(&elsewhere)
}

/// Whether a list stands for the whole catalogue.
pub(super) fn stands_for_all(derived: &Derived<'_>, listed: &[Value]) -> bool {
    let patterns: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
    let mut all = derived.scopes().into_iter();
    all.all(|scope| patterns.iter().any(|pattern| covers(pattern, scope)))
}

/// The scopes that some routes ask for of callers of the grant's provider.
fn asked_by(derived: &Derived<'_>, grant: &Value, is_meant: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let all: BTreeSet<String> = derived.scopes().into_iter().cloned().collect();
    let provider = grant.pointer("/caller/provider").unwrap_or(&Value::Null);
    let takes = |route: &&Value| match route.pointer("/access/providers").and_then(Value::as_array) {
        Some(providers) => providers.contains(provider),
        None => true,
    };
    let routes = derived.items(&Place::of(&["authorization", "routes"])).iter();
    let meant = routes.filter(|route| route.get("id").is_some_and(&is_meant));
    let meant: Vec<&Value> = meant.filter(takes).collect();
    let told = Place::of(&["authentication", "identity_headers", "scopes"]).get(derived.document);
    if told.is_some() || meant.iter().any(|route| mentions(route, "when")) {
        return all;
    }
    let mut asked = BTreeSet::new();
    meant
        .iter()
        .filter_map(|route| route.pointer("/access/scopes"))
        .for_each(|scopes| names(scopes, &mut asked));
    all.into_iter()
        .filter(|scope| asked.iter().any(|pattern| covers(pattern, scope)))
        .collect()
}

/// The scopes that a list stands for, and those that they imply.
fn closed(derived: &Derived<'_>, listed: &[Value]) -> BTreeSet<String> {
    let patterns: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
    let all = derived.scopes().into_iter();
    let mut held: BTreeSet<String> = all
        .filter(|scope| patterns.iter().any(|pattern| covers(pattern, scope)))
        .cloned()
        .collect();
    loop {
        let entries = derived.members(&Place::of(&["authorization", "scopes"]));
        let implied = entries
            .filter(|(name, _)| held.contains(*name))
            .filter_map(|(_, entry)| entry.get("implies")?.as_array());
        let implied: Vec<String> = implied
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let before = held.len();
        held.extend(implied);
        if held.len() == before {
            return held;
        }
    }
}

/// Whether a pattern covers a scope: `*` all, `orders:*` exactly one more segment.
fn covers(pattern: &str, scope: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => scope.strip_prefix(prefix).is_some_and(|rest| !rest.contains(':')),
        None => pattern == scope,
    }
}

fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(name) => drop(found.insert(name.clone())),
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(members) => members.values().for_each(|value| names(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn mentions(value: &Value, field: &str) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name == field || mentions(value, field)),
        Value::Array(items) => items.iter().any(|item| mentions(item, field)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::derive::Derived;
    use super::{is_of_its_routes_alone, let_through, seen_of, stands_for_all, widened};

    fn policy(routes: &Value) -> Value {
        json!({
            "authentication": {"providers": [{"name": "p"}]},
            "authorization": {
                "scopes": {"a:x": "", "a:y": "", "b": {"implies": ["a:x"]}},
                "ceilings": [{"provider": "p", "scopes": ["a:*"]}, {"provider": "p", "client": "c", "scopes": ["a:x"]}],
                "routes": routes,
            },
        })
    }

    fn list(scopes: impl IntoIterator<Item = String>) -> Vec<String> {
        scopes.into_iter().collect()
    }

    #[test]
    fn nothing_is_left_out_that_could_be_noticed() {
        let plain = policy(&json!([{"id": "r", "access": {"scopes": {"all": ["a:x"]}}}]));
        let derived = Derived {
            document: &plain,
            mutations: Vec::new(),
        };
        assert_eq!(list(let_through(&derived)), ["a:x", "a:y"]);
        assert_eq!(list(seen_of(&derived, &json!({"routes": ["r"]}))), ["a:x"]);
        assert_eq!(list(seen_of(&derived, &json!({}))), ["a:x"]);
        assert!(is_of_its_routes_alone(
            &derived,
            &json!({"routes": ["r"], "scopes": ["b"]})
        ));
        assert!(!is_of_its_routes_alone(
            &derived,
            &json!({"routes": ["q"], "scopes": ["b"]})
        ));
        assert!(
            stands_for_all(&derived, &[json!("a:*"), json!("b")])
                && !stands_for_all(&derived, &[json!("a:*")])
        );
        let listed = [json!("b")];
        assert_eq!(
            widened(&derived, &listed, ["a:x".to_owned()].into()),
            json!(["b"])
        );
        assert_eq!(
            widened(&derived, &listed, ["a:y".to_owned()].into()),
            json!(["a:y", "b"])
        );

        let cautious = policy(&json!([{"id": "r", "access": {"scopes": {"none": ["b"]}, "when": "true"}}]));
        let derived = Derived {
            document: &cautious,
            mutations: Vec::new(),
        };
        assert_eq!(list(let_through(&derived)), ["a:x", "a:y", "b"]);
        assert_eq!(
            list(seen_of(&derived, &json!({"routes": ["r"]}))),
            ["a:x", "a:y", "b"]
        );
    }
}
