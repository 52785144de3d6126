//! Names for the folders of this machine in what is built: messages of panics say where in the sources they come from, and a
//! module shall neither tell where it was built nor differ for it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::Workspace;

/// What the sources of the standard library are called.
const STANDARD: &str = "/rustc";
/// What the sources of all crates of a registry are called.
const CRATES: &str = "/crates";
/// What the repository is called.
const REPOSITORY: &str = "/scopegate";

/// The compiler's flags that rename the repository, its target folder, the sources of crates, and those of the standard library.
pub(crate) fn flags(workspace: &Workspace, standard: &Path) -> Vec<String> {
    let home = cargo_home();
    // Of two that fit, the compiler takes the later one.
    let mut names = vec![(workspace.root.clone(), REPOSITORY)];
    names.push((workspace.target.clone(), "/target"));
    names.push((standard.to_path_buf(), STANDARD));
    if let Some(home) = &home {
        names.push((home.clone(), "/cargo"));
    }
    names.extend(registries(home.as_deref()).map(|folder| (folder, CRATES)));
    let flag = |(folder, name): (PathBuf, &str)| format!("--remap-path-prefix={}={name}", folder.display());
    names.into_iter().map(flag).collect()
}

/// Where cargo keeps the sources of crates.
fn cargo_home() -> Option<PathBuf> {
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or(home)
}

/// One folder for each registry, in order: their names depend on where the registry is reached.
fn registries(home: Option<&Path>) -> impl Iterator<Item = PathBuf> {
    let folders = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let mut folders: Vec<PathBuf> = folders
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.sort();
    folders.into_iter()
}
