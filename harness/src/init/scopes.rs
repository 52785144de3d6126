//! Scopes that fulfil a requirement, found by reading it.

use serde_json::Value;

use super::document::{list, members};

/// The scopes of a caller who passes: all of `all`, the first of each `any`.
pub(super) fn needed(policy: &Value, requirement: &Value) -> Vec<String> {
    let mut scopes = Vec::new();
    collect(policy, requirement, &mut scopes);
    scopes.dedup();
    scopes
}

/// A scope that nobody may have, where the requirement names one.
pub(super) fn forbidden(policy: &Value, requirement: &Value) -> Option<String> {
    let item = list(requirement, "/none").first()?.as_str()?;
    Some(concrete(policy, item))
}

fn collect(policy: &Value, requirement: &Value, scopes: &mut Vec<String>) {
    let all = list(requirement, "/all").iter();
    for item in all.chain(list(requirement, "/any").first()) {
        match item.as_str() {
            Some(scope) => scopes.push(concrete(policy, scope)),
            None => collect(policy, item, scopes),
        }
    }
}

/// A scope of the catalogue that a pattern stands for.
fn concrete(policy: &Value, pattern: &str) -> String {
    let Some(prefix) = pattern.strip_suffix('*') else {
        return pattern.to_owned();
    };
    let fits = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| !rest.contains(':'));
    let mut names = members(policy, "/authorization/scopes").map(|(name, _)| name);
    names.find(|name| fits(name)).unwrap_or(pattern).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{forbidden, needed};

    #[test]
    fn what_is_needed_is_read_off_the_requirement() {
        let policy = json!({"authorization": {"scopes": {"a:x:y": "", "a:z": "", "b": ""}}});
        let requirement = json!({"all": ["b", {"any": ["a:*", "c"]}], "none": ["b"]});
        assert_eq!(needed(&policy, &requirement), ["b", "a:z"]);
        assert_eq!(forbidden(&policy, &requirement).as_deref(), Some("b"));
    }
}
