//! `scopegate decide`: requests as JSON lines in, decisions as JSON lines out, through the real module.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use scopegate_document::{Instant, UnixTime, json};
use scopegate_engine::source::{self, Source};
use scopegate_harness::exchange::{self, Headers, Request};
use scopegate_harness::executor::{ExecutorError, MAX_ADVANCE_SECONDS, Session as _, Setup, Time};
use scopegate_harness::upstream::{Rule, Served, Upstreams};
use scopegate_harness::visible;
use scopegate_harness::wasm::{Wasm, WasmSession};

use crate::secrets::{self, CheckedSecrets};
use crate::{Exit, Failure, files, module, output};

/// Decides on requests: JSON lines in, JSON lines out
#[derive(Debug, Args)]
#[command(after_help = "Input, one object a line:\n  \
    {\"id\": 1, \"method\": \"GET\", \"path\": \"/orders\", \"authority\": \"api.example.com\", \"headers\": [[\"authorization\", \"Bearer ...\"]]}\n  \
    {\"control\": \"advance\", \"seconds\": 61}\n  \
    {\"control\": \"http_response\", \"upstream\": \"idp\", \"path\": \"/jwks\", \"body\": {\"keys\": []}}\n  \
    {\"control\": \"reconfigure\", \"policy\": \"other.yaml\"}\n\n\
    A request must have `method` and `path` (or `path_hex`). `advance` needs a clock that `--now` has set.\n\
    `http_response` says what an upstream of the policy answers from now on: `status` (200), `headers`, `body` (text, or JSON) to requests\n\
    with `method` and `path`, where those are given; `fails` (`broken`, `silent`) in place of an answer. Until then every upstream is down.\n\n\
    Examples:\n  scopegate decide --policy policy.yaml < requests.jsonl\n  \
    echo '{\"control\": \"advance\", \"seconds\": 61}' | scopegate decide --policy policy.yaml --now 2026-11-22T09:00:00Z\n  \
    scopegate decide --policy policy.yaml --now 2026-11-22T09:00:00Z < requests.jsonl\n  \
    scopegate decide --bundle orders.wasm < requests.jsonl\n  \
    scopegate decide --bundle orders.wasm --env ORDERS_SECRET < requests.jsonl")]
pub(crate) struct Decide {
    /// The policy: one file, or several that are joined
    #[arg(long, short, required_unless_present = "bundle", num_args = 1.., value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// A bundle, which has its policy in it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "wasm"])]
    bundle: Option<PathBuf>,
    /// Hands the bundle this variable of the environment; without it none
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "bundle")]
    env: Vec<String>,
    /// The plugin's module, in place of the one that was built
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// What time it is: RFC 3339, or Unix seconds; by default the machine's clock
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    now: Option<UnixTime>,
    /// How to print: decisions are JSON lines
    #[arg(long, value_enum, default_value_t)]
    format: Lines,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Lines {
    /// One JSON object a line
    #[default]
    Json,
}

fn parse_time(text: &str) -> Result<UnixTime, String> {
    let seconds = text.parse().map(UnixTime);
    seconds
        .or_else(|_| text.parse::<Instant>().map(|instant| instant.0))
        .map_err(|_| {
            format!("`{text}` is no time; write RFC 3339 as in `2026-11-22T09:00:00Z`, or Unix seconds")
        })
}

