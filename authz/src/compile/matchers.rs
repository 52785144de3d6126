//! What a match says of headers, query parameters and content types, compiled.

use std::collections::BTreeMap;

use scopegate_document::PolicyError;

use super::empty_list;
use crate::matchers::{Matcher, Matchers, Wanted};
use crate::media_type::MediaRange;
use crate::pattern::Fault;
use crate::request::is_token;
use crate::section::{RouteMatch, ValueMatch, ValueRules};

/// The most headers, and the most query parameters, that one route can match. A request is looked through once for
/// each.
const MAX_NAMES: usize = 16;

/// Headers that select no route, and what to write in their place.
const OTHER_FIELDS: [(&str, &str); 5] = [
    ("host", "write `hosts`"),
    ("content-type", "write `content_type`"),
    (
        "authorization",
        "a credential selects no route: name `providers` in `access`",
    ),
    (
        "proxy-authorization",
        "a credential selects no route: name `providers` in `access`",
    ),
    (
        "cookie",
        "a credential selects no route: name `providers` in `access`",
    ),
];

/// Compiles the matchers of the match at `path`.
pub(super) fn compile_matchers(matches: &RouteMatch, path: &str, faults: &mut Vec<PolicyError>) -> Matchers {
    let RouteMatch {
        hosts: _,
        methods: _,
        path: _,
        grpc: _,
        headers,
        query,
        content_type,
    } = matches;
    let headers = compile_named(headers.as_ref(), &format!("{path}.headers"), &HEADERS, faults);
    check_alike(&headers, &format!("{path}.headers"), faults);
    let query = compile_named(query.as_ref(), &format!("{path}.query"), &QUERY, faults);
    Matchers {
        headers,
        query,
        content_types: compile_types(content_type.as_deref(), &format!("{path}.content_type"), faults),
    }
}

/// What tells headers from query parameters here.
struct Kind {
    check_name: fn(&str) -> Result<String, Fault>,
    check_value: fn(&str) -> Option<Fault>,
}

const HEADERS: Kind = Kind {
    check_name: header_name,
    check_value: check_header_value,
};

const QUERY: Kind = Kind {
    check_name: parameter_name,
    check_value: check_parameter_value,
};

fn compile_named(
    written: Option<&BTreeMap<String, ValueMatch>>,
    path: &str,
    kind: &Kind,
    faults: &mut Vec<PolicyError>,
) -> Vec<Matcher> {
    let Some(written) = written else { return Vec::new() };
    if written.is_empty() {
        faults.push(empty_list(path));
    }
    if written.len() > MAX_NAMES {
        faults.push(PolicyError::new(
            "too_many_matches",
            path,
            format!("the match names {} of them", written.len()),
            format!("name at most {MAX_NAMES}"),
        ));
    }
    let mut matchers = Vec::new();
    for (name, value) in written {
        let at = format!("{path}.{name}");
        let wanted = compile_value(value, &at, kind, faults);
        match (kind.check_name)(name) {
            Ok(name) => matchers.push(Matcher { name, wanted }),
            Err(fault) => faults.push(invalid(&at, fault)),
        }
    }
    matchers.sort_by(|one, other| one.name.cmp(&other.name));
    matchers
}

fn compile_value(value: &ValueMatch, path: &str, kind: &Kind, faults: &mut Vec<PolicyError>) -> Wanted {
    let ValueRules { any, present } = match value {
        ValueMatch::Exactly(value) => {
            faults.extend((kind.check_value)(value).map(|fault| invalid(path, fault)));
            return Wanted::Any(vec![value.clone()]);
        }
        ValueMatch::Rules(rules) => rules,
    };
    match (any, present) {
        (Some(values), None) => {
            let path = format!("{path}.any");
            if values.is_empty() {
                faults.push(empty_list(&path));
            }
            let checked = values.iter().map(|value| (kind.check_value)(value)).enumerate();
            let found =
                checked.filter_map(|(index, fault)| Some(invalid(&format!("{path}[{index}]"), fault?)));
            faults.extend(found);
            Wanted::Any(values.clone())
        }
        (None, Some(true)) => Wanted::Present,
        (None, Some(false)) => Wanted::Absent,
        (Some(_), Some(_)) => {
            let fault = Fault::new("it has both `any` and `present`", "write one of them");
            faults.push(invalid(path, fault));
            Wanted::Absent
        }
        (None, None) => {
            faults.push(empty_list(path));
            Wanted::Absent
        }
    }
}

fn header_name(name: &str) -> Result<String, Fault> {
    let shown = name.escape_debug();
    if !is_token(name) {
        return Err(Fault::new(
            format!("`{shown}` is no name of a header"),
            "write a name, as in `x-api-version`",
        ));
    }
    let name = name.to_ascii_lowercase();
    match OTHER_FIELDS.iter().find(|(other, _)| *other == name) {
        Some((_, help)) => Err(Fault::new(format!("`{shown}` is no header to match on"), *help)),
        None => Ok(name),
    }
}

fn check_header_value(value: &str) -> Option<Fault> {
    let has_control = value
        .chars()
        .any(|character| character.is_control() && character != '\t');
    let is_padded = value.trim_matches([' ', '\t']) != value;
    (has_control || is_padded).then(|| {
        Fault::new(
            format!("no header has the value `{}`", value.escape_debug()),
            "write it without control characters and without blanks around it",
        )
    })
}

fn parameter_name(name: &str) -> Result<String, Fault> {
    let barred = |character: char| matches!(character, '[' | ']' | '+' | ';') || character.is_control();
    match name.is_empty() || name.contains(barred) {
        true => Err(Fault::new(
            format!("`{}` is no name of a parameter to match on", name.escape_debug()),
            "write a decoded name without `[`, `]`, `+`, `;` and control characters: upstreams read those in \
             different ways",
        )),
        false => Ok(name.to_owned()),
    }
}

fn check_parameter_value(value: &str) -> Option<Fault> {
    value
        .contains(|character: char| character.is_ascii_control())
        .then(|| {
            Fault::new(
                format!("no parameter has the value `{}`", value.escape_debug()),
                "write it decoded and without control characters",
            )
        })
}

/// Names that are the same but for `_` and `-` are one to some upstreams.
fn check_alike(headers: &[Matcher], path: &str, faults: &mut Vec<PolicyError>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for Matcher { name, .. } in headers {
        if let Some(other) = seen.insert(name.replace('_', "-"), name) {
            let fault = Fault::new(
                format!("the headers `{other}` and `{name}` are one to some upstreams"),
                "name one of them: case, `_` and `-` make no other header",
            );
            faults.push(invalid(path, fault));
        }
    }
}

fn compile_types(written: Option<&[String]>, path: &str, faults: &mut Vec<PolicyError>) -> Vec<MediaRange> {
    if written.is_some_and(<[String]>::is_empty) {
        faults.push(empty_list(path));
    }
    let mut ranges = Vec::new();
    for (index, text) in written.unwrap_or_default().iter().enumerate() {
        match MediaRange::parse(text) {
            Ok(range) => ranges.push(range),
            Err(fault) => faults.push(invalid(&format!("{path}[{index}]"), fault)),
        }
    }
    ranges
}

fn invalid(path: &str, Fault { message, help }: Fault) -> PolicyError {
    PolicyError::new("invalid_match", path, message, help)
}
