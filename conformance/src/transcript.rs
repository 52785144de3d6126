//! How a transcript is written: what the module printed, then what the upstream saw and the client got.

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
