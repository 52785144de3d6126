//! The licences of what is linked into a product: each package's own files, as they lie in its sources.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{self, Failure, on};
use crate::workspace::Workspace;

use super::stage::Stage;
use super::{Product, json};

/// How the names of files begin that hold licences and what they ask to be passed on.
const NAMES: [&str; 6] = [
    "license",
    "licence",
    "copying",
    "copyright",
    "notice",
    "unlicense",
];

const RULE: &str = "--------------------------------------------------------------------------------";

/// A package: its name and version.
type Package = (String, String);

/// All texts, for the packages that the bill of materials says are linked.
pub(super) fn texts(
    workspace: &Workspace,
    stage: &Stage,
    product: &Product,
    bill: &Value,
) -> Result<String, Failure> {
    let folders = folders(workspace, stage, product)?;
    let mut text = format!(
        "The licences of what is linked into `{}`, as they lie in the sources of each package.\n\
         Rust's standard library is in it too, under MIT or Apache-2.0: https://www.rust-lang.org/policies/licenses\n",
        product.package
    );
    let mut first_with: BTreeMap<String, Package> = BTreeMap::new();
    let mut without = Vec::new();
    for (package, expression) in linked(bill) {
        let folder = folders
            .get(&package)
            .ok_or_else(|| format!("the sources of `{}` {} are not known", package.0, package.1))?;
        let files = files(folder)?;
        if files.is_empty() {
            without.push((package, expression));
            continue;
        }
        heading(&mut text, &package, &expression);
        for file in files {
            let _ = writeln!(
                text,
                "\n{}",
                String::from_utf8_lossy(&on(&file, fs::read(&file))?).trim_end()
            );
        }
        first_with.entry(expression).or_insert(package);
    }
    for (package, expression) in without {
        let (name, version) = first_with.get(&expression).ok_or_else(|| {
            format!(
                "no package has the text of `{expression}`, which is the licence of `{}`",
                package.0
            )
        })?;
        heading(&mut text, &package, &expression);
        let _ = writeln!(
            text,
            "\nThis package has no file with the text; it is that of {name} {version}."
        );
    }
    Ok(text)
}

/// The line by which a package's licence is found in the text.
pub(super) fn heading_of(name: &str, version: &str) -> String {
    format!("\n{name} {version}: ")
}

fn heading(text: &mut String, (name, version): &Package, expression: &str) {
    let _ = writeln!(text, "\n{RULE}{}{expression}\n{RULE}", heading_of(name, version));
}

/// The packages of others that are part of the product, with the names of their licences.
fn linked(bill: &Value) -> Vec<(Package, String)> {
    let at = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let components = bill.pointer("/components").and_then(Value::as_array);
    let components = components
        .into_iter()
        .flatten()
        .filter(|component| super::is_linked(component));
    let named = components.filter_map(|component| {
        let package = (at(component, "/name")?, at(component, "/version")?);
        Some((
            package,
            at(component, "/licenses/0/expression").unwrap_or_default(),
        ))
    });
    named.collect()
}

/// Where the sources of each package are.
fn folders(
    workspace: &Workspace,
    stage: &Stage,
    product: &Product,
) -> Result<BTreeMap<Package, PathBuf>, Failure> {
    let mut cargo = workspace.cargo();
    cargo
        .args([
            "metadata",
            "--quiet",
            "--format-version",
            "1",
            "--filter-platform",
            &product.target,
        ])
        .arg("--manifest-path")
        .arg(&stage.manifest);
    let metadata = json("cargo metadata", &command::output(&mut cargo)?)?;
    let text = |package: &Value, member: &str| package.get(member).and_then(Value::as_str).map(str::to_owned);
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.into_iter().flatten().filter_map(|package| {
        let folder = PathBuf::from(text(package, "manifest_path")?)
            .parent()?
            .to_path_buf();
        Some(((text(package, "name")?, text(package, "version")?), folder))
    });
    Ok(packages.collect())
}

/// The files with licences at the top of a package, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in on(folder, fs::read_dir(folder))? {
        let path = on(folder, entry)?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let name = name.to_lowercase();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
