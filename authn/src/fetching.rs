//! The documents of a policy, for whoever fetches them: which there are, what to send, what came of the answer.

use jwt_compact::UntrustedToken;
use scopegate_document::UnixTime;

use crate::compile::accepts;
use crate::fetched::DocumentFault;
use crate::live::Live;
use crate::provider::{Kind, Provider, ProviderKeys};
use crate::remote::{Answer, Content, Fault, Fetch, Record, Source, SourceId, Subject, Taken, read_keys};
use crate::revocation::{TokenFacts, feed};
use crate::step::{Answered, Question};
use crate::untrusted::Header;
use crate::{Algorithm, Authenticator, Reject, introspection, status_list};

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
        let asked = self.providers.iter().filter_map(|provider| match &provider.kind {
            Kind::Introspection(rules) => Some(rules.upstream.as_str()),
            Kind::Token(_) | Kind::ApiKey(_) | Kind::Peer(_) => None,
        });
        let fetched = self.sources.iter().map(|source| source.place.upstream.as_str());
        fetched.chain(asked)
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
        let (Some(source), Some(mut state)) = (self.sources.get(id.0), live.lend(id)) else {
            return Taken::Refused("nobody asked for it".to_owned());
        };
        let before = state.generation();
        let read = |body: &[u8]| self.read(source, body, (live, now));
        let taken = source.take(&mut state, asked, answer, read, (chance, now));
        let is_new = state.generation() != before;
        live.give_back(id, state);
        if is_new {
            self.look_at_lists_again(live, source.subject, now);
        }
        taken
    }

    /// Takes over a document that another worker fetched.
    ///
    /// `false` where it is not the one that the schedule tells of. One that cannot be read changes nothing, and was
    /// refused by whoever fetched it for a policy like this one.
    pub fn adopt(&self, live: &mut Live, id: SourceId, record: &Record, now: UnixTime) -> bool {
        let (Some(source), Some(mut state)) = (self.sources.get(id.0), live.lend(id)) else {
            return false;
        };
        let before = state.generation();
        let is_told_of = record.version() == state.schedule.version;
        if is_told_of {
            let _ = state.adopt(record, |body| self.read(source, body, (live, now)));
        }
        let is_new = state.generation() != before;
        live.give_back(id, state);
        if is_new {
            self.look_at_lists_again(live, source.subject, now);
        }
        is_told_of
    }

    /// A status list counts no longer than the key that signed it: not while that is missing from the key set of its
    /// provider, nor while the feed revokes it.
    fn look_at_lists_again(&self, live: &mut Live, changed: Subject, now: UnixTime) {
        for (rules, id) in self.revocation.status_lists.iter().zip(&self.status_sources) {
            let is_touched = match changed {
                Subject::Keys(place) => {
                    let provider = self.providers.get(place);
                    provider.is_some_and(|provider| *provider.name == *rules.provider)
                }
                Subject::Revocations => true,
                Subject::StatusList(_) => false,
            };
            if !is_touched {
                continue;
            }
            let Some(mut state) = live.lend(*id) else { continue };
            let verify =
                |header: &Header, text: &str| self.verify_list(&rules.provider, header, text, (live, now));
            let is_disowned = state.status_list().is_some_and(|list| !list.is_signed(verify));
            state.set_disowned(is_disowned);
            live.give_back(*id, state);
        }
    }

    /// Takes the answer to a question that a request raised. Hand it to that request, and to no other.
    #[must_use]
    pub fn answered(&self, question: &Question, answer: &Answer<'_>, now: UnixTime) -> Answered {
        let provider = self.providers.get(question.provider);
        let result = match (provider.map(|provider| &provider.kind), answer.status) {
            (Some(Kind::Introspection(rules)), Some(status)) => {
                let mut types = answer.values(b"content-type");
                let content_type = types.next().filter(|_| types.next().is_none());
                match answer.is_truncated() {
                    true => Err(Reject::IntrospectionUnavailable),
                    false => introspection::answer::read(rules, status, content_type, answer.body, now),
                }
            }
            _ => Err(Reject::IntrospectionUnavailable),
        };
        Answered {
            provider: question.provider,
            token: question.token,
            result,
        }
    }

    fn read(&self, source: &Source, body: &[u8], (live, now): (&Live, UnixTime)) -> Result<Content, Fault> {
        let fault = |fault: DocumentFault| Fault::Owned(fault.to_string());
        match source.subject {
            Subject::Keys(provider) => {
                let tokens = self.providers.get(provider).and_then(Provider::tokens);
                let tokens = tokens.ok_or("nobody asked for it")?;
                read_keys(body, accepts(&tokens.algorithms, tokens.profile))
            }
            Subject::Revocations => {
                let names: Vec<&str> = self.providers.iter().map(|provider| &*provider.name).collect();
                feed::parse(body, &names).map(Content::Revocations).map_err(fault)
            }
            Subject::StatusList(place) => {
                let rules = self
                    .revocation
                    .status_lists
                    .get(place)
                    .ok_or("nobody asked for it")?;
                let verify = |header: &Header, text: &str| {
                    self.verify_list(&rules.provider, header, text, (live, now))
                };
                status_list::read(body, &rules.uri, now, verify)
                    .map(Content::StatusList)
                    .map_err(fault)
            }
        }
    }

    /// Whether a status list is signed with a key and an algorithm of its provider. A feed that is not there yet holds up
    /// no list: without it nobody passes anyway.
    fn verify_list(
        &self,
        provider: &str,
        header: &Header,
        text: &str,
        (live, now): (&Live, UnixTime),
    ) -> Result<(), Reject> {
        let provider = self.providers.iter().find(|it| *it.name == *provider);
        let provider = provider.ok_or(Reject::KeyNotFound)?;
        let tokens = provider.tokens().ok_or(Reject::KeyNotFound)?;
        let algorithm = Algorithm::from_name(&header.algorithm)
            .filter(|algorithm| tokens.algorithms.contains(algorithm))
            .ok_or(Reject::AlgorithmNotAllowed)?;
        let parsed = UntrustedToken::new(text).map_err(|_| Reject::TokenMalformed)?;
        let keys = match &tokens.keys {
            ProviderKeys::Own(keys) => keys,
            ProviderKeys::Fetched(source) => live.keys(self, *source, now)?.0,
        };
        let key = keys.first_that_signed(header.key_id.as_deref(), algorithm, &parsed, text, None)?;
        let revoked = TokenFacts {
            key_id: key.id.as_deref(),
            ..TokenFacts::default()
        };
        self.revocation.list.check(&provider.name, &revoked)?;
        match self.feed.and_then(|feed| live.content(self, feed, now)) {
            Some((Content::Revocations(list), _)) => list.check(&provider.name, &revoked),
            Some((Content::Keys(..) | Content::StatusList(_), _)) | None => Ok(()),
        }
    }
}
