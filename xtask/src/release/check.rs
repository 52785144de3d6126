//! Whether a folder holds a release: asked of the folder alone, with the command that is in it, and of cargo.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::{self, Failure, on};
use crate::workspace::Workspace;

use super::bill::{BILLS, LICENSES};
use super::decisions;
use super::folder::{self, SUMS};
use super::licenses::heading_of;
use super::tree::{self, Edges, Package};
use super::{BUNDLES, Build, MODULE, host, is_linked, json, make, make_with, policies, products};

/// The page that says what is there.
const PAGE: &str = "README.md";

/// Makes a release, with the command of the tests, and checks it; and makes it again with one bundle, which must be the same.
pub(crate) fn try_one(workspace: &Workspace) -> Result<(), Failure> {
    let [one, again] = ["release-trial", "release-trial-again"].map(|name| workspace.target.join(name));
    make(workspace, &one, Build::Development)?;
    whole(workspace, &one)?;
    let first = policies(&workspace.root)?.into_iter().take(1).collect::<Vec<_>>();
    make_with(workspace, &again, Build::Development, &first)?;
    let list = |folder: &Path| on(folder, fs::read_to_string(folder.join(SUMS)));
    let whole = list(&one)?;
    // The page lists all that is there.
    let others = list(&again)?;
    let others = others
        .lines()
        .filter(|line| !line.ends_with(&format!("  {PAGE}")));
    match others
        .into_iter()
        .find(|line| !whole.lines().any(|other| other == *line))
    {
        Some(line) => Err(format!("a second release has another file: `{line}`").into()),
        None => Ok(()),
    }
}

/// Everything that can be asked of the folder.
fn whole(workspace: &Workspace, folder: &Path) -> Result<(), Failure> {
    sums(folder)?;
    let names = policies(&workspace.root)?;
    if names.is_empty() {
        return Err("there are no policies to make bundles of".into());
    }
    let page = folder.join(PAGE);
    let page = on(&page, fs::read_to_string(&page))?;
    for name in &names {
        bundle(folder, &page, name)?;
    }
    decisions::right(workspace, folder)?;
    tells_no_place(workspace, folder)?;
    a_changed_file_is_noticed(folder)?;
    bills(workspace, folder)?;
    on(Path::new("LICENSE"), fs::metadata(folder.join("LICENSE"))).map(|_| ())
}

/// The list of digests is right, and complete.
fn sums(folder: &Path) -> Result<(), Failure> {
    let mut check = Command::new("sha256sum");
    command::output(check.current_dir(folder).args(["--check", "--strict", SUMS]))?;
    let path = folder.join(SUMS);
    let list = on(&path, fs::read_to_string(&path))?;
    for name in folder::files(folder)? {
        if name != SUMS && !list.lines().any(|line| line.ends_with(&format!("  {name}"))) {
            return Err(format!("`{SUMS}` does not list `{name}`").into());
        }
    }
    Ok(())
}

/// The bundle is there, and the page has what was found in it when it was made and looked at.
fn bundle(folder: &Path, page: &str, name: &str) -> Result<(), Failure> {
    let file = format!("{BUNDLES}/{name}.wasm");
    on(Path::new(&file), fs::metadata(folder.join(&file)))?;
    let row = page
        .lines()
        .find(|line| line.starts_with(&format!("| `{file}` | ")));
    match row.is_some_and(|row| row.contains("| `sha256:")) {
        true => Ok(()),
        false => Err(format!("`{PAGE}` does not say which policy `{file}` holds").into()),
    }
}

/// The command in the folder.
pub(super) fn program(folder: &Path) -> PathBuf {
    folder
        .join("scopegate")
        .with_extension(env::consts::EXE_EXTENSION)
}

