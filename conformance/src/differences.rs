//! In what the host under test differs from Envoy, knowingly: blocks of lines of a transcript, each with its reason.

use std::fs;

use serde_json::Value;

use crate::cases::folder;

/// One known difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The case.
    pub case: String,
    /// The lines in Envoy's transcript.
    pub envoy: Vec<String>,
    /// The lines that stand there instead.
    pub host: Vec<String>,
    /// Why.
    pub why: String,
}

/// The known differences of a file in this crate's folder.
///
/// # Errors
/// The file cannot be read, or an entry is incomplete.
pub fn read(file: &str) -> Result<Vec<Difference>, String> {
    let path = folder().join(file);
    let text = fs::read_to_string(&path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let entries: Vec<Value> = serde_json::from_str(&text).map_err(|error| format!("`{file}`: {error}"))?;
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let lines = |entry: &Value, name: &str| -> Option<Vec<String>> {
        let lines = entry.get(name)?.as_array()?;
        lines
            .iter()
            .map(|line| line.as_str().map(str::to_owned))
            .collect()
    };
    let read = |entry: &Value| {
        Some(Difference {
            case: text(entry, "case")?,
            envoy: lines(entry, "envoy")?,
            host: lines(entry, "host")?,
            why: text(entry, "why").filter(|why| !why.is_empty())?,
        })
    };
    let all = entries.iter().map(|entry| {
        read(entry)
            .ok_or_else(|| format!("`{file}`: an entry lacks `case`, `envoy`, `host` or `why`: {entry}"))
    });
    all.collect()
}

/// Envoy's transcript with every known difference of the case put in.
///
/// # Errors
/// The lines of an entry are not there, or more than once.
pub fn apply(transcript: &str, case: &str, known: &[Difference]) -> Result<String, String> {
    let mut lines: Vec<String> = transcript.lines().map(str::to_owned).collect();
    for difference in known.iter().filter(|difference| difference.case == case) {
        let length = difference.envoy.len();
        let found: Vec<usize> = lines
            .windows(length.max(1))
            .enumerate()
            .filter(|(_, window)| *window == difference.envoy)
            .map(|(at, _)| at)
            .collect();
        let [at] = found[..] else {
            let times = found.len();
            let lines = difference.envoy.join("\n");
            return Err(format!(
                "{case}: a known difference applies {times} times, not once:\n{lines}"
            ));
        };
        lines.splice(at..at + length, difference.host.iter().cloned());
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_none_is_an_error() {
        let lines = |all: &[&str]| all.iter().map(|line| (*line).to_owned()).collect();
        let known = |envoy: &[&str]| {
            vec![Difference {
                case: "a".to_owned(),
                envoy: lines(envoy),
                host: lines(&["x"]),
                why: "because".to_owned(),
            }]
        };
        assert_eq!(apply("1\n2\n3\n", "a", &known(&["2", "3"])).unwrap(), "1\nx\n");
        assert_eq!(apply("1\n", "b", &known(&["2"])).unwrap(), "1\n");
        assert!(apply("1\n", "a", &known(&["2"])).is_err());
        assert!(apply("2\n2\n", "a", &known(&["2"])).is_err());
    }
}
