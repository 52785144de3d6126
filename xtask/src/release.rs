//! `cargo xtask release`: a folder with all that a release holds. What is in it, and how each part is made; how the folder
//! comes to its place, and how it is checked, have modules of their own.

mod bill;
pub(crate) mod check;
mod decisions;
mod folder;
mod licenses;
mod readme;
mod stage;
mod tree;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use scopegate_trim::Proxies;
use serde_json::Value;

use crate::command::{self, Failure, on};
use crate::products;
use crate::toolchain::WASI;
use crate::workspace::Workspace;

use folder::Draft;

/// The plugin's module in the folder.
const MODULE: &str = "scopegate_plugin.wasm";
/// The folder of the bundles.
const BUNDLES: &str = "bundles";

/// How the command is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// For those who use it.
    Optimized,
    /// As the tests have it already: to try how a release is made.
    Development,
}

/// What is delivered, and listed with all that it consists of.
struct Product {
    /// The folder of its sources.
    folder: &'static str,
    /// The package.
    package: &'static str,
    /// The target that it is built for.
    target: String,
}

/// The two products: the plugin, and the command for this machine.
fn products(host: &str) -> [Product; 2] {
    let product = |folder, package, target: &str| Product {
        folder,
        package,
        target: target.to_owned(),
    };
    [
        product("plugin", "scopegate-plugin", WASI),
        product("cli", "scopegate", host),
    ]
}

/// Makes the folder at `place`.
pub(crate) fn make(workspace: &Workspace, place: &Path, build: Build) -> Result<(), Failure> {
    make_with(workspace, place, build, &policies(&workspace.root)?)
}

/// Makes the folder with the bundles of these policies.
fn make_with(workspace: &Workspace, place: &Path, build: Build, names: &[String]) -> Result<(), Failure> {
    let draft = Draft::new(place)?;
    let module = products::plugin(workspace, Proxies::Any)?;
    draft.copy(&module, MODULE)?;
    let program = program(workspace, build, &module)?;
    let name = program.file_name().and_then(|name| name.to_str());
    draft.copy(&program, name.ok_or("the command has no name")?)?;
    draft.copy(&workspace.root.join("LICENSE"), "LICENSE")?;
    let bundles = bundles(workspace, &draft, &program, names)?;
    let host = host(workspace)?;
    for product in products(&host) {
        bill::add(workspace, &draft, &product)?;
    }
    let readme = readme::text(workspace, &draft.path, build, &host, &bundles)?;
    draft.write("README.md", &readme)?;
    draft.publish()
}

/// The command for this machine, with the plugin's module in it.
fn program(workspace: &Workspace, build: Build, module: &Path) -> Result<PathBuf, Failure> {
    let mut cargo = workspace.cargo();
    cargo.env("SCOPEGATE_EMBED", module);
    match build {
        // Of the whole workspace, as the tests build it: little is built anew.
        Build::Development => {
            command::run(cargo.args(["build", "--workspace", "--bins"]))?;
            Ok(workspace.program("scopegate"))
        }
        Build::Optimized => {
            command::run(cargo.args(["build", "--package", "scopegate", "--profile", "dist"]))?;
            let name = Path::new("dist").join("scopegate");
            Ok(workspace
                .target
                .join(name)
                .with_extension(env::consts::EXE_EXTENSION))
        }
    }
}

/// The machine that this compiler builds for.
fn host(workspace: &Workspace) -> Result<String, Failure> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let host = command::output(rustc.current_dir(&workspace.root).args(["--print", "host-tuple"]))?;
    Ok(host.trim().to_owned())
}

/// A bundle, and what `scopegate inspect` says of it.
struct Bundle {
    /// Its path in the folder.
    file: String,
    /// What it says.
    said: Value,
}

/// A bundle of each policy, with nothing left open.
fn bundles(
    workspace: &Workspace,
    draft: &Draft,
    program: &Path,
    names: &[String],
) -> Result<Vec<Bundle>, Failure> {
    draft.folder(BUNDLES)?;
    let message = format!("making {} bundles", names.len());
    command::with_progress(&message, || {
        on_all_processors(names, |name| bundle(workspace, draft, program, name))
    })
}

/// Does the work for each name, as many at a time as there are processors.
fn on_all_processors<T: Send>(
    names: &[String],
    work: impl Fn(&str) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = names.len().div_ceil(threads).max(1);
    let work = &work;
    thread::scope(|scope| {
        let start = |part| scope.spawn(move || each(part, work));
        let running: Vec<_> = names.chunks(share).map(start).collect();
        let mut done = Vec::new();
        for thread in running {
            done.extend(thread.join().map_err(|_| "a thread of this task failed")??);
        }
        Ok(done)
    })
}

fn each<T>(names: &[String], work: impl Fn(&str) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    names.iter().map(|name| work(name)).collect()
}

fn bundle(workspace: &Workspace, draft: &Draft, program: &Path, name: &str) -> Result<Bundle, Failure> {
    let file = format!("{BUNDLES}/{name}.wasm");
    let path = draft.path.join(&file);
    let mut make = Command::new(program);
    make.current_dir(&workspace.root)
        .args(["bundle", &format!("policies/{name}/policy.yaml"), "--wasm"])
        .arg(draft.path.join(MODULE))
        .arg("--output")
        .arg(&path);
    command::output(&mut make)?;
    let mut inspect = Command::new(program);
    let said = command::output(inspect.args(["inspect", "--format", "json"]).arg(&path))?;
    Ok(Bundle {
        said: json(&file, &said)?,
        file,
    })
}

/// The names of the folders of `policies`.
fn policies(root: &Path) -> Result<Vec<String>, Failure> {
    let folder = root.join("policies");
    let mut names = Vec::new();
    for entry in on(&folder, fs::read_dir(&folder))? {
        let entry = on(&folder, entry)?;
        if entry.path().join("policy.yaml").is_file() {
            let name = entry.file_name().into_string();
            names.push(name.map_err(|_| "the name of a policy's folder is not in UTF-8")?);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a component of a bill of materials is somebody else's and ends up in the product.
fn is_linked(component: &Value) -> bool {
    let text = |member: &str| component.get(member).and_then(Value::as_str).unwrap_or_default();
    text("scope") == "required" && !text("name").starts_with("scopegate")
}

/// JSON that a program or file `of` holds.
fn json(of: &str, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| format!("`{of}`: no JSON: {error}").into())
}
