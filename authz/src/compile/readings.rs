//! `path_readings`, compiled.

use scopegate_document::PolicyError;

use crate::readings::Readings;
use crate::section::{
    Backslashes, DotSegments, DoubleSlashes, EncodedSlashes, LetterCase, PathReadings, PathReadingsName,
    Semicolons, UpstreamReadings,
};

/// Compiles `path_readings`.
pub(super) fn compile_readings(written: Option<&PathReadings>, faults: &mut Vec<PolicyError>) -> Readings {
    let readings = match written {
        None | Some(PathReadings::Named(PathReadingsName::Strict)) => return Readings::default(),
        Some(PathReadings::Named(PathReadingsName::CaseInsensitive)) => {
            return Readings {
                folds: true,
                ..Readings::default()
            };
        }
        Some(PathReadings::Upstream(readings)) => readings,
    };
    if **readings == UpstreamReadings::default() {
        faults.push(PolicyError::new(
            "empty_value",
            "path_readings",
            "`path_readings` says nothing",
            "write what the upstream does, as in `{encoded_slashes: kept}`, or leave the field out",
        ));
    }
    let UpstreamReadings {
        case,
        encoded_slashes,
        backslashes,
        semicolons,
        double_slashes,
        dot_segments,
    } = **readings;
    Readings {
        folds: case == Some(LetterCase::Insensitive),
        encoded_slashes: encoded_slashes.unwrap_or_default(),
        backslashes: backslashes.unwrap_or_default(),
        semicolons: semicolons.unwrap_or_default(),
        double_slashes: double_slashes.unwrap_or_default(),
        dot_segments: dot_segments.unwrap_or_default(),
    }
}

/// What every statement about the upstream gives up, should it not be true.
pub(crate) fn notices(written: Option<&PathReadings>) -> Vec<PolicyError> {
    let Some(PathReadings::Upstream(readings)) = written else {
        return Vec::new();
    };
    let UpstreamReadings {
        // Only ever looks at more.
        case: _,
        encoded_slashes,
        backslashes,
        semicolons,
        double_slashes,
        dot_segments,
    } = **readings;
    let kept_slashes =
        "if it decodes `%2F` after all, `/public/..%2Fadmin` or `/items/a%2Fb` reaches another route there";
    let decoded_slashes = "if it keeps `%2F` in its segment after all, `/items/a%2Fb` is another item there";
    let backslashes = backslashes.filter(|known| *known == Backslashes::Kept).map(|_| {
        let breaks = "if it takes `\\` for `/` after all, `/public/..\\admin` reaches another route there";
        ("backslashes", breaks)
    });
    let semicolons = semicolons.filter(|known| *known == Semicolons::Kept).map(|_| {
        let breaks =
            "if it strips what follows `;` after all, `/admin;x` and `/public/..;/admin` are `/admin` there";
        ("semicolons", breaks)
    });
    let encoded = match encoded_slashes.unwrap_or_default() {
        EncodedSlashes::Any => None,
        EncodedSlashes::Kept => Some(("encoded_slashes", kept_slashes)),
        EncodedSlashes::Decoded => Some(("encoded_slashes", decoded_slashes)),
    };
    let doubled = match double_slashes.unwrap_or_default() {
        DoubleSlashes::Any => None,
        DoubleSlashes::Kept => {
            Some("if it merges `//` after all, `/public//../admin` and `/a//admin` are other paths there")
        }
        DoubleSlashes::Merged => {
            Some("if it keeps `//` after all, `/a//b` has an empty segment there, and is another path")
        }
    };
    let dots = dot_segments
        .filter(|known| *known == DotSegments::Resolved)
        .map(|_| {
            let breaks =
                "if it does not resolve them after all, `/admin/../public` is a path below `/admin` there";
            ("dot_segments", breaks)
        });
    let doubled = doubled.map(|breaks| ("double_slashes", breaks));
    let all = [encoded, backslashes, semicolons, doubled, dots];
    all.into_iter()
        .flatten()
        .map(|(field, breaks)| notice(field, breaks))
        .collect()
}

fn notice(field: &str, breaks: &str) -> PolicyError {
    PolicyError::new(
        "path_reading_trusted",
        format!("path_readings.{field}"),
        format!("what is said of the upstream is not looked at twice: {breaks}"),
        "say it only of what every hop behind the proxy does, and try it there; leave it out where you cannot know",
    )
}
