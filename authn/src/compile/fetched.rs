//! Where documents are fetched: URLs that may be asked, names of upstreams, and times that fit together.

use scopegate_document::Duration;

use crate::endpoint::Endpoint;
use crate::fetched::Source;
use crate::limits;

use super::Faults;

/// The fields of a section that say where a document is.
pub(crate) struct Fields<'s> {
    /// The name of the field with the URL.
    pub(crate) url_field: &'s str,
    pub(crate) url: &'s str,
    pub(crate) upstream: Option<&'s str>,
    pub(crate) refresh: Option<Duration>,
    pub(crate) max_stale: Option<Duration>,
}

/// Compiles where a document is fetched; `path` is that of the section with the fields.
pub(crate) fn source(faults: &mut Faults, path: &str, fields: &Fields<'_>) -> Option<Source> {
    let Fields {
        url_field,
        url,
        upstream: upstream_name,
        refresh,
        max_stale,
    } = fields;
    let endpoint = endpoint(faults, &format!("{path}.{url_field}"), url);
    let upstream = upstream(faults, &format!("{path}.upstream"), *upstream_name);
    let (refresh, max_stale) = times(faults, path, *refresh, *max_stale);
    Some(Source {
        endpoint: endpoint?,
        upstream: upstream?,
        refresh,
        max_stale,
    })
}

/// Compiles a URL that is asked.
pub(crate) fn endpoint(faults: &mut Faults, path: &str, url: &str) -> Option<Endpoint> {
    match Endpoint::parse(url) {
        Ok(endpoint) => Some(endpoint),
        Err(fault) => {
            let message = format!("`{}` {fault}", url.escape_debug());
            let help = "write an absolute URL without user and fragment, as in `https://idp.example.com/path`; \
                        `http` only for the machine itself";
            faults.invalid(path, message, help);
            None
        }
    }
}

/// Compiles the name of an upstream.
pub(crate) fn upstream(faults: &mut Faults, path: &str, name: Option<&str>) -> Option<String> {
    let help = "write the proxy's name for where the fetch is sent: a cluster of Envoy, `host:port` of NGINX";
    let Some(name) = name else {
        faults.missing(path, help);
        return None;
    };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("`{}` is no name of an upstream", name.escape_debug());
        faults.invalid(path, message, help);
        return None;
    }
    Some(name.to_owned())
}

/// `refresh` and `max_stale` in seconds, as far as they fit together. Without a `max_stale` a long `refresh` is it.
fn times(
    faults: &mut Faults,
    path: &str,
    refresh: Option<Duration>,
    max_stale: Option<Duration>,
) -> (i64, i64) {
    let seconds = refresh.map_or(limits::REFRESH_DEFAULT, Duration::as_seconds);
    if seconds == 0 {
        let message = "nothing can be fetched every zero seconds";
        let help = "write how often it is fetched, as in `10m`";
        faults.invalid(format!("{path}.refresh"), message, help);
    }
    let stale = match (max_stale, refresh) {
        (Some(max_stale), _) => max_stale.as_seconds(),
        (None, _) => limits::MAX_STALE_DEFAULT.max(seconds),
    };
    let max_stale_path = match (max_stale, refresh) {
        (None, Some(_)) => format!("{path}.refresh"),
        (Some(_), _) | (None, None) => format!("{path}.max_stale"),
    };
    if stale < seconds {
        let message = "it would be too old before it is fetched again";
        let help = "write a `max_stale` of several times `refresh`, so that some fetches may fail";
        faults.invalid(max_stale_path, message, help);
    } else if stale > limits::MAX_STALE_MAX {
        let message = "what is older than a week is not known";
        faults.invalid(max_stale_path, message, "write at most `7d`");
    }
    (seconds, stale)
}
