//! Header and trailer maps as a host keeps them: ordered, with repeated names, in bytes.

use crate::profile::Profile;
use crate::slots::{self, Kind};

/// Headers or trailers, in order, in bytes. A name may be repeated; pseudo-headers are `:method` and so on.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// A map that the module reads and changes.
#[derive(Clone, Default)]
pub(crate) struct HeaderMap {
    pairs: Headers,
    /// What the module removed and the host forwards none the less.
    forwarded_anyway: Headers,
    /// What the host makes up: listed first, not counted, and never forwarded.
    made_up: Headers,
    profile: Profile,
    kind: Kind,
}

impl HeaderMap {
    pub(crate) fn new(kind: Kind, pairs: Headers, profile: Profile) -> Self {
        let kind = if profile.has_slots() { kind } else { Kind::Plain };
        let mut map = Self {
            pairs: Vec::with_capacity(pairs.len()),
            forwarded_anyway: Vec::new(),
            made_up: Vec::new(),
            profile,
            kind,
        };
        for (name, value) in pairs {
            map.insert(&name, value);
        }
        map
    }

    /// Adds what the host makes up. It stands before whatever else has its name.
    pub(crate) fn make_up(&mut self, name: &[u8], value: &[u8]) {
        self.made_up.push((name.to_vec(), value.to_vec()));
    }

    /// The first value of a name, as the peer sent it.
    pub(crate) fn sent(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }

    /// The first value under a name: Envoy and its ABI show no further one.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let name = self.key(name);
        self.all()
            .find(|(key, _)| key.eq_ignore_ascii_case(&name))
            .map(|(_, value)| value.as_slice())
    }

    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.insert(name, value.to_vec());
    }

    /// The name under which a header is kept.
    pub(crate) fn key(&self, name: &[u8]) -> Vec<u8> {
        self.kind.name(self.profile.header_name(name))
    }

    /// Adds a header: to the value in its slot, where it has one; a pseudo-header after the others of its sort.
    fn insert(&mut self, name: &[u8], value: Vec<u8>) {
        let name = self.key(name);
        let there = self
            .kind
            .has_slot(&name)
            .then(|| self.pairs.iter_mut().find(|(key, _)| *key == name))
            .flatten();
        match there {
            Some((_, there)) => slots::append(there, &value),
            None if self.profile.has_slots() && name.first() == Some(&b':') => {
                let is_pseudo = |(name, _): &(Vec<u8>, Vec<u8>)| name.first() == Some(&b':');
                let end = self.pairs.iter().take_while(|pair| is_pseudo(pair)).count();
                self.pairs.insert(end, (name, value));
            }
            None => self.pairs.push((name, value)),
        }
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        let name = &*self.key(name);

        let (gone, kept) = std::mem::take(&mut self.pairs)
            .into_iter()
            .partition(|(key, _)| key.eq_ignore_ascii_case(name));
        self.pairs = kept;
        if !self.profile.removal_reaches_upstream() {
            self.forwarded_anyway.extend::<Headers>(gone);
        }
    }

    /// Puts one value in place of all values of the name. What the host made up is changed for the module alone.
    pub(crate) fn replace(&mut self, name: &[u8], value: &[u8]) {
        let name = &*self.key(name);

        if let Some((_, made_up)) = self.made_up.iter_mut().find(|(key, _)| key == name) {
            *made_up = value.to_vec();
            return;
        }
        let mut old: Headers = Vec::new();
        self.pairs.retain(|pair| {
            let same = pair.0.eq_ignore_ascii_case(name);
            if same {
                old.push(pair.clone());
            }
            !same
        });
        if !self.profile.removal_reaches_upstream() {
            self.forwarded_anyway.extend(old.into_iter().skip(1));
        }
        self.add(name, value);
    }

    pub(crate) fn replace_all(&mut self, pairs: Headers) {
        *self = Self::new(self.kind, pairs, self.profile);
    }

    /// What the module sees.
    pub(crate) fn visible(&self) -> impl Iterator<Item = &(Vec<u8>, Vec<u8>)> + Clone {
        self.all().take(self.profile.visible_headers())
    }

    /// What the host made up stands in place of what has its name.
    fn all(&self) -> impl Iterator<Item = &(Vec<u8>, Vec<u8>)> + Clone {
        let is_made_up = |name: &[u8]| self.made_up.iter().any(|(key, _)| key == name);
        let sent = self.pairs.iter().filter(move |(name, _)| !is_made_up(name));
        self.made_up.iter().chain(sent)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// How many the module is told that there are.
    pub(crate) fn len(&self) -> usize {
        match self.profile.counts_pseudo_headers() {
            true => self.visible().count(),
            false => self.all().filter(|(name, _)| name.first() != Some(&b':')).count(),
        }
    }

    /// The bytes of all names and values.
    pub(crate) fn byte_size(&self) -> usize {
        self.pairs
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }

    /// What the next hop gets.
    pub(crate) fn forwarded(&self) -> Headers {
        self.pairs.iter().chain(&self.forwarded_anyway).cloned().collect()
    }
}
