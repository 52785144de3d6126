//! The list of mutations as it grows, and what its makers share.

use serde_json::Value;

use super::Mutation;
use super::edit::{Edit, Place};

/// A document, and the mutations that were derived from it.
pub(super) struct Derived<'a> {
    pub(super) document: &'a Value,
    pub(super) mutations: Vec<Mutation>,
}

impl<'a> Derived<'a> {
    pub(super) fn add(
        &mut self,
        rule: &'static str,
        place: &Place,
        change: impl Into<String>,
        hint: impl Into<String>,
        edits: Vec<Edit>,
    ) {
        self.mutations.push(Mutation {
            rule,
            path: place.to_string(),
            change: change.into(),
            hint: hint.into(),
            edits,
        });
    }

    /// The rule at `place` is removed.
    pub(super) fn remove(&mut self, rule: &'static str, place: Place, change: &str, hint: &str) {
        if place.get(self.document).is_some() {
            self.add(rule, &place, change, hint, vec![Edit::Remove(place.clone())]);
        }
    }

    /// The rule at `place`, where it is written, becomes `value`. A list that holds the same in another order is no
    /// change.
    pub(super) fn replace(
        &mut self,
        rule: &'static str,
        place: Place,
        value: Value,
        change: &str,
        hint: &str,
    ) {
        if let Some(written) = place.get(self.document) {
            let edits = match is_same(written, &value) {
                true => Vec::new(),
                false => vec![Edit::Set(place.clone(), value)],
            };
            self.add(rule, &place, change, hint, edits);
        }
    }

    /// Each entry of the mapping at `place` is removed.
    pub(super) fn remove_each(&mut self, rule: &'static str, place: &Place, hint: &str) {
        let names: Vec<String> = self.members(place).map(|(name, _)| name.clone()).collect();
        for name in names {
            let change = format!("`{name}` is no longer looked at");
            self.remove(rule, place.field(&name), &change, hint);
        }
    }

    pub(super) fn items(&self, place: &Place) -> &'a [Value] {
        let list = place.get(self.document).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    pub(super) fn members(&self, place: &Place) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let members = place.get(self.document).and_then(Value::as_object);
        members.into_iter().flatten()
    }

    /// The names of the providers, in order.
    pub(super) fn providers(&self) -> Vec<&'a str> {
        let providers = self.items(&Place::of(&["authentication", "providers"]));
        let names = providers
            .iter()
            .filter_map(|provider| provider.get("name")?.as_str());
        names.collect()
    }

    /// The names of all scopes of the catalogue.
    pub(super) fn scopes(&self) -> Vec<&'a String> {
        let scopes = self.members(&Place::of(&["authorization", "scopes"]));
        scopes.map(|(name, _)| name).collect()
    }
}

/// A text field of a mapping; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether two values are the same, lists taken as sets.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.iter().all(|item| other.contains(item)) && other.iter().all(|item| one.contains(item))
        }
        (one, other) => one == other,
    }
}
