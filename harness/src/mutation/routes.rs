//! What can be taken out of routes: who may pass, and what a request must be to be theirs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::conjuncts;
use super::derive::{Derived, text};
use super::edit::{Edit, Place};
use super::names;
use super::seen;

/// An end that no test waits for.
pub(super) const FAR: &str = "2999-01-01T00:00:00Z";

pub(super) fn derive(derived: &mut Derived<'_>, described: &[&Value]) {
    let actors = seen::texts_under("act", described);
    let routes = Place::of(&["authorization", "routes"]);
    for (at, route) in derived.items(&routes).iter().enumerate() {
        let (place, id) = (routes.item(at), text(route, "id"));
        match_rules(derived, &place.field("match"), id);
        mode(derived, &place.field("mode"), id);
        let is_public = route.get("access").and_then(Value::as_str) == Some("public");
        if !is_public {
            whole(derived, &place, id);
            access(derived, &place.field("access"), id, &actors);
        }
    }
    mode(derived, &Place::of(&["authorization", "mode"]), "of every kind");
}

fn whole(derived: &mut Derived<'_>, place: &Place, id: &str) {
    derived.add(
        "route",
        place,
        format!("the route `{id}` is gone"),
        format!("expect `allow: {id}` or a refusal of a request to it"),
        vec![Edit::Remove(place.clone())],
    );
    let access = place.field("access");
    derived.add(
        "access",
        &access,
        format!("the route `{id}` is public"),
        format!("send a request to `{id}` without a token: `expect: {{deny: credential_missing}}`"),
        // A public route denies nobody: there is nothing to watch.
        vec![
            Edit::Set(access.clone(), json!("public")),
            Edit::Remove(place.field("mode")),
        ],
    );
}

fn access(derived: &mut Derived<'_>, place: &Place, id: &str, actors: &BTreeSet<String>) {
    providers(derived, &place.field("providers"), id);
    scopes(derived, place, id);
    let hint = |who: &str, code: &str| format!("send a request to `{id}` {who}: `expect: {{deny: {code}}}`");
    let removed = [
        (
            "tenant",
            "any tenant passes",
            hint("of another tenant", "tenant_mismatch"),
        ),
        (
            "clients",
            "any client passes",
            hint("through another client", "client_not_allowed"),
        ),
        (
            "acr",
            "any context passes",
            hint("without that `acr`", "step_up_required"),
        ),
        (
            "max_auth_age",
            "an old authentication passes",
            hint("with `authenticated_in` long ago", "step_up_required"),
        ),
        (
            "windows",
            "it is open at any hour",
            hint("at another hour", "outside_window"),
        ),
        (
            "sources",
            "any network passes",
            hint("from another address", "source_not_allowed"),
        ),
        (
            "when",
            "it needs not be true",
            hint("for which it is false", "condition_false"),
        ),
    ];
    for (field, change, hint) in removed {
        derived.remove(field, place.field(field), change, &hint);
    }
    let amr = place.field("amr");
    let hint_amr = hint("without that `amr`", "step_up_required");
    for at in 0..derived.items(&amr.field("all")).len() {
        let place = amr.field("all").item(at);
        derived.remove("amr", place, "this method is not needed", &hint_amr);
    }
    derived.remove(
        "amr",
        amr.field("any"),
        "none of these methods is needed",
        &hint_amr,
    );
    for field in ["headers", "query", "environment"] {
        let hint = hint("without it, or where it is another", "condition_false");
        derived.remove_each(field, &place.field(field), &hint);
    }
    for (part, rest) in place
        .field("when")
        .get(derived.document)
        .and_then(Value::as_str)
        .map_or_else(Vec::new, conjuncts::without_each)
    {
        let when = place.field("when");
        let hint = hint("for which only that part is false", "condition_false");
        derived.replace(
            "when",
            when,
            json!(rest),
            &format!("`{part}` needs not be true"),
            &hint,
        );
    }
    windows(
        derived,
        &place.field("windows"),
        &hint("just outside of it", "outside_window"),
    );
    delegation(derived, place, id, actors);
}

fn providers(derived: &mut Derived<'_>, place: &Place, id: &str) {
    let all = derived.providers();
    let named = derived.items(place).len();
    if named > 0 && named < all.len() {
        let hint =
            format!("send a caller of another provider to `{id}`: `expect: {{deny: provider_not_allowed}}`");
        derived.replace(
            "providers",
            place.clone(),
            json!(all),
            "callers of every provider pass",
            &hint,
        );
    }
}

fn scopes(derived: &mut Derived<'_>, access: &Place, id: &str) {
    let place = access.field("scopes");
    if let Some(requirement) = place.get(derived.document) {
        scope_lists(derived, access, &place, requirement, id);
    }
}

fn scope_lists(derived: &mut Derived<'_>, access: &Place, place: &Place, requirement: &Value, id: &str) {
    // A route says in writing that no scope is needed.
    let without = |place: Place| {
        vec![
            Edit::Set(access.field("authenticated"), json!(true)),
            Edit::Remove(place),
        ]
    };
    let name = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    for list in ["all", "none"] {
        let place = place.field(list);
        for (at, item) in derived.items(&place).iter().enumerate() {
            let (place, name) = (place.item(at), name(item));
            let (change, hint) = match list {
                "all" => (
                    format!("`{name}` is not needed"),
                    format!("send a caller without `{name}` to `{id}`: `expect: {{deny: scope_missing}}`"),
                ),
                _ => (
                    format!("`{name}` is no hindrance"),
                    format!("send a caller with `{name}` to `{id}`: `expect: {{deny: scope_forbidden}}`"),
                ),
            };
            derived.add("scopes", &place, change, hint, without(place.clone()));
        }
    }
    let any = place.field("any");
    if any.get(derived.document).is_some() {
        let change = "none of these scopes is needed";
        let hint = format!("send a caller with none of them to `{id}`: `expect: {{deny: scope_missing}}`");
        derived.add("scopes", &any, change, hint, without(any.clone()));
    }
    for (name, list) in requirement.as_object().into_iter().flatten() {
        for (at, item) in list.as_array().into_iter().flatten().enumerate() {
            if item.is_object() {
                scope_lists(derived, access, &place.field(name).item(at), item, id);
            }
        }
    }
}

