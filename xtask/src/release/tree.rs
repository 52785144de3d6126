//! The packages that a product is built from, as cargo resolves them for its target: what the lists of a release are held against.

use std::collections::BTreeSet;

use crate::command::{self, Failure};
use crate::workspace::Workspace;

use super::Product;

/// A package: its name and version.
pub(super) type Package = (String, String);

/// Which packages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edges {
    /// Those that end up in the product, and the macros that wrote code for it.
    Linked,
    /// And those that build scripts use.
    Built,
}

/// The packages below the product, itself not among them.
pub(super) fn packages(
    workspace: &Workspace,
    product: &Product,
    edges: Edges,
) -> Result<BTreeSet<Package>, Failure> {
    let edges = match edges {
        Edges::Linked => "normal",
        Edges::Built => "normal,build",
    };
    let mut cargo = workspace.cargo();
    cargo
        .args([
            "tree", "--quiet", "--locked", "--prefix", "none", "--format", "{p}",
        ])
        .args(["--edges", edges, "--target", &product.target])
        .args(["--package", product.package]);
    let mut packages = read(&command::output(&mut cargo)?)?;
    packages.retain(|(name, _)| name != product.package);
    Ok(packages)
}

/// Lines as `serde v1.0.0 (proc-macro)`.
fn read(lines: &str) -> Result<BTreeSet<Package>, Failure> {
    let mut packages = BTreeSet::new();
    for line in lines.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let package = words
            .next()
            .zip(words.next().and_then(|word| word.strip_prefix('v')));
        let (name, version) = package.ok_or_else(|| format!("`cargo tree` says `{line}`"))?;
        packages.insert((name.to_owned(), version.to_owned()));
    }
    match packages.is_empty() {
        true => Err("`cargo tree` names no package".into()),
        false => Ok(packages),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_package_counts_once_in_each_version_however_often_it_is_named() {
        let lines = "a v1.0.0 (/x/a)\nb v2.0.0\nb v2.1.0 (proc-macro)\nb v2.0.0 (*)\n";
        let package = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let expected = [
            package("a", "1.0.0"),
            package("b", "2.0.0"),
            package("b", "2.1.0"),
        ];
        assert_eq!(read(lines).unwrap(), expected.into());
        assert!(read("").is_err());
        assert!(read("error").is_err());
    }
}
