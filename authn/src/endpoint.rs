//! A URL that something is fetched from, taken apart into what a request needs. Where the request is sent is not
//! decided here: that is the proxy's upstream, and the URL only says what to ask it for.

use std::fmt;

use fluent_uri::Uri;
use fluent_uri::component::{Authority, Host};

use crate::limits;

/// A URL of something that is fetched: `https`, or `http` where the host is the machine itself.
///
/// Credentials and documents that decide who is verified never travel in the clear (RFC 7662 section 4, RFC 8414
/// section 6.1); on the loopback interface there is no network to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// `https` or `http`.
    pub(crate) scheme: &'static str,
    /// The host in lower case, and the port where one is written.
    pub(crate) authority: String,
    /// The path, at least `/`, and the query where there is one.
    pub(crate) path: String,
}

impl Endpoint {
    /// Takes `url` apart.
    ///
    /// # Errors
    /// What is wrong with it, in words that fit after the URL: it is no absolute URL (RFC 3986 section 4.3), has
    /// another scheme, names a user, or has a fragment, an odd host or an odd port.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        if url.len() > limits::URL_BYTES {
            return Err("is too long");
        }
        let uri = Uri::parse(url).map_err(|_| "is no absolute URL")?;
        if uri.has_fragment() {
            return Err("has a fragment, and fragments are never sent");
        }
        let authority = uri.authority().ok_or("names no host")?;
        let scheme = scheme(uri.scheme().as_str(), authority)?;
        let path = match uri.path().as_str() {
            "" => "/",
            path => path,
        };
        Ok(Self {
            scheme,
            authority: check_authority(authority)?.to_ascii_lowercase(),
            path: match uri.query() {
                None => path.to_owned(),
                Some(query) => [path, "?", query.as_str()].concat(),
            },
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            authority,
            path,
        } = self;
        write!(f, "{scheme}://{authority}{path}")
    }
}

fn scheme(scheme: &str, authority: Authority<'_>) -> Result<&'static str, &'static str> {
    if scheme.eq_ignore_ascii_case("https") {
        Ok("https")
    } else if !scheme.eq_ignore_ascii_case("http") {
        Err("has a scheme other than `https`")
    } else if is_loopback(authority) {
        Ok("http")
    } else {
        Err("has the scheme `http`, which is for the machine's own addresses only")
    }
}

/// Whether the host is the machine itself, by its name or by address (RFC 6761 section 6.3, RFC 6890).
fn is_loopback(authority: Authority<'_>) -> bool {
    let host = authority.host();
    let is_address = matches!(authority.host_parsed(), Host::Ipv4 { .. });
    host.eq_ignore_ascii_case("localhost") || host == "[::1]" || is_address && host.starts_with("127.")
}

/// The authority as it may stand in a request: no user, a host of letters or an address, a port that exists.
fn check_authority(authority: Authority<'_>) -> Result<&str, &'static str> {
    if authority.has_userinfo() {
        return Err("names a user, and what stands before `@` is never sent");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
    let is_host = matches!(authority.host_parsed(), Host::Ipv4 { .. } | Host::Ipv6 { .. })
        || authority.host().split('.').all(is_label);
    if !is_host {
        return Err("names no host, or one that is neither a name nor an address");
    }
    let is_port = |port: &str| {
        !port.starts_with('0') && matches!(authority.port_to_u16(), Ok(Some(_))) && port.len() <= 5
    };
    match authority.port().is_none_or(|port| is_port(port.as_str())) {
        true => Ok(authority.as_str()),
        false => Err("has a port that is no number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn a_url_is_taken_apart() {
        let cases = [
            ("https://idp.example.com", ("https", "idp.example.com", "/")),
            (
                "https://idp.example.com/jwks",
                ("https", "idp.example.com", "/jwks"),
            ),
            (
                "HTTPS://IDP.Example.com:8443/A/b%20c?x=1&y=/?",
                ("https", "idp.example.com:8443", "/A/b%20c?x=1&y=/?"),
            ),
            ("https://idp.example.com?x", ("https", "idp.example.com", "/?x")),
            ("https://[2001:DB8::1]:443/", ("https", "[2001:db8::1]:443", "/")),
            ("https://10.0.0.7/", ("https", "10.0.0.7", "/")),
            ("https://key_server-1/", ("https", "key_server-1", "/")),
            ("http://localhost:8080/jwks", ("http", "localhost:8080", "/jwks")),
            ("http://LOCALHOST/jwks", ("http", "localhost", "/jwks")),
            ("http://127.0.0.1:1/", ("http", "127.0.0.1:1", "/")),
            ("http://127.9.9.9/", ("http", "127.9.9.9", "/")),
            ("http://[::1]:65535/", ("http", "[::1]:65535", "/")),
        ];
        for (url, (scheme, authority, path)) in cases {
            let expected = Endpoint {
                scheme,
                authority: authority.to_owned(),
                path: path.to_owned(),
            };
            assert_eq!(Endpoint::parse(url), Ok(expected), "{url}");
        }
        let shown = Endpoint::parse("https://IDP.example.com?x").map(|endpoint| endpoint.to_string());
        assert_eq!(shown, Ok("https://idp.example.com/?x".to_owned()));
    }

    #[test]
    fn a_url_that_cannot_be_fetched_safely_is_refused() {
        let long = format!("https://idp.example.com/{}", "a".repeat(2048));
        let cases = [
            ("", "no absolute URL"),
            ("idp.example.com/jwks", "no absolute URL"),
            ("//idp.example.com/jwks", "no absolute URL"),
            ("https://idp.example.com/a b", "no absolute URL"),
            ("https://idp.example.com/%zz", "no absolute URL"),
            ("https://idp.example.com/\r\nx: y", "no absolute URL"),
            ("https://idp.example.com/\u{e9}", "no absolute URL"),
            (" https://idp.example.com/", "no absolute URL"),
            ("https:/jwks", "no host"),
            ("https:idp.example.com", "no host"),
            ("https://", "no host"),
            ("https:///jwks", "no host"),
            ("https://:443/jwks", "no host"),
            ("https://a..b/", "no host"),
            ("https://a./", "no host"),
            ("https://a%2fb/", "no host"),
            ("https://a,b/", "no host"),
            ("https://[v1.a]/", "no host"),
            ("https://idp.example.com/jwks#keys", "fragment"),
            ("https://user@idp.example.com/", "a user"),
            ("https://user:password@idp.example.com/", "a user"),
            ("https://@idp.example.com/", "a user"),
            ("http://idp.example.com/jwks", "`http`"),
            ("http://localhost.example.com/", "`http`"),
            ("http://127.0.0.1.example.com/", "`http`"),
            ("http://128.0.0.1/", "`http`"),
            ("http://127.1/", "`http`"),
            ("http://[::2]/", "`http`"),
            ("http://localhost@idp.example.com/", "`http`"),
            ("ftp://idp.example.com/", "`https`"),
            ("file:///etc/passwd", "`https`"),
            ("https://a:0/", "port"),
            ("https://a:/", "port"),
            ("https://a:65536/", "port"),
            ("https://a:0443/", "port"),
            (long.as_str(), "too long"),
        ];
        for (url, expected) in cases {
            let fault = Endpoint::parse(url).expect_err(url);
            assert!(fault.contains(expected), "`{url}` {fault}");
        }
    }
}
