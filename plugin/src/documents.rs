//! Fetching the documents of a policy through the proxy: one worker of the process at a time, the others take over what
//! it fetched. What is due and what an answer is worth is decided elsewhere; here it is sent, received and shared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use proxy_wasm::hostcalls;

use scopegate_authn::remote::{Answer, Fetch, Record, Schedule, SourceId, Taken};
use scopegate_authn::{Authenticator, Live, limits};
use scopegate_document::UnixTime;

use crate::callout::Received;
use crate::host::Level;
use crate::log::say;
use crate::metrics::Metrics;
use crate::opened::Opened;
use crate::shared::{self, Shared};

/// The callouts of this worker that fetch a document, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    calls: RefCell<HashMap<u32, (SourceId, Fetch)>>,
    /// Documents that a request waits for.
    wanted: RefCell<Vec<SourceId>>,
}

/// What fetching works on.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) authenticator: &'a Authenticator,
    pub(crate) live: &'a RefCell<Live>,
    pub(crate) opened: &'a Opened,
    pub(crate) metrics: &'a Metrics,
    pub(crate) now: UnixTime,
    /// A number that differs from worker to worker and from time to time.
    pub(crate) chance: u64,
}

/// Whether a request that needs a document should wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// Another worker had a newer one: it is here now.
    Newer,
    /// Somebody fetches it, or will at the next tick.
    Soon,
    /// Nobody will fetch it soon.
    None,
}

impl Documents {
    /// What a request that needs a document can expect. Nothing is sent from here: a request may end before its answer.
    pub(crate) fn want(&self, desk: Desk<'_>, id: SourceId) -> Prospect {
        let before = desk.live.borrow().age(id, desk.now);
        let seen = look(desk, id);
        if desk.live.borrow().age(id, desk.now) != before {
            return Prospect::Newer;
        }
        if seen.schedule.is_busy(desk.now) {
            return Prospect::Soon;
        }
        if !seen.should_begin(true, desk.now) {
            return Prospect::None;
        }
        let mut wanted = self.wanted.borrow_mut();
        if !wanted.contains(&id) {
            wanted.push(id);
        }
        Prospect::Soon
    }

    /// Fetches what is due or wanted, and takes over what others fetched. Called by the root alone: an answer finds the
    /// context that asked.
    pub(crate) fn tick(&self, desk: Desk<'_>, is_look: bool) {
        let wanted = std::mem::take(&mut *self.wanted.borrow_mut());
        for id in desk.authenticator.sources() {
            let is_wanted = wanted.contains(&id);
            let schedule = desk.live.borrow().schedule(id);
            let is_due = schedule.should_begin(is_wanted, desk.now) || schedule.is_busy(desk.now);
            if is_wanted || is_due || is_look {
                self.drive(desk, id, is_wanted);
            }
        }
    }

    /// Whether a document may be there soon.
    pub(crate) fn is_coming(&self, desk: Desk<'_>, id: SourceId) -> bool {
        self.wanted.borrow().contains(&id) || desk.live.borrow().schedule(id).is_busy(desk.now)
    }

    fn drive(&self, desk: Desk<'_>, id: SourceId, is_wanted: bool) {
        let seen = look(desk, id);
        if !seen.should_begin(is_wanted, desk.now) {
            return;
        }
        let (key, begun) = (schedule_key(desk, id), seen.schedule.begun(desk.now));
        // Where nothing can be shared, every worker fetches for itself.
        let is_first = shared::replace(&key, seen.shared.as_ref(), &begun.encode()).unwrap_or(true);
        if !is_first && look(desk, id).schedule.is_busy(desk.now) {
            return;
        }
        let begun = desk
            .authenticator
            .begin(&mut desk.live.borrow_mut(), id, desk.now);
        if let Some(fetch) = begun {
            desk.metrics.fetched(desk.authenticator.source_name(id), "begun");
            self.send(desk, id, fetch);
        }
    }

    /// Sends a request. An answer to an earlier one for the same document is no news any more.
    fn send(&self, desk: Desk<'_>, id: SourceId, fetch: Fetch) {
        self.calls.borrow_mut().retain(|_, (other, _)| *other != id);
        match dispatch(&fetch, desk.opened) {
            Some(token) => {
                self.calls.borrow_mut().insert(token, (id, fetch));
            }
            None => self.settle(desk, id, &fetch, &Answer::NONE),
        }
    }

    /// Forgets a callout whose answer cannot be looked at.
    pub(crate) fn forget(&self, token: u32) {
        self.calls.borrow_mut().remove(&token);
    }

