//! One document of the policy that is fetched: what is asked for, what an answer becomes, what is in hand.

use std::borrow::Cow;

use scopegate_document::{UnixTime, json};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::fetched::Source as Place;
use crate::jwk::{Key, Unusable};
use crate::key_set::KeySet;
use crate::limits;
use crate::revocation::RevocationList;
use crate::spiffe;
use crate::status_list::StatusList;

use super::accept::{Accepted, JSON, STATUS_LIST};
use super::{Answer, Fetch, Record, Schedule, Taken, cache_control, discovery};

/// A document of the policy that is fetched.
#[derive(Debug)]
pub(crate) struct Source {
    /// What it is called in logs and metrics, as in `keys.corp`.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) subject: Subject,
    /// Where it is, and how often it is fetched.
    pub(crate) place: Place,
    /// The issuer whose metadata stands there, where the document itself is named in that.
    pub(crate) discovers: Option<String>,
}

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The keys of a provider, by its place.
    Keys(usize),
    /// The feed of revocations.
    Revocations,
    /// A status list, by its place in the policy.
    StatusList(usize),
}

/// Why an answer is worth nothing, in words for the log.
pub(crate) type Fault = Cow<'static, str>;

/// What a good document becomes.
#[derive(Debug)]
pub(crate) enum Content {
    /// Keys, and how soon they want to be fetched again, in seconds, where they say so.
    Keys(KeySet, Option<i64>),
    /// Revocations.
    Revocations(RevocationList),
    /// The statuses of tokens.
    StatusList(StatusList),
}

impl Content {
    /// How soon it wants to be fetched again, in seconds, where it says so.
    fn hint(&self) -> Option<i64> {
        match self {
            Self::Keys(_, hint) => *hint,
            Self::Revocations(_) => None,
            Self::StatusList(list) => list.refresh_hint(),
        }
    }

    /// Whether it was made before `other`: then it is no news, whoever sent it.
    fn is_older_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::StatusList(list), Self::StatusList(other)) => list.issued_at < other.issued_at,
            _ => false,
        }
    }
}

/// What is in hand of a source.
#[derive(Debug, Default)]
pub(crate) struct SourceState {
    /// What is known of it in all workers.
    pub(crate) schedule: Schedule,
    /// What the last good document became.
    content: Option<Content>,
    /// Whether the content was signed by a key that counts no more.
    is_disowned: bool,
    /// Another number for each content.
    generation: u64,
    /// When the last good document was known to be good.
    fetched_at: Option<UnixTime>,
    /// The number of the last good document; 0 where there is none.
    version: u64,
    etag: Option<String>,
    /// Where the document stands, where metadata says so, and since when that is known.
    discovered: Option<(Endpoint, UnixTime)>,
}

impl Source {
    /// What tells the document from every other one in the process, whatever policy names it.
    pub(crate) fn key(&self) -> String {
        let Place {
            endpoint,
            upstream,
            refresh: _,
            max_stale: _,
        } = &self.place;
        let issuer = self.discovers.as_deref().unwrap_or_default();
        format!("{upstream} {endpoint} {issuer}")
    }

    /// The request to send now.
    pub(crate) fn fetch(&self, state: &SourceState, now: UnixTime) -> Fetch {
        let is_known = |since: UnixTime| now.since(since).saturating_abs() < limits::METADATA_SECONDS;
        match (&self.discovers, &state.discovered) {
            (Some(_), Some((endpoint, since))) if is_known(*since) => self.document(endpoint, state),
            (Some(_), _) => self.get(&self.place.endpoint, None),
            (None, _) => self.document(&self.place.endpoint, state),
        }
    }

    fn document(&self, endpoint: &Endpoint, state: &SourceState) -> Fetch {
        self.get(endpoint, state.etag.clone().filter(|_| state.is_held()))
    }

    fn get(&self, endpoint: &Endpoint, etag: Option<String>) -> Fetch {
        let accepted = match self.subject {
            Subject::Keys(_) => "application/json, application/jwk-set+json",
            Subject::Revocations => "application/json",
            Subject::StatusList(_) => "application/statuslist+jwt",
        };
        let mut headers = vec![("accept", accepted.to_owned())];
        headers.extend(etag.map(|etag| ("if-none-match", etag)));
        Fetch {
            upstream: self.place.upstream.clone(),
            method: "GET",
            scheme: endpoint.scheme,
            authority: endpoint.authority.clone(),
            path: endpoint.path.clone(),
            headers,
            body: Vec::new(),
        }
    }

    /// Takes the answer to `asked`, and says what it is worth. `read` makes content of a document.
    pub(crate) fn take(
        &self,
        state: &mut SourceState,
        asked: &Fetch,
        answer: &Answer<'_>,
        read: impl FnOnce(&[u8]) -> Result<Content, Fault>,
        (chance, now): (u64, UnixTime),
    ) -> Taken {
        let endpoint = &self.place.endpoint;
        let is_metadata = asked.path == endpoint.path && asked.authority == endpoint.authority;
        let taken = match &self.discovers {
            Some(issuer) if is_metadata => self.discover(state, issuer, answer, now),
            _ => self.receive(state, asked, answer, read, (chance, now)),
        };
        taken.unwrap_or_else(|reason| {
            state.discovered = None;
            state.schedule = state.schedule.failed(self.place.refresh, chance, now);
            Taken::Refused(reason.into_owned())
        })
    }

