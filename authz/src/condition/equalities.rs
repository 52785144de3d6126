//! Values that must be equal: of headers, of query parameters, of the environment.

use std::collections::BTreeMap;

use scopegate_document::PolicyError;

use crate::authorizer::PolicyContext;
use crate::compile::header_names::{check_header_name, twins, written_twice};
use crate::matchers::is_alike;
use crate::pattern::Fault;
use crate::query::Query;

/// The most headers, or query parameters, of one access: a request is looked through once for each.
const MAX_NAMES: usize = 16;

/// Names and the values they must have, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Equalities {
    /// Names in the form that requests are compared in.
    wanted: Vec<(String, String)>,
}

impl Equalities {
    /// Compiles the headers at `path`; faults are added to `faults`.
    pub(crate) fn headers(
        headers: &BTreeMap<String, String>,
        context: &PolicyContext<'_>,
        path: &str,
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        let mut compiled = Self::compile_of_request(headers, path, faults);
        for (name, value) in &mut compiled.wanted {
            let at = format!("{path}.{name}");
            if let Err(Fault { message, help }) = check_header_name(name, context) {
                faults.push(PolicyError::new("invalid_value", at.as_str(), message, help));
            }
            // What surrounds a value is no part of it (RFC 9110 section 5.5): such a value is never equal.
            if value.trim_ascii() != value || value.contains(char::is_control) {
                faults.push(no_header_value(value, &at));
            }
            name.make_ascii_lowercase();
        }
        compiled.wanted.sort();
        let twins = twins(compiled.wanted.iter().map(|(name, _)| name.as_str()));
        faults.extend(twins.into_iter().map(|twins| written_twice(twins, path)));
        compiled
    }

    /// Compiles the query parameters at `path`; faults are added to `faults`.
    pub(crate) fn query(query: &BTreeMap<String, String>, path: &str, faults: &mut Vec<PolicyError>) -> Self {
        Self::compile_of_request(query, path, faults)
    }

    fn compile_of_request(
        wanted: &BTreeMap<String, String>,
        path: &str,
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        if wanted.len() > MAX_NAMES {
            faults.push(too_many(wanted.len(), path));
        }
        Self::compile(wanted, path, faults)
    }

    fn compile(wanted: &BTreeMap<String, String>, path: &str, faults: &mut Vec<PolicyError>) -> Self {
        if wanted.is_empty() {
            faults.push(empty_mapping(path));
        }
        if wanted.contains_key("") {
            faults.push(crate::compile::empty_value(path, "name"));
        }
        Self {
            wanted: wanted.clone().into_iter().collect(),
        }
    }

    /// Whether each header is there exactly once, with its value. Names are compared without case (RFC 9110 section
    /// 5.1), values whole and with case. A header that some upstreams would take for it, with `_` for `-`, makes it be
    /// there twice.
    pub(crate) fn hold_for_headers(&self, headers: &[(&[u8], &[u8])]) -> bool {
        self.wanted.iter().all(|(name, value)| {
            let named = headers.iter().filter(|(seen, _)| is_alike(seen, name.as_bytes()));
            let mut named = named.map(|(seen, value)| (*seen, *value));
            let is_it = |(seen, found): (&[u8], &[u8])| {
                seen.eq_ignore_ascii_case(name.as_bytes()) && found.trim_ascii() == value.as_bytes()
            };
            named.next().is_some_and(is_it) && named.next().is_none()
        })
    }

    /// Whether each parameter is there exactly once, with its value, for whatever upstream reads the query.
    pub(crate) fn hold_for_query(&self, query: Query<'_>) -> bool {
        let Ok(parameters) = query.named() else {
            return false;
        };
        self.wanted.iter().all(|(name, value)| {
            let values = parameters.values(name).unwrap_or_default();
            is_once(values.iter().map(|seen| seen.as_bytes()), value.as_bytes())
        })
    }
}

/// Whether every variable of the environment at `path` has its value. The environment of a process never changes: it is
/// looked at when the policy is compiled.
pub(crate) fn environment_holds(
    wanted: &BTreeMap<String, String>,
    environment: &dyn Fn(&str) -> Option<String>,
    path: &str,
    faults: &mut Vec<PolicyError>,
) -> bool {
    let Equalities { wanted } = Equalities::compile(wanted, path, faults);
    wanted
        .iter()
        .all(|(name, value)| environment(name).as_ref() == Some(value))
}

fn is_once<'v>(mut values: impl Iterator<Item = &'v [u8]>, wanted: &[u8]) -> bool {
    values.next() == Some(wanted) && values.next().is_none()
}

fn empty_mapping(path: &str) -> PolicyError {
    PolicyError::new(
        "empty_mapping",
        path,
        "there is nothing to compare",
        "write at least one name and its value, or leave the field out",
    )
}

fn too_many(count: usize, path: &str) -> PolicyError {
    PolicyError::new(
        "too_many_matches",
        path,
        format!("{count} names are compared"),
        format!("name at most {MAX_NAMES}"),
    )
}

