//! A list of revocations, made for looking up: one ordered map of texts for each provider and kind.

use std::collections::BTreeMap;

use scopegate_document::UnixTime;

use super::TokenFacts;
use crate::Reject;
use crate::section::{RevokedClient, RevokedKey, RevokedSubject, RevokedToken};

/// Revocations of several providers.
#[derive(Debug, Default)]
pub(crate) struct RevocationList {
    providers: Vec<(Box<str>, Revoked)>,
}

/// What is revoked of one provider.
#[derive(Debug, Default)]
struct Revoked {
    tokens: BTreeMap<Box<str>, Cutoff>,
    subjects: BTreeMap<Box<str>, Cutoff>,
    keys: BTreeMap<Box<str>, Cutoff>,
    clients: BTreeMap<Box<str>, Cutoff>,
}

/// How much is revoked; what revokes more is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cutoff {
    /// What was issued before, and what does not say when.
    IssuedBefore(UnixTime),
    /// Everything.
    Always,
}

/// What an entry revokes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Token,
    Subject,
    Key,
    Client,
}

/// One entry of a section or a feed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'s> {
    pub(crate) kind: Kind,
    /// Its place in the list of its kind, from 0.
    pub(crate) index: usize,
    pub(crate) provider: &'s str,
    /// The `jti`, the subject, the `kid` or the client.
    pub(crate) name: &'s str,
    pub(crate) cutoff: Cutoff,
}

impl Kind {
    /// The list of such entries.
    pub(crate) const fn list(self) -> &'static str {
        match self {
            Self::Token => "tokens",
            Self::Subject => "subjects",
            Self::Key => "keys",
            Self::Client => "clients",
        }
    }

    /// The field that names what is revoked.
    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Token => "jti",
            Self::Subject => "subject",
            Self::Key => "kid",
            Self::Client => "client",
        }
    }
}

impl Cutoff {
    fn covers(self, issued_at: Option<UnixTime>) -> bool {
        match self {
            Self::Always => true,
            Self::IssuedBefore(cutoff) => issued_at.is_none_or(|time| time < cutoff),
        }
    }
}

impl RevocationList {
    /// Whether nothing is revoked.
    pub(crate) const fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// Adds an entry; of two for the same thing the one that revokes more stands. Says whether there was none before.
    pub(crate) fn add(&mut self, entry: Entry<'_>) -> bool {
        let Entry {
            kind,
            index: _,
            provider,
            name,
            cutoff,
        } = entry;
        let place = match self.providers.iter().position(|(known, _)| **known == *provider) {
            Some(place) => place,
            None => {
                self.providers.push((provider.into(), Revoked::default()));
                self.providers.len().saturating_sub(1)
            }
        };
        let Some((_, revoked)) = self.providers.get_mut(place) else {
            return false;
        };
        let entries = match kind {
            Kind::Token => &mut revoked.tokens,
            Kind::Subject => &mut revoked.subjects,
            Kind::Key => &mut revoked.keys,
            Kind::Client => &mut revoked.clients,
        };
        let earlier = entries.insert(name.into(), cutoff);
        if let Some(earlier) = earlier.filter(|earlier| *earlier > cutoff) {
            entries.insert(name.into(), earlier);
        }
        earlier.is_none()
    }

    /// Whether a credential of `provider` still counts.
    ///
    /// # Errors
    /// [`Reject::KeyRevoked`] where its key does not, else [`Reject::TokenRevoked`].
    pub(crate) fn check(&self, provider: &str, facts: &TokenFacts<'_>) -> Result<(), Reject> {
        let Some((_, revoked)) = self.providers.iter().find(|(known, _)| **known == *provider) else {
            return Ok(());
        };
        let TokenFacts {
            jti,
            subject,
            client,
            key_id,
            issued_at,
        } = *facts;
        let is_revoked = |entries: &BTreeMap<Box<str>, Cutoff>, name: Option<&str>| {
            let cutoff = name.and_then(|name| entries.get(name));
            cutoff.is_some_and(|cutoff| cutoff.covers(issued_at))
        };
        if is_revoked(&revoked.keys, key_id) {
            return Err(Reject::KeyRevoked);
        }
        let Revoked {
            tokens,
            subjects,
            keys: _,
            clients,
        } = revoked;
        match is_revoked(tokens, jti) || is_revoked(subjects, subject) || is_revoked(clients, client) {
            true => Err(Reject::TokenRevoked),
            false => Ok(()),
        }
    }
}

/// The entries of a section or a feed, in the order of its fields.
pub(crate) fn entries<'s>(
    tokens: &'s [RevokedToken],
    subjects: &'s [RevokedSubject],
    keys: &'s [RevokedKey],
    clients: &'s [RevokedClient],
) -> impl Iterator<Item = Entry<'s>> {
    let entry = |kind, index, provider: &'s str, name: &'s str, cutoff| Entry {
        kind,
        index,
        provider,
        name,
        cutoff,
    };
    let tokens = tokens.iter().enumerate().map(move |(index, token)| {
        let RevokedToken { provider, jti } = token;
        entry(Kind::Token, index, provider, jti, Cutoff::Always)
    });
    let subjects = subjects.iter().enumerate().map(move |(index, revoked)| {
        let RevokedSubject {
            provider,
            subject,
            issued_before,
        } = revoked;
        let cutoff = Cutoff::IssuedBefore(issued_before.0);
        entry(Kind::Subject, index, provider, subject, cutoff)
    });
    let keys = keys.iter().enumerate().map(move |(index, key)| {
        let RevokedKey { provider, kid } = key;
        entry(Kind::Key, index, provider, kid, Cutoff::Always)
    });
    let clients = clients.iter().enumerate().map(move |(index, revoked)| {
        let RevokedClient {
            provider,
            client,
            issued_before,
        } = revoked;
        let cutoff = issued_before.map_or(Cutoff::Always, |instant| Cutoff::IssuedBefore(instant.0));
        entry(Kind::Client, index, provider, client, cutoff)
    });
    tokens.chain(subjects).chain(keys).chain(clients)
}
