//! From the section as it is written to rules that are ready to decide: all faults found, none skipped.
//!
//! Here live the faults that several fields share; routes are compiled in `routes`, scopes in `scopes`.

use scopegate_document::PolicyError;

use crate::authorizer::ProviderFacts;

pub(crate) mod access;
pub(crate) mod header_names;
mod matchers;
mod matching;
pub(crate) mod readings;
pub(crate) mod routes;

/// The least likeness of a name that is suggested in place of another (Jaro-Winkler, 0 to 1).
const LIKENESS: f64 = 0.8;

/// The fault of an empty list.
pub(crate) fn empty_list(path: &str) -> PolicyError {
    PolicyError::new(
        "empty_list",
        path,
        format!("`{}` is empty", field(path)),
        "name at least one entry, or leave the field out where it may be",
    )
}

/// The fault of an empty value.
pub(crate) fn empty_value(path: &str, what: &str) -> PolicyError {
    PolicyError::new(
        "empty_value",
        path,
        format!("the {what} is empty"),
        format!("write the {what}'s name"),
    )
}

/// The fault of a provider that the policy does not have.
pub(crate) fn check_provider(name: &str, providers: &[ProviderFacts], path: &str) -> Option<PolicyError> {
    let known = || providers.iter().map(|provider| provider.name.as_str());
    if known().any(|provider| provider == name) {
        return None;
    }
    Some(PolicyError::new(
        "unknown_provider",
        path,
        format!("the policy has no provider `{}`", name.escape_debug()),
        suggest(name, known(), "add it to `authentication.providers`"),
    ))
}

/// A help that suggests the name most like `name`, or else says what to do.
pub(crate) fn suggest<'n>(name: &str, known: impl Iterator<Item = &'n str>, otherwise: &str) -> String {
    let scored = known.map(|other| (strsim::jaro_winkler(name, other), other));
    let nearest = scored
        .filter(|(score, _)| *score >= LIKENESS)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((_, other)) => format!("did you mean `{other}`? If not, {otherwise}"),
        None => otherwise.to_owned(),
    }
}

fn field(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