    fn discover(
        &self,
        state: &mut SourceState,
        issuer: &str,
        answer: &Answer<'_>,
        now: UnixTime,
    ) -> Result<Taken, Fault> {
        let Accepted::Body(body) = answer.accept(JSON, false)? else {
            return Err("it was not asked whether it is new".into());
        };
        let endpoint = discovery::keys_endpoint(body, issuer, &self.place.endpoint)?;
        // What is in hand may come from where the keys stood before: its entity tag means nothing here.
        let next = self.get(&endpoint, None);
        state.discovered = Some((endpoint, now));
        state.schedule = state.schedule.continued(now);
        Ok(Taken::Next(next))
    }

    fn receive(
        &self,
        state: &mut SourceState,
        asked: &Fetch,
        answer: &Answer<'_>,
        read: impl FnOnce(&[u8]) -> Result<Content, Fault>,
        (chance, now): (u64, UnixTime),
    ) -> Result<Taken, Fault> {
        let mut tags = asked.headers.iter().filter(|(name, _)| *name == "if-none-match");
        // What is in hand may have been replaced since by what another worker fetched.
        let is_conditional = state.is_held() && tags.any(|(_, tag)| state.etag.as_ref() == Some(tag));
        let types = match self.subject {
            Subject::Keys(_) | Subject::Revocations => JSON,
            Subject::StatusList(_) => STATUS_LIST,
        };
        let record = match answer.accept(types, is_conditional)? {
            Accepted::NotModified => None,
            Accepted::Body(body) => Some(Record::new(body.to_vec(), answer.etag())),
        };
        if let Some(record) = &record {
            state.install(record, read)?;
        }
        let interval = cache_control::interval(answer, self.place.refresh);
        let hint = state.content.as_ref().and_then(Content::hint);
        let interval = hint.map_or(interval, |hint| hint.min(interval));
        let before = state.schedule.version;
        state.schedule = state.schedule.succeeded(state.version, interval, chance, now);
        state.fetched_at = Some(now);
        Ok(match record {
            Some(record) if record.version() != before => Taken::Document(record),
            record => Taken::Unchanged(record),
        })
    }
}

impl SourceState {
    /// Makes the document the one in use, unless it is already.
    fn install(
        &mut self,
        record: &Record,
        read: impl FnOnce(&[u8]) -> Result<Content, Fault>,
    ) -> Result<(), Fault> {
        if self.is_held() && self.version == record.version() {
            self.etag.clone_from(&record.etag);
            return Ok(());
        }
        let content = read(&record.body)?;
        if self
            .content
            .as_ref()
            .is_some_and(|held| content.is_older_than(held))
        {
            return Err("it is older than the one in hand".into());
        }
        self.content = Some(content);
        self.is_disowned = false;
        self.generation = self.generation.wrapping_add(1);
        self.version = record.version();
        self.etag.clone_from(&record.etag);
        Ok(())
    }

    /// Takes over what another worker wrote of the times.
    pub(crate) fn observe(&mut self, schedule: Schedule) {
        self.schedule = schedule;
        if schedule.version == self.version && self.content.is_some() {
            self.fetched_at = Some(schedule.fetched_at);
        }
    }

    /// Whether there is something in hand that counts, fresh or not.
    const fn is_held(&self) -> bool {
        self.content.is_some() && !self.is_disowned
    }

    /// Whether another worker has another document than the one in hand.
    pub(crate) const fn is_behind(&self) -> bool {
        self.schedule.version != self.version
    }

    /// Whether there is nothing in hand, fresh or not.
    pub(crate) const fn is_empty(&self) -> bool {
        self.content.is_none()
    }

    /// Takes over the document that the schedule tells of. One that cannot be read changes nothing.
    pub(crate) fn adopt(
        &mut self,
        record: &Record,
        read: impl FnOnce(&[u8]) -> Result<Content, Fault>,
    ) -> Result<(), Fault> {
        self.install(record, read)?;
        self.fetched_at = Some(self.schedule.fetched_at);
        Ok(())
    }

    /// Another number for each content.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The status list in hand, fresh or not.
    pub(crate) const fn status_list(&self) -> Option<&StatusList> {
        match &self.content {
            Some(Content::StatusList(list)) => Some(list),
            Some(Content::Keys(..) | Content::Revocations(_)) | None => None,
        }
    }

    /// Says whether what is in hand is still whose it should be. Until it is again, it counts for nothing, and is asked for
    /// as if it were not there.
    pub(crate) const fn set_disowned(&mut self, is_disowned: bool) {
        self.is_disowned = is_disowned;
    }

    /// What is in hand, with its generation, while it is not too old.
    pub(crate) fn usable(&self, max_stale: i64, now: UnixTime) -> Option<(&Content, u64)> {
        let age = now.since(self.fetched_at?).saturating_abs();
        Some((self.content.as_ref()?, self.generation)).filter(|_| age <= max_stale && !self.is_disowned)
    }

    /// Seconds since what is in hand was known to be good.
    pub(crate) fn age(&self, now: UnixTime) -> Option<i64> {
        self.fetched_at.map(|fetched_at| now.since(fetched_at))
    }
}

/// Makes content of the document of a key set, with the keys that `accepts` lets pass.
pub(crate) fn read_keys(
    body: &[u8],
    accepts: impl Fn(&Key) -> Result<(), Unusable>,
) -> Result<Content, Fault> {
    let document = json::parse(body).map_err(|_| "it is not valid JSON")?;
    let is_secret = |jwk: &Value| jwk.get("kty").and_then(Value::as_str) == Some("oct");
    let listed = document.get("keys").and_then(Value::as_array);
    if listed.is_some_and(|keys| keys.iter().any(is_secret)) {
        return Err("it publishes a secret as a key".into());
    }
    let (keys, _) = KeySet::from_jwks(&document, accepts).map_err(|_| "it is no key set")?;
    match keys.len() {
        0 => Err("it holds no key that can be used".into()),
        _ => Ok(Content::Keys(keys, spiffe::refresh_hint(&document))),
    }
}
