//! Selecting a route: host, then path, then method.
//!
//! Each host that routes name has a trie of path segments. Selecting takes time by the length of the path and
//! not by the number of routes. Only one reading of a path is matched here; that all readings agree is seen to
//! in `readings`.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::host::{Authority, HostPattern};
use crate::pattern::{Pattern, Segment};

/// A map whose hash has no seed, so that a compiled policy can be stored. That is safe: its keys come from the
/// policy, and a request can only look them up.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// The index of a route in the policy.
pub(crate) type RouteIndex = usize;

type NodeIndex = usize;

/// Routes by host, path and method.
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

/// The routes of one host and pattern. The method selects among them.
#[derive(Debug, Default)]
pub(crate) struct Group {
    named: Vec<(String, RouteIndex)>,
    unnamed: Option<RouteIndex>,
}

/// Another route that matches the same requests with the same rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conflict(pub(crate) RouteIndex);

impl Router {
    /// Adds a route. `hosts` empty: any host; `methods` empty: any method but OPTIONS.
    pub(crate) fn insert(
        &mut self,
        hosts: &[HostPattern],
        pattern: &Pattern,
        methods: &[String],
        route: RouteIndex,
    ) -> Result<(), Conflict> {
        if hosts.is_empty() {
            let root = self.anywhere.unwrap_or_else(|| self.add_node());
            self.anywhere = Some(root);
            return self.insert_at(root, pattern, methods, route);
        }
        for host in hosts {
            let root = self.root_of(host);
            self.insert_at(root, pattern, methods, route)?;
        }
        Ok(())
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

    fn insert_at(
        &mut self,
        root: NodeIndex,
        pattern: &Pattern,
        methods: &[String],
        route: RouteIndex,
    ) -> Result<(), Conflict> {
        let index = pattern
            .segments
            .iter()
            .fold(root, |node, segment| self.child(node, segment));
        let Some(node) = self.nodes.get_mut(index) else {
            return Ok(());
        };
        let group = if pattern.rest {
            &mut node.rest
        } else {
            &mut node.end
        };
        group.insert(methods, route)
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
        let node = self.nodes.get(index)?;
        let Some(segments) = segments else {
            return node.end.unless_empty().or_else(|| node.rest.unless_empty());
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
            .or_else(|| node.rest.unless_empty())
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

impl Group {
    /// The route for `method`: named over not named; HEAD is served by GET's route unless one names HEAD;
    /// OPTIONS only where it is named.
    pub(crate) fn select(&self, method: &str) -> Option<RouteIndex> {
        let unnamed = self.unnamed.filter(|_| method != "OPTIONS");
        let of_head = || if method == "HEAD" { self.named("GET") } else { None };
        self.named(method).or_else(of_head).or(unnamed)
    }

    fn named(&self, method: &str) -> Option<RouteIndex> {
        self.named
            .iter()
            .find(|(name, _)| name == method)
            .map(|(_, route)| *route)
    }

    fn insert(&mut self, methods: &[String], route: RouteIndex) -> Result<(), Conflict> {
        if methods.is_empty() {
            let taken = *self.unnamed.get_or_insert(route);
            return if taken == route {
                Ok(())
            } else {
                Err(Conflict(taken))
            };
        }
        for method in methods {
            match self.named(method) {
                Some(taken) if taken != route => return Err(Conflict(taken)),
                Some(_) => {}
                None => self.named.push((method.clone(), route)),
            }
        }
        Ok(())
    }

    fn unless_empty(&self) -> Option<&Self> {
        match self.named.is_empty() && self.unnamed.is_none() {
            true => None,
            false => Some(self),
        }
    }
}

/// The segments of a path: what is after the first slash, one trailing slash ignored; `None` for `/` itself.
pub(crate) fn body(path: &[u8]) -> Option<&[u8]> {
    match path.strip_prefix(b"/").unwrap_or(path) {
        b"" => None,
        body => Some(body.strip_suffix(b"/").unwrap_or(body)),
    }
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
