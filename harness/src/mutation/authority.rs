//! What can be widened of roles, ceilings and grants.

use serde_json::{Value, json};

use super::derive::{Derived, text};
use super::edit::{Edit, Place};
use super::routes::windows;
use super::scopes;

pub(super) fn derive(derived: &mut Derived<'_>) {
    implied(derived);
    roles(derived);
    ceilings(derived);
    grants(derived);
}

/// A scope that implies every other, but for those that imply it.
fn implied(derived: &mut Derived<'_>) {
    let catalogue = Place::of(&["authorization", "scopes"]);
    for name in derived.scopes() {
        let place = catalogue.field(name).field("implies");
        let mut more = scopes::impliable(derived, name);
        // What the scope gives itself it need not imply.
        more.remove(name);
        let value = scopes::widened(derived, derived.items(&place), more);
        let hint = format!("send a caller with no more than `{name}` to a route that it does not open");
        derived.replace("scopes", place, value, "it implies every other scope", &hint);
    }
}

/// A role that gives every scope, as far as ceilings would let anything of that through.
fn roles(derived: &mut Derived<'_>) {
    let roles = Place::of(&["authorization", "roles"]);
    let names: Vec<&String> = derived.members(&roles).map(|(name, _)| name).collect();
    for name in names {
        let place = roles.field(name);
        let more = scopes::let_through(derived);
        let value = scopes::widened(derived, derived.items(&place), more);
        let hint =
            format!("send a caller with no more than the role `{name}` to a route that it does not open");
        derived.replace("roles", place, value, "the role gives every scope", &hint);
    }
}

fn ceilings(derived: &mut Derived<'_>) {
    let ceilings = Place::of(&["authorization", "ceilings"]);
    for (at, ceiling) in derived.items(&ceilings).iter().enumerate() {
        let place = ceilings.item(at).field("scopes");
        let listed = ceiling
            .get("scopes")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let value = match scopes::stands_for_all(derived, listed) {
            true => json!(listed),
            false => json!(["*"]),
        };
        let hint =
            "send a caller whom it bounds, with a token that says more: `expect: {deny: scope_missing}`";
        derived.replace("ceilings", place, value, "it bounds nothing", hint);
        for field in ["subject", "client", "tenant"] {
            let selector = ceilings.item(at).field(field);
            let name = text(ceiling, field);
            if name.is_empty() {
                continue;
            }
            let edits = match scopes::stands_for_all(derived, listed) {
                true => Vec::new(),
                false => vec![Edit::Remove(selector.clone())],
            };
            let change = format!("it bounds others than `{name}` too");
            let hint = format!(
                "send somebody who is not `{name}` where more than that is needed, and expect that they pass"
            );
            derived.add("ceilings", &selector, change, hint, edits);
        }
    }
}

fn grants(derived: &mut Derived<'_>) {
    let grants = Place::of(&["authorization", "grants"]);
    for (at, grant) in derived.items(&grants).iter().enumerate() {
        let place = grants.item(at);
        let hint = "expect that it is worth nothing after its end";
        derived.remove("grants", place.field("until"), "it never ends", hint);
        let hint = "expect that it is worth nothing at another hour";
        derived.remove("grants", place.field("windows"), "it counts at any hour", hint);
        windows(derived, &place.field("windows"), hint);
        let hint = "expect that it is worth nothing on another route";
        let routes = place.field("routes");
        if routes.get(derived.document).is_some() {
            let edits = match scopes::is_of_its_routes_alone(derived, grant) {
                true => Vec::new(),
                false => vec![Edit::Remove(routes.clone())],
            };
            derived.add("grants", &routes, "it counts on every route", hint, edits);
        }
        let more = scopes::seen_of(derived, grant);
        let value = scopes::widened(derived, derived.items(&place.field("scopes")), more);
        let hint = "send whom it is for to a route that needs more: `expect: {deny: scope_missing}`";
        derived.replace(
            "grants",
            place.field("scopes"),
            value,
            "it gives every scope",
            hint,
        );
        let caller = place.field("caller");
        for field in ["subject", "client", "tenant"] {
            let selector = caller.field(field);
            let name = text(grant.get("caller").unwrap_or(&Value::Null), field);
            if !name.is_empty() {
                let change = format!("it is not for `{name}` alone");
                let hint = format!(
                    "send somebody who is not `{name}` where it is needed: `expect: {{deny: scope_missing}}`"
                );
                derived.add(
                    "grants",
                    &selector,
                    change,
                    hint,
                    vec![Edit::Remove(selector.clone())],
                );
            }
        }
    }
}
