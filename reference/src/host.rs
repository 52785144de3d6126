//! Hosts: of requests and of routes.

use crate::{Reference, Wrong};

/// The host that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    host: String,
    port: Option<String>,
}

impl Authority {
    /// "userinfo, an empty or listed authority" is none. "Hosts: lower-case A-labels, one final dot dropped".
    pub(crate) fn read(written: &str) -> Option<Self> {
        if written.is_empty() || written.contains(['@', ',']) || !written.is_ascii() {
            return None;
        }
        let (host, port) = split(written);
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host).to_owned();
        Some(Self { host, port })
    }
}

impl Authority {
    /// Whether both could be the same: a port that is not named may be any.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let ports = self.port.is_none() || other.port.is_none() || self.port == other.port;
        self.host == other.host && ports
    }

    /// The host, without its port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

fn split(written: &str) -> (&str, Option<String>) {
    match written.split_once(':') {
        Some((host, port)) => (host, Some(port.to_owned())),
        None => (written, None),
    }
}

/// How well an entry fits: "exact, then the longest `*.` suffix, then none". Of two that are the same but for the
/// port, the one that names it is the more exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fit {
    /// 2 exact, 1 suffix, 0 none.
    kind: u8,
    length: usize,
    has_port: bool,
}

/// How well a route's hosts fit the request: its best entry.
pub(crate) fn fit(
    reference: &Reference<'_>,
    hosts: Option<&[String]>,
    asked: Option<&Authority>,
) -> Option<Fit> {
    let Some(hosts) = hosts else {
        return Some(Fit {
            kind: 0,
            length: 0,
            has_port: false,
        });
    };
    hosts
        .iter()
        .filter_map(|entry| entry_fit(reference, entry, asked?))
        .max()
}

/// "an entry without a port matches any port; `*.` stands for one or more labels".
fn entry_fit(reference: &Reference<'_>, entry: &str, asked: &Authority) -> Option<Fit> {
    let (name, port) = split(entry);
    if port.is_some() && port != asked.port {
        return None;
    }
    let has_port = port.is_some();
    match name.strip_prefix('*') {
        Some(suffix) => {
            let before = asked.host.strip_suffix(suffix)?;
            let length = match reference.wrong {
                Some(Wrong::ShortestSuffix) => usize::MAX.saturating_sub(suffix.len()),
                _ => suffix.len(),
            };
            (!before.is_empty()).then_some(Fit {
                kind: 1,
                length,
                has_port,
            })
        }
        None => (name == asked.host).then_some(Fit {
            kind: 2,
            length: 0,
            has_port,
        }),
    }
}
