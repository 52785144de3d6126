//! What changes while a policy is in force: documents that were fetched, tokens that were proved. Each worker has
//! its own; another policy begins with an empty one.

use std::fmt;
use std::rc::Rc;

use scopegate_document::UnixTime;

use crate::key_set::KeySet;
use crate::proof::Proof;
use crate::remote::{Content, Schedule, SourceId, SourceState};
use crate::token_cache::TokenCache;
use crate::{Algorithm, Authenticator, HostSignatures, Nonces, Reject};

/// The state of an [`Authenticator`](crate::Authenticator). Made by [`Authenticator::live`](crate::Authenticator::live).
pub struct Live {
    pub(crate) sources: Vec<SourceState>,
    pub(crate) tokens: TokenCache<Proof>,
    /// The nonces that proofs are asked for; none where the host has no secret to share.
    pub(crate) nonces: Option<Nonces>,
    /// The host's word on signatures; none where it gives none.
    pub(crate) host_signatures: Option<Rc<HostSignatures>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sources,
            tokens,
            nonces: _,
            host_signatures: _,
        } = self;
        f.debug_struct("Live")
            .field("sources", &sources.len())
            .field("tokens", &tokens.len())
            .finish_non_exhaustive()
    }
}

/// What the token cache holds, and what it was good for since the policy came into force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Tokens.
    pub tokens: usize,
    /// Bytes, estimated.
    pub bytes: u64,
    /// The most bytes it will ever hold.
    pub bound: u64,
    /// How many credentials were found in it, and are still proved.
    pub hits: u64,
    /// How many credentials had to be proved, whether they could be or not.
    pub misses: u64,
    /// How many tokens had to make room for others.
    pub evictions: u64,
}

impl Live {
    pub(crate) fn new(sources: usize) -> Self {
        Self {
            sources: std::iter::repeat_with(SourceState::default)
                .take(sources)
                .collect(),
            tokens: TokenCache::new(),
            nonces: None,
            host_signatures: None,
        }
    }

    /// Gives it the nonces that all workers share.
    pub fn set_nonces(&mut self, nonces: Nonces) {
        self.nonces = Some(nonces);
    }

    /// Gives it the host's word on signatures. It is asked where the policy does not say otherwise, and believed once it
    /// has shown that it knows.
    pub fn set_host_signatures(&mut self, host: Rc<HostSignatures>) {
        self.host_signatures = Some(host);
    }

    /// Whether it was given the host's word.
    #[must_use]
    pub const fn has_host_signatures(&self) -> bool {
        self.host_signatures.is_some()
    }

    /// The algorithms for which the host was tried, and whether it is asked about them.
    #[must_use]
    pub fn host_signatures_tried(&self) -> Vec<(Algorithm, bool)> {
        let host = self.host_signatures.as_deref();
        host.map(HostSignatures::tried).unwrap_or_default()
    }

    /// Whether it was given nonces.
    #[must_use]
    pub const fn has_nonces(&self) -> bool {
        self.nonces.is_some()
    }

    /// What is known of the times of a document.
    #[must_use]
    pub fn schedule(&self, id: SourceId) -> Schedule {
        self.sources
            .get(id.0)
            .map(|state| state.schedule)
            .unwrap_or_default()
    }

    /// Takes over what another worker knows of the times of a document. `true` where it has a newer document than the
    /// one in hand.
    pub fn observe(&mut self, id: SourceId, schedule: Schedule) -> bool {
        let Some(state) = self.sources.get_mut(id.0) else {
            return false;
        };
        state.observe(schedule);
        state.is_behind()
    }

    /// Whether no document was ever there.
    #[must_use]
    pub fn is_empty(&self, id: SourceId) -> bool {
        self.sources.get(id.0).is_none_or(SourceState::is_empty)
    }

    /// Seconds since a document was known to be good; none before the first.
    #[must_use]
    pub fn age(&self, id: SourceId, now: UnixTime) -> Option<i64> {
        self.sources.get(id.0)?.age(now)
    }

    /// What the token cache holds.
    #[must_use]
    pub fn cache_use(&self) -> CacheUse {
        self.tokens.usage()
    }

    /// Lends the state of a source, so that the rest can be looked at meanwhile.
    pub(crate) fn lend(&mut self, id: SourceId) -> Option<SourceState> {
        self.sources.get_mut(id.0).map(std::mem::take)
    }

    /// Takes back what was lent.
    pub(crate) fn give_back(&mut self, id: SourceId, state: SourceState) {
        if let Some(place) = self.sources.get_mut(id.0) {
            *place = state;
        }
    }

    /// Whether there may soon be a newer document than the one in hand: somebody fetches, or may begin to.
    pub(crate) fn may_be_newer(&self, id: SourceId, now: UnixTime) -> bool {
        let schedule = self.schedule(id);
        schedule.is_busy(now) || schedule.may_be_wanted(now)
    }

    /// The content of a source that is fresh enough, with its generation.
    pub(crate) fn content(
        &self,
        authenticator: &Authenticator,
        id: SourceId,
        now: UnixTime,
    ) -> Option<(&Content, u64)> {
        let max_stale = authenticator.sources.get(id.0)?.place.max_stale;
        self.sources.get(id.0)?.usable(max_stale, now)
    }

    /// The keys of a source that are fresh enough, with their generation.
    pub(crate) fn keys(
        &self,
        authenticator: &Authenticator,
        id: SourceId,
        now: UnixTime,
    ) -> Result<(&KeySet, u64), Reject> {
        match self.content(authenticator, id, now) {
            Some((Content::Keys(keys, _), generation)) => Ok((keys, generation)),
            Some((Content::Revocations(_) | Content::StatusList(_), _)) | None => {
                Err(Reject::KeysUnavailable)
            }
        }
    }
}
