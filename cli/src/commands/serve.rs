//! `scopegate serve`: a development gateway with the real module, which takes a changed policy at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;

use scopegate_engine::source;
use scopegate_harness::check::describe;
use scopegate_harness::executor::{Setup, Time};
use scopegate_harness::upstream::Upstreams;

use super::check::Format;
use crate::gateway::{Gateway, Observer, Served};
use crate::secrets::{self, CheckedSecrets};
use crate::{Exit, Failure, diagnostics, module, style};

/// How often the policy's files are looked at for a change.
const POLL: Duration = Duration::from_millis(300);

/// Runs a development gateway in front of an upstream
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scopegate serve --policy policy.yaml --upstream http://127.0.0.1:8080 --listen 127.0.0.1:8000\n\n\
                        A changed policy is taken at once; a faulty one is reported, and the old one stays in force."
)]
pub(crate) struct Serve {
    /// The policy: one file, or several that are joined
    #[arg(long, short, required = true, num_args = 1.., value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Where permitted requests go
    #[arg(long, short, value_name = "URL")]
    upstream: String,
    /// Where requests come in; port 0 takes any free one
    #[arg(long, short, default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The plugin's module, in place of the one that was built
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// How the log of decisions is written, on standard error
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Serve {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Runtime::new();
        let runtime = runtime.map_err(|error| environment(format!("cannot start: {error}")))?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> Result<Exit, Failure> {
        let source = source::load(&self.policy)?;
        source.compile(&CheckedSecrets).map_err(|diagnostics| {
            Failure::Unreadable(source::Unreadable {
                files: source.files().to_vec(),
                diagnostics,
                missing_file: false,
            })
        })?;
        let wasm = module::find(self.wasm.as_deref())?.wasm()?;
        let environment_of_policy = secrets::environment(source.document());
        let setup = Setup {
            name: String::new(),
            policy: source.json(),
            environment: environment_of_policy,
            time: Time::System,
            upstreams: Upstreams::default(),
        };
        let session = wasm.session(&setup)?;
        let gateway = Gateway::new(session, &self.upstream, observer(self.format))
            .map_err(|error| Failure::Invalid(error.to_string()))?;
        let listener = TcpListener::bind(self.listen).await;
        let listener =
            listener.map_err(|error| environment(format!("cannot listen on {}: {error}", self.listen)))?;
        let address = listener
            .local_addr()
            .map_err(|error| environment(error.to_string()))?;
        eprintln!("listening on http://{address}, upstream {}", self.upstream);
        tokio::spawn(reload(gateway.clone(), self.policy));
        tokio::select! {
            ended = gateway.serve(listener) => {
                ended.map(|()| Exit::Fine).map_err(|error| environment(format!("cannot accept: {error}")))
            }
            _ = tokio::signal::ctrl_c() => Ok(Exit::Fine),
        }
    }
}

fn environment(message: String) -> Failure {
    Failure::Environment(
        message,
        "choose another address with --listen, or look at what the system says".to_owned(),
    )
}

/// One line for each decision.
fn observer(format: Format) -> Observer {
    Arc::new(
        move |Served {
                  request,
                  answer,
                  status,
              }| match format {
            Format::Json => {
                let mut line = answer.to_json();
                if let Some(members) = line.as_object_mut() {
                    members.insert(
                        "method".to_owned(),
                        json!(String::from_utf8_lossy(&request.method)),
                    );
                    members.insert("served_status".to_owned(), json!(status));
                    members.remove("upstream");
                    members.remove("reply_headers");
                    members.remove("reply_body");
                }
                eprintln!("{line}");
            }
            Format::Human => {
                let method = request.method.escape_ascii();
                // The query may hold a credential: it is not shown.
                let path = request
                    .path
                    .split(|byte| *byte == b'?')
                    .next()
                    .unwrap_or_default()
                    .escape_ascii();
                eprintln!(
                    "{status} {method} {path}  {} ({} us)",
                    describe(answer),
                    answer.elapsed_us
                );
            }
        },
    )
}

/// Takes a policy whose files changed; keeps the old one when the new one is faulty.
async fn reload(gateway: Gateway, policy: Vec<PathBuf>) {
    let mut known = stamps(&policy);
    loop {
        tokio::time::sleep(POLL).await;
        let now = stamps(&policy);
        if now != known {
            known = now;
            take(&gateway, &policy);
        }
    }
}

fn stamps(policy: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    policy.iter().map(stamp).collect()
}

fn take(gateway: &Gateway, policy: &[PathBuf]) {
    let kept = "the old policy stays in force";
    let source = match source::load(policy) {
        Ok(source) => source,
        Err(fault) => {
            eprint!(
                "{}",
                diagnostics::human(&fault.files, &fault.diagnostics, style::for_stderr())
            );
            eprintln!("the new policy cannot be read; {kept}");
            return;
        }
    };
    if let Err(faults) = source.compile(&CheckedSecrets) {
        eprint!(
            "{}",
            diagnostics::human(source.files(), &faults, style::for_stderr())
        );
        eprintln!("the new policy has faults; {kept}");
        return;
    }
    match gateway.reconfigure(&source.json()) {
        Ok(true) => eprintln!("the new policy is in force"),
        Ok(false) => eprintln!("the plugin refused the new policy; {kept}"),
        Err(error) => eprintln!("{error}; every request is refused until the gateway is started again"),
    }
}