/// Windows that are open longer: on every day, or all day.
pub(super) fn windows(derived: &mut Derived<'_>, place: &Place, hint: &str) {
    for (at, window) in derived.items(place).iter().enumerate() {
        let place = place.item(at);
        let has_hours = window.get("from").is_some() || window.get("to").is_some();
        if has_hours && window.get("days").is_some() {
            derived.remove("windows", place.field("days"), "it is open on every day", hint);
            let edits = vec![Edit::Remove(place.field("from")), Edit::Remove(place.field("to"))];
            derived.add("windows", &place.field("from"), "it is open all day", hint, edits);
        }
        derived.remove("windows", place.field("zone"), "its clock is that of UTC", hint);
    }
}

fn delegation(derived: &mut Derived<'_>, access: &Place, id: &str, actors: &BTreeSet<String>) {
    let place = access.field("actors");
    if place.get(derived.document).is_none() {
        return;
    }
    let hint = |who: &str| format!("send {who} to `{id}`: `expect: {{deny: actor_not_allowed}}`");
    let required = place.field("required");
    if required.get(derived.document).and_then(Value::as_bool) == Some(true) {
        derived.remove(
            "actors",
            required,
            "callers may come alone",
            &hint("a token without `act`"),
        );
    }
    let depth = place.field("max_depth");
    let most = depth.get(derived.document).and_then(Value::as_u64).unwrap_or(1);
    derived.add(
        "actors",
        &depth,
        format!("a chain of {} passes", most.saturating_add(1)),
        hint("a token whose `act` holds one `act` too many"),
        vec![Edit::Set(depth.clone(), json!(most.saturating_add(1)))],
    );
    let allow = place.field("allow");
    let listed = derived.items(&allow);
    let change = "everybody that a test names as an actor is one, and more";
    let hint = hint("a token with an `act` of somebody else");
    let all = everybody(derived, access, listed, actors);
    derived.replace("actors", allow, all, change, &hint);
}

/// The actors that are listed, and all others. Where they are written with their providers, whoever it is that
/// vouches for them.
fn everybody(derived: &Derived<'_>, access: &Place, listed: &[Value], actors: &BTreeSet<String>) -> Value {
    let subject = |item: &Value| item.as_str().unwrap_or(text(item, "subject")).to_owned();
    let mut subjects: BTreeSet<String> = listed.iter().map(subject).chain(actors.iter().cloned()).collect();
    subjects.insert(names::ACTOR.to_owned());
    let every: Vec<Value> = match listed.iter().all(Value::is_string) {
        true => subjects.iter().map(|subject| json!(subject)).collect(),
        false => {
            let taken = derived.items(&access.field("providers"));
            let taken: Vec<&str> = match taken {
                [] => derived.providers(),
                taken => taken.iter().filter_map(Value::as_str).collect(),
            };
            let of = |provider: &&str| {
                let one = |subject: &String| json!({"provider": provider, "subject": subject});
                subjects.iter().map(one).collect::<Vec<_>>()
            };
            taken.iter().flat_map(of).collect()
        }
    };
    let more = every.into_iter().filter(|item| !listed.contains(item));
    listed.iter().cloned().chain(more).collect()
}

fn match_rules(derived: &mut Derived<'_>, place: &Place, id: &str) {
    let hint = |what: &str| {
        format!("send a request {what} to the path of `{id}`, and expect that it is not its own")
    };
    derived.remove(
        "methods",
        place.field("methods"),
        "any method is its own",
        &hint("by another method"),
    );
    derived.remove(
        "hosts",
        place.field("hosts"),
        "any host is its own",
        &hint("to another host"),
    );
    let content = place.field("content_type");
    derived.remove(
        "content_type",
        content,
        "any body is its own",
        &hint("with a body of another type"),
    );
    derived.remove_each("headers", &place.field("headers"), &hint("without that header"));
    derived.remove_each("query", &place.field("query"), &hint("without that parameter"));
}

fn mode(derived: &mut Derived<'_>, place: &Place, id: &str) {
    let hint = format!("advance the clock beyond the end, and expect that a request {id} is refused");
    let until = place.field("shadow").field("until");
    derived.replace("mode", until, json!(FAR), "it is watched for ever", &hint);
    let layers = place.field("shadow").field("layers");
    if layers.get(derived.document).is_some() {
        let is_of_both = derived
            .items(&layers)
            .iter()
            .any(|layer| layer == "authentication");
        let edits = match is_of_both {
            true => vec![Edit::Remove(layers.clone())],
            false => Vec::new(),
        };
        let hint = format!("send a request {id} with a forged token, and expect that it is only watched");
        let change = "only what callers may do is watched";
        derived.add("mode", &layers, change, hint, edits);
    }
    if place.get(derived.document).and_then(Value::as_str) == Some("enforce") {
        let hint = format!("expect that a request to `{id}` is refused, and not only watched");
        derived.remove("mode", place.clone(), "it is watched like the rest", &hint);
    }
}
