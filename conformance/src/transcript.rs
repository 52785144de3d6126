//! How a transcript is written: what the module printed, then what the upstream saw and the client got.

use std::collections::BTreeMap;

/// Fields that a proxy or a client adds by itself, or whose value is another in every run.
const NOT_SHOWN: [&str; 6] = [
    "date",
    "server",
    "host",
    "connection",
    "transfer-encoding",
    "x-forwarded-proto",
];

/// What Envoy adds to a response once its filters are through; seen by the module when all is over.
const ADDED_LAST: (&str, &str) = (", date=", ", server=envoy");

/// What Envoy adds to the answers of upstreams.
const UPSTREAM_TIME: &str = "x-envoy-upstream-service-time=";

/// A header field in bytes.
pub type Field = (Vec<u8>, Vec<u8>);

/// A message on one line.
#[must_use]
pub fn message(start: &str, headers: &[Field], body: &[u8], trailers: &[Field]) -> String {
    let mut line = format!("{start} [{}] \"{}\"", fields(headers), body.escape_ascii());
    if !trailers.is_empty() {
        line.push_str(&format!(" [{}]", fields(trailers)));
    }
    line
}

fn fields(fields: &[Field]) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let is_shown =
        |name: &str| !NOT_SHOWN.contains(&name) && !name.starts_with("x-envoy-") && !name.starts_with(':');
    let lower = fields
        .iter()
        .map(|(name, value)| (text(name).to_lowercase(), text(value)));
    // That there is no body is said with it or without.
    let is_nothing = |name: &str, value: &str| name == "content-length" && value == "0";
    let kept = lower.filter(|(name, value)| is_shown(name) && !is_nothing(name, value));
    kept.map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A line of the module without what is another in every run; nothing where it is none of the script's.
#[must_use]
pub fn printed(level: &str, line: &str) -> Option<String> {
    if line == "initialize" {
        return None;
    }
    let line = without_time(line);
    let line = match (line.find(ADDED_LAST.0), line.find(ADDED_LAST.1)) {
        (Some(start), Some(end)) if start < end => {
            let rest = line.get(end..)?.strip_prefix(ADDED_LAST.1)?;
            format!("{}{rest}", line.get(..start)?)
        }
        _ => line,
    };
    Some(match level {
        "info" => line,
        level => format!("{level}: {line}"),
    })
}

/// The line without the number of milliseconds that an upstream took.
fn without_time(line: &str) -> String {
    match line.split_once(UPSTREAM_TIME) {
        Some((head, tail)) => format!(
            "{head}{UPSTREAM_TIME}{}",
            tail.trim_start_matches(|c: char| c.is_ascii_digit())
        ),
        None => line.to_owned(),
    }
}

/// A line of the module in NGINX, without what is another in every run and on every machine.
#[must_use]
pub fn printed_in_nginx(level: &str, line: &str) -> Option<String> {
    // What the worker was doing when the line was logged.
    let (said, doing) = line.rsplit_once(" while ").unwrap_or((line, ""));
    let is_told = doing.chars().all(|c| c.is_ascii_lowercase() || c == ' ');
    let line = if is_told { said } else { line };
    let line = without_field(line, "Date=", " GMT");
    let line = without_field(&line, "Server=nginx/", "");
    let line = with_number(&line, "=server.test:", "8080");
    let line = with_number(&line, "\"server.test:", "8080");
    // Scripts name callees by addresses, which are not of one length.
    let line = with_number(&line, "vm_start(", "_");
    printed(level, &line)
}

/// An answer of NGINX's own, without the page that it shows.
#[must_use]
pub fn without_page(line: String) -> String {
    match line.split_once(" [content-type=text/html") {
        Some((status, rest)) if rest.contains("<center>nginx/") => format!("{status} [] \"\""),
        _ => line,
    }
}

/// The line with another number after some words.
fn with_number(line: &str, before: &str, shown: &str) -> String {
    match line.split_once(before) {
        Some((head, tail)) => {
            let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{head}{before}{shown}{tail}")
        }
        None => line.to_owned(),
    }
}

