//! Selecting the routes of a request: host, then path. What selects among those of one host and pattern is in
//! `group`.
//!
//! Each host that routes name has a trie of path segments. Selecting takes time by the length of the path and
//! not by the number of routes. Only one reading of a path is matched here; that all readings agree is seen to
//! in `readings`.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::group::{Entry, Group};
use crate::host::{Authority, HostPattern};
use crate::pattern::{Pattern, Segment};

/// A map whose hash has no seed, so that a compiled policy can be stored, and is quick. That is safe: its keys come from
/// the policy, and a request can only look them up.
pub(crate) type Table<K, V> = HashMap<K, V, FxBuildHasher>;

/// The index of a route in the policy.
pub(crate) type RouteIndex = usize;

type NodeIndex = usize;

/// Routes by host and path.
#[derive(Debug, Default)]
pub(crate) struct Router {
    nodes: Vec<Node>,
    exact: Table<String, Ports>,
    suffixes: Table<String, Ports>,
    anywhere: Option<NodeIndex>,
}

/// The tries of one host, by port.
#[derive(Debug, Default)]
struct Ports {
    named: Vec<(u16, NodeIndex)>,
    any: Option<NodeIndex>,
}

#[derive(Debug, Default)]
struct Node {
    literals: Table<Box<[u8]>, NodeIndex>,
    parameter: Option<NodeIndex>,
    end: Group,
    rest: Group,
}

impl Router {
    /// Adds a route, and gives the routes that it conflicts with. `hosts` empty: any host.
    pub(crate) fn insert(
        &mut self,
        hosts: &[HostPattern],
        pattern: &Pattern,
        route: &Entry<'_>,
    ) -> Vec<RouteIndex> {
        if hosts.is_empty() {
            let root = self.anywhere.unwrap_or_else(|| self.add_node());
            self.anywhere = Some(root);
            return self.insert_at(root, pattern, route);
        }
        let mut conflicts = Vec::new();
        for host in hosts {
            let root = self.root_of(host);
            conflicts.extend(self.insert_at(root, pattern, route));
        }
        conflicts
    }

    /// Whether a route names a host: then a request must show one.
    pub(crate) fn names_hosts(&self) -> bool {
        !self.exact.is_empty() || !self.suffixes.is_empty()
    }

    /// The routes of the most specific host and pattern that match. `path` starts with `/`, is decoded, and is
    /// one reading; one trailing slash of it is ignored.
    pub(crate) fn find(&self, authority: Option<&Authority<'_>>, path: &[u8]) -> Option<&Group> {
        let segments = body(path);
        let find_at = |root: NodeIndex| self.descend(root, segments);
        if let Some(authority) = authority {
            let of_host = self.exact.get(authority.host.as_ref());
            let found = of_host.and_then(|ports| ports.roots(authority.port).find_map(find_at));
            if found.is_some() {
                return found;
            }
            let suffixes = suffixes_of(&authority.host).filter_map(|suffix| self.suffixes.get(suffix));
            let found = suffixes
                .flat_map(|ports| ports.roots(authority.port))
                .find_map(find_at);
            if found.is_some() {
                return found;
            }
        }
        self.anywhere.and_then(find_at)
    }

