//! The cases in NGINX with ngx_wasm_module: a process for each, as a machine that fails when it is configured keeps the
//! process from serving.

use std::path::Path;

use scopegate_conformance::cases::Case;
use scopegate_conformance::transcript;

use super::peers::{self, Upstream};
use super::traffic::{self, Printed};
use super::{CONFIGURATION, SECOND};
use crate::nginx::{Nginx, NginxError, quoted};

/// What the plugin is called, or the first of two.
const FIRST: &str = "plugin";

/// What is in the transcript of a case with which NGINX does not serve.
const DOES_NOT_SERVE: &str = "client: does not serve\n";

/// What ends a line of the log that belongs to a request.
const TAIL: &str = ", client: 127.0.0.1, server: ";

/// The transcript of a case in the NGINX that is `program`, with `module`.
///
/// # Errors
/// A file or a connection failed.
pub fn run(program: &Path, module: &Path, case: &Case) -> Result<String, NginxError> {
    let upstream = Upstream::of(case)?;
    let callees: Vec<(&str, String)> = peers::callees()?
        .map(|(name, address)| (name, address.to_string()))
        .to_vec();
    let nginx = Nginx::start(program, &[("CASE", &case.name)], |address| {
        let plugins = [(FIRST, Some(&case.script)), (SECOND, case.second.as_ref())];
        let plugins: Vec<(&str, String)> = plugins
            .into_iter()
            .filter_map(|(name, script)| Some((name, to_addresses(script?, &callees))))
            .collect();
        let modules = plugins
            .iter()
            .map(|(name, script)| format!("module {name} {} {};\n", module.display(), quoted(script)));
        let filters = plugins
            .iter()
            .map(|(name, _)| format!("proxy_wasm {name} {};\n", quoted(CONFIGURATION)));
        configuration(
            &modules.collect::<String>(),
            &filters.collect::<String>(),
            [address, upstream.address].map(|address| address.to_string()),
        )
    });
    let nginx = match nginx {
        Ok(nginx) => nginx,
        Err(NginxError::NotReady(log)) => {
            let lines = printed(&log, &callees);
            return Ok(transcript::whole(&lines, &[], &[]) + DOES_NOT_SERVE);
        }
        Err(error) => return Err(error),
    };
    let printed = Log {
        nginx: &nginx,
        callees: &callees,
    };
    Ok(traffic::play(case, nginx.address(), &upstream, &printed)?)
}

fn configuration(modules: &str, filters: &str, [server, upstream]: [String; 2]) -> String {
    format!(
        "wasm {{\n{modules}shm_kv * 1m;\nshm_queue queue 1m;\n}}\n\
         http {{\naccess_log off;\nlingering_close off;\nserver {{\n\
         listen {server};\nserver_name server.test;\n\
         location / {{\n{filters}proxy_pass http://{upstream};\nproxy_http_version 1.1;\n}}\n}}\n}}\n"
    )
}

/// Where a callee is, is said by address: NGINX knows no names of its own for upstreams of callouts.
fn to_addresses(script: &str, callees: &[(&str, String)]) -> String {
    callees.iter().fold(script.to_owned(), |script, (name, address)| {
        script.replace(&format!("\"{name}\""), &format!("\"{address}\""))
    })
}

fn to_names(line: &str, callees: &[(&str, String)]) -> String {
    callees.iter().fold(line.to_owned(), |line, (name, address)| {
        line.replace(address.as_str(), name)
    })
}

struct Log<'n> {
    nginx: &'n Nginx,
    callees: &'n [(&'n str, String)],
}

impl Printed for Log<'_> {
    fn lines(&self) -> Vec<String> {
        printed(&self.nginx.log(), self.callees)
    }

    /// NGINX ends a request in the turn of its loop in which the last byte was sent; what comes after was asked later.
    fn is_through(&self, _: usize) -> bool {
        true
    }
}

/// The lines of the modules, contexts by their names.
fn printed(log: &str, callees: &[(&str, String)]) -> Vec<String> {
    let lines: Vec<String> = log.lines().filter_map(|text| line(text, callees)).collect();
    let mut lines = transcript::with_named_contexts(&lines);
    // Which of two plugins is started first is another in every run.
    let started = lines
        .iter()
        .position(|line| line.contains("stream"))
        .unwrap_or(lines.len());
    let (start, _) = lines.split_at_mut(started);
    start.sort_by_key(|line| line.starts_with(transcript::SECOND));
    lines
}

fn line(line: &str, callees: &[(&str, String)]) -> Option<String> {
    let (head, rest) = line.split_once("[proxy-wasm][\"")?;
    let (name, rest) = rest.split_once("\" #")?;
    let (_, message) = rest.split_once("] ")?;
    let message = message.split_once(TAIL).map_or(message, |(message, _)| message);
    let level = match head.split_once('[')?.1.split_once(']')?.0 {
        "warn" => "warning",
        "crit" => "critical",
        level => level,
    };
    let printed = transcript::printed_in_nginx(level, &to_names(message, callees))?;
    let prefix = if name == SECOND { transcript::SECOND } else { "" };
    Some(format!("{prefix}{printed}"))
}
