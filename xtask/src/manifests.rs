//! Kubernetes manifests of the examples, held against the schemas of the resources that they are. The schemas, and how a
//! manifest is held against them, are in `xtask/manifests`; what is asked for there comes from npm, by a lock file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Failure, on};
use crate::workspace::Workspace;

/// The folders of `examples` that hold manifests.
const EXAMPLES: [&str; 2] = ["istio", "envoy-gateway"];
/// What `xtask/manifests` consists of.
const FILES: [&str; 3] = ["package.json", "package-lock.json", "check.mjs"];

/// Checks all manifests, and that a manifest with a field that does not exist is noticed.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let checker = prepare(workspace)?;
    let manifests = manifests(&workspace.root.join("examples"))?;
    command::run(node(&checker).args(&manifests))?;
    let spoiled = checker.join("spoiled.yaml");
    for manifest in &manifests {
        let text = on(manifest, fs::read_to_string(manifest))?;
        on(
            &spoiled,
            fs::write(
                &spoiled,
                text.replacen("\nspec:", "\nspec:\n  noSuchField: true", 1),
            ),
        )?;
        if command::output(node(&checker).arg(&spoiled)).is_ok() {
            return Err(format!("`{}` passes with a field that does not exist", manifest.display()).into());
        }
    }
    Ok(())
}

fn node(checker: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(checker.join("check.mjs"));
    command
}

/// A copy of the checker with what it needs: nothing is written into the sources.
fn prepare(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.target.join("manifests");
    on(&folder, fs::create_dir_all(&folder))?;
    for file in FILES {
        let source = workspace.root.join("xtask/manifests").join(file);
        on(&source, fs::copy(&source, folder.join(file)))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder);
    command::with_progress("fetching the schemas of Kubernetes resources", || {
        command::output(&mut npm)
    })?;
    Ok(folder)
}

fn manifests(examples: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for folder in EXAMPLES.map(|name| examples.join(name)) {
        for entry in on(&folder, fs::read_dir(&folder))? {
            let path = on(&folder, entry)?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err("the examples hold no manifests".into()),
        false => Ok(found),
    }
}
