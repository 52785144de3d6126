//! The names of headers that a policy may go by, wherever it names one: in `match`, in `access`, in `conditions`.

use std::collections::BTreeMap;

use scopegate_document::PolicyError;

use crate::authorizer::PolicyContext;
use crate::matchers::is_alike;
use crate::pattern::Fault;
use crate::request::is_token;

/// Headers that nothing goes by, and what to write in their place.
const OTHER_FIELDS: [(&str, &str); 5] = [
    ("host", "write `hosts` in `match`"),
    ("content-type", "write `content_type` in `match`"),
    ("authorization", CREDENTIAL_HELP),
    ("proxy-authorization", CREDENTIAL_HELP),
    ("cookie", CREDENTIAL_HELP),
];

const CREDENTIAL_HELP: &str = "a credential decides nothing by its text: name `providers` in `access`";

/// The name of a header in lower case.
///
/// # Errors
/// When no header has such a name, or none that a policy may go by. `_` and `-` are the same here, as they are to some
/// upstreams.
pub(crate) fn check_header_name(name: &str, context: &PolicyContext<'_>) -> Result<String, Fault> {
    let shown = name.escape_debug();
    if !is_token(name) {
        return Err(Fault::new(
            format!("`{shown}` is no name of a header"),
            "write a name, as in `x-api-version`",
        ));
    }
    let is_name = |other: &str| is_alike(name.as_bytes(), other.as_bytes());
    let is_among = |names: &[String]| names.iter().any(|other| is_name(other));
    if let Some((_, help)) = OTHER_FIELDS.iter().find(|(other, _)| is_name(other)) {
        Err(Fault::new(format!("`{shown}` is no header to go by"), *help))
    } else if is_among(context.credential_headers) {
        Err(Fault::new(
            format!("`{shown}` holds the credential of a provider"),
            CREDENTIAL_HELP,
        ))
    } else if is_among(context.identity_headers) {
        Err(Fault::new(
            format!(
                "`{shown}` is an identity header: what a request has under this name is of the client's making"
            ),
            "ask for who the caller is by `scopes`, `tenant`, `clients`, or `caller` in `when`",
        ))
    } else {
        Ok(name.to_ascii_lowercase())
    }
}

/// Names that come after one that is the same but for case, `_` and `-`, each with that other one: they are one header
/// to some upstreams.
pub(crate) fn twins<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<(&'n str, &'n str)> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for name in names {
        let folded = name.to_ascii_lowercase().replace('_', "-");
        found.extend(seen.insert(folded, name).map(|other| (other, name)));
    }
    found
}

/// Checks the headers at `path` that expressions may read.
pub(super) fn check_readable(
    headers: &[String],
    context: &PolicyContext<'_>,
    path: &str,
    faults: &mut Vec<PolicyError>,
) {
    for (index, name) in headers.iter().enumerate() {
        if let Err(Fault { message, help }) = check_header_name(name, context) {
            faults.push(PolicyError::new(
                "invalid_value",
                format!("{path}[{index}]"),
                message,
                help,
            ));
        }
    }
    let twins = twins(headers.iter().map(String::as_str));
    faults.extend(twins.into_iter().map(|twins| written_twice(twins, path)));
}

/// The fault of a header at `path` that is named twice.
pub(crate) fn written_twice((one, other): (&str, &str), path: &str) -> PolicyError {
    PolicyError::new(
        "duplicate_name",
        path,
        format!(
            "the headers `{}` and `{}` are one to some upstreams",
            one.escape_debug(),
            other.escape_debug()
        ),
        "name one of them: case, `_` and `-` make no other header",
    )
}
