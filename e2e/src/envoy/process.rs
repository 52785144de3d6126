//! One Envoy process: started with a bootstrap, ready before it is handed out, killed when dropped.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::CertificateError;
use crate::client;
use crate::http1::Message;

const POLL: Duration = Duration::from_millis(25);
/// 60 seconds of polls: V8 compiles the module at start, on a machine that may be busy.
const POLLS: u32 = 2400;

/// How many workers serve requests where nothing else is said: one, so that one VM sees them all.
const ONE_WORKER: u32 = 1;

/// Why there is no running Envoy.
#[derive(Debug, thiserror::Error)]
pub enum EnvoyError {
    /// The machine has none and cannot get one.
    #[error("no Envoy: {0}")]
    Absent(String),
    /// It did not start, or ended: the end of its log says why.
    #[error("Envoy did not become ready: {reason}\n{log}")]
    NotReady {
        /// What was waited for.
        reason: String,
        /// The end of its log.
        log: String,
    },
    /// A file or connection of ours failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is no certificate for it.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    folder: TempDir,
    admin: SocketAddr,
    listeners: BTreeMap<String, SocketAddr>,
}

impl Envoy {
    /// Starts `program` with a bootstrap in YAML or JSON and waits until it serves. Ports may be 0: the
    /// addresses are read back. Relative paths in the bootstrap start at `directory`; `environment` is added to
    /// Envoy's own.
    ///
    /// # Errors
    /// It could not be started, or ended, or was not ready in time.
    pub fn start(
        program: &Path,
        bootstrap: &str,
        directory: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self, EnvoyError> {
        Self::start_with_workers(program, bootstrap, directory, environment, ONE_WORKER)
    }

    /// The same with this many workers. Each has a VM of its own; connections are spread over them.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with_workers(
        program: &Path,
        bootstrap: &str,
        directory: &Path,
        environment: &[(&str, &str)],
        workers: u32,
    ) -> Result<Self, EnvoyError> {
        let folder = tempfile::Builder::new().prefix("scopegate-envoy-").tempdir()?;
        let file = folder.path().join("bootstrap.yaml");
        fs::write(&file, bootstrap)?;
        let log = fs::File::create(folder.path().join("envoy.log"))?;
        let admin_file = folder.path().join("admin");
        let child = Command::new(program)
            .args(["--use-dynamic-base-id", "--log-level", "info", "--concurrency"])
            .arg(workers.to_string())
            .arg("--config-path")
            .arg(&file)
            .arg("--admin-address-path")
            .arg(&admin_file)
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy = Self {
            child,
            folder,
            admin: unknown,
            listeners: BTreeMap::new(),
        };
        envoy.admin = envoy.wait("its admin address", || {
            fs::read_to_string(&admin_file).ok()?.parse().ok()
        })?;
        let admin = envoy.admin;
        envoy.wait("its word that it is ready", || {
            get(admin, "/ready")
                .ok()
                .filter(|answer| answer.status == 200)
                .map(|_| ())
        })?;
        envoy.listeners = listeners(admin)?;
        Ok(envoy)
    }

    /// The address of the listener of that name.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        self.listeners.get(name).copied()
    }

    /// What the admin interface answers to a GET of `path`.
    ///
    /// # Errors
    /// The connection failed.
    pub fn admin(&self, path: &str) -> io::Result<String> {
        get(self.admin, path).map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("envoy.log")
    }

    fn wait<T>(&mut self, what: &str, mut ready: impl FnMut() -> Option<T>) -> Result<T, EnvoyError> {
        for _ in 0..POLLS {
            if let Some(value) = ready() {
                return Ok(value);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.not_ready(format!("it ended with {status}")));
            }
            thread::sleep(POLL);
        }
        Err(self.not_ready(format!("{what} did not come in time")))
    }

    fn not_ready(&self, reason: String) -> EnvoyError {
        let log = self.log();
        let mut lines: Vec<&str> = log.lines().rev().take(15).collect();
        lines.reverse();
        EnvoyError::NotReady {
            reason,
            log: lines.join("\n"),
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(admin: SocketAddr, path: &str) -> io::Result<client::Answer> {
    client::send(
        admin,
        &Message::request(b"GET", path.as_bytes(), Some(b"localhost"), &[], b"", &[]),
    )
}

fn listeners(admin: SocketAddr) -> Result<BTreeMap<String, SocketAddr>, EnvoyError> {
    let answer = get(admin, "/listeners?format=json")?;
    let statuses: Value = serde_json::from_slice(&answer.body).map_err(io::Error::other)?;
    let statuses = statuses
        .pointer("/listener_statuses")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    Ok(statuses.iter().filter_map(address).collect())
}

fn address(status: &Value) -> Option<(String, SocketAddr)> {
    let socket = status.pointer("/local_address/socket_address")?;
    let ip = socket.get("address")?.as_str()?.parse().ok()?;
    let port = u16::try_from(socket.get("port_value")?.as_u64()?).ok()?;
    Some((
        status.get("name")?.as_str()?.to_owned(),
        SocketAddr::new(ip, port),
    ))
}
