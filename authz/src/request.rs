//! The request target and what surrounds it: method, authority, path, and the headers that could make an
//! upstream act on another request than the one looked at here.
//!
//! Everything here is independent of routes: what is refused here is malformed whatever the policy says, but
//! for method overrides.

use crate::authorizer::Target;
use crate::decision::RequestError;
use crate::host::Authority;
use crate::matchers::Headers;
use crate::path::{MAX_LOOKED_AT, Path};
use crate::query::Query;
use crate::section::MethodOverride;

/// Headers by which a client asks for another method than that of the request line.
const METHOD_OVERRIDES: [&[u8]; 3] = [b"x-http-method-override", b"x-http-method", b"x-method-override"];

const HOST: &[u8] = b"host";
const ORIGIN: &[u8] = b"origin";
const UPGRADE: &[u8] = b"upgrade";
const REQUESTED_METHOD: &[u8] = b"access-control-request-method";

/// The lengths of the names of headers that are looked at here, as bits.
const LENGTHS: u32 = {
    let [first, second, third] = METHOD_OVERRIDES;
    let others = 1 << first.len() | 1 << second.len() | 1 << third.len();
    1 << HOST.len() | 1 << ORIGIN.len() | 1 << UPGRADE.len() | 1 << REQUESTED_METHOD.len() | others
};

/// Whether a header could be one that is looked at here, by the length of its name alone: most are not.
fn matters(name: &[u8]) -> bool {
    let length = u32::try_from(name.len()).ok();
    length
        .and_then(|length| LENGTHS.checked_shr(length))
        .is_some_and(|bits| bits & 1 == 1)
}

/// How much of one value counts as looked at: nothing reads further than the longest credential, and a longer
/// one is answered for as such.
const MAX_VALUE_LOOKED_AT: usize = 16 * 1024 + 1;

/// A request that is not malformed.
#[derive(Debug)]
pub(crate) struct Understood<'r> {
    pub(crate) method: &'r str,
    pub(crate) authority: Option<Authority<'r>>,
    /// `None` for `OPTIONS *`.
    pub(crate) path: Option<Path<'r>>,
    /// The method that a CORS preflight asks about, where the request is one.
    pub(crate) preflight: Option<&'r str>,
    pub(crate) headers: Headers<'r>,
    /// Not looked at yet.
    pub(crate) query: Query<'r>,
}

/// The headers that matter here.
#[derive(Debug, Default)]
struct Surroundings<'r> {
    host: Option<&'r [u8]>,
    origins: usize,
    has_empty_origin: bool,
    requested_methods: usize,
    requested_method: Option<&'r [u8]>,
}

impl<'r> Understood<'r> {
    /// Understands a request.
    pub(crate) fn read(target: &Target<'r>, overrides: MethodOverride) -> Result<Self, RequestError> {
        check_size(target)?;
        let method = read_method(target.method).ok_or(RequestError::MalformedRequest)?;
        let surroundings = Surroundings::read(target.headers, overrides)?;
        let (own_authority, path) = split_target(target.path)?;
        let authority = read_authority(own_authority, target.authority, surroundings.host)?;
        let path = match (method, path) {
            ("OPTIONS", b"*") => None,
            _ => Some(Path::read(path)?),
        };
        let preflight = surroundings.preflight(method);
        Ok(Self {
            method,
            authority,
            path,
            preflight,
            headers: target.headers,
            query: Query::of(target.path),
        })
    }
}

impl<'r> Surroundings<'r> {
    fn read(headers: &'r [(&'r [u8], &'r [u8])], overrides: MethodOverride) -> Result<Self, RequestError> {
        let mut seen = Self::default();
        for (name, value) in headers.iter().filter(|(name, _)| matters(name)) {
            seen.take(name, value, overrides)?;
        }
        Ok(seen)
    }

    fn take(&mut self, name: &[u8], value: &'r [u8], overrides: MethodOverride) -> Result<(), RequestError> {
        let is = |expected: &[u8]| name.eq_ignore_ascii_case(expected);
        if is(HOST) {
            if self.host.replace(value).is_some() {
                return Err(RequestError::MalformedRequest);
            }
        } else if is(ORIGIN) {
            // Some proxies join several into one, with a comma; no origin holds one (RFC 6454 section 7.1).
            let count = value.split(|byte| matches!(byte, b',' | b' ')).count();
            self.origins = self.origins.saturating_add(count);
            self.has_empty_origin |= value.trim_ascii().is_empty();
        } else if is(REQUESTED_METHOD) {
            self.requested_methods = self.requested_methods.saturating_add(1);
            self.requested_method = Some(value);
        } else if (is(UPGRADE) && upgrades_to_h2c(value)) || is_refused_override(name, overrides) {
            return Err(RequestError::MalformedRequest);
        }
        Ok(())
    }

