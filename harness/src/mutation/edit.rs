//! Changes of a policy document, by place. Nothing here knows what a change means.

use std::fmt;

use serde_json::Value;

/// The place of a value in a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Field(String),
    Item(usize),
}

impl Place {
    /// The place of a section's field, as in `authorization`, `routes`.
    pub(super) fn of(fields: &[&str]) -> Self {
        fields
            .iter()
            .fold(Self::default(), |place, name| place.field(name))
    }

    /// The field `name` of the mapping that is here.
    pub(super) fn field(&self, name: &str) -> Self {
        self.with(Part::Field(name.to_owned()))
    }

    /// The item `at` of the list that is here.
    pub(super) fn item(&self, at: usize) -> Self {
        self.with(Part::Item(at))
    }

    fn with(&self, part: Part) -> Self {
        let mut parts = self.0.clone();
        parts.push(part);
        Self(parts)
    }

    /// What is here.
    pub(super) fn get<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(document, |value, part| match part {
            Part::Field(name) => value.get(name),
            Part::Item(at) => value.get(at),
        })
    }

    fn parent_mut<'v>(&self, document: &'v mut Value) -> Option<(&'v mut Value, &Part)> {
        let (last, parents) = self.0.split_last()?;
        let parent = parents.iter().try_fold(document, |value, part| match part {
            Part::Field(name) => value.get_mut(name),
            Part::Item(at) => value.get_mut(at),
        })?;
        Some((parent, last))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            match (at, part) {
                (0, Part::Field(name)) => write!(f, "{name}")?,
                (_, Part::Field(name)) => write!(f, ".{name}")?,
                (_, Part::Item(item)) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    /// The value there becomes this.
    Set(Place, Value),
    /// What is there goes, and with it every mapping and list around it that nothing is left of.
    Remove(Place),
}

impl Edit {
    /// Changes `document`.
    pub(super) fn apply(&self, document: &mut Value) {
        match self {
            Self::Set(place, value) => set(place, value, document),
            Self::Remove(place) => remove(place, document),
        }
    }
}

fn set(place: &Place, value: &Value, document: &mut Value) {
    match place.parent_mut(document) {
        Some((Value::Object(members), Part::Field(name))) => {
            members.insert(name.clone(), value.clone());
        }
        Some((Value::Array(items), Part::Item(at))) => {
            if let Some(item) = items.get_mut(*at) {
                *item = value.clone();
            }
        }
        Some(_) | None => {}
    }
}

fn remove(place: &Place, document: &mut Value) {
    let is_bare = match place.parent_mut(document) {
        Some((Value::Object(members), Part::Field(name))) => {
            members.remove(name);
            members.is_empty()
        }
        Some((Value::Array(items), Part::Item(at))) => {
            if *at < items.len() {
                items.remove(*at);
            }
            items.is_empty()
        }
        Some(_) | None => false,
    };
    if let (true, Some((_, parents))) = (is_bare, place.0.split_last()) {
        remove(&Place(parents.to_vec()), document);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Edit, Place};

    #[test]
    fn what_is_removed_takes_along_what_nothing_is_left_of() {
        let mut document = json!({"a": {"b": [{"c": {"d": ["x"]}}, 1]}, "e": 2});
        let place = Place::of(&["a", "b"]).item(0).field("c").field("d").item(0);
        assert_eq!(place.to_string(), "a.b[0].c.d[0]");
        Edit::Remove(place).apply(&mut document);
        assert_eq!(document, json!({"a": {"b": [1]}, "e": 2}));
    }

    #[test]
    fn what_is_set_stands_there_and_a_place_that_is_not_there_stays_so() {
        let mut document = json!({"a": [1, 2]});
        Edit::Set(Place::of(&["a"]).item(1), json!("x")).apply(&mut document);
        Edit::Set(Place::of(&["a"]).item(7), json!("y")).apply(&mut document);
        Edit::Set(Place::of(&["b"]), json!(true)).apply(&mut document);
        Edit::Remove(Place::of(&["c", "d"])).apply(&mut document);
        assert_eq!(document, json!({"a": [1, "x"], "b": true}));
    }
}
