//! What a guarded route asks of a caller beside scopes: a file for each check, its compilation and its verdict.
//!
//! Checks look at values of a proved caller and say yes or no. Which comes first stands in `authorizer`.

use scopegate_document::PolicyError;

use crate::compile::{empty_value, suggest};

pub(crate) mod actors;
pub(crate) mod circumstances;
pub(crate) mod clients;
pub(crate) mod step_up;
pub(crate) mod when;

/// A name that a provider vouches for: one that is written plainly is of the route's one provider.
struct Named<'a> {
    provider: Option<&'a str>,
    name: &'a str,
    /// What the name is of, as in `client`.
    what: &'static str,
}

impl Named<'_> {
    /// The provider and the name; a fault where the provider is open, foreign to the route, or the name empty.
    fn resolve(&self, of_route: &[String], path: &str) -> Result<(String, String), PolicyError> {
        if self.name.is_empty() {
            return Err(empty_value(path, self.what));
        }
        let provider = match (self.provider, of_route) {
            (Some(provider), _) if of_route.iter().any(|known| known == provider) => provider,
            (Some(provider), _) => return Err(foreign_provider(provider, of_route, path)),
            (None, [provider]) => provider,
            (None, _) => return Err(self.provider_missing(of_route, path)),
        };
        Ok((provider.to_owned(), self.name.to_owned()))
    }

    fn provider_missing(&self, of_route: &[String], path: &str) -> PolicyError {
        let Self { name, what, .. } = self;
        PolicyError::new(
            "provider_required",
            path,
            format!(
                "`{}` is not said to be of one provider, and the route takes callers of [{}]",
                name.escape_debug(),
                of_route.join(", ")
            ),
            format!("write `{{provider: ..., {what}: {}}}`", name.escape_debug()),
        )
    }
}

fn foreign_provider(provider: &str, of_route: &[String], path: &str) -> PolicyError {
    PolicyError::new(
        "unknown_provider",
        format!("{path}.provider"),
        format!("the route takes no callers of `{}`", provider.escape_debug()),
        suggest(
            provider,
            of_route.iter().map(String::as_str),
            "add it to the route's `providers`",
        ),
    )
}

/// Values that must not be empty, nor a list of none.
fn check_values(values: &[String], what: &str, path: &str, faults: &mut Vec<PolicyError>) {
    if values.is_empty() {
        faults.push(crate::compile::empty_list(path));
    }
    let empty = values.iter().enumerate().filter(|(_, value)| value.is_empty());
    faults.extend(empty.map(|(index, _)| empty_value(&format!("{path}[{index}]"), what)));
}