    fn preflight(&self, method: &str) -> Option<&'r str> {
        match (method, self.origins, self.requested_methods) {
            ("OPTIONS", 1, 1) if !self.has_empty_origin => self.requested_method.and_then(read_method),
            _ => None,
        }
    }
}

fn check_size(target: &Target<'_>) -> Result<(), RequestError> {
    if target.path.len() > MAX_LOOKED_AT {
        return Err(RequestError::MalformedRequest);
    }
    let of_header =
        |(name, value): &(&[u8], &[u8])| name.len().saturating_add(value.len().min(MAX_VALUE_LOOKED_AT));
    let total = target
        .headers
        .iter()
        .map(of_header)
        .fold(target.path.len(), usize::saturating_add);
    match total > MAX_LOOKED_AT {
        true => Err(RequestError::HeadersTruncated),
        false => Ok(()),
    }
}

/// A method is a token (RFC 9110 section 9.1). CONNECT and TRACE are none that a route can be about.
fn read_method(method: &[u8]) -> Option<&str> {
    let refused = method.eq_ignore_ascii_case(b"CONNECT") || method.eq_ignore_ascii_case(b"TRACE");
    let method = std::str::from_utf8(method).ok()?;
    (!refused && is_token(method)).then_some(method)
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(in_token)
}

/// Splits a request target in its authority, where it is in absolute form (RFC 9112 section 3.2.2), and its
/// path. The query is cut.
fn split_target(target: &[u8]) -> Result<(Option<&[u8]>, &[u8]), RequestError> {
    let refused = |byte: &u8| *byte == b'#' || *byte == b' ' || byte.is_ascii_control();
    if target.iter().any(refused) {
        return Err(RequestError::MalformedRequest);
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let Some(after_scheme) = strip_scheme(path) else {
        // `OPTIONS *` has no query; any other path that does not start with a slash is refused later.
        return Ok((None, if path == b"*" { target } else { path }));
    };
    let end = after_scheme
        .iter()
        .position(|byte| *byte == b'/')
        .unwrap_or(after_scheme.len());
    let (authority, path) = after_scheme
        .split_at_checked(end)
        .ok_or(RequestError::MalformedRequest)?;
    Ok((Some(authority), if path.is_empty() { b"/" } else { path }))
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// The authority of the target wins (RFC 9112 section 3.2.2); whatever is shown must not be malformed, and
/// `:authority` and `Host` must agree on the host (RFC 9113 section 8.3.1).
fn read_authority<'r>(
    own: Option<&'r [u8]>,
    shown: Option<&'r [u8]>,
    host: Option<&'r [u8]>,
) -> Result<Option<Authority<'r>>, RequestError> {
    let read = |bytes: Option<&'r [u8]>| {
        bytes
            .map(|bytes| Authority::parse(bytes).ok_or(RequestError::MalformedRequest))
            .transpose()
    };
    let (own, shown, host) = (read(own)?, read(shown)?, read(host)?);
    if let (Some(shown), Some(host)) = (&shown, &host) {
        let ports_differ = matches!((shown.port, host.port), (Some(one), Some(other)) if one != other);
        if shown.host != host.host || ports_differ {
            return Err(RequestError::MalformedRequest);
        }
    }
    Ok(own.or(shown).or(host))
}

fn upgrades_to_h2c(value: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"h2c"))
}

/// `_` and `-` are the same in the names of headers to whoever passes them on in the style of CGI.
fn is_refused_override(name: &[u8], overrides: MethodOverride) -> bool {
    let same = |expected: &&[u8]| {
        let dashed = name.iter().map(|byte| {
            if *byte == b'_' {
                b'-'
            } else {
                byte.to_ascii_lowercase()
            }
        });
        name.len() == expected.len() && dashed.eq(expected.iter().copied())
    };
    overrides == MethodOverride::Refuse && METHOD_OVERRIDES.iter().any(same)
}
