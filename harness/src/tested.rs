//! Which policies the test files of a run are about. A policy is its files, by whatever paths and in whatever order a
//! test file names them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::policy::TestPolicy;

/// The items of each policy, under the shortest of the policy's names; whoever calls it so comes first.
#[must_use]
pub fn by_policy<T>(
    items: impl IntoIterator<Item = T>,
    policy: impl Fn(&T) -> &TestPolicy,
) -> Vec<(String, Vec<T>)> {
    let mut policies: BTreeMap<Vec<PathBuf>, Vec<(String, T)>> = BTreeMap::new();
    for item in items {
        let (files, name) = (files(policy(&item)), policy(&item).name());
        policies.entry(files).or_default().push((name, item));
    }
    let named = |mut items: Vec<(String, T)>| {
        items.sort_by_key(|(name, _)| (name.len(), name.clone()));
        let name = items.first().map(|(name, _)| name.clone()).unwrap_or_default();
        (name, items.into_iter().map(|(_, item)| item).collect())
    };
    let mut policies: Vec<(String, Vec<T>)> = policies.into_values().map(named).collect();
    policies.sort_by(|(one, _), (other, _)| one.cmp(other));
    policies
}

/// The files of a policy, by the paths that no link and no detour is part of.
fn files(policy: &TestPolicy) -> Vec<PathBuf> {
    let paths = policy.source.files().iter().map(|file| PathBuf::from(&file.name));
    let real = |path: PathBuf| std::fs::canonicalize(&path).unwrap_or(path);
    let mut files: Vec<PathBuf> = paths.map(real).collect();
    files.sort();
    files
}
