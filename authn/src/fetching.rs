//! The documents of a policy, for whoever fetches them: which there are, what to send, what came of the answer.

use scopegate_document::UnixTime;

use crate::Authenticator;
use crate::compile::accepts;
use crate::live::Live;
use crate::provider::Kind;
use crate::remote::{
    Answer, Content, Fault, Fetch, Record, Schedule, Source, SourceId, Subject, Taken, read_keys,
};

impl Authenticator {
    /// The documents that the policy fetches.
    pub fn sources(&self) -> impl Iterator<Item = SourceId> + use<> {
        (0..self.sources.len()).map(SourceId)
    }

    /// What a document is called in logs and metrics: `keys.` and the provider, `revocations`, and the like.
    #[must_use]
    pub fn source_name(&self, id: SourceId) -> &str {
        self.sources.get(id.0).map_or("", |source| &source.name)
    }

    /// What tells a document from every other one in the process, whatever policy names it.
    #[must_use]
    pub fn source_key(&self, id: SourceId) -> String {
        self.sources.get(id.0).map(Source::key).unwrap_or_default()
    }

    /// The upstreams that the policy sends requests to, each with what for.
    pub fn upstreams(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| source.place.upstream.as_str())
    }

    /// Whether a document is fresh enough to be used.
    #[must_use]
    pub fn has_fresh(&self, live: &Live, id: SourceId, now: UnixTime) -> bool {
        live.content(self, id, now).is_some()
    }

    /// The request that fetches a document, as a fetch begins.
    #[must_use]
    pub fn begin(&self, live: &mut Live, id: SourceId, now: UnixTime) -> Option<Fetch> {
        let (source, state) = (self.sources.get(id.0)?, live.sources.get_mut(id.0)?);
        state.schedule = state.schedule.begun(now);
        Some(source.fetch(state, now))
    }

    /// Takes the answer to what was `asked` for a document. `chance` is any number that differs from worker to worker
    /// and from time to time.
    pub fn take(
        &self,
        live: &mut Live,
        id: SourceId,
        (asked, answer): (&Fetch, &Answer<'_>),
        (chance, now): (u64, UnixTime),
    ) -> Taken {
        let (Some(source), Some(state)) = (self.sources.get(id.0), live.sources.get_mut(id.0)) else {
            return Taken::Refused("nobody asked for it".to_owned());
        };
        source.take(
            state,
            asked,
            answer,
            |body| self.read(source, body),
            (chance, now),
        )
    }

    /// Takes over a document that another worker fetched.
    ///
    /// One that cannot be read changes nothing: `false`.
    pub fn adopt(&self, live: &mut Live, id: SourceId, record: &Record) -> bool {
        match (self.sources.get(id.0), live.sources.get_mut(id.0)) {
            (Some(source), Some(state)) => state.adopt(record, |body| self.read(source, body)).is_ok(),
            _ => false,
        }
    }

    /// The times of a document as this worker knows them.
    #[must_use]
    pub fn schedule(&self, live: &Live, id: SourceId) -> Schedule {
        live.schedule(id)
    }

    fn read(&self, source: &Source, body: &[u8]) -> Result<Content, Fault> {
        match source.subject {
            Subject::Keys(provider) => {
                let Some(Kind::Token(tokens)) = self.providers.get(provider).map(|provider| &provider.kind)
                else {
                    return Err("nobody asked for it".into());
                };
                read_keys(body, accepts(&tokens.algorithms, tokens.profile))
            }
        }
    }
}
