//! The licences of what is linked into a product: each package's own files, as they lie in its sources; for one that has none,
//! the text of SPDX, and whom its manifest names.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spdx::Expression;
use spdx::expression::ExpressionReq;

use crate::command::{self, Failure, on};
use crate::toolchain::WASI;
use crate::workspace::Workspace;

use super::stage::Stage;
use super::tree::Package;
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

/// What is in every product beside packages.
const STANDARD_LIBRARY: &str = "\
Rust's standard library is in it too: MIT OR Apache-2.0, with parts that have licences of their own. Their texts are not here;
they come with the toolchain (`share/doc/rust/COPYRIGHT-library.html`; in Debian's, `/usr/share/doc/libstd-rust-web-dev/copyright`).
See https://www.rust-lang.org/policies/licenses
";

/// What is in the module besides.
const C_LIBRARY: &str = "
wasi-libc, the C library of the target, is in it too: Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT. Parts of it are musl (MIT),
cloudlibc and libpreopen (BSD-2-Clause), and dlmalloc (CC0-1.0). Their texts are not here; they lie in its sources,
https://github.com/WebAssembly/wasi-libc: `LICENSE` and the files that it names, for musl `libc-top-half/musl/COPYRIGHT`.
";

/// What a package's manifest says.
struct Source {
    /// Where it lies.
    folder: PathBuf,
    authors: Vec<String>,
    repository: Option<String>,
}

/// All texts, for the packages that the bill of materials says are linked.
pub(super) fn texts(
    workspace: &Workspace,
    stage: &Stage,
    product: &Product,
    bill: &Value,
) -> Result<String, Failure> {
    let sources = sources(workspace, stage, product)?;
    let mut text = format!(
        "The licences of the packages that are linked into `{}`, as they lie in the sources of each.\n\n{STANDARD_LIBRARY}",
        product.package
    );
    if product.target == WASI {
        text.push_str(C_LIBRARY);
    }
    for (package, expression) in linked(bill) {
        let source = sources
            .get(&package)
            .ok_or_else(|| format!("the sources of `{}` {} are not known", package.0, package.1))?;
        heading(&mut text, &package, &expression);
        let files = files(&source.folder)?;
        if files.is_empty() {
            let standard = standard(&expression).map_err(|why| format!("`{}`: {why}", package.0))?;
            let _ = writeln!(text, "\n{}\n{standard}", without_file(source));
        }
        for file in files {
            let _ = writeln!(
                text,
                "\n{}",
                String::from_utf8_lossy(&on(&file, fs::read(&file))?).trim_end()
            );
        }
    }
    Ok(text)
}

/// Whose a package is that brings no file.
fn without_file(source: &Source) -> String {
    let authors = match source.authors.is_empty() {
        true => "no authors".to_owned(),
        false => format!("as its authors {}", source.authors.join(", ")),
    };
    let repository = source.repository.as_deref().unwrap_or("nowhere");
    format!(
        "This package has no file with its licence. Its manifest names {authors}; its sources are at {repository}.\n\
         What follows are the texts of the licences that its manifest names, as SPDX has them."
    )
}

/// The texts of all licences in an expression, without the line where a copyright would be filled in.
fn standard(expression: &str) -> Result<String, String> {
    let parsed = Expression::parse(expression);
    let parsed = parsed.map_err(|error| format!("`{expression}` names no licences: {}", error.reason))?;
    let mut all = String::new();
    for ExpressionReq { req: license, .. } in parsed.requirements() {
        let unknown = || format!("SPDX has no text of `{license}`");
        let text = license.license.id().ok_or_else(unknown)?.text();
        let lines = text
            .lines()
            .filter(|line| !(line.starts_with("Copyright") && line.contains('<')));
        for line in lines {
            let _ = write!(all, "\n{}", line.trim_end());
        }
        if let Some(addition) = &license.addition {
            let _ = write!(
                all,
                "\n\n{}",
                addition.id().ok_or_else(unknown)?.text().trim_end()
            );
        }
    }
    Ok(all)
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

/// What the manifest of each package says.
fn sources(
    workspace: &Workspace,
    stage: &Stage,
    product: &Product,
) -> Result<BTreeMap<Package, Source>, Failure> {
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
        let authors = package.get("authors").and_then(Value::as_array);
        let authors = authors.into_iter().flatten().filter_map(Value::as_str);
        let source = Source {
            folder,
            authors: authors.map(str::to_owned).collect(),
            repository: text(package, "repository"),
        };
        Some(((text(package, "name")?, text(package, "version")?), source))
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

#[cfg(test)]
mod tests {
    use super::standard;

    #[test]
    fn a_text_of_spdx_is_whole_and_claims_no_copyright() {
        let mit = standard("MIT").unwrap();
        assert!(mit.contains("Permission is hereby granted"), "{mit}");
        assert!(!mit.contains("Copyright (c)"), "{mit}");
        let excepted = standard("Apache-2.0 WITH LLVM-exception").unwrap();
        assert!(excepted.contains("TERMS AND CONDITIONS FOR USE"));
        assert!(excepted.contains("LLVM Exceptions to the Apache 2.0 License"));
        let both = standard("MIT AND BSD-3-Clause").unwrap();
        assert!(both.contains("Permission is hereby granted") && both.contains("Neither the name"));
        for unknown in ["", "No-Such-Licence", "LicenseRef-own"] {
            assert!(standard(unknown).is_err(), "{unknown}");
        }
    }
}
