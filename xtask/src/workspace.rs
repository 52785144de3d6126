//! Where things are: the repository, its target folder, and the per-user cache of fetched tools.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::Failure;

/// The folders a task works in.
pub(crate) struct Workspace {
    /// The top of the repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder; `$CARGO_TARGET_DIR` is respected.
    pub(crate) target: PathBuf,
    /// Fetched tools, each in a folder that names its version; outlives a clone.
    pub(crate) cache: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self, Failure> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .map(Path::to_path_buf)
            .ok_or("the repository's folder was not found")?;
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |set| root.join(set));
        let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
        let cache = caches.ok_or("neither `XDG_CACHE_HOME` nor `HOME` is set: no cache folder")?;
        Ok(Self {
            root,
            target,
            cache: cache.join("scopegate"),
        })
    }

    /// The cargo that runs this task, in the repository. What that said of the package of the tasks is taken back: build scripts
    /// read it, so that packages would be built anew whenever cargo is started by a task and by a person in turns.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }

    /// A program that cargo built in the profile of the tests.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.target
            .join("debug")
            .join(name)
            .with_extension(env::consts::EXE_EXTENSION)
    }
}
