//! Programs of Debian: its compiler, for a machine whose toolchain lacks a WebAssembly target and cannot fetch one, its
//! optimiser of modules, and a registry of images with a client.
//!
//! `apt-get` resolves, downloads and verifies the packages in folders of its own, without root and without
//! touching the system; `dpkg -x` unpacks them into the cache. Nothing is installed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Failure, on};

/// Where the packages keep the compiler's shared libraries.
pub(crate) const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Packages that are used together.
struct Bundle {
    /// The package that gives the bundle its name and its version.
    name: &'static str,
    /// What it is to a person who waits for it.
    title: &'static str,
    /// What is asked for. Dependencies follow.
    packages: &'static [&'static str],
    /// Packages that must be unpacked even where the system has them, by the beginning of their name. Shared
    /// libraries that the system has, LLVM say, serve as they are.
    ours: &'static [&'static str],
    /// Whether what was unpacked into a folder runs and is new enough.
    serves: fn(&Path) -> bool,
}

/// The compiler, its source of the standard library, and the C library of WASI.
const COMPILER: Bundle = Bundle {
    name: "rustc-web",
    title: "Debian's Rust compiler (about 140 MB, once)",
    packages: &["rustc-web", "rust-web-src", "wasi-libc"],
    ours: &["rustc-web", "rust-web-src", "wasi-libc", "libstd-rust-web"],
    serves: new_enough,
};

/// `wasm-opt`.
const OPTIMIZER: Bundle = Bundle {
    name: "binaryen",
    title: "Debian's wasm-opt (about 3 MB, once)",
    packages: &["binaryen"],
    ours: &["binaryen"],
    serves: |root| command::output(in_folder(root, "wasm-opt").arg("--version")).is_ok(),
};

/// A registry of OCI images.
const REGISTRY: Bundle = Bundle {
    name: "docker-registry",
    title: "Debian's registry of images (about 8 MB, once)",
    packages: &["docker-registry"],
    ours: &["docker-registry"],
    serves: |root| command::output(in_folder(root, "docker-registry").arg("--version")).is_ok(),
};

/// A client of registries that is not ours.
const SKOPEO: Bundle = Bundle {
    name: "skopeo",
    title: "Debian's skopeo (about 10 MB, once)",
    packages: &["skopeo"],
    ours: &["skopeo"],
    serves: |root| command::output(in_folder(root, "skopeo").arg("--version")).is_ok(),
};

/// The folder of an unpacked compiler that is new enough, fetched where the cache has none.
pub(crate) fn compiler(cache: &Path) -> Result<PathBuf, Failure> {
    COMPILER.folder(cache)
}

/// Debian's `wasm-opt`, fetched where the cache has none.
pub(crate) fn optimizer(cache: &Path) -> Result<Command, Failure> {
    OPTIMIZER.folder(cache).map(|root| in_folder(&root, "wasm-opt"))
}

/// A program of a folder, with the libraries that are there.
fn in_folder(root: &Path, name: &str) -> Command {
    let mut command = Command::new(root.join("usr/bin").join(name));
    command.env("LD_LIBRARY_PATH", root.join(LIBRARIES));
    command
}

/// Debian's `docker-registry`, fetched where the cache has none.
pub(crate) fn registry(cache: &Path) -> Result<PathBuf, Failure> {
    REGISTRY
        .folder(cache)
        .map(|root| root.join("usr/bin/docker-registry"))
}

/// The folder with Debian's `skopeo` (`usr/bin/skopeo`) and its libraries, fetched where the cache has none.
pub(crate) fn skopeo(cache: &Path) -> Result<PathBuf, Failure> {
    SKOPEO.folder(cache)
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

impl Bundle {
    /// The folder it was unpacked into, fetched where the cache has none that serves.
    fn folder(&self, cache: &Path) -> Result<PathBuf, Failure> {
        on(cache, fs::create_dir_all(cache))?;
        let lock = cache.join(format!("{}.lock", self.name));
        let guard = on(&lock, File::create(&lock))?;
        on(&lock, guard.lock())?;
        match self.cached(cache)? {
            Some(root) => Ok(root),
            None => self.fetch(cache),
        }
    }

    fn cached(&self, cache: &Path) -> Result<Option<PathBuf>, Failure> {
        let prefix = format!("{}-", self.name);
        let mut roots: Vec<PathBuf> = on(cache, fs::read_dir(cache))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
            })
            .filter(|root| (self.serves)(root))
            .collect();
        roots.sort();
        Ok(roots.pop())
    }

    fn fetch(&self, cache: &Path) -> Result<PathBuf, Failure> {
        let staging = cache.join(format!("staging-{}", self.name));
        if staging.exists() {
            on(&staging, fs::remove_dir_all(&staging))?;
        }
        for folder in ["state/lists/partial", "archives/archives/partial", "root"] {
            let folder = staging.join(folder);
            on(&folder, fs::create_dir_all(&folder))?;
        }
        self.write_status(&staging)?;
        command::with_progress("reading Debian's package lists", || {
            command::output(apt(&staging).arg("update"))
        })?;
        command::with_progress(&format!("fetching {}", self.title), || {
            let install = ["install", "--download-only", "--no-install-recommends"];
            command::output(apt(&staging).args(install).args(self.packages))
        })?;
        let version = command::with_progress(&format!("unpacking {}", self.title), || self.unpack(&staging))?;
        let root = cache.join(format!("{}-{version}", self.name));
        if root.exists() {
            on(&root, fs::remove_dir_all(&root))?;
        }
        on(&root, fs::rename(staging.join("root"), &root))?;
        on(&staging, fs::remove_dir_all(&staging))?;
        match (self.serves)(&root) {
            true => Ok(root),
            false => Err(format!("Debian's {} {version} does not run or is too old", self.name).into()),
        }
    }

    /// The system's list of installed packages without ours: they are to be downloaded even where installed.
    fn write_status(&self, staging: &Path) -> Result<(), Failure> {
        let system = Path::new("/var/lib/dpkg/status");
        let installed = on(system, fs::read_to_string(system))?;
        let ours = |stanza: &&str| {
            let name = stanza.trim_start().strip_prefix("Package: ").unwrap_or_default();
            self.ours.iter().any(|prefix| name.starts_with(prefix))
        };
        let kept: Vec<&str> = installed.split("\n\n").filter(|stanza| !ours(stanza)).collect();
        let path = staging.join("status");
        on(&path, fs::write(&path, kept.join("\n\n")))
    }

    /// Unpacks every archive into `root` and returns the version of the package that names the bundle.
    fn unpack(&self, staging: &Path) -> Result<String, Failure> {
        let archives = staging.join("archives/archives");
        let prefix = format!("{}_", self.name);
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
            if let Some(rest) = name.strip_prefix(&prefix) {
                version = rest.split('_').next().map(str::to_owned);
            }
        }
        version.ok_or_else(|| format!("apt-get fetched no package `{}`", self.name).into())
    }
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