    /// Takes an answer; says for which document it was, or nothing where nobody asked.
    pub(crate) fn receive(&self, desk: Desk<'_>, token: u32, received: &Received) -> Option<SourceId> {
        let (id, asked) = self.calls.borrow_mut().remove(&token)?;
        let pairs = received.pairs();
        self.settle(desk, id, &asked, &received.answer(&pairs));
        Some(id)
    }

    fn settle(&self, desk: Desk<'_>, id: SourceId, asked: &Fetch, answer: &Answer<'_>) {
        let times = (desk.chance, desk.now);
        let taken = desk
            .authenticator
            .take(&mut desk.live.borrow_mut(), id, (asked, answer), times);
        let name = desk.authenticator.source_name(id);
        desk.metrics.fetched(name, outcome(&taken));
        if let Taken::Refused(reason) = &taken {
            let message = format!("scopegate: {name}: the answer to {asked:?} is refused: {reason}");
            say(Level::Warn, &message);
        }
        match taken {
            Taken::Next(fetch) => {
                publish(desk, id, None);
                self.send(desk, id, fetch);
            }
            Taken::Document(record) | Taken::Unchanged(Some(record)) => publish(desk, id, Some(&record)),
            Taken::Unchanged(None) | Taken::Refused(_) => publish(desk, id, None),
        }
    }
}

const fn outcome(taken: &Taken) -> &'static str {
    match taken {
        Taken::Next(_) => "discovered",
        Taken::Document(_) => "changed",
        Taken::Unchanged(_) => "unchanged",
        Taken::Refused(_) => "refused",
    }
}

/// What a look at the data of all workers showed.
struct Seen {
    schedule: Schedule,
    /// The schedule as it stands there.
    shared: Option<Shared>,
    /// Whether another worker fetched a document that is not there.
    is_missing: bool,
    /// Whether there is none in hand either.
    is_empty: bool,
}

impl Seen {
    /// Whether this worker should fetch. What was lost on the way between workers is wanted by all of them, and by one
    /// that has nothing at once.
    fn should_begin(&self, is_wanted: bool, now: UnixTime) -> bool {
        let is_needed = self.is_missing && self.is_empty && self.schedule.failures == 0;
        let is_free = !self.schedule.is_busy(now);
        is_needed && is_free || self.schedule.should_begin(is_wanted || self.is_missing, now)
    }
}

/// Looks at what all workers know, and takes over a newer document.
fn look(desk: Desk<'_>, id: SourceId) -> Seen {
    let shared = shared::get(&schedule_key(desk, id)).ok().flatten();
    let known = shared.as_ref().and_then(|shared| Schedule::decode(&shared.value));
    let mut live = desk.live.borrow_mut();
    let is_behind = known.is_some_and(|schedule| live.observe(id, schedule) && schedule.version > 0);
    let is_adopted = is_behind && {
        let record = shared::get(&record_key(desk, id)).ok().flatten();
        let record = record.and_then(|shared| Record::decode(&shared.value));
        record.is_some_and(|record| desk.authenticator.adopt(&mut live, id, &record, desk.now))
    };
    Seen {
        schedule: live.schedule(id),
        shared,
        is_missing: is_behind && !is_adopted,
        is_empty: live.is_empty(id),
    }
}

/// Tells the other workers: first the document, then that there is one. Where nothing can be shared, nobody is told.
fn publish(desk: Desk<'_>, id: SourceId, record: Option<&Record>) {
    if let Some(record) = record {
        let _ = shared::put(&record_key(desk, id), &record.encode());
    }
    let schedule = desk.live.borrow().schedule(id);
    let _ = shared::put(&schedule_key(desk, id), &schedule.encode());
}

fn schedule_key(desk: Desk<'_>, id: SourceId) -> String {
    desk.opened.key(format!(
        "scopegate schedule {}",
        desk.authenticator.source_key(id)
    ))
}

fn record_key(desk: Desk<'_>, id: SourceId) -> String {
    desk.opened.key(format!(
        "scopegate document {}",
        desk.authenticator.source_key(id)
    ))
}

/// Sends a request; nothing where the host refuses to.
pub(crate) fn dispatch(fetch: &Fetch, opened: &Opened) -> Option<u32> {
    let mut headers = vec![
        (":method", fetch.method),
        (":scheme", fetch.scheme),
        (":authority", fetch.authority.as_str()),
        (":path", fetch.path.as_str()),
    ];
    headers.extend(fetch.headers.iter().map(|(name, value)| (*name, value.as_str())));
    let timeout = Duration::from_secs(u64::try_from(limits::FETCH_SECONDS).unwrap_or_default());
    let body = (!fetch.body.is_empty()).then_some(fetch.body.as_slice());
    hostcalls::dispatch_http_call(
        opened.upstream(&fetch.upstream),
        headers,
        body,
        Vec::new(),
        timeout,
    )
    .ok()
}