    /// The groups of routes, in the order in which they were added.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.nodes.iter().flat_map(|node| [&node.end, &node.rest])
    }

    /// The most nodes that one look-up visits, whatever the host and the path: patterns that part at a literal and a
    /// parameter and go on alike are all tried.
    pub(crate) fn most_visits(&self) -> usize {
        let below = self.visits_below();
        let of_root = |root: NodeIndex| below.get(root).copied().unwrap_or_default();
        let of_ports = |ports: &Ports| {
            let named = ports.named.iter().map(|(_, root)| of_root(*root)).max();
            named
                .unwrap_or_default()
                .saturating_add(ports.any.map_or(0, of_root))
        };
        let of_suffixes = |host: &str| {
            let suffixes = suffixes_of(host).filter_map(|suffix| self.suffixes.get(suffix));
            suffixes.map(of_ports).fold(0, usize::saturating_add)
        };
        let hosts = self.exact.iter().chain(&self.suffixes);
        let of_host = hosts.map(|(host, ports)| of_ports(ports).saturating_add(of_suffixes(host)));
        let most = of_host.max().unwrap_or_default();
        most.saturating_add(self.anywhere.map_or(0, of_root))
    }

    /// For each node, how many nodes a path can make [`Router::descend`] visit, itself and below.
    fn visits_below(&self) -> Vec<usize> {
        let mut below = vec![0_usize; self.nodes.len()];
        // A child comes after its parent.
        for (index, node) in self.nodes.iter().enumerate().rev() {
            let of_child = |child: &NodeIndex| below.get(*child).copied().unwrap_or_default();
            let literal = node.literals.values().map(of_child).max().unwrap_or_default();
            let parameter = node.parameter.as_ref().map_or(0, of_child);
            let visits = literal.saturating_add(parameter).saturating_add(1);
            if let Some(slot) = below.get_mut(index) {
                *slot = visits;
            }
        }
        below
    }

    fn root_of(&mut self, host: &HostPattern) -> NodeIndex {
        let fresh = self.nodes.len();
        let table = if host.wildcard {
            &mut self.suffixes
        } else {
            &mut self.exact
        };
        let ports = table.entry(host.host.clone()).or_default();
        let root = match host.port {
            None => *ports.any.get_or_insert(fresh),
            Some(port) => match ports.named.iter().find(|(other, _)| *other == port) {
                Some((_, root)) => *root,
                None => {
                    ports.named.push((port, fresh));
                    fresh
                }
            },
        };
        if root == fresh {
            self.add_node();
        }
        root
    }

    fn add_node(&mut self) -> NodeIndex {
        self.nodes.push(Node::default());
        self.nodes.len().saturating_sub(1)
    }

    fn insert_at(&mut self, root: NodeIndex, pattern: &Pattern, route: &Entry<'_>) -> Vec<RouteIndex> {
        let index = pattern
            .segments
            .iter()
            .fold(root, |node, segment| self.child(node, segment));
        let Some(node) = self.nodes.get_mut(index) else {
            return Vec::new();
        };
        let group = if pattern.rest {
            &mut node.rest
        } else {
            &mut node.end
        };
        group.insert(route)
    }

    fn child(&mut self, parent: NodeIndex, segment: &Segment) -> NodeIndex {
        let fresh = self.nodes.len();
        let Some(node) = self.nodes.get_mut(parent) else {
            return parent;
        };
        let child = match segment {
            Segment::Literal(text) => *node.literals.entry(text.as_bytes().into()).or_insert(fresh),
            Segment::Parameter(_) => *node.parameter.get_or_insert(fresh),
        };
        if child == fresh {
            self.add_node();
        }
        child
    }

    /// Literal over parameter over `/**`, with backtracking; an exact end beats `/**`. Recurses once for each
    /// segment of a pattern, and looks at no node twice.
    fn descend(&self, index: NodeIndex, segments: Option<&[u8]>) -> Option<&Group> {
        #[cfg(test)]
        tests::count_visit();
        let node = self.nodes.get(index)?;
        let Some(segments) = segments else {
            return filled(&node.end).or_else(|| filled(&node.rest));
        };
        let (segment, below) = split_segment(segments);
        let literal = node
            .literals
            .get(segment)
            .and_then(|child| self.descend(*child, below));
        literal
            .or_else(|| {
                let child = node.parameter.filter(|_| !segment.is_empty())?;
                self.descend(child, below)
            })
            .or_else(|| filled(&node.rest))
    }
}

impl Ports {
    /// The tries for a port, the named port first. 80 and 443 are what is meant where no port is written:
    /// no router can tell `http://a` from `http://a:80` by its authority.
    fn roots(&self, port: Option<u16>) -> impl Iterator<Item = NodeIndex> {
        let fits = move |named: u16| port == Some(named) || (port.is_none() && is_default_port(named));
        let named = self
            .named
            .iter()
            .filter(move |(named, _)| fits(*named))
            .map(|(_, root)| *root);
        named.chain(self.any)
    }
}

/// Whether `port` is one that clients leave out of the authority.
pub(crate) const fn is_default_port(port: u16) -> bool {
    matches!(port, 80 | 443)
}

/// The segments of a path: what is after the first slash, one trailing slash ignored; `None` for `/` itself.
pub(crate) fn body(path: &[u8]) -> Option<&[u8]> {
    match path.strip_prefix(b"/").unwrap_or(path) {
        b"" => None,
        body => Some(body.strip_suffix(b"/").unwrap_or(body)),
    }
}

fn filled(group: &Group) -> Option<&Group> {
    (!group.is_empty()).then_some(group)
}

fn split_segment(segments: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = segments.splitn(2, |byte| *byte == b'/');
    (parts.next().unwrap_or_default(), parts.next())
}

/// What follows each dot of a host, the longest first: what `*.` may be followed by.
fn suffixes_of(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.')
        .filter_map(|(dot, _)| host.get(dot.saturating_add(1)..))
}

#[cfg(test)]
mod tests;
