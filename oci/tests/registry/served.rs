//! A real registry for a test, and a client that is not ours.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use scopegate_conformance::skips::skip;
use tempfile::TempDir;

/// `scopegate:open`, as `htpasswd -B` writes it.
pub(crate) const USER: &str = "scopegate:$2b$04$pZvtJajkmE17leWZS4Q1jew0qsnlcX5SLNVwEzEM6mKvxtCwO8R9i\n";

/// A registry that ends with the test.
pub(crate) struct Served {
    process: Child,
    /// Its host and port.
    pub(crate) address: String,
    _folder: TempDir,
}

impl Served {
    /// Starts one that anybody may use, or only these users.
    pub(crate) fn start(program: &Path, users: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: '{0}/images'}}}}\nhttp: {{addr: '{address}'}}\n",
            folder.path().display()
        );
        if let Some(users) = users {
            let file = folder.path().join("users");
            fs::write(&file, users).unwrap();
            config.push_str(&format!(
                "auth: {{htpasswd: {{realm: images, path: '{}'}}}}\n",
                file.display()
            ));
        }
        let file = folder.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        while TcpStream::connect(&address).is_err() {
            let ended = process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the registry ended with {ended:?} before it listened"
            );
            thread::yield_now();
        }
        Self {
            process,
            address,
            _folder: folder,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The registry's program and skopeo's folder; nothing, said aloud, where this machine has none.
pub(crate) fn programs(test: &str) -> Option<(PathBuf, PathBuf)> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    let both = named("SCOPEGATE_REGISTRY").zip(named("SCOPEGATE_SKOPEO"));
    if both.is_none() {
        skip(
            test,
            "`SCOPEGATE_REGISTRY` and `SCOPEGATE_SKOPEO` name no registry and no skopeo",
        );
    }
    both
}

/// Runs skopeo, and returns what it printed.
pub(crate) fn skopeo(root: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(root.join("usr/bin/skopeo"))
        .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"))
        .arg("--insecure-policy")
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "skopeo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
