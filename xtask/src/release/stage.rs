//! A copy of the workspace's manifests that knows one product alone: no dependency for tests, no other member. The tools that
//! list dependencies look at whole workspaces, and one writes beside the manifests; here neither is in the way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::command::{Failure, on};
use crate::workspace::Workspace;

const MANIFEST: &str = "Cargo.toml";

/// Manifests of one product, in a folder that is gone with this.
pub(super) struct Stage {
    /// The folder of the copy.
    pub(super) root: PathBuf,
    /// The product's manifest in it.
    pub(super) manifest: PathBuf,
}

impl Stage {
    /// The manifests for the product whose sources are in `product`, a folder of the repository.
    pub(super) fn new(workspace: &Workspace, product: &str) -> Result<Self, Failure> {
        let root = workspace
            .target
            .join(format!("manifests-{product}-{}", std::process::id()));
        on(&root, fs::create_dir_all(&root))?;
        // Made here, so that what a failure leaves is removed too.
        let stage = Self {
            manifest: root.join(product).join(MANIFEST),
            root,
        };
        copy(&workspace.root, &stage.root, |text| for_one(text, product))?;
        let lock = "Cargo.lock";
        let from = workspace.root.join(lock);
        on(&from, fs::copy(&from, stage.root.join(lock)))?;
        for folder in members(&workspace.root)? {
            let name = folder
                .file_name()
                .ok_or("a member of the workspace has no name")?;
            let to = stage.root.join(name);
            on(&to, fs::create_dir(&to))?;
            copy(&folder, &to, without_tests)?;
            link_rest(&folder, &to)?;
        }
        Ok(stage)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left of it is in nobody's way.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Folders of the repository that hold a package.
fn members(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in on(root, fs::read_dir(root))? {
        let path = on(root, entry)?.path();
        if path.join(MANIFEST).is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

fn copy(from: &Path, to: &Path, change: impl Fn(&str) -> String) -> Result<(), Failure> {
    let (from, to) = (from.join(MANIFEST), to.join(MANIFEST));
    let text = on(&from, fs::read_to_string(&from))?;
    on(&to, fs::write(&to, change(&text)))
}

/// Everything beside the manifest, as it is.
fn link_rest(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in on(from, fs::read_dir(from))? {
        let entry = on(from, entry)?;
        if entry.file_name() != MANIFEST {
            let link = to.join(entry.file_name());
            on(&link, symlink(entry.path(), &link))?;
        }
    }
    Ok(())
}

/// The workspace's manifest with one member; what that depends on belongs to it by itself.
fn for_one(manifest: &str, product: &str) -> String {
    let lines = manifest
        .lines()
        .filter(|line| !line.starts_with("default-members"));
    lines
        .map(|line| match line.starts_with("members") {
            true => format!("members = [\"{product}\"]\n"),
            false => format!("{line}\n"),
        })
        .collect()
}

/// A manifest without the dependencies of its tests.
fn without_tests(manifest: &str) -> String {
    let mut is_for_tests = false;
    let mut kept = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_for_tests = line.contains("dev-dependencies");
        }
        if !is_for_tests {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{for_one, without_tests};

    #[test]
    fn a_product_is_alone_in_its_workspace_and_brings_nothing_of_its_tests() {
        let workspace = "[workspace]\nmembers = [\"a\", \"b\"]\ndefault-members = [\"a\"]\n\n[profile.dev]\n";
        assert_eq!(
            for_one(workspace, "b"),
            "[workspace]\nmembers = [\"b\"]\n\n[profile.dev]\n"
        );
        let package =
            "[dependencies]\nx = \"1\"\n\n[dev-dependencies]\ny = \"1\"\n\n[lints]\nworkspace = true\n";
        assert_eq!(
            without_tests(package),
            "[dependencies]\nx = \"1\"\n\n[lints]\nworkspace = true\n"
        );
        let target = "[target.'cfg(unix)'.dev-dependencies]\ny = \"1\"\n[target.'cfg(unix)'.dependencies]\nx = \"1\"\n";
        assert_eq!(
            without_tests(target),
            "[target.'cfg(unix)'.dependencies]\nx = \"1\"\n"
        );
    }
}