impl Decide {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Lines::Json = self.format;
        let session = match &self.bundle {
            Some(bundle) => self.of_bundle(bundle)?,
            None => self.of_policy()?,
        };
        let mut lines = LineByLine {
            session,
            unknown: BTreeSet::new(),
        };
        let mut stdout = std::io::stdout().lock();
        for (at, line) in std::io::stdin().lock().split(b'\n').enumerate() {
            let number = at.saturating_add(1);
            let line = line.map_err(|error| environment(format!("cannot read standard input: {error}")))?;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let answer = lines.line(&line);
            let answer = answer.map_err(|message| Failure::Invalid(format!("line {number}: {message}")))?;
            if let Some(answer) = answer
                && output::write_to(&mut stdout, &format!("{answer}\n"))?.is_break()
            {
                break;
            }
        }
        Ok(Exit::Fine)
    }

    fn of_policy(&self) -> Result<WasmSession, Failure> {
        let source = source::load(&self.policy)?;
        let wasm = module::find(self.wasm.as_deref())?.wasm()?;
        let setup = self.setup(source.json(), secrets::environment(source.document()));
        wasm.session(&setup).map_err(|error| refusal(error, &source))
    }

    /// A bundle is given no configuration, only what is one is taken, and whoever made it is given no variable that was not named.
    fn of_bundle(&self, path: &Path) -> Result<WasmSession, Failure> {
        let found = scopegate_bundle::inspect(&files::read(path)?);
        let found = found.map_err(|error| {
            let error = visible::line(&error.to_string());
            Failure::Invalid(format!("`{}`: {error}", path.display()))
        })?;
        let Some((manifest, _)) = found.bundle else {
            let plain = format!(
                "`{}` is the plain plugin: give it a policy with `--policy`",
                path.display()
            );
            return Err(Failure::Invalid(plain));
        };
        let mut held_back = manifest.secrets;
        held_back.retain(|name| !self.env.contains(name));
        if !held_back.is_empty() {
            let names = visible::line(&held_back.join("`, `"));
            eprintln!(
                "note: the bundle takes `{names}` from the environment, and is not given it without `--env`"
            );
        }
        let setup = self.setup(Vec::new(), secrets::named(&self.env));
        Ok(Wasm::from_file(path)?.session(&setup)?)
    }

    fn setup(&self, configuration: Vec<u8>, environment: BTreeMap<String, String>) -> Setup {
        Setup {
            name: String::new(),
            policy: configuration,
            environment,
            time: self.now.map_or(Time::System, Time::Fixed),
            upstreams: Upstreams::default(),
        }
    }
}

fn environment(message: String) -> Failure {
    Failure::Environment(message, "check where input comes from".to_owned())
}

/// A policy that the module refuses is compiled here once more, to show the places of its faults.
fn refusal(error: ExecutorError, source: &Source) -> Failure {
    match source.compile(&CheckedSecrets) {
        Err(diagnostics) => Failure::Unreadable(source::Unreadable {
            files: source.files().to_vec(),
            diagnostics,
            missing_file: false,
        }),
        Ok(_) => Failure::Invalid(format!("{error}{}", absent_secrets(source))),
    }
}

fn absent_secrets(source: &Source) -> String {
    match secrets::missing(source.document()).as_slice() {
        [] => String::new(),
        names => format!(" (the environment has no `{}`)", names.join("`, `")),
    }
}

struct LineByLine {
    session: WasmSession,
    unknown: BTreeSet<String>,
}

impl LineByLine {
    /// The answer to a request line; nothing for a line that changes the world.
    fn line(&mut self, line: &[u8]) -> Result<Option<Value>, String> {
        let members = json::parse_object(line).map_err(|error| format!("not a JSON object: {error}"))?;
        match members.get("control") {
            Some(control) => {
                let control = control.as_str().ok_or("`control` is no text")?.to_owned();
                self.control(&control, &members).map(|()| None)
            }
            None => self.request(members).map(Some),
        }
    }

    fn request(&mut self, members: Map<String, Value>) -> Result<Value, String> {
        let (request, unknown) = Request::from_members(members).map_err(|error| error.to_string())?;
        for name in unknown {
            if self.unknown.insert(name.clone()) {
                eprintln!("note: `{name}` means nothing in a request; it is not looked at");
            }
        }
        let answer = self.session.decide(&request).map_err(|error| error.to_string())?;
        Ok(answer.to_json())
    }

