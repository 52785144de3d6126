//! A compiler for a WebAssembly target: the installed one where it has the target, else Debian's.
//!
//! What a compiler needs in its environment is set for that one child process and for nothing else.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Failure};
use crate::debian;
use crate::remap;
use crate::workspace::Workspace;

/// The plugin's target.
pub(crate) const WASI: &str = "wasm32-wasip1";
/// The target of tests that run in a JavaScript engine.
pub(crate) const BROWSER: &str = "wasm32-unknown-unknown";

/// The variable of cargo that comes before `RUSTFLAGS`, and takes paths with spaces.
const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
const BETWEEN_FLAGS: &str = "\x1f";

/// A compiler that can build for a WebAssembly target.
pub(crate) enum Toolchain {
    /// The installed toolchain has the target.
    Installed,
    /// Debian's compiler builds the standard library from its own source, and the installed linker links.
    Debian {
        /// The folder the packages were unpacked into.
        root: PathBuf,
        /// `rust-lld` of the installed toolchain.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Chooses a compiler for `target`, fetching Debian's where that is the only way.
    pub(crate) fn for_target(workspace: &Workspace, target: &str) -> Result<Self, Failure> {
        let libraries =
            command::output(rustc(workspace).args(["--print", "target-libdir", "--target", target]))?;
        if Path::new(libraries.trim()).is_dir() {
            return Ok(Self::Installed);
        }
        let linker = installed_linker(workspace)?;
        if !linker.is_file() {
            return Err(no_way(target, &format!("`{}` is absent", linker.display())));
        }
        let root = debian::compiler(&workspace.cache).map_err(|why| no_way(target, &why.to_string()))?;
        eprintln!(
            "note: the installed toolchain lacks {target}; building with Debian's rustc in `{}`",
            root.display()
        );
        Ok(Self::Debian { root, linker })
    }

    /// Where this compiler puts what it builds. Debian's keeps apart, so that the two never undo each
    /// other's work.
    pub(crate) fn target_folder(&self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Installed => workspace.target.clone(),
            Self::Debian { .. } => workspace.target.join("wasm"),
        }
    }

    /// `cargo SUBCOMMAND --target TARGET`, with this compiler. `tests`: the test harness is needed too.
    pub(crate) fn cargo(
        &self,
        workspace: &Workspace,
        subcommand: &str,
        target: &str,
        tests: bool,
    ) -> Result<Command, Failure> {
        let mut cargo = workspace.cargo();
        cargo.args([subcommand, "--target", target]);
        let mut flags = given_flags();
        // What is not delivered keeps the paths that a person can open.
        if !tests {
            flags.extend(remap::flags(workspace, &self.standard_library(workspace)?));
        }
        if let Self::Debian { root, linker } = self {
            let crates = if tests {
                "build-std=std,panic_abort,test"
            } else {
                "build-std=std,panic_abort"
            };
            cargo
                .args(["-Z", crates])
                .arg("--target-dir")
                .arg(self.target_folder(workspace));
            flags.push(format!("-L{}", root.join("usr/lib/wasm32-wasi").display()));
            debian_environment(&mut cargo, root, linker, target);
        }
        if !flags.is_empty() {
            cargo.env(FLAGS, flags.join(BETWEEN_FLAGS));
        }
        Ok(cargo)
    }

    /// The folder of the standard library's sources, where they are installed.
    fn standard_library(&self, workspace: &Workspace) -> Result<PathBuf, Failure> {
        let sysroot = match self {
            Self::Installed => command::output(rustc(workspace).args(["--print", "sysroot"]))?,
            Self::Debian { root, .. } => root.join("usr").display().to_string(),
        };
        Ok(Path::new(sysroot.trim()).join("lib/rustlib/src/rust"))
    }
}

/// The flags for the compiler that are set already.
fn given_flags() -> Vec<String> {
    match (env::var(FLAGS), env::var("RUSTFLAGS")) {
        (Ok(flags), _) if flags.is_empty() => Vec::new(),
        (Ok(flags), _) => flags.split(BETWEEN_FLAGS).map(str::to_owned).collect(),
        (Err(_), Ok(flags)) => flags.split_whitespace().map(str::to_owned).collect(),
        (Err(_), Err(_)) => Vec::new(),
    }
}

fn debian_environment(cargo: &mut Command, root: &Path, linker: &Path, target: &str) {
    let linker_variable = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
    cargo
        .env("RUSTC", root.join("usr/bin/rustc"))
        .env("RUSTDOC", root.join("usr/bin/rustdoc"))
        .env("LD_LIBRARY_PATH", root.join(debian::LIBRARIES))
        .env("RUSTC_BOOTSTRAP", "1")
        .env(linker_variable, linker);
}

fn installed_linker(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let sysroot = command::output(rustc(workspace).args(["--print", "sysroot"]))?;
    let host = command::output(rustc(workspace).args(["--print", "host-tuple"]))?;
    Ok(Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(host.trim())
        .join("bin/rust-lld"))
}

fn rustc(workspace: &Workspace) -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(&workspace.root);
    rustc
}

fn no_way(target: &str, why: &str) -> Failure {
    format!(
        "the installed toolchain cannot build for {target}, and Debian's compiler cannot be used: {why}\n\
         help: run `rustup target add {target}`"
    )
    .into()
}
