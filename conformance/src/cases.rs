//! The cases: files in `cases/`, each the traffic in JSON, a line `---`, and the script; where a second plugin stands behind
//! the first, a line `--- second` and its script. And the transcripts, as real proxies made them of the cases.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// Header or trailer fields, in order.
pub type Fields = Vec<(String, String)>;

/// A real proxy in which the cases were run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// Envoy.
    Envoy,
    /// NGINX with ngx_wasm_module.
    Nginx,
}

/// What a proxy does once a machine has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Failure {
    /// Every further stream is refused.
    #[default]
    Closed,
    /// Further streams pass the plugin by.
    Open,
    /// Further streams get a new machine at once.
    Reload,
    /// Further streams get a new machine after a minute, which is later than a case lasts.
    ReloadLater,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name: that of its file.
    pub name: String,
    /// What goes through the proxy, one thing after another.
    pub traffic: Vec<Traffic>,
    /// What the upstream answers to each request.
    pub response: Message,
    /// What the module does.
    pub script: String,
    /// What a second plugin does, which stands behind the first.
    pub second: Option<String>,
    /// What becomes of streams once the machine has failed.
    pub failure: Failure,
    /// The one proxy that the case is for; none where it is for all.
    pub only: Option<Proxy>,
    /// How many lines end the case, where that is not the deletion of every stream: a line that starts so.
    pub until: Option<String>,
}

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traffic {
    /// A request over a connection of its own.
    Request {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// The rest of it.
        message: Message,
    },
    /// A connection: the client sends the first, the upstream answers with the second, the client closes.
    Connection {
        /// What the client sends.
        sends: String,
        /// What the upstream answers.
        answers: String,
    },
}

/// A message; for a response `status` counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The status of a response.
    pub status: u16,
    /// The header fields.
    pub headers: Fields,
    /// The body; empty for none.
    pub body: String,
    /// The trailer fields.
    pub trailers: Fields,
}

impl Proxy {
    /// The folder of its transcripts.
    const fn transcripts(self) -> &'static str {
        match self {
            Self::Envoy => "transcripts",
            Self::Nginx => "nginx-transcripts",
        }
    }
}

impl Failure {
    /// How soon a machine that failed may be made anew, where it is. With one millisecond Envoy 1.40 ends: it divides by
    /// the half of it.
    #[must_use]
    pub const fn reload_after(self) -> Option<Duration> {
        match self {
            Self::Closed | Self::Open => None,
            Self::Reload => Some(Duration::from_millis(2)),
            Self::ReloadLater => Some(Duration::from_secs(60)),
        }
    }
}

/// The folder of this crate.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The cases for a proxy, by name. ngx_wasm_module knows no connections.
///
/// # Errors
/// A file cannot be read, or is no case.
pub fn of(proxy: Proxy) -> Result<Vec<Case>, String> {
    let is_connection = |case: &Case| matches!(case.traffic.first(), Some(Traffic::Connection { .. }));
    let mut cases = all()?;
    cases.retain(|case| case.only.is_none_or(|only| only == proxy));
    cases.retain(|case| proxy == Proxy::Envoy || !is_connection(case));
    Ok(cases)
}