/// The module does not say where it was built: it is the same wherever that is.
fn tells_no_place(workspace: &Workspace, folder: &Path) -> Result<(), Failure> {
    let module = folder.join(MODULE);
    let module = on(&module, fs::read(&module))?;
    let home = env::var_os("HOME").map(PathBuf::from);
    let places = [&workspace.root, &workspace.target, &workspace.cache];
    for place in places.into_iter().chain(home.as_ref()) {
        let text = format!("{}/", place.display());
        let is_told = module.windows(text.len()).any(|window| window == text.as_bytes());
        if is_told && text.len() > 1 {
            return Err(format!("`{MODULE}` says where it was built: `{text}`").into());
        }
    }
    Ok(())
}

/// The checks above see a difference of one bit.
fn a_changed_file_is_noticed(folder: &Path) -> Result<(), Failure> {
    let copy = folder.with_file_name("release-changed");
    let _ = fs::remove_dir_all(&copy);
    on(&copy, fs::create_dir_all(copy.join(BUNDLES)))?;
    let name = format!("{BUNDLES}/rest-api-tenants.wasm");
    let mut bytes = on(folder, fs::read(folder.join(&name)))?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    let changed = copy.join(&name);
    on(&changed, fs::write(&changed, &bytes))?;
    on(&copy, fs::copy(folder.join(SUMS), copy.join(SUMS)))?;
    let mut check = Command::new("sha256sum");
    check
        .current_dir(&copy)
        .args(["--check", "--strict", "--ignore-missing", SUMS]);
    let mut inspect = Command::new(program(folder));
    let passes =
        command::output(&mut check).is_ok() || command::output(inspect.arg("inspect").arg(&changed)).is_ok();
    on(&copy, fs::remove_dir_all(&copy))?;
    match passes {
        true => Err(format!("`{name}` with one bit changed passes").into()),
        false => Ok(()),
    }
}

/// The bills of materials of both products, and the texts of licences.
fn bills(workspace: &Workspace, folder: &Path) -> Result<(), Failure> {
    for product in products(&host(workspace)?) {
        let packages = |edges| tree::packages(workspace, &product, edges);
        let resolved = Resolved {
            linked: packages(Edges::Linked)?,
            built: packages(Edges::Built)?,
        };
        bill(folder, product.package, &resolved)?;
    }
    Ok(())
}

/// The packages of a product, as cargo resolves them.
struct Resolved {
    /// What is linked into it, and its macros.
    linked: BTreeSet<Package>,
    /// And what build scripts use.
    built: BTreeSet<Package>,
}

/// The bill of materials names all that is linked, each with a licence whose text lies in the folder; what build scripts use,
/// which it says is not linked; and nothing else.
fn bill(folder: &Path, package: &str, resolved: &Resolved) -> Result<(), Failure> {
    let file = format!("{BILLS}/{package}.cdx.json");
    let text = on(Path::new(&file), fs::read_to_string(folder.join(&file)))?;
    let bill = json(&file, &text)?;
    let licenses = folder.join(LICENSES).join(format!("{package}.txt"));
    let licenses = on(&licenses, fs::read_to_string(&licenses))?;
    parts(&bill, package, resolved, &licenses).map_err(|what| format!("`{file}`: {what}").into())
}

