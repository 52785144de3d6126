//! What a match says of headers, query parameters and content types, compiled.

use std::collections::BTreeMap;

use scopegate_document::PolicyError;

use super::empty_list;
use super::header_names::{check_header_name, twins, written_twice};
use crate::authorizer::PolicyContext;
use crate::matchers::{Matcher, Matchers, Wanted};
use crate::media_type::MediaRange;
use crate::pattern::Fault;
use crate::section::{RouteMatch, ValueMatch, ValueRules};

/// The most headers, and the most query parameters, that one route can match. A request is looked through once for
/// each.
const MAX_NAMES: usize = 16;

/// Compiles the matchers of the match at `path`.
pub(super) fn compile_matchers(
    matches: &RouteMatch,
    context: &PolicyContext<'_>,
    path: &str,
    faults: &mut Vec<PolicyError>,
) -> Matchers {
    let RouteMatch {
        hosts: _,
        methods: _,
        path: _,
        grpc: _,
        headers,
        query,
        content_type,
    } = matches;
    let of_headers = Kind {
        check_name: &|name| check_header_name(name, context),
        check_value: check_header_value,
    };
    let headers = compile_named(headers.as_ref(), &format!("{path}.headers"), &of_headers, faults);
    check_alike(&headers, &format!("{path}.headers"), faults);
    let of_query = Kind {
        check_name: &parameter_name,
        check_value: check_parameter_value,
    };
    let query = compile_named(query.as_ref(), &format!("{path}.query"), &of_query, faults);
    Matchers {
        headers,
        query,
        content_types: compile_types(content_type.as_deref(), &format!("{path}.content_type"), faults),
    }
}

/// What tells headers from query parameters here.
struct Kind<'k> {
    check_name: &'k dyn Fn(&str) -> Result<String, Fault>,
    check_value: fn(&str) -> Option<Fault>,
}

fn compile_named(
    written: Option<&BTreeMap<String, ValueMatch>>,
    path: &str,
    kind: &Kind<'_>,
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

fn compile_value(value: &ValueMatch, path: &str, kind: &Kind<'_>, faults: &mut Vec<PolicyError>) -> Wanted {
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
    for twins in twins(headers.iter().map(|matcher| matcher.name.as_str())) {
        let code = "invalid_match";
        faults.push(PolicyError {
            code,
            ..written_twice(twins, path)
        });
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
