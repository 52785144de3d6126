//! The proxy in front of the upstream: the development gateway on wasmtime, or Envoy.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fmt, fs, thread};

use serde_json::Value;
use tempfile::TempDir;

use super::DemoError;
use crate::envoy::bootstrap::{Listener, bootstrap, plugin};
use crate::envoy::{Envoy, find};
use crate::log;

/// Where the module runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Host {
    /// The development gateway: `scopegate serve`, the module in wasmtime.
    Wasmtime,
    /// A real Envoy.
    Envoy,
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Wasmtime => "wasmtime",
            Self::Envoy => "Envoy",
        })
    }
}

/// A running proxy with the module.
pub(super) enum Gateway {
    Serve {
        child: Child,
        folder: TempDir,
        address: SocketAddr,
    },
    Envoy {
        envoy: Envoy,
        address: SocketAddr,
    },
}

const POLL: Duration = Duration::from_millis(25);
const POLLS: u32 = 2400;
const POLLS_FOR_LOG: u32 = 80;

impl Gateway {
    pub(super) fn start(
        host: Host,
        module: &Path,
        policy: &Value,
        upstream: SocketAddr,
    ) -> Result<Self, DemoError> {
        match host {
            Host::Wasmtime => serve(module, policy, upstream),
            Host::Envoy => {
                let filters = vec![plugin(module, &policy.to_string(), &BTreeMap::new())];
                let listener = Listener::new("demo", filters);
                let envoy = Envoy::start(&find()?, &bootstrap(&[listener], upstream), Path::new("."), &[])?;
                let address = envoy.listener("demo");
                let address =
                    address.ok_or_else(|| DemoError::Gateway("Envoy has no listener".to_owned()))?;
                Ok(Self::Envoy { envoy, address })
            }
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        match self {
            Self::Serve { address, .. } | Self::Envoy { address, .. } => *address,
        }
    }

    /// The audit records of the proxy's log, once those of the request `last` are there: a proxy may log after it
    /// has answered.
    pub(super) fn records(&self, last: &str) -> Vec<Value> {
        let of_last = |record: &Value| record.get("request_id").and_then(Value::as_str) == Some(last);
        for _ in 0..POLLS_FOR_LOG {
            let records = log::records(&self.log());
            if records.iter().any(of_last) {
                return records;
            }
            thread::sleep(POLL);
        }
        log::records(&self.log())
    }

    /// Everything that the proxy has logged.
    pub(super) fn log(&self) -> String {
        match self {
            Self::Serve { folder, .. } => read_log(folder),
            Self::Envoy { envoy, .. } => envoy.log(),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Self::Serve { child, .. } = self {
            // Already ended is as good as killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn serve(module: &Path, policy: &Value, upstream: SocketAddr) -> Result<Gateway, DemoError> {
    let folder = tempfile::Builder::new().prefix("scopegate-demo-").tempdir()?;
    let file = folder.path().join("policy.json");
    fs::write(&file, policy.to_string())?;
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let log_file = fs::File::create(folder.path().join("log"))?;
    let program = env::var_os("SCOPEGATE_COMMAND").unwrap_or_else(|| OsString::from("scopegate"));
    let mut command = Command::new(program);
    command
        .args(["serve", "--format", "json", "--policy"])
        .arg(&file)
        .arg("--wasm")
        .arg(module);
    command.args([
        "--upstream",
        &format!("http://{upstream}"),
        "--listen",
        &address.to_string(),
    ]);
    command
        .stdin(Stdio::null())
        .stdout(log_file.try_clone()?)
        .stderr(log_file);
    let child = command.env("NO_COLOR", "1").spawn()?;
    let mut gateway = Gateway::Serve {
        child,
        folder,
        address,
    };
    for _ in 0..POLLS {
        if TcpStream::connect(address).is_ok() {
            return Ok(gateway);
        }
        if let Gateway::Serve { child, folder, .. } = &mut gateway
            && let Some(status) = child.try_wait()?
        {
            return Err(DemoError::Gateway(format!(
                "it ended with {status}\n{}",
                read_log(folder)
            )));
        }
        thread::sleep(POLL);
    }
    Err(DemoError::Gateway(format!(
        "it does not listen\n{}",
        gateway.log()
    )))
}

fn read_log(folder: &TempDir) -> String {
    let bytes = fs::read(folder.path().join("log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
