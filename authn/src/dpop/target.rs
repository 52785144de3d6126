//! Whether a proof's `htu` is the target URI of the request, as its caller saw it (RFC 9449 section 4.3, check 9).
//!
//! Both are normalised before they are compared (RFC 3986 sections 6.2.2 and 6.2.3). What a request says of its own
//! origin is a stranger's word: the origins are the policy's.

use std::borrow::Cow;

use fluent_uri::Uri;

/// An origin that callers see, as in `https://api.example.com` (RFC 6454 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(Location);

/// An absolute `http` or `https` URI, normalised, without query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Location {
    /// Scheme and authority, the port only where it is not the default one.
    origin: String,
    host: String,
    /// The port as it was written.
    port: Option<u16>,
    /// The path, at least `/`.
    path: String,
}

impl Origin {
    /// Reads an origin of a policy: scheme, host and perhaps port, in lower case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (_, host) = text.split_once("://")?;
        let is_host_byte = |byte: u8| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
        };
        let is_origin = text.starts_with("http") && host.bytes().all(is_host_byte);
        is_origin.then(|| Location::parse(text).map(Self)).flatten()
    }

    /// How well the origin fits the authority of a request: host and port (2), host (1), not (0).
    fn closeness(&self, authority: Option<&Location>) -> u8 {
        let Self(own) = self;
        let Some(authority) = authority.filter(|authority| authority.host == own.host) else {
            return 0;
        };
        let default = if own.origin.starts_with("https:") { 443 } else { 80 };
        let same_port = authority.port.unwrap_or(default) == own.port.unwrap_or(default);
        if same_port { 2 } else { 1 }
    }
}

/// Whether `htu` names one of `origins` and the path of the request.
///
/// Where the authority of the request is that of some of the origins, it must be one of those: a proof for one of
/// several hosts is no proof at another. An authority that is none of them is one that a proxy further out wrote.
/// What a request target of absolute form says wins over `authority` (RFC 9112 section 3.2.2).
pub(super) fn is_target(htu: &str, origins: &[Origin], authority: Option<&[u8]>, target: &[u8]) -> bool {
    let matched = || {
        let claimed = Location::parse(htu)?;
        let target = std::str::from_utf8(target).ok()?;
        let (authority, path) = if target.starts_with('/') {
            let authority = authority.map(|authority| Location::of_authority(authority).ok_or(()));
            let path = Location::parse(&["http://host", target].concat())?.path;
            (authority.transpose().ok()?, path)
        } else {
            let absolute = Location::parse(target)?;
            let path = absolute.path.clone();
            (Some(absolute), path)
        };
        let closeness = |origin: &Origin| origin.closeness(authority.as_ref());
        let best = origins.iter().map(closeness).max()?;
        let mut closest = origins.iter().filter(|origin| closeness(origin) == best);
        Some(claimed.path == path && closest.any(|Origin(own)| own.origin == claimed.origin))
    };
    matched().unwrap_or_default()
}

impl Location {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = if path.is_empty() { "/" } else { path };
        let written = Uri::parse([scheme, "://", authority, &escaped(path)].concat()).ok()?;
        let port = written.authority()?.port_to_u16().ok()?;
        let uri = written.normalize();
        let (scheme, authority) = (uri.scheme().as_str(), uri.authority()?);
        if !matches!(scheme, "http" | "https") || authority.has_userinfo() {
            return None;
        }
        let host = authority.host();
        // A final dot names the same host (RFC 1034 section 3.1).
        let host = host.strip_suffix('.').unwrap_or(host);
        (!host.is_empty()).then(|| Self {
            origin: [scheme, "://", authority.as_str()].concat(),
            host: host.to_owned(),
            port,
            path: uri.path().as_str().to_owned(),
        })
    }

    /// `:authority`, or `Host`.
    fn of_authority(authority: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(authority).ok()?;
        let is_whole = !text.contains(['/', '?', '#']);
        is_whole
            .then(|| Self::parse(&["http://", text].concat()))
            .flatten()
    }
}

