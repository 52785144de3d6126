//! Networks that requests may come from, by the address of the peer that the host names.

use std::net::IpAddr;

use ipnet::IpNet;
use scopegate_document::PolicyError;

use crate::compile::empty_list;

/// Some networks, of which any will do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    networks: Vec<IpNet>,
}

impl Sources {
    /// Compiles the networks at `path`, each an address or a prefix (RFC 4632, RFC 4291 section 2.3); faults are added
    /// to `faults`.
    pub(crate) fn compile(sources: &[String], path: &str, faults: &mut Vec<PolicyError>) -> Self {
        if sources.is_empty() {
            faults.push(empty_list(path));
        }
        let mut networks = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            match network(source) {
                Ok(network) => networks.push(network),
                Err((message, help)) => {
                    let at = format!("{path}[{index}]");
                    faults.push(PolicyError::new("invalid_source", at, message, help));
                }
            }
        }
        Self { networks }
    }

    /// Whether `address` is in any of them. An IPv4 address that is mapped into IPv6 (RFC 4291 section 2.5.5.2) is that
    /// IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

fn network(source: &str) -> Result<IpNet, (String, String)> {
    let shown = source.escape_debug();
    let network = parse(source).ok_or_else(|| {
        (
            format!("`{shown}` is no network"),
            "write an address, or a prefix as in `10.0.0.0/8` or `2001:db8::/32`".to_owned(),
        )
    })?;
    if network.trunc() != network {
        return Err((
            format!("`{shown}` has bits set behind its prefix"),
            format!(
                "write `{}` for the network, or the address alone for one peer",
                network.trunc()
            ),
        ));
    }
    if let Some(mapped) = mapped(&network) {
        return Err((
            format!("`{shown}` is written as IPv6, and means IPv4 addresses"),
            format!("write `{mapped}`"),
        ));
    }
    Ok(network)
}

/// Reads an address or a prefix. The parser of `ipnet` takes `010.0.0.0` for `10.0.0.0`, where others read octal
/// numbers; that of the standard library takes neither.
fn parse(source: &str) -> Option<IpNet> {
    let Some((address, prefix)) = source.split_once('/') else {
        return source.parse::<IpAddr>().map(IpNet::from).ok();
    };
    let prefix = Some(prefix).filter(|prefix| prefix.bytes().all(|byte| byte.is_ascii_digit()))?;
    IpNet::new(address.parse().ok()?, prefix.parse().ok()?).ok()
}

/// The IPv4 network that is mapped into IPv6 here.
fn mapped(network: &IpNet) -> Option<IpNet> {
    let IpNet::V6(network) = network else {
        return None;
    };
    let address = network.addr().to_ipv4_mapped()?;
    let prefix = network.prefix_len().checked_sub(96)?;
    IpNet::new(address.into(), prefix).ok()
}

#[cfg(test)]
mod tests {
    use super::Sources;

    fn compile(sources: &[&str]) -> (Sources, Vec<String>) {
        let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
        let mut faults = Vec::new();
        let compiled = Sources::compile(&sources, "sources", &mut faults);
        (compiled, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_are_in_their_networks_and_in_no_others() {
        let (sources, faults) = compile(&["10.0.0.0/8", "2001:db8::/32", "192.0.2.7", "fe80::1"]);
        assert_eq!(faults, Vec::<String>::new());
        for (address, inside) in [
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("9.255.255.255", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:11.1.2.3", false),
            ("::10.1.2.3", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fe80::1", true),
            ("fe80::2", false),
            ("0.0.0.0", false),
            ("::", false),
        ] {
            assert_eq!(
                sources.contains(address.parse().expect(address)),
                inside,
                "{address}"
            );
        }
    }

    #[test]
    fn all_of_ipv4_is_nothing_of_ipv6() {
        let (sources, _) = compile(&["0.0.0.0/0"]);
        assert!(sources.contains("203.0.113.1".parse().expect("an address")));
        assert!(sources.contains("::ffff:203.0.113.1".parse().expect("an address")));
        assert!(!sources.contains("2001:db8::1".parse().expect("an address")));
    }

    #[test]
    fn faults_say_what_would_be_right() {
        for (source, fault) in [
            ("10.1.2.3/8", "write `10.0.0.0/8`"),
            ("2001:db8::1/32", "write `2001:db8::/32`"),
            ("::ffff:10.0.0.0/104", "write `10.0.0.0/8`"),
            ("::ffff:10.0.0.1", "write `10.0.0.1/32`"),
            ("10.0.0.0/33", "is no network"),
            ("10.0.0/24", "is no network"),
            ("010.0.0.0/8", "is no network"),
            ("10.0.0.0/", "is no network"),
            ("10.0.0.0/+8", "is no network"),
            ("localhost", "is no network"),
            ("fe80::1%eth0", "is no network"),
            ("", "is no network"),
            ("*", "is no network"),
        ] {
            let (sources, faults) = compile(&[source]);
            assert!(
                faults.len() == 1 && faults[0].contains(fault),
                "{source}: {faults:?}"
            );
            assert!(faults[0].starts_with("sources[0]: "), "{faults:?}");
            assert!(
                !sources.contains("10.0.0.1".parse().expect("an address")),
                "{source}"
            );
        }
        assert!(compile(&[]).1[0].contains("is empty"));
    }
}
