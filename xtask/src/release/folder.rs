//! The folder of a release: made beside its place and moved there whole, over nothing but an older one, and its list of digests.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::command::{Failure, on};

/// The list of digests, as `sha256sum` writes and checks it.
pub(super) const SUMS: &str = "SHA256SUMS";

/// A folder that is not yet in its place.
pub(super) struct Draft {
    /// Where the files go for now.
    pub(super) path: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// A fresh folder for what shall stand at `place`.
    pub(super) fn new(place: &Path) -> Result<Self, Failure> {
        may_be_replaced(place)?;
        let path = beside(place, "new")?;
        if let Some(parent) = path.parent() {
            on(parent, fs::create_dir_all(parent))?;
        }
        on(&path, fs::create_dir(&path))?;
        Ok(Self {
            path,
            place: place.to_path_buf(),
        })
    }

    /// A folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        on(&path, fs::create_dir_all(&path))?;
        Ok(path)
    }

    /// Adds a file.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        on(&path, fs::write(&path, text))
    }

    /// Adds a copy of a file, with its permissions.
    pub(super) fn copy(&self, from: &Path, name: &str) -> Result<(), Failure> {
        on(from, fs::copy(from, self.path.join(name))).map(|_| ())
    }

    /// Adds the list of digests, and puts the folder into its place.
    pub(super) fn publish(self) -> Result<(), Failure> {
        let mut sums = String::new();
        for name in files(&self.path)? {
            let _ = writeln!(sums, "{}  {name}", digest(&self.path.join(&name))?);
        }
        self.write(SUMS, &sums)?;
        may_be_replaced(&self.place)?;
        let old = beside(&self.place, "old")?;
        let is_replaced = self.place.exists();
        if is_replaced {
            on(&self.place, fs::rename(&self.place, &old))?;
        }
        on(&self.place, fs::rename(&self.path, &self.place))?;
        if is_replaced {
            on(&old, fs::remove_dir_all(&old))?;
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Of a folder that was published, nothing is left here; of a failure, all of it.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The paths of all files in a folder, from there, in order.
pub(super) fn files(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in on(&next, fs::read_dir(&next))? {
            let path = on(&next, entry)?.path();
            if path.is_dir() && !path.is_symlink() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str);
            found.push(name.ok_or("a file's name is not in UTF-8")?.to_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn digest(file: &Path) -> Result<String, Failure> {
    let digest = Sha256::digest(on(file, fs::read(file))?);
    Ok(digest
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")))
}

fn beside(place: &Path, what: &str) -> Result<PathBuf, Failure> {
    let name = place.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| format!("`{}` is no name for a folder", place.display()))?;
    Ok(place.with_file_name(format!(".{name}.{what}-{}", std::process::id())))
}

/// Only what is not there, is empty, or is a release and nothing else is replaced.
fn may_be_replaced(place: &Path) -> Result<(), Failure> {
    if !place.exists() && !place.is_symlink() {
        return Ok(());
    }
    if !place.is_dir() || place.is_symlink() {
        return Err(format!("`{}` exists and is no folder", place.display()).into());
    }
    let sums = fs::read_to_string(place.join(SUMS)).unwrap_or_default();
    let listed: Vec<&str> = sums
        .lines()
        .filter_map(|line| Some(line.split_once("  ")?.1))
        .collect();
    for name in files(place)? {
        if name != SUMS && !listed.contains(&name.as_str()) {
            let place = place.display();
            let why = format!(
                "`{place}` holds `{name}`, which is no part of a release; name a folder that does not exist yet"
            );
            return Err(why.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Draft, SUMS, files};

    #[test]
    fn a_release_replaces_an_older_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("release");
        for text in ["one", "two"] {
            let draft = Draft::new(&place).unwrap();
            draft.folder("bundles").unwrap();
            draft.write("bundles/a.wasm", text).unwrap();
            draft.publish().unwrap();
            assert_eq!(files(&place).unwrap(), [SUMS, "bundles/a.wasm"]);
            assert_eq!(fs::read_to_string(place.join("bundles/a.wasm")).unwrap(), text);
        }
        let sums = fs::read_to_string(place.join(SUMS)).unwrap();
        let two = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";
        assert_eq!(sums, format!("{two}  bundles/a.wasm\n"));

        fs::write(place.join("notes.txt"), "mine").unwrap();
        let refused = Draft::new(&place).err().unwrap().to_string();
        assert!(
            refused.contains("`notes.txt`, which is no part of a release"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(place.join("notes.txt")).unwrap(), "mine");
        let file = place.join("notes.txt");
        let refused = Draft::new(&file).err().unwrap().to_string();
        assert!(refused.contains("is no folder"), "{refused}");
    }

    #[test]
    fn a_release_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let draft = Draft::new(&folder.path().join("release")).unwrap();
        draft.write("a", "half").unwrap();
        drop(draft);
        assert!(files(folder.path()).unwrap().is_empty());
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }
}
