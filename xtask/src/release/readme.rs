//! The page that lies in the folder: what each file is, its digest, what a bundle needs, and of which state of the sources.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{self, Failure, on};
use crate::workspace::Workspace;

use super::{Build, Bundle, folder};

const BUNDLE_NOTES: &str = "\
A bundle holds its policy: a proxy loads it with an empty configuration. The policies are examples, with keys and names of nobody;
copy one, change it, and make your own with `scopegate bundle policy.yaml -o orders.wasm`. An upstream is the name of a cluster that
the proxy must have; a variable must be in the proxy's environment, and without it the bundle lets nothing through.
";

const FILES_NOTES: &str = "\
`sha256sum --check SHA256SUMS` checks them all. `sbom/` lists the packages that the plugin and the command consist of (CycloneDX),
`licenses/` has the texts of their licences. Rust's standard library and the C library of the module, which are no packages, it names
with their licences, and where their texts are.
";

/// The page for the folder, whose other files are there already.
pub(super) fn text(
    workspace: &Workspace,
    folder: &Path,
    build: Build,
    host: &str,
    bundles: &[Bundle],
) -> Result<String, Failure> {
    let sources = sources(&workspace.root);
    let command = match build {
        Build::Optimized => "optimised",
        Build::Development => "NOT optimised: a trial, not for release",
    };
    let mut text = format!(
        "# Scopegate {}\n\n| | |\n|---|---|\n| sources | {sources} |\n| `scopegate` | for {host}, {command} |\n",
        version(&workspace.root)?
    );
    let _ = write!(text, "\n## Bundles\n\n{BUNDLE_NOTES}\n{}", bundle_table(bundles));
    let _ = write!(
        text,
        "\n## Files\n\n{FILES_NOTES}\n| file | bytes | SHA-256 |\n|---|---|---|\n"
    );
    for name in folder::files(folder)? {
        let path = folder.join(&name);
        let size = on(&path, fs::metadata(&path))?.len();
        let _ = writeln!(text, "| `{name}` | {size} | `{}` |", folder::digest(&path)?);
    }
    Ok(text)
}

fn bundle_table(bundles: &[Bundle]) -> String {
    let mut table =
        "| bundle | policy | digest of the policy | upstreams | environment |\n|---|---|---|---|---|\n"
            .to_owned();
    for Bundle { file, said } in bundles {
        let at = |pointer: &str| said.pointer(pointer).and_then(Value::as_str).unwrap_or("none");
        let _ = writeln!(
            table,
            "| `{file}` | {} {} | `{}` | {} | {} |",
            at("/manifest/policy/name"),
            at("/manifest/policy/version"),
            at("/manifest/policy/digest"),
            list(said, "/manifest/upstreams"),
            list(said, "/manifest/secrets")
        );
    }
    table
}

fn list(said: &Value, pointer: &str) -> String {
    let names = said.pointer(pointer).and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}

/// The version that all packages have.
fn version(root: &Path) -> Result<String, Failure> {
    let manifest = root.join("Cargo.toml");
    let text = on(&manifest, fs::read_to_string(&manifest))?;
    let line = text.lines().find_map(|line| line.strip_prefix("version = "));
    let version = line.map(|version| version.trim_matches('"').to_owned());
    version.ok_or_else(|| format!("`{}` names no version", manifest.display()).into())
}

/// The commit, and whether anything was changed since.
fn sources(root: &Path) -> String {
    let git = |arguments: &[&str]| command::output(Command::new("git").current_dir(root).args(arguments));
    match (git(&["rev-parse", "HEAD"]), git(&["status", "--porcelain"])) {
        (Ok(commit), Ok(changes)) if changes.is_empty() => format!("commit {}", commit.trim()),
        (Ok(commit), Ok(changes)) => format!(
            "commit {}, WITH CHANGES in {} files that are not in it",
            commit.trim(),
            changes.lines().count()
        ),
        _ => "unknown: they are no checkout of Git".to_owned(),
    }
}
