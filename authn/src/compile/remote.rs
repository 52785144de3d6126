//! Where a document is fetched, and how often: the fields that key sets, feeds and status lists share.

use scopegate_document::Duration;

use crate::endpoint::Endpoint;
use crate::limits;
use crate::remote::SourceRules;

use super::Faults;

/// The fields of a document that is fetched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetching<'s> {
    /// The name of the field that holds the URL.
    pub(crate) field: &'s str,
    pub(crate) uri: &'s str,
    pub(crate) upstream: Option<&'s str>,
    pub(crate) refresh: Option<Duration>,
    pub(crate) max_stale: Option<Duration>,
}

/// What holds where a policy is silent, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usual {
    pub(crate) refresh: i64,
    pub(crate) max_stale: i64,
}

/// What is usual for keys.
pub(crate) const KEYS: Usual = Usual {
    refresh: limits::REFRESH_DEFAULT,
    max_stale: limits::MAX_STALE_DEFAULT,
};

/// Compiles the fields; nothing where they have faults.
pub(crate) fn compile(
    faults: &mut Faults,
    path: &str,
    fetching: &Fetching<'_>,
    usual: Usual,
) -> Option<SourceRules> {
    let Fetching {
        field,
        uri,
        upstream,
        refresh,
        max_stale,
    } = fetching;
    let endpoint = check_uri(faults, &format!("{path}.{field}"), uri);
    let upstream = check_upstream(faults, &format!("{path}.upstream"), *upstream);
    let (refresh, max_stale) = check_times(faults, path, (*refresh, *max_stale), usual)?;
    Some(SourceRules {
        endpoint: endpoint?,
        discovers: None,
        upstream: upstream?.to_owned(),
        refresh,
        max_stale,
    })
}

/// A URL that something is fetched from.
pub(crate) fn check_uri(faults: &mut Faults, path: &str, uri: &str) -> Option<Endpoint> {
    match Endpoint::parse(uri) {
        Ok(endpoint) => Some(endpoint),
        Err(reason) => {
            let message = format!("`{}` {reason}", uri.escape_debug());
            faults.invalid(
                path,
                message,
                "write an absolute URL, as in `https://idp.example.com/jwks`",
            );
            None
        }
    }
}

/// The proxy's name for where a fetch is sent: the host looks it up, so any visible text may be one.
pub(crate) fn check_upstream<'s>(
    faults: &mut Faults,
    path: &str,
    upstream: Option<&'s str>,
) -> Option<&'s str> {
    let help = "write the proxy's name for where the fetch is sent: a cluster in Envoy, `host:port` in NGINX";
    match upstream {
        None => faults.missing(path, help),
        Some(name) if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) => {
            faults.invalid(path, format!("`{}` is no upstream", name.escape_debug()), help);
        }
        Some(name) => return Some(name),
    }
    None
}

fn check_times(
    faults: &mut Faults,
    path: &str,
    (refresh, max_stale): (Option<Duration>, Option<Duration>),
    usual: Usual,
) -> Option<(i64, i64)> {
    let seconds = |duration: Option<Duration>, usual| duration.map_or(usual, Duration::as_seconds);
    let (refresh_seconds, stale_seconds) = (
        seconds(refresh, usual.refresh),
        seconds(max_stale, usual.max_stale),
    );
    let stale_seconds = match max_stale {
        // A policy that only says how often it asks is not cut off before it asks again.
        None => stale_seconds
            .max(refresh_seconds.saturating_mul(2))
            .min(limits::MAX_STALE_MAX),
        Some(_) => stale_seconds,
    };
    if !(limits::REFRESH_MIN..=limits::MAX_STALE_MAX).contains(&refresh_seconds) {
        let message = "a document is fetched every five seconds at most, and once a week at least";
        faults.invalid(
            format!("{path}.refresh"),
            message,
            "write a length of time, as in `10m`",
        );
        return None;
    }
    if !(refresh_seconds..=limits::MAX_STALE_MAX).contains(&stale_seconds) {
        let message = "`max_stale` is shorter than `refresh`, or longer than a week";
        let help = "write how old the last good document may grow while fetches fail, as in `1h`";
        faults.invalid(format!("{path}.max_stale"), message, help);
        return None;
    }
    Some((refresh_seconds, stale_seconds))
}
