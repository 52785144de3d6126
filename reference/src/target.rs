//! The request target and what surrounds it: what is malformed whatever the policy says, and the pieces that routes
//! match.

use serde_json::Value;

use crate::Request;
use crate::host::Authority;
use crate::readings::Sign;
use crate::value::{authorization, text};

/// A request that is not malformed.
#[derive(Debug)]
pub(crate) struct Understood {
    /// The method.
    pub(crate) method: String,
    /// The host that is asked, where one is named.
    pub(crate) authority: Option<Authority>,
    /// The path, decoded once; none for `OPTIONS *`.
    pub(crate) path: Option<Vec<Sign>>,
    /// The query, as it came.
    pub(crate) query: Option<String>,
    /// The method that a preflight asks about.
    pub(crate) preflight: Option<String>,
}

const MALFORMED: &str = "malformed_request";

/// "400 `malformed_request`, whatever the route".
pub(crate) fn understand(request: &Request, policy: &Value) -> Result<Understood, &'static str> {
    if !is_token(&request.method) || refused_method(&request.method) || refused_header(request, policy) {
        return Err(MALFORMED);
    }
    let target = std::str::from_utf8(&request.target).map_err(|_| MALFORMED)?;
    // "raw or encoded controls and NUL, raw space, ... a raw `#`"
    if target.contains(|sign: char| sign.is_control() || sign == ' ' || sign == '#') {
        return Err(MALFORMED);
    }
    let (authority, target) = absolute(target);
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    Ok(Understood {
        method: request.method.clone(),
        authority: authority_of(request, authority)?,
        path: if request.method == "OPTIONS" && target == "*" {
            None
        } else {
            Some(decode(path)?)
        },
        query,
        preflight: preflight(request),
    })
}

/// "a method that is no token" (RFC 9110 section 5.6.2).
pub(crate) fn is_token(method: &str) -> bool {
    let in_token = |sign: char| sign.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(sign);
    !method.is_empty() && method.chars().all(in_token)
}

/// "CONNECT, TRACE, ... are refused with 400."
fn refused_method(method: &str) -> bool {
    method.eq_ignore_ascii_case("CONNECT") || method.eq_ignore_ascii_case("TRACE")
}

/// "`Upgrade: h2c` and method-override headers (`X-HTTP-Method-Override` and kin; `method_override: ignore` lets them
/// pass) are refused with 400", "a second Host".
fn refused_header(request: &Request, policy: &Value) -> bool {
    let overridden = ["x-http-method-override", "x-http-method", "x-method-override"]
        .iter()
        .any(|name| !request.values(name).is_empty());
    let ignored = text(authorization(policy), "method_override") == Some("ignore");
    let protocols = request.values("upgrade").join(",");
    let upgraded = protocols
        .split(',')
        .any(|protocol| protocol.trim().eq_ignore_ascii_case("h2c"));
    (overridden && !ignored) || upgraded || request.values("host").len() > 1
}

/// "absolute-form (its authority wins)"; what follows the authority is the path, `/` where nothing does.
fn absolute(target: &str) -> (Option<&str>, &str) {
    let Some(rest) = ["http://", "https://"]
        .iter()
        .find_map(|scheme| target.strip_prefix(scheme))
    else {
        return (None, target);
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    (Some(authority), if path.is_empty() { "/" } else { path })
}

/// "userinfo, an empty or listed authority". All that are shown must be good; the absolute form's wins. `:authority` and
/// Host must be the same (RFC 9113 section 8.3.1), as far as both say.
fn authority_of(request: &Request, own: Option<&str>) -> Result<Option<Authority>, &'static str> {
    let read = |written: Option<&str>| match written {
        None => Ok(None),
        Some(written) => Authority::read(written).map(Some).ok_or(MALFORMED),
    };
    let own = read(own)?;
    let shown = read(request.authority.as_deref())?;
    let host = read(request.values("host").first().copied())?;
    match (&shown, &host) {
        (Some(shown), Some(host)) if !shown.agrees_with(host) => Err(MALFORMED),
        _ => Ok(own.or(shown).or(host)),
    }
}

/// "a real preflight only (OPTIONS, Origin, Access-Control-Request-Method)".
fn preflight(request: &Request) -> Option<String> {
    let one = |name| match request.values(name).as_slice() {
        [value] => Some((*value).to_owned()),
        _ => None,
    };
    let asked =
        one("access-control-request-method").filter(|method| is_token(method) && !refused_method(method));
    // A list of origins is none: proxies join several fields into one.
    let origin = one("origin").filter(|origin| !origin.trim().is_empty() && !origin.contains([',', ' ']));
    origin.and(asked).filter(|_| request.method == "OPTIONS")
}

/// "a bad or `%u` escape, a `%XX` that remains after decoding once, raw or encoded controls and NUL, ... invalid
/// UTF-8, no leading slash, a leading `//`".
fn decode(path: &str) -> Result<Vec<Sign>, &'static str> {
    if !path.starts_with('/') || path.starts_with("//") {
        return Err(MALFORMED);
    }
    let mut bytes: Vec<(u8, bool)> = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => bytes.push((escaped(rest.next(), rest.next()).ok_or(MALFORMED)?, true)),
            plain => bytes.push((plain, false)),
        }
    }
    let decoded: Vec<u8> = bytes.iter().map(|(byte, _)| *byte).collect();
    let decoded = String::from_utf8(decoded).map_err(|_| MALFORMED)?;
    if decoded.contains(char::is_control) || holds_an_escape(&decoded) {
        return Err(MALFORMED);
    }
    let mut places = bytes.iter();
    let mut signs = Vec::new();
    for letter in decoded.chars() {
        let first = places.next().is_some_and(|(_, was_escaped)| *was_escaped);
        for _ in 1..letter.len_utf8() {
            places.next();
        }
        signs.push(Sign {
            letter,
            escaped: first,
        });
    }
    Ok(signs)
}

pub(crate) fn escaped(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?).ok()
}

/// "a `%XX` that remains after decoding once".
fn holds_an_escape(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    letters
        .windows(3)
        .any(|three| matches!(three, ['%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}