    fn control(&mut self, control: &str, members: &Map<String, Value>) -> Result<(), String> {
        match control {
            "advance" => {
                let seconds = members.get("seconds").and_then(Value::as_u64);
                let seconds = seconds.ok_or("`seconds` is no whole number")?;
                if seconds > MAX_ADVANCE_SECONDS {
                    return Err(format!(
                        "`seconds` is more than a hundred years; write {MAX_ADVANCE_SECONDS} at most"
                    ));
                }
                self.session
                    .advance(seconds)
                    .map_err(|error| format!("{error}; give `--now`"))
            }
            "reconfigure" => {
                let policy = members.get("policy").ok_or("`policy` is missing")?;
                self.reconfigure(policy)
            }
            "http_response" => {
                let (upstream, rule) = http_response(members)?;
                self.session
                    .answer(&upstream, vec![rule])
                    .map_err(|error| error.to_string())
            }
            unknown => Err(format!(
                "unknown control `{unknown}`; known: advance, reconfigure, http_response"
            )),
        }
    }

    /// A policy that the plugin refuses leaves the old one in force, as in a proxy.
    fn reconfigure(&mut self, policy: &Value) -> Result<(), String> {
        let policy = match policy.as_str() {
            Some(path) => {
                let source = source::load(&[PathBuf::from(path)]);
                source
                    .map(|source| source.json())
                    .map_err(|error| first_message(&error))?
            }
            None => policy.to_string().into_bytes(),
        };
        let taken = self
            .session
            .reconfigure(&policy)
            .map_err(|error| error.to_string())?;
        if !taken {
            eprintln!("note: the plugin refused the new policy; the old one stays in force");
        }
        Ok(())
    }
}

/// What `http_response` says: the upstream, and what it answers from now on.
fn http_response(members: &Map<String, Value>) -> Result<(String, Rule), String> {
    const MEMBERS: [&str; 8] = [
        "control", "upstream", "method", "path", "status", "headers", "body", "fails",
    ];
    if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!(
            "`{unknown}` means nothing here; known: {}",
            MEMBERS.join(", ")
        ));
    }
    let text = |name: &str| match members.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_str()
            .map(|text| Some(text.to_owned()))
            .ok_or_else(|| format!("`{name}` is no text")),
    };
    let upstream = text("upstream")?.ok_or("`upstream` is missing; name one of the policy's upstreams")?;
    let served = match text("fails")?.as_deref() {
        None => answer(members)?,
        Some("broken") => Served::Broken,
        Some("silent") => Served::Silent,
        Some(other) => return Err(format!("`{other}` is no way to fail; write `broken` or `silent`")),
    };
    let rule = Rule {
        method: text("method")?,
        path: text("path")?,
        form: BTreeMap::new(),
        served,
    };
    Ok((upstream, rule))
}

fn answer(members: &Map<String, Value>) -> Result<Served, String> {
    let status = members
        .get("status")
        .map_or(Some(200), |status| u16::try_from(status.as_u64()?).ok());
    let status = status.ok_or("`status` is no HTTP status; write a number, as in `200`")?;
    let headers = members.get("headers").cloned();
    let headers: Vec<(String, String)> = headers
        .map_or(Ok(Vec::new()), serde_json::from_value)
        .map_err(|_| "`headers` is no list of [name, value] pairs of text".to_owned())?;
    let mut headers: Headers = headers
        .into_iter()
        .map(|(name, value)| (name.into_bytes(), value.into_bytes()))
        .collect();
    let is_typed = exchange::value_of(&headers, "content-type").is_some();
    let body = match members.get("body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(json) => {
            if !is_typed {
                headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
            }
            json.to_string()
        }
    };
    Ok(Served::Answer {
        status,
        headers,
        body: body.into_bytes(),
    })
}

fn first_message(unreadable: &source::Unreadable) -> String {
    unreadable
        .diagnostics
        .first()
        .map(|first| first.message.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::parse_time;

    #[test]
    fn a_time_is_rfc_3339_or_seconds() {
        assert_eq!(parse_time("1795338000").map(|time| time.0), Ok(1_795_338_000));
        assert_eq!(
            parse_time("2026-11-22T09:00:00Z").map(|time| time.0),
            Ok(1_795_338_000)
        );
        assert!(parse_time("tomorrow").unwrap_err().contains("RFC 3339"));
    }
}
