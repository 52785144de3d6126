//! The facts of a request where ngx_wasm_module shows them elsewhere, or only in part.

use crate::facts::{Facts, Pairs};
use crate::host::{self, HostError};

/// How many pairs of a header map are shown, those among them that the host makes up. Where there are so many, there
/// may be more.
const SHOWN_PAIRS: usize = 100;

/// The target of a request as it came, and as it is forwarded. In `:path` it is decoded, and `:authority` is the server's
/// own name.
#[derive(Debug)]
pub(crate) struct Target {
    path: Vec<u8>,
    /// The name by which the host chose its server: of the request target where that has one, else of `Host`.
    server: Option<Vec<u8>>,
}

impl Target {
    /// Asks the host.
    pub(crate) fn read() -> Result<Self, HostError> {
        let missing = HostError {
            function: "proxy_get_property",
            status: host::NOT_FOUND,
        };
        Ok(Self {
            path: host::property("request\0path")?.ok_or(missing)?,
            server: host::property("ngx\0host")?,
        })
    }

    /// Reads the pairs of a request; `None` where the host may show only a part of it.
    pub(crate) fn facts<'a>(&'a self, pairs: Pairs<'a>) -> Option<Facts<'a>> {
        if pairs.len() >= SHOWN_PAIRS {
            return None;
        }
        let facts = Facts::from_pairs(pairs)?;
        let mut hosts = facts.headers.iter();
        let mut next = || hosts.find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
        let (authority, has_more) = (next().map(|(_, value)| *value), next().is_some());
        let agrees = |authority: &[u8]| self.server.as_deref() == Some(&server_name(authority));
        Some(Facts {
            path: &self.path,
            authority,
            is_unclear: has_more || !authority.is_none_or(agrees),
            ..facts
        })
    }
}

/// The name in `Host` as NGINX compares it: in lower case, without the port and a dot at its end.
fn server_name(authority: &[u8]) -> Vec<u8> {
    let colon = authority.iter().rposition(|byte| *byte == b':');
    let name = match colon.filter(|_| !authority.ends_with(b"]")) {
        Some(at) => authority.split_at_checked(at).map_or(authority, |(name, _)| name),
        None => authority,
    };
    name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{SHOWN_PAIRS, Target};
    use crate::facts::Pairs;

    fn target(server: Option<&str>) -> Target {
        Target {
            path: b"/a%2Fb".to_vec(),
            server: server.map(|server| server.as_bytes().to_vec()),
        }
    }

    fn pairs<'a>(hosts: &[&'a str]) -> Pairs<'a> {
        let made_up: [(&[u8], &[u8]); 3] = [
            (b":method", b"GET"),
            (b":path", b"/a/b"),
            (b":authority", b"server.test:80"),
        ];
        let hosts = hosts.iter().map(|host| (&b"Host"[..], host.as_bytes()));
        made_up.into_iter().chain(hosts).collect()
    }

    #[test]
    fn the_target_is_the_one_that_came_and_the_authority_is_host() {
        let target = target(Some("api.test"));
        let facts = target.facts(pairs(&["API.test.:8443"])).unwrap();
        assert_eq!(
            (facts.path, facts.authority, facts.is_unclear),
            (&b"/a%2Fb"[..], Some(&b"API.test.:8443"[..]), false)
        );
    }

    #[test]
    fn an_authority_that_is_told_in_two_ways_is_unclear() {
        let cases: [(Option<&str>, &[&str], bool); 8] = [
            (Some("api.test"), &["api.test"], false),
            (Some("server.test"), &[], false),
            (Some("[::1]"), &["[::1]:80"], false),
            (Some("[::1]"), &["[::1]"], false),
            (Some("other.test"), &["api.test"], true),
            (Some("server.test"), &[""], true),
            (Some("api.test"), &["api.test", "api.test"], true),
            (None, &["api.test"], true),
        ];
        for (server, hosts, expected) in cases {
            let facts = target(server);
            let facts = facts.facts(pairs(hosts)).unwrap();
            assert_eq!(facts.is_unclear, expected, "{server:?} {hosts:?}");
        }
    }

    #[test]
    fn as_many_pairs_as_are_shown_at_most_may_be_a_part() {
        let target = target(Some("api.test"));
        let filled = |length: usize| {
            let mut pairs = pairs(&["api.test"]);
            pairs.resize(length, (b"x", b"y"));
            pairs
        };
        assert!(target.facts(filled(SHOWN_PAIRS - 1)).is_some());
        assert!(target.facts(filled(SHOWN_PAIRS)).is_none());
    }
}