/// The path with the visible characters escaped that no URI may hold and browsers send as they are.
fn escaped(path: &str) -> Cow<'_, str> {
    const RAW: [(char, &str); 10] = [
        ('"', "%22"),
        ('<', "%3C"),
        ('>', "%3E"),
        ('[', "%5B"),
        (']', "%5D"),
        ('^', "%5E"),
        ('`', "%60"),
        ('{', "%7B"),
        ('|', "%7C"),
        ('}', "%7D"),
    ];
    let escape = |found: char| {
        RAW.iter()
            .find(|(raw, _)| *raw == found)
            .map(|(_, escape)| *escape)
    };
    if !path.chars().any(|found| escape(found).is_some()) {
        return Cow::Borrowed(path);
    }
    let mut text = String::with_capacity(path.len().saturating_add(RAW.len()));
    for found in path.chars() {
        match escape(found) {
            Some(escape) => text.push_str(escape),
            None => text.push(found),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::{Origin, is_target};

    fn origins(list: &[&str]) -> Vec<Origin> {
        list.iter().filter_map(|text| Origin::parse(text)).collect()
    }

    #[test]
    fn one_resource_has_many_spellings() {
        let ours = origins(&["https://api.example.com"]);
        let cases = [
            ("https://api.example.com/orders/7", "/orders/7", true),
            ("https://api.example.com/orders/7?page=2#top", "/orders/7", true),
            ("https://api.example.com/orders/7", "/orders/7?page=2", true),
            ("HTTPS://API.Example.COM/orders/7", "/orders/7", true),
            ("https://api.example.com:443/orders/7", "/orders/7", true),
            ("https://api.example.com:/orders/7", "/orders/7", true),
            ("https://api.example.com", "/", true),
            ("https://api.example.com?x", "/?y", true),
            ("https://api.example.com/caf%c3%a9", "/caf%C3%A9", true),
            ("https://api.example.com/%7Eanna", "/~anna", true),
            ("https://api.example.com/a/./b/../c", "/a/c", true),
            ("https://api.example.com/a/c", "/a/%2e/b/%2E%2e/c", true),
            ("https://api.example.com/a|b", "/a|b", true),
            ("https://api.example.com/a%7Cb", "/a|b", true),
            ("https://api.example.com/x[%22]", "/x%5b\"%5d", true),
            ("https://api.example.com//a", "//a", true),
            (
                "https://api.example.com/orders/7",
                "https://api.example.com/orders/7?x",
                true,
            ),
            ("https://api.example.com/orders", "/orders/7", false),
            ("https://api.example.com/orders/", "/orders", false),
            ("https://api.example.com/Orders", "/orders", false),
            ("https://api.example.com/a%2Fb", "/a/b", false),
            ("https://api.example.com/a%7Cb%25", "/a|b", false),
            ("https://api.example.com//a", "/a", false),
            ("http://api.example.com/orders", "/orders", false),
            ("https://api.example.com:444/orders", "/orders", false),
            ("https://api.example.org/orders", "/orders", false),
            ("https://api.example.com.evil.example/orders", "/orders", false),
            ("https://api.example.com@evil.example/orders", "/orders", false),
            ("https://user@api.example.com/orders", "/orders", false),
            ("https://@api.example.com/orders", "/orders", false),
            ("//api.example.com/orders", "/orders", false),
            ("/orders", "/orders", false),
            ("https:/orders", "/orders", false),
            ("https:///orders", "/orders", false),
            ("https://api.example.com:x/orders", "/orders", false),
            ("https://api.example.com:99999/orders", "/orders", false),
            ("https://api.example.com/a b", "/a b", false),
            ("https://api.example.com/%", "/%", false),
            ("https://api.example.com/\u{e9}", "/\u{e9}", false),
            ("https://api.example.com/a\\b", "/a\\b", false),
            ("https://api.example.com/", "", false),
            ("https://api.example.com/", "*", false),
            ("", "/", false),
        ];
        for (htu, target, expected) in cases {
            let authority = Some(&b"api.example.com"[..]);
            let answer = is_target(htu, &ours, authority, target.as_bytes());
            assert_eq!(answer, expected, "`{htu}` for `{target}`");
        }
        assert!(!is_target("https://api.example.com/x", &ours, None, b"/\xff"));
    }

    #[test]
    fn a_proof_for_one_origin_is_none_at_another() {
        let ours = origins(&[
            "https://a.example.com",
            "https://b.example.com",
            "https://b.example.com:8443",
            "http://[2001:db8::1]:8080",
        ]);
        let (a, b, b_8443) = (
            "https://a.example.com/x",
            "https://b.example.com/x",
            "https://b.example.com:8443/x",
        );
        let cases = [
            (a, Some("a.example.com"), true),
            (a, Some("A.Example.Com:443"), true),
            (a, Some("a.example.com."), true),
            (a, Some("a%2Eexample.com"), true),
            (a, Some("a.example.com:10000"), true),
            (b, Some("a.example.com"), false),
            (b, Some("a.example.com."), false),
            (b, Some("a.example.com.:443"), false),
            (b, Some("a.example.com:10000"), false),
            (a, Some("b.example.com"), false),
            (b, Some("b.example.com"), true),
            (b_8443, Some("b.example.com"), false),
            (b, Some("b.example.com:8443"), false),
            (b_8443, Some("b.example.com:8443"), true),
            (b_8443, Some("b.example.com:10000"), true),
            (
                "http://[2001:DB8:0::1]:8080/x",
                Some("[2001:db8:0:0:0:0:0:1]:8080"),
                true,
            ),
            (a, Some("[2001:db8::1]:8080"), false),
            // A proxy further out wrote its own name, or nobody did.
            (a, Some("backend.internal:8080"), true),
            (b, Some("backend.internal"), true),
            (a, None, true),
            ("https://c.example.com/x", Some("c.example.com"), false),
            ("https://c.example.com/x", None, false),
            // What is no authority is none of ours either.
            (a, Some(""), false),
            (a, Some("."), false),
            (a, Some("a.example.com/x"), false),
            (a, Some("a.example.com?"), false),
            (a, Some("user@a.example.com"), false),
            (a, Some("a.example.com:port"), false),
            (a, Some("a.example.com, b.example.com"), false),
        ];
        for (htu, authority, expected) in cases {
            let answer = is_target(htu, &ours, authority.map(str::as_bytes), b"/x");
            assert_eq!(answer, expected, "`{htu}` at {authority:?}");
        }
        let absolute = b"https://b.example.com/x";
        assert!(
            is_target(b, &ours, Some(b"a.example.com"), absolute),
            "its authority wins"
        );
        assert!(
            !is_target(a, &ours, Some(b"a.example.com"), absolute),
            "its authority wins"
        );
        assert!(
            !is_target(a, &[], Some(b"a.example.com"), b"/x"),
            "no origins, no target"
        );
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
        for good in [
            "https://api.example.com",
            "https://api.example.com:8443",
            "http://localhost:8080",
            "https://10.0.0.7",
            "https://[2001:db8::1]:443",
        ] {
            assert!(Origin::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "https",
            "https://",
            "https://:443",
            "https://.",
            "https://api.example.com/",
            "https://api.example.com?x",
            "https://API.example.com",
            "HTTPS://api.example.com",
            "https://user@api.example.com",
            "https://api.example.com:port",
            "https://api.example.com:99999",
            "https://a:b:c",
            "https://[a",
            "https://*.example.com",
            "ftp://api.example.com",
            "httpx://api.example.com",
            "api.example.com",
        ] {
            assert!(Origin::parse(bad).is_none(), "{bad}");
        }
    }
}
