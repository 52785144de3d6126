//! Debian's compiler, for a machine whose toolchain lacks a WebAssembly target and cannot fetch one.
//!
//! `apt-get` resolves, downloads and verifies the packages in folders of its own, without root and without
//! touching the system; `dpkg -x` unpacks them into the cache. Nothing is installed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Failure, on};

/// Where the packages keep the compiler's shared libraries.
pub(crate) const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The compiler, its source of the standard library, and the C library of WASI. Their dependencies follow.
const PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "wasi-libc"];
/// Packages that must be unpacked even where the system has them, by the beginning of their name. Shared
/// libraries that the system has, LLVM say, serve as they are.
const OURS: [&str; 4] = ["rustc-web", "rust-web-src", "wasi-libc", "libstd-rust-web"];
const PREFIX: &str = "rustc-web-";

/// The folder of an unpacked compiler that is new enough, fetched where the cache has none.
pub(crate) fn compiler(cache: &Path) -> Result<PathBuf, Failure> {
    on(cache, fs::create_dir_all(cache))?;
    let lock = cache.join("rustc-web.lock");
    let guard = on(&lock, File::create(&lock))?;
    on(&lock, guard.lock())?;
    match cached(cache)? {
        Some(root) => Ok(root),
        None => fetch(cache),
    }
}

fn cached(cache: &Path) -> Result<Option<PathBuf>, Failure> {
    let mut roots: Vec<PathBuf> = on(cache, fs::read_dir(cache))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
        })
        .filter(|root| new_enough(root))
        .collect();
    roots.sort();
    Ok(roots.pop())
}

/// Whether the compiler in `root` runs and is at least the version that this workspace asks for.
fn new_enough(root: &Path) -> bool {
    let version = command::output(
        Command::new(root.join("usr/bin/rustc"))
            .arg("--version")
            .env("LD_LIBRARY_PATH", root.join(LIBRARIES)),
    );
    let minor = |text: &str| text.split('.').nth(1)?.parse::<u32>().ok();
    version.is_ok_and(|version| minor(&version) >= minor(env!("CARGO_PKG_RUST_VERSION")))
}

fn fetch(cache: &Path) -> Result<PathBuf, Failure> {
    let staging = cache.join("staging-rustc-web");
    if staging.exists() {
        on(&staging, fs::remove_dir_all(&staging))?;
    }
    for folder in ["state/lists/partial", "archives/archives/partial", "root"] {
        let folder = staging.join(folder);
        on(&folder, fs::create_dir_all(&folder))?;
    }
    write_status(&staging)?;
    command::with_progress("reading Debian's package lists", || {
        command::output(apt(&staging).arg("update"))
    })?;
    command::with_progress("fetching Debian's Rust compiler (about 140 MB, once)", || {
        let install = ["install", "--download-only", "--no-install-recommends"];
        command::output(apt(&staging).args(install).args(PACKAGES))
    })?;
    let version = command::with_progress("unpacking Debian's Rust compiler", || unpack(&staging))?;
    let root = cache.join(format!("{PREFIX}{version}"));
    if root.exists() {
        on(&root, fs::remove_dir_all(&root))?;
    }
    on(&root, fs::rename(staging.join("root"), &root))?;
    on(&staging, fs::remove_dir_all(&staging))?;
    if new_enough(&root) {
        return Ok(root);
    }
    Err(format!(
        "Debian's rustc {version} does not run or is older than {}",
        env!("CARGO_PKG_RUST_VERSION")
    )
    .into())
}

/// The system's list of installed packages without ours: they are to be downloaded even where installed.
fn write_status(staging: &Path) -> Result<(), Failure> {
    let system = Path::new("/var/lib/dpkg/status");
    let installed = on(system, fs::read_to_string(system))?;
    let ours = |stanza: &&str| {
        let name = stanza.trim_start().strip_prefix("Package: ").unwrap_or_default();
        OURS.iter().any(|prefix| name.starts_with(prefix))
    };
    let kept: Vec<&str> = installed.split("\n\n").filter(|stanza| !ours(stanza)).collect();
    let path = staging.join("status");
    on(&path, fs::write(&path, kept.join("\n\n")))
}

fn apt(staging: &Path) -> Command {
    let mut apt = Command::new("apt-get");
    apt.args([
        "-y",
        "-q",
        "-o",
        "Debug::NoLocking=1",
        "-o",
        "APT::Sandbox::User=",
    ]);
    apt.args(["-o", "APT::Keep-Downloaded-Packages=true"])
        .env("DEBIAN_FRONTEND", "noninteractive");
    for (option, folder) in [
        ("Dir::State", "state"),
        ("Dir::State::status", "status"),
        ("Dir::Cache", "archives"),
    ] {
        apt.arg("-o")
            .arg(format!("{option}={}", staging.join(folder).display()));
    }
    apt
}

/// Unpacks every archive into `root` and returns the compiler's version.
fn unpack(staging: &Path) -> Result<String, Failure> {
    let archives = staging.join("archives/archives");
    let mut version = None;
    for entry in on(&archives, fs::read_dir(&archives))? {
        let path = on(&archives, entry)?.path();
        if path.extension().is_none_or(|extension| extension != "deb") {
            continue;
        }
        command::output(
            Command::new("dpkg")
                .arg("-x")
                .arg(&path)
                .arg(staging.join("root")),
        )?;
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Some(rest) = name.strip_prefix("rustc-web_") {
            version = rest.split('_').next().map(str::to_owned);
        }
    }
    version.ok_or_else(|| "apt-get fetched no package `rustc-web`".into())
}