/// The line without a field of a list: from its beginning to the first `end`, or to where the field ends.
fn without_field(line: &str, start: &str, end: &str) -> String {
    let Some((head, tail)) = line.split_once(start) else {
        return line.to_owned();
    };
    let tail = match end {
        "" => tail.trim_start_matches(|c| c != ',' && c != ']'),
        end => tail.split_once(end).map_or("", |(_, tail)| tail),
    };
    match head.strip_suffix(", ") {
        Some(head) => format!("{head}{tail}"),
        None => format!("{head}{}", tail.strip_prefix(", ").unwrap_or(tail)),
    }
}

/// The lines with names for the contexts: `root`, and the streams in the order in which they were made. Hosts number
/// them as they like, and again from the beginning for a new machine.
#[must_use]
pub fn with_named_contexts(lines: &[String]) -> Vec<String> {
    let mut contexts = [Contexts::default(), Contexts::default()];
    let [first, second] = &mut contexts;
    let named = lines.iter().map(|line| match line.strip_prefix(SECOND) {
        Some(rest) => format!("{SECOND}{}", second.named(rest)),
        None => first.named(line),
    });
    named.collect()
}

/// What stands before the lines of a second plugin.
pub const SECOND: &str = "second: ";

/// The contexts of a plugin.
#[derive(Default)]
struct Contexts {
    names: BTreeMap<String, String>,
    streams: usize,
}

impl Contexts {
    fn named(&mut self, line: &str) -> String {
        let Some((id, call)) = line.split_once(' ').filter(|(id, _)| id.parse::<u64>().is_ok()) else {
            return line.to_owned();
        };
        let parent = call.strip_prefix(CREATED).and_then(|rest| rest.strip_suffix(')'));
        if let Some(parent) = parent {
            let name = if parent == "0" {
                "root".to_owned()
            } else {
                self.streams += 1;
                format!("stream {}", self.streams)
            };
            self.names.insert(id.to_owned(), name);
        }
        let name_of = |id: &str| self.names.get(id).cloned().unwrap_or_else(|| id.to_owned());
        let call = parent.map_or_else(
            || call.to_owned(),
            |parent| format!("{CREATED}{})", name_of(parent)),
        );
        format!("{} {call}", name_of(id))
    }
}

/// How a line begins by which a context is made.
const CREATED: &str = "context_create(";

/// The whole transcript.
#[must_use]
pub fn whole(printed: &[String], upstream: &[String], client: &[String]) -> String {
    let lines = printed.iter().map(|line| format!("{line}\n"));
    let upstream = upstream.iter().map(|line| format!("upstream: {line}\n"));
    let client = client.iter().map(|line| format!("client: {line}\n"));
    lines.chain(upstream).chain(client).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_named_in_the_order_in_which_they_were_made() {
        let lines = [
            "77 context_create(0)",
            "1 context_create(77)",
            "  f() OK",
            "second: 9 context_create(0)",
            "1 delete()",
            "1 context_create(77)",
        ];
        let named = with_named_contexts(&lines.map(str::to_owned));
        let expected = [
            "root context_create(0)",
            "stream 1 context_create(root)",
            "  f() OK",
            "second: root context_create(0)",
            "stream 1 delete()",
            "stream 2 context_create(root)",
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn dates_and_versions_of_nginx_are_not_shown() {
        let shown = |line| printed_in_nginx("info", line).unwrap();
        assert_eq!(
            shown("[a=1, Server=nginx/1.2.3, Date=Sun, 22 Nov 2026 GMT]"),
            "[a=1]"
        );
        assert_eq!(shown("[Date=Sun, 22 GMT, Server=nginx/1, b=2]"), "[b=2]");
        assert_eq!(shown("1 log() while logging request"), "1 log()");
        assert_eq!(
            shown("[:authority=server.test:34567]"),
            "[:authority=server.test:8080]"
        );
        let page = "500 [content-type=text/html, content-length=9] \"<center>nginx/1</center>\"";
        assert_eq!(without_page(page.to_owned()), "500 [] \"\"");
    }

    #[test]
    fn what_a_proxy_adds_is_not_shown() {
        let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let headers = [field("X-One", "1"), field("date", "now"), field(":path", "/")];
        assert_eq!(message("200", &headers, b"b\n", &[]), "200 [x-one=1] \"b\\n\"");
        let line = "  f() OK [a=1, date=Sun, 22 Nov, server=envoy]";
        assert_eq!(printed("info", line).as_deref(), Some("  f() OK [a=1]"));
        assert_eq!(printed("error", "x").as_deref(), Some("error: x"));
        assert_eq!(printed("info", "initialize"), None);
    }
}
