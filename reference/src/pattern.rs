//! Patterns of paths.

use crate::{Reference, Wrong};

/// "literal segments, `{name}` = exactly one non-empty segment, a trailing `/**` = the path itself and everything
/// below".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(String),
    Parameter(String),
    Tail,
}

/// The parts of a pattern.
pub(crate) fn parts(pattern: &str) -> Vec<Part> {
    let written = pattern.strip_prefix('/').unwrap_or(pattern);
    if written.is_empty() {
        return Vec::new();
    }
    written.split('/').map(part).collect()
}

fn part(written: &str) -> Part {
    let name = written.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match (written, name) {
        ("**", _) => Part::Tail,
        (_, Some(name)) => Part::Parameter(name.to_owned()),
        _ => Part::Literal(written.to_owned()),
    }
}

/// The parameters, by name, where the pattern matches the segments.
pub(crate) fn parameters(
    pattern: &[Part],
    segments: &[String],
    folds_case: bool,
) -> Option<Vec<(String, String)>> {
    match (pattern, segments) {
        ([], []) | ([Part::Tail], _) => Some(Vec::new()),
        ([Part::Literal(literal), parts @ ..], [segment, rest @ ..]) => {
            same(literal, segment, folds_case).then(|| parameters(parts, rest, folds_case))?
        }
        ([Part::Parameter(name), parts @ ..], [segment, rest @ ..]) if !segment.is_empty() => {
            let mut all = vec![(name.clone(), segment.clone())];
            all.extend(parameters(parts, rest, folds_case)?);
            Some(all)
        }
        _ => None,
    }
}

/// "Matching is case-sensitive; `path_readings: case_insensitive` adds a folded reading for upstreams that fold."
fn same(literal: &str, segment: &str, folds_case: bool) -> bool {
    literal == segment || (folds_case && literal.to_lowercase() == segment.to_lowercase())
}

/// "segment by segment from the left, literal over `{param}` over `/**`; an exact end beats `/**`": of two patterns
/// that match one path, the one with the greater list is the more specific.
pub(crate) fn specificity(reference: &Reference<'_>, pattern: &[Part]) -> Vec<u8> {
    let is_twisted = reference.wrong == Some(Wrong::ParameterOverLiteral);
    let rank = |part: &Part| match part {
        Part::Literal(_) => {
            if is_twisted {
                2
            } else {
                3
            }
        }
        Part::Parameter(_) if is_twisted => 3,
        Part::Parameter(_) => 2,
        Part::Tail => 1,
    };
    let mut ranks: Vec<u8> = pattern.iter().map(rank).collect();
    ranks.push(4);
    ranks
}

/// Whether two patterns match the same paths: the same but for the names of parameters, and for case where the
/// upstream folds it.
pub(crate) fn same_shape(one: &[Part], other: &[Part], folds_case: bool) -> bool {
    let alike = |(one, other): (&Part, &Part)| match (one, other) {
        (Part::Literal(one), Part::Literal(other)) => same(one, other, folds_case),
        (Part::Parameter(_), Part::Parameter(_)) | (Part::Tail, Part::Tail) => true,
        _ => false,
    };
    one.len() == other.len() && one.iter().zip(other).all(alike)
}