fn all() -> Result<Vec<Case>, String> {
    let folder = folder().join("cases");
    let entries = fs::read_dir(&folder).map_err(|error| on(&folder, &error))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Where the transcript is kept that a proxy made of a case.
#[must_use]
pub fn transcript_path(case: &str, proxy: Proxy) -> PathBuf {
    folder()
        .join(proxy.transcripts())
        .join(case)
        .with_extension("txt")
}

/// The transcript that a proxy made of a case.
///
/// # Errors
/// There is none.
pub fn transcript(case: &str, proxy: Proxy) -> Result<String, String> {
    let path = transcript_path(case, proxy);
    fs::read_to_string(&path).map_err(|error| on(&path, &error))
}

fn on(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("`{}`: {error}", path.display())
}

fn read(path: &Path) -> Result<Case, String> {
    let text = fs::read_to_string(path).map_err(|error| on(path, &error))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    parse(&name, &text).map_err(|error| on(path, &error))
}

fn parse(name: &str, text: &str) -> Result<Case, String> {
    let (head, script) = text.split_once("\n---\n").ok_or("there is no line `---`")?;
    let head: Value = serde_json::from_str(head).map_err(|error| error.to_string())?;
    let list = |name: &str| {
        head.get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let requests = list("requests");
    let mut traffic: Vec<Traffic> = requests.iter().map(request).collect();
    traffic.extend(list("connections").iter().map(|connection| Traffic::Connection {
        sends: string(connection, "sends"),
        answers: string(connection, "answers"),
    }));
    if traffic.is_empty() {
        traffic.push(request(&Value::Null));
    }
    let (script, second) = match script.split_once("\n--- second\n") {
        Some((first, second)) => (first, Some(second.to_owned())),
        None => (script, None),
    };
    Ok(Case {
        name: name.to_owned(),
        traffic,
        response: message(head.get("response").unwrap_or(&Value::Null)),
        script: script.to_owned(),
        second,
        failure: failure(&string(&head, "failure"))?,
        only: only(&string(&head, "only"))?,
        until: head.get("until").and_then(Value::as_str).map(str::to_owned),
    })
}

fn failure(name: &str) -> Result<Failure, String> {
    match name {
        "" | "closed" => Ok(Failure::Closed),
        "open" => Ok(Failure::Open),
        "reload" => Ok(Failure::Reload),
        "reload later" => Ok(Failure::ReloadLater),
        name => Err(format!(
            "`{name}` is none of the failures `closed`, `open`, `reload`, `reload later`"
        )),
    }
}

fn only(name: &str) -> Result<Option<Proxy>, String> {
    match name {
        "" => Ok(None),
        "envoy" => Ok(Some(Proxy::Envoy)),
        "nginx" => Ok(Some(Proxy::Nginx)),
        name => Err(format!("`{name}` is none of the proxies `envoy`, `nginx`")),
    }
}

fn request(value: &Value) -> Traffic {
    let or = |name: &str, default: &str| {
        let given = value.get(name).and_then(Value::as_str);
        given.unwrap_or(default).to_owned()
    };
    let message = message(value);
    let method = or("method", if message.body.is_empty() { "GET" } else { "POST" });
    Traffic::Request {
        method,
        path: or("path", "/"),
        message,
    }
}

fn message(value: &Value) -> Message {
    let status = value.get("status").and_then(Value::as_u64).unwrap_or(200);
    Message {
        status: u16::try_from(status).unwrap_or_default(),
        headers: fields(value, "headers"),
        body: string(value, "body"),
        trailers: fields(value, "trailers"),
    }
}

fn string(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn fields(value: &Value, name: &str) -> Fields {
    let text = |pair: &Value, at: usize| {
        let part = pair.get(at).and_then(Value::as_str);
        part.unwrap_or_default().to_owned()
    };
    let pairs = value.get(name).and_then(Value::as_array);
    pairs
        .map(|pairs| pairs.iter().map(|pair| (text(pair, 0), text(pair, 1))).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_case() {
        assert!(!of(Proxy::Envoy).unwrap().is_empty());
    }

    #[test]
    fn a_case_is_traffic_and_a_script() {
        let case = parse("x", "{\"requests\": [{\"body\": \"b\"}]}\n---\non log\n").unwrap();
        let [Traffic::Request { method, message, .. }] = &case.traffic[..] else {
            panic!("{case:?}");
        };
        assert_eq!((method.as_str(), message.body.as_str()), ("POST", "b"));
        assert_eq!(case.script, "on log\n");
        assert!(parse("x", "on log").is_err());
        assert!(parse("x", "{\"failure\": \"ajar\"}\n---\non log\n").is_err());
        let chain = parse("x", "{}\n---\non log\n--- second\non done\n").unwrap();
        assert_eq!(
            (chain.script.as_str(), chain.second.as_deref()),
            ("on log", Some("on done\n"))
        );
    }
}
