//! One NGINX process and its worker: found, started with a configuration, ready before it is handed out, killed when
//! dropped.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::wait;

/// The variable that names an NGINX built with ngx_wasm_module. Nobody distributes one, so that there is nowhere to look.
const VARIABLE: &str = "NGINX_WASM";

/// Why there is no running NGINX.
#[derive(Debug, thiserror::Error)]
pub enum NginxError {
    /// The machine has none.
    #[error("no NGINX with ngx_wasm_module: {0}; set `{VARIABLE}` to the path of one")]
    Absent(String),
    /// It did not start: the end of its log says why.
    #[error("NGINX did not become ready\n{0}")]
    NotReady(String),
    /// A file or connection of ours failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The NGINX that the environment names.
///
/// # Errors
/// It names none, or what is no file.
pub fn find() -> Result<PathBuf, NginxError> {
    let named = env::var_os(VARIABLE).filter(|named| !named.is_empty());
    let named = named.ok_or_else(|| NginxError::Absent(format!("`{VARIABLE}` is not set")))?;
    let program = PathBuf::from(named);
    if program.is_file() {
        return Ok(program);
    }
    Err(NginxError::Absent(format!("`{}` is no file", program.display())))
}

/// A text as one parameter of a directive.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A running NGINX with one worker.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Nginx {
    /// Starts `program` with what `configuration` makes of a free address, and waits until it takes connections there.
    /// Process, log and folders are named here: the configuration has `wasm` and `http`. `environment` is added to
    /// NGINX's own.
    ///
    /// # Errors
    /// It could not be started, ended, or was not ready in time.
    pub fn start(
        program: &Path,
        environment: &[(&str, &str)],
        configuration: impl FnOnce(SocketAddr) -> String,
    ) -> Result<Self, NginxError> {
        let folder = tempfile::Builder::new().prefix("scopegate-nginx-").tempdir()?;
        fs::create_dir(folder.path().join("logs"))?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let file = folder.path().join("nginx.conf");
        fs::write(&file, whole(environment, &configuration(address)))?;
        let log = fs::File::create(folder.path().join(LOG))?;
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut nginx = Self {
            child,
            folder,
            address,
        };
        nginx.wait()?;
        Ok(nginx)
    }

    /// Where its first server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The socket is there before the worker is: a worker that is ready has loaded its modules, and says so.
    fn wait(&mut self) -> Result<(), NginxError> {
        let address = self.address;
        let ready = wait::until("NGINX", || {
            let ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            let served = self.log().contains(LOADED) && TcpStream::connect(address).is_ok();
            (ended || served).then_some(served)
        });
        match ready {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(NginxError::NotReady(self.log())),
        }
    }
}

/// Where everything is logged, by the process and by its worker.
const LOG: &str = "logs/error.log";

/// What a worker logs when it can serve.
const LOADED: &str = "[wasm] successfully loaded";

fn whole(environment: &[(&str, &str)], configuration: &str) -> String {
    let shown: Vec<String> = environment
        .iter()
        .map(|(name, _)| format!("env {name};\n"))
        .collect();
    format!(
        "daemon off;\nworker_processes 1;\nerror_log {LOG} info;\npid nginx.pid;\n{}events {{}}\n{configuration}",
        shown.concat()
    )
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked to end, the process ends its worker too; killed, it would leave it behind.
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        let ended = || self.child.try_wait().ok().flatten();
        if asked.is_err() || wait::until("the end of NGINX", ended).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