fn no_header_value(value: &str, path: &str) -> PolicyError {
    PolicyError::new(
        "invalid_value",
        path,
        format!("no header has the value `{}`", value.escape_debug()),
        "write it without space around it and without control characters",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Equalities, environment_holds};
    use crate::authorizer::{PolicyContext, ProviderFacts};
    use crate::query::Query;

    fn wanted(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    /// The headers, and their faults.
    fn headers(pairs: &[(&str, &str)]) -> (Equalities, Vec<String>) {
        let mut faults = Vec::new();
        let providers: [ProviderFacts; 0] = [];
        let context = PolicyContext::from(&providers);
        let compiled = Equalities::headers(&wanted(pairs), &context, "headers", &mut faults);
        (compiled, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_header_must_be_there_once_with_its_value() {
        let (headers, faults) = headers(&[("X-Env", "prod"), ("x-b", "")]);
        assert_eq!(faults, Vec::<String>::new());
        type Headers<'h> = &'h [(&'h [u8], &'h [u8])];
        let rows: [(Headers<'_>, bool); 11] = [
            (&[(b"x-env", b"prod"), (b"x-b", b"")], true),
            (&[(b"X-ENV", b" prod "), (b"x-b", b"")], true),
            (&[(b"x-env", b"Prod"), (b"x-b", b"")], false),
            (&[(b"x-env", b"prod"), (b"x-env", b"prod"), (b"x-b", b"")], false),
            (&[(b"x-env", b"prod"), (b"x-env", b"test"), (b"x-b", b"")], false),
            (&[(b"x-env", b"prod, prod"), (b"x-b", b"")], false),
            (&[(b"x_env", b"prod"), (b"x-b", b"")], false),
            (&[(b"x-env", b"prod"), (b"X_Env", b"test"), (b"x-b", b"")], false),
            (&[(b"x_env", b"prod"), (b"x-env", b"prod"), (b"x-b", b"")], false),
            (&[(b"x-env", b"prod")], false),
            (&[], false),
        ];
        for (seen, holds) in rows {
            assert_eq!(headers.hold_for_headers(seen), holds, "{seen:?}");
        }
    }

    #[test]
    fn a_parameter_must_be_there_once_with_its_value() {
        let mut faults = Vec::new();
        let query = Equalities::query(&wanted(&[("dry_run", "true")]), "query", &mut faults);
        assert_eq!(faults, []);
        for (seen, holds) in [
            ("/x?dry_run=true&x=y", true),
            ("/x?dry%5frun=tru%65", true),
            ("/x?dry_run=true&dry_run=true", false),
            ("/x?dry_run=true;dry_run=false", false),
            ("/x?dry_run=true&dry_run[]=false", false),
            ("/x?dry_run=true+", false),
            ("/x?dry_run=true&dry%20run=false", false),
            ("/x?dry_run=true&dry.run=false", false),
            ("/x?dry_run=true&dry_run%00=false", false),
            ("/x?dry_run=", false),
            ("/x?DRY_RUN=true", false),
            ("/x", false),
        ] {
            assert_eq!(query.hold_for_query(Query::of(seen.as_bytes())), holds, "{seen}");
        }
    }

    #[test]
    fn the_environment_must_have_every_value() {
        let environment = |name: &str| (name == "STAGE").then(|| "production".to_owned());
        let holds = |pairs: &[(&str, &str)]| {
            environment_holds(&wanted(pairs), &environment, "environment", &mut Vec::new())
        };
        assert!(holds(&[("STAGE", "production")]));
        assert!(!holds(&[("STAGE", "test")]));
        assert!(!holds(&[("STAGE", "production"), ("REGION", "eu")]));
        assert!(!holds(&[("stage", "production")]));
    }

    #[test]
    fn more_names_than_a_request_is_looked_through_for_are_refused() {
        let faults = |count: usize| {
            let names = (0..count).map(|name| (format!("x-{name}"), String::new()));
            let (names, mut faults) = (names.collect(), Vec::new());
            let providers: [ProviderFacts; 0] = [];
            let context = PolicyContext::from(&providers);
            let _ = Equalities::headers(&names, &context, "headers", &mut faults);
            let _ = Equalities::query(&names, "query", &mut faults);
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(faults(super::MAX_NAMES), Vec::<String>::new());
        let found = faults(super::MAX_NAMES + 1);
        assert!(
            found[0].starts_with("headers: 17 names are compared"),
            "{found:?}"
        );
        assert!(found[1].starts_with("query: 17 names are compared"), "{found:?}");
    }

    #[test]
    fn faults_say_what_would_be_right() {
        let rows: [(&[(&str, &str)], &str); 8] = [
            (&[], "headers: there is nothing to compare"),
            (
                &[("x env", "prod")],
                "headers.x env: `x env` is no name of a header",
            ),
            (
                &[("x-env", " prod")],
                "headers.x-env: no header has the value ` prod`",
            ),
            (
                &[("x-env", "a\nb")],
                "headers.x-env: no header has the value `a\\nb`",
            ),
            (
                &[("X-Env", "a"), ("x-env", "b")],
                "headers: the headers `x-env` and `x-env` are one to some upstreams",
            ),
            (
                &[("x_env", "a"), ("x-env", "b")],
                "headers: the headers `x-env` and `x_env` are one to some upstreams",
            ),
            (
                &[("Authorization", "a")],
                "headers.Authorization: `Authorization` is no header to go by",
            ),
            (
                &[("content_type", "a/b")],
                "headers.content_type: `content_type` is no header to go by",
            ),
        ];
        for (pairs, fault) in rows {
            let (_, faults) = headers(pairs);
            assert!(faults.iter().any(|found| found.starts_with(fault)), "{faults:?}");
        }
    }
}
