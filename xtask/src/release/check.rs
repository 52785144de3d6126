//! Whether a folder holds a release: asked of the folder alone, with the command that is in it, and of `Cargo.lock`.

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
use super::{BUNDLES, Build, MODULE, is_linked, json, make, make_with, policies};

/// The page that says what is there.
const PAGE: &str = "README.md";

/// What must be found in each product, beside much else.
const KNOWN: [(&str, &[&str]); 2] = [
    (
        "scopegate-plugin",
        &["scopegate-authn", "jwt-compact", "proxy-wasm", "p256"],
    ),
    (
        "scopegate",
        &["scopegate-bundle", "jwt-compact", "wasmtime", "wasmsign2"],
    ),
];

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
    let lock = workspace.root.join("Cargo.lock");
    let locked = locked(&on(&lock, fs::read_to_string(&lock))?);
    for (package, known) in KNOWN {
        bill(folder, package, known, &locked)?;
    }
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

/// The bill of materials names what is known to be in the product; each thing in the version of `Cargo.lock`, with a licence,
/// and the text of that licence lies in the folder.
fn bill(
    folder: &Path,
    package: &str,
    known: &[&str],
    locked: &BTreeSet<(String, String)>,
) -> Result<(), Failure> {
    let file = format!("{BILLS}/{package}.cdx.json");
    let text = on(Path::new(&file), fs::read_to_string(folder.join(&file)))?;
    let bill = json(&file, &text)?;
    let fault = |what: String| -> Result<(), Failure> { Err(format!("`{file}`: {what}").into()) };
    let at = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if at(&bill, "/metadata/component/name").as_deref() != Some(package) {
        return fault("it is about something else".to_owned());
    }
    let licenses = folder.join(LICENSES).join(format!("{package}.txt"));
    let licenses = on(&licenses, fs::read_to_string(&licenses))?;
    let mut names = BTreeSet::new();
    for component in bill
        .pointer("/components")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let (Some(name), Some(version)) = (at(component, "/name"), at(component, "/version")) else {
            return fault(format!("a part without a name or version: {component}"));
        };
        if !locked.contains(&(name.clone(), version.clone())) {
            return fault(format!("`{name}` {version} is not in `Cargo.lock`"));
        }
        if component.pointer("/licenses/0").is_none() {
            return fault(format!("`{name}` has no licence"));
        }
        if is_linked(component) && !licenses.contains(&heading_of(&name, &version)) {
            return fault(format!("there is no text of the licence of `{name}` {version}"));
        }
        names.insert(name);
    }
    match known.iter().find(|name| !names.contains(**name)) {
        Some(missing) => fault(format!("`{missing}` is missing")),
        None => Ok(()),
    }
}

/// Names and versions in `Cargo.lock`.
fn locked(text: &str) -> BTreeSet<(String, String)> {
    let value = |line: Option<&str>, name: &str| {
        let value = line?.strip_prefix(name)?.strip_prefix(" = ")?;
        Some(value.trim_matches('"').to_owned())
    };
    let packages = text.split("[[package]]\n").filter_map(|package| {
        let mut lines = package.lines();
        Some((value(lines.next(), "name")?, value(lines.next(), "version")?))
    });
    packages.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{bill, locked, sums};

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"x\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n";

    #[test]
    fn a_bill_with_a_gap_is_refused_and_says_which() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["sbom", "licenses"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let part = |name: &str, version: &str| json!({"name": name, "version": version, "scope": "required", "licenses": [{}]});
        let mut bare = part("a", "1.0.0");
        bare.as_object_mut().unwrap().remove("licenses");
        for (product, parts, licenses, fault) in [
            ("x", vec![part("a", "1.0.0")], "\na 1.0.0: ", None),
            (
                "y",
                vec![part("a", "1.0.0")],
                "\na 1.0.0: ",
                Some("something else"),
            ),
            (
                "x",
                vec![part("a", "1.0.1")],
                "\na 1.0.1: ",
                Some("`a` 1.0.1 is not in"),
            ),
            ("x", vec![bare], "\na 1.0.0: ", Some("`a` has no licence")),
            (
                "x",
                vec![part("a", "1.0.0")],
                "\na 1.0.01: ",
                Some("no text of the licence of `a`"),
            ),
            (
                "x",
                vec![part("b", "2.0.0")],
                "\nb 2.0.0: ",
                Some("`a` is missing"),
            ),
        ] {
            let text = json!({"metadata": {"component": {"name": product}}, "components": parts});
            std::fs::write(folder.path().join("sbom/x.cdx.json"), text.to_string()).unwrap();
            std::fs::write(folder.path().join("licenses/x.txt"), licenses).unwrap();
            let found = bill(folder.path(), "x", &["a"], &locked(LOCK));
            match (found, fault) {
                (Ok(()), None) => {}
                (Err(found), Some(fault)) => assert!(found.to_string().contains(fault), "{found}"),
                (found, fault) => panic!("{found:?} in place of {fault:?}"),
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