fn parts(bill: &Value, package: &str, resolved: &Resolved, licenses: &str) -> Result<(), String> {
    let at = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if at(bill, "/metadata/component/name").as_deref() != Some(package) {
        return Err("it is about something else".to_owned());
    }
    let mut missing = resolved.linked.clone();
    let components = bill.pointer("/components").and_then(Value::as_array);
    for component in components.into_iter().flatten() {
        let (Some(name), Some(version)) = (at(component, "/name"), at(component, "/version")) else {
            return Err(format!("a part without a name or version: {component}"));
        };
        if component.pointer("/licenses/0").is_none() {
            return Err(format!("`{name}` has no licence"));
        }
        if is_linked(component) && !licenses.contains(&heading_of(&name, &version)) {
            return Err(format!("there is no text of the licence of `{name}` {version}"));
        }
        let is_required = at(component, "/scope").as_deref() == Some("required");
        let part = (name, version);
        let known = match is_required {
            true => &resolved.linked,
            false => &resolved.built,
        };
        if !known.contains(&part) {
            return Err(format!("`{}` {} is no part of the product", part.0, part.1));
        }
        if is_required {
            missing.remove(&part);
        }
    }
    match missing.first() {
        Some((name, version)) => Err(format!("`{name}` {version} is missing")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Resolved, parts, sums};

    #[test]
    fn a_bill_with_a_gap_or_with_more_than_is_built_is_refused_and_says_which() {
        let package = |name: &str| (name.to_owned(), "1.0.0".to_owned());
        let resolved = Resolved {
            linked: [package("a"), package("b")].into(),
            built: [package("a"), package("b"), package("script")].into(),
        };
        let part = |name: &str, version: &str, scope: &str| json!({"name": name, "version": version, "scope": scope, "licenses": [{}]});
        let (a, b) = (part("a", "1.0.0", "required"), part("b", "1.0.0", "required"));
        let script = part("script", "1.0.0", "excluded");
        let mut bare = a.clone();
        bare.as_object_mut().unwrap().remove("licenses");
        let all = "\na 1.0.0: \nb 1.0.0: ";
        let cases: Vec<(&str, Vec<Value>, &str, Option<&str>)> = vec![
            ("x", vec![a.clone(), b.clone()], all, None),
            ("x", vec![a.clone(), b.clone(), script], all, None),
            ("y", vec![a.clone(), b.clone()], all, Some("something else")),
            ("x", vec![b.clone()], all, Some("`a` 1.0.0 is missing")),
            ("x", vec![], all, Some("`a` 1.0.0 is missing")),
            (
                "x",
                vec![part("a", "1.0.0", "excluded"), b.clone()],
                all,
                Some("`a` 1.0.0 is missing"),
            ),
            (
                "x",
                vec![a.clone(), b.clone(), part("script", "1.0.0", "required")],
                "\na 1.0.0: \nb 1.0.0: \nscript 1.0.0: ",
                Some("`script` 1.0.0 is no part"),
            ),
            (
                "x",
                vec![a.clone(), b.clone(), part("c", "1.0.0", "excluded")],
                all,
                Some("`c` 1.0.0 is no part"),
            ),
            (
                "x",
                vec![part("a", "1.0.1", "required"), b.clone()],
                "\na 1.0.1: \nb 1.0.0: ",
                Some("`a` 1.0.1 is no part"),
            ),
            ("x", vec![bare, b.clone()], all, Some("`a` has no licence")),
            (
                "x",
                vec![a, b],
                "\na 1.0.01: \nb 1.0.0: ",
                Some("no text of the licence of `a`"),
            ),
        ];
        for (product, components, licenses, fault) in cases {
            let bill = json!({"metadata": {"component": {"name": product}}, "components": components});
            match (parts(&bill, "x", &resolved, licenses), fault) {
                (Ok(()), None) => {}
                (Err(found), Some(fault)) => assert!(found.contains(fault), "{found}"),
                (found, fault) => panic!("{found:?} in place of {fault:?}: {bill}"),
            }
        }
    }

    #[test]
    fn a_file_that_the_list_of_digests_leaves_out_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        std::fs::write(folder.path().join("a"), "").unwrap();
        std::fs::write(folder.path().join("SHA256SUMS"), format!("{empty}  a\n")).unwrap();
        sums(folder.path()).unwrap();
        std::fs::write(folder.path().join("b"), "").unwrap();
        assert!(
            sums(folder.path())
                .unwrap_err()
                .to_string()
                .contains("does not list `b`")
        );
        std::fs::write(folder.path().join("a"), "changed").unwrap();
        assert!(sums(folder.path()).is_err());
    }
}
