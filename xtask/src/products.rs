//! What the tasks build and run: the plugin's module and the end-to-end program.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use scopegate_trim::{Proxies, trim};

use crate::command::{self, Failure, on};
use crate::toolchain::{Toolchain, WASI};
use crate::workspace::Workspace;

/// What the compiler makes, with every callback that the library has.
const COMPILED: &str = "wasm32-wasip1/release/scopegate_plugin.wasm";
const MODULE: &str = "wasm32-wasip1/release/scopegate.wasm";
const MODULE_FOR_ENVOY: &str = "wasm32-wasip1/release/scopegate_envoy.wasm";
const CONFORMANCE: &str = "wasm32-wasip1/release/scopegate_conformance.wasm";
const CONFORMANCE_NGINX: &str = "wasm32-wasip1/release/scopegate_conformance_nginx.wasm";

/// The exit status by which the end-to-end program says that the machine lacks what it needs.
pub(crate) const CANNOT_RUN: i32 = 3;

/// Where the plugin's module for these proxies is once built.
pub(crate) fn module(workspace: &Workspace, proxies: Proxies) -> PathBuf {
    workspace.target.join(match proxies {
        Proxies::Any => MODULE,
        Proxies::Envoy => MODULE_FOR_ENVOY,
    })
}

/// Where the module is once built that prints what a host answers.
pub(crate) fn conformance_module(workspace: &Workspace) -> PathBuf {
    workspace.target.join(CONFORMANCE)
}

/// Where the same module is once built, as NGINX can load it.
pub(crate) fn conformance_module_for_nginx(workspace: &Workspace) -> PathBuf {
    workspace.target.join(CONFORMANCE_NGINX)
}

/// Builds the plugin's module, for any proxy and for Envoy alone, and returns the path of the one for `proxies`.
pub(crate) fn plugin(workspace: &Workspace, proxies: Proxies) -> Result<PathBuf, Failure> {
    let compiled = wasm(workspace, "scopegate-plugin", &[], COMPILED)?;
    let compiled = on(&compiled, fs::read(&compiled))?;
    for proxies in [Proxies::Any, Proxies::Envoy] {
        let trimmed = trim(&compiled, proxies).map_err(|error| error.to_string())?;
        write_if_changed(&trimmed, &module(workspace, proxies))?;
    }
    Ok(module(workspace, proxies))
}

/// Builds the module that prints what a host answers, and before it the same module as NGINX can load it.
pub(crate) fn conformance(workspace: &Workspace) -> Result<PathBuf, Failure> {
    const PACKAGE: &str = "scopegate-conformance";
    let without = wasm(workspace, PACKAGE, &["--features", "nginx"], CONFORMANCE)?;
    copy_if_changed(&without, &conformance_module_for_nginx(workspace))?;
    wasm(workspace, PACKAGE, &[], CONFORMANCE)
}

fn wasm(workspace: &Workspace, package: &str, features: &[&str], file: &str) -> Result<PathBuf, Failure> {
    let toolchain = Toolchain::for_target(workspace, WASI)?;
    let mut cargo = toolchain.cargo(workspace, "build", WASI, false)?;
    command::run(cargo.args(["--release", "--package", package]).args(features))?;
    let built = toolchain.target_folder(workspace).join(file);
    let module = workspace.target.join(file);
    if built != module {
        copy_if_changed(&built, &module)?;
    }
    Ok(module)
}

/// Runs the end-to-end program with the real module: its exit status is the task's.
pub(crate) fn end_to_end(
    workspace: &Workspace,
    task: &str,
    arguments: &[OsString],
) -> Result<ExitCode, Failure> {
    let module = plugin(workspace, proxies(task, arguments))?;
    let packages = [
        "build",
        "--bins",
        "--package",
        "scopegate-e2e",
        "--package",
        "scopegate",
    ];
    command::run(workspace.cargo().args(packages))?;
    let mut program = end_to_end_program(workspace, &module);
    let status = program.arg(task).args(arguments).status();
    let status = on(Path::new("scopegate-e2e"), status)?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// What is served there: the module for Envoy alone, unless another proxy is named. Weighed is the larger one.
fn proxies(task: &str, arguments: &[OsString]) -> Proxies {
    let is_nginx = |argument: &OsString| argument.to_string_lossy().contains("nginx");
    match task == "size" || arguments.iter().any(is_nginx) {
        true => Proxies::Any,
        false => Proxies::Envoy,
    }
}

/// The end-to-end program, built before, told where everything is.
pub(crate) fn end_to_end_program(workspace: &Workspace, module: &Path) -> Command {
    let mut program = Command::new(workspace.program("scopegate-e2e"));
    program
        .current_dir(&workspace.root)
        .env("SCOPEGATE_WASM", module)
        .env("SCOPEGATE_COMMAND", workspace.program("scopegate"))
        .env("SCOPEGATE_CACHE", &workspace.cache);
    program
}

/// Leaves the file alone where it is right already: its date then says when the module last changed.
fn copy_if_changed(from: &Path, to: &Path) -> Result<(), Failure> {
    write_if_changed(&on(from, fs::read(from))?, to)
}

fn write_if_changed(bytes: &[u8], to: &Path) -> Result<(), Failure> {
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        on(folder, fs::create_dir_all(folder))?;
    }
    on(to, fs::write(to, bytes))
}
