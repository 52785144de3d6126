//! Several files as one document: each field is set by one file; only lists that teams share are joined.

use serde_json::{Map, Value};
use serde_saphyr::{Budget, DuplicateKeyPolicy, Options, Spanned};

use super::node::{Location, Node, Places, child, location, place_value};
use super::wording::in_our_words;
use super::{Diagnostic, NOT_A_MAPPING, Severity, SourceFile};

/// The fields that several files may each say a part of.
const JOINED: [&str; 5] = [
    "authorization.scopes",
    "authorization.roles",
    "authorization.ceilings",
    "authorization.grants",
    "authorization.routes",
];

/// Sections that several files may each say fields of.
const SECTIONS: [&str; 2] = ["authentication", "authorization"];

/// Reads all files and joins them.
pub(super) fn join(files: &[SourceFile]) -> Result<(Value, Places), Vec<Diagnostic>> {
    let mut joined = Joined::default();
    for (at, file) in files.iter().enumerate() {
        let node = read(file, at).map_err(|diagnostic| vec![*diagnostic])?;
        joined.add(node, at, &file.text);
    }
    match joined.faults.is_empty() {
        true => Ok((Value::Object(joined.document), joined.places)),
        false => Err(joined.faults),
    }
}

fn read(file: &SourceFile, at: usize) -> Result<Spanned<Node>, Box<Diagnostic>> {
    let mut budget = Budget::default();
    budget.max_anchors = 0;
    budget.max_aliases = 0;
    budget.max_merge_keys = 0;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.strict_booleans = true;
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(&file.text, options).map_err(|error| {
        let place = error
            .location()
            .map_or_else(|| Location::start(at), |place| location(place, at, &file.text));
        let (message, help) = in_our_words(&error);
        Box::new(Diagnostic {
            code: "invalid_yaml".to_owned(),
            severity: Severity::Error,
            path: String::new(),
            message,
            help: help.to_owned(),
            location: Some(place),
        })
    })
}

#[derive(Default)]
struct Joined {
    document: Map<String, Value>,
    places: Places,
    faults: Vec<Diagnostic>,
}

impl Joined {
    fn add(&mut self, node: Spanned<Node>, file: usize, text: &str) {
        let start = location(node.referenced, file, text);
        let message = match node.value {
            Node::Mapping(members) => return self.add_members(members, file, text),
            Node::Scalar(Value::Null) => "the file is empty",
            Node::Scalar(_) => "the file is one value, and no mapping",
            Node::List(_) => "the file is a list, and no mapping",
        };
        self.fault(NOT_A_MAPPING, "", message, "begin with `scopegate: v1`", start);
    }

    fn add_members(&mut self, members: Vec<(Spanned<String>, Spanned<Node>)>, file: usize, text: &str) {
        for (name, value) in members {
            let place = location(name.referenced, file, text);
            match value {
                Spanned {
                    value: Node::Mapping(fields),
                    ..
                } if SECTIONS.contains(&name.value.as_str()) => {
                    self.places.insert_name(&name.value, place);
                    self.add_fields(&name.value, fields, file, text);
                }
                value if name.value == "scopegate" && self.document.contains_key("scopegate") => {
                    self.same_format(value.value, place, file, text);
                }
                value => self.set("", &name.value, (value, place), (file, text)),
            }
        }
    }

    fn add_fields(
        &mut self,
        section: &str,
        fields: Vec<(Spanned<String>, Spanned<Node>)>,
        file: usize,
        text: &str,
    ) {
        for (name, value) in fields {
            let place = location(name.referenced, file, text);
            self.set(section, &name.value, (value, place), (file, text));
        }
        self.section(section);
    }

    /// Every file may say which format it is written in, as long as all say the same.
    fn same_format(&mut self, node: Node, place: Location, file: usize, text: &str) {
        let again = node.into_value("", file, text, &mut Places::default());
        if self.document.get("scopegate") != Some(&again) {
            self.twice("scopegate", place);
        }
    }

    fn section(&mut self, name: &str) -> Option<&mut Map<String, Value>> {
        match name {
            "" => Some(&mut self.document),
            name => {
                let empty = || Value::Object(Map::new());
                self.document.entry(name).or_insert_with(empty).as_object_mut()
            }
        }
    }

    fn set(
        &mut self,
        section: &str,
        name: &str,
        (node, place): (Spanned<Node>, Location),
        (file, text): (usize, &str),
    ) {
        let path = &child(section, name);
        let known = self
            .section(section)
            .and_then(|section| section.get(name).cloned());
        let value = match known {
            None => {
                self.places.insert_name(path, place);
                place_value(&node, path, file, text, &mut self.places);
                node.value.into_value(path, file, text, &mut self.places)
            }
            Some(known) if JOINED.contains(&path.as_str()) => {
                self.extend(known, node.value, path, place, (file, text))
            }
            Some(_) => return self.twice(path, place),
        };
        if let Some(section) = self.section(section) {
            section.insert(name.to_owned(), value);
        }
    }

    fn extend(
        &mut self,
        known: Value,
        node: Node,
        path: &str,
        place: Location,
        (file, text): (usize, &str),
    ) -> Value {
        match (known, node) {
            (Value::Array(mut known), Node::List(items)) => {
                for item in items {
                    let path = format!("{path}[{}]", known.len());
                    self.places
                        .insert_name(&path, location(item.referenced, file, text));
                    known.push(item.value.into_value(&path, file, text, &mut self.places));
                }
                Value::Array(known)
            }
            (Value::Object(mut known), Node::Mapping(members)) => {
                for (name, value) in members {
                    let path = child(path, &name.value);
                    let place = location(name.referenced, file, text);
                    match known.contains_key(&name.value) {
                        true => self.twice(&path, place),
                        false => {
                            self.places.insert_name(&path, place);
                            let value = value.value.into_value(&path, file, text, &mut self.places);
                            known.insert(name.value, value);
                        }
                    }
                }
                Value::Object(known)
            }
            (known, _) => {
                self.fault(
                    "wrong_type",
                    path,
                    "two files write this in two shapes",
                    "write one shape",
                    place,
                );
                known
            }
        }
    }

    fn twice(&mut self, path: &str, place: Location) {
        let message = format!("`{path}` is set by another file already");
        self.fault(
            "duplicate_field",
            path,
            &message,
            "set each field in one file",
            place,
        );
    }

    fn fault(&mut self, code: &str, path: &str, message: &str, help: &str, place: Location) {
        self.faults.push(Diagnostic {
            code: code.to_owned(),
            severity: Severity::Error,
            path: path.to_owned(),
            message: message.to_owned(),
            help: help.to_owned(),
            location: Some(place),
        });
    }
}
