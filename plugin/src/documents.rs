//! Fetching the documents of a policy through the proxy: one worker of the process at a time, the others take over what
//! it fetched. What is due and what an answer is worth is decided elsewhere; here it is sent, received and shared.

use std::cell::{Cell, RefCell};
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
use crate::shared::{self, Shared};

/// The callouts of this worker that fetch a document, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    calls: RefCell<HashMap<u32, (SourceId, Fetch)>>,
    /// Documents that a request waits for.
    wanted: RefCell<Vec<SourceId>>,
    ticks: Cell<u32>,
}

/// How many ticks pass between looks at what other workers have: a second. So long may a revocation or a new key that
/// one worker knows be unknown to another.
const LOOK_TICKS: u32 = 10;

/// What fetching works on.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) authenticator: &'a Authenticator,
    pub(crate) live: &'a RefCell<Live>,
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
        let (schedule, _) = look(desk, id);
        if desk.live.borrow().age(id, desk.now) != before {
            return Prospect::Newer;
        }
        if schedule.is_busy(desk.now) {
            return Prospect::Soon;
        }
        if !schedule.should_begin(true, desk.now) {
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
    pub(crate) fn tick(&self, desk: Desk<'_>) {
        let wanted = std::mem::take(&mut *self.wanted.borrow_mut());
        let ticks = self.ticks.get();
        self.ticks.set(ticks.wrapping_add(1));
        for id in desk.authenticator.sources() {
            let is_wanted = wanted.contains(&id);
            let schedule = desk.live.borrow().schedule(id);
            let is_due = schedule.should_begin(is_wanted, desk.now) || schedule.is_busy(desk.now);
            if is_wanted || is_due || ticks.is_multiple_of(LOOK_TICKS) {
                self.drive(desk, id, is_wanted);
            }
        }
    }

    /// Whether a document may be there soon.
    pub(crate) fn is_coming(&self, desk: Desk<'_>, id: SourceId) -> bool {
        self.wanted.borrow().contains(&id) || desk.live.borrow().schedule(id).is_busy(desk.now)
    }

    fn drive(&self, desk: Desk<'_>, id: SourceId, is_wanted: bool) {
        let (schedule, read) = look(desk, id);
        if !schedule.should_begin(is_wanted, desk.now) {
            return;
        }
        let Some(fetch) = desk
            .authenticator
            .begin(&mut desk.live.borrow_mut(), id, desk.now)
        else {
            return;
        };
        let begun = desk.live.borrow().schedule(id);
        let key = schedule_key(desk, id);
        // Where nothing can be shared, every worker fetches for itself.
        if let Ok(false) = shared::replace(&key, read.as_ref(), &begun.encode()) {
            return;
        }
        desk.metrics.fetched(desk.authenticator.source_name(id), "begun");
        self.send(desk, id, fetch);
    }

    fn send(&self, desk: Desk<'_>, id: SourceId, fetch: Fetch) {
        match dispatch(&fetch) {
            Some(token) => {
                self.calls.borrow_mut().insert(token, (id, fetch));
            }
            None => self.settle(desk, id, &fetch, &Answer::NONE),
        }
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
            Taken::Next(fetch) => self.send(desk, id, fetch),
            Taken::Document(record) => publish(desk, id, Some(&record)),
            Taken::Unchanged | Taken::Refused(_) => publish(desk, id, None),
        }
    }
}

const fn outcome(taken: &Taken) -> &'static str {
    match taken {
        Taken::Next(_) => "discovered",
        Taken::Document(_) => "changed",
        Taken::Unchanged => "unchanged",
        Taken::Refused(_) => "refused",
    }
}

/// Looks at what all workers know, and takes over a newer document.
fn look(desk: Desk<'_>, id: SourceId) -> (Schedule, Option<Shared>) {
    let shared = shared::get(&schedule_key(desk, id)).ok().flatten();
    let known = shared.as_ref().and_then(|shared| Schedule::decode(&shared.value));
    let mut live = desk.live.borrow_mut();
    let Some(schedule) = known else {
        return (live.schedule(id), shared);
    };
    if live.observe(id, schedule) && schedule.version > 0 {
        let record = shared::get(&record_key(desk, id)).ok().flatten();
        if let Some(record) = record.and_then(|shared| Record::decode(&shared.value)) {
            // One that this policy cannot read was refused where it was fetched, too.
            desk.authenticator.adopt(&mut live, id, &record, desk.now);
        }
    }
    (schedule, shared)
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
    format!("scopegate schedule {}", desk.authenticator.source_key(id))
}

fn record_key(desk: Desk<'_>, id: SourceId) -> String {
    format!("scopegate document {}", desk.authenticator.source_key(id))
}

/// Sends a request; nothing where the host refuses to.
pub(crate) fn dispatch(fetch: &Fetch) -> Option<u32> {
    let mut headers = vec![
        (":method", fetch.method),
        (":scheme", fetch.scheme),
        (":authority", fetch.authority.as_str()),
        (":path", fetch.path.as_str()),
    ];
    headers.extend(fetch.headers.iter().map(|(name, value)| (*name, value.as_str())));
    let timeout = Duration::from_secs(u64::try_from(limits::FETCH_SECONDS).unwrap_or_default());
    let body = (!fetch.body.is_empty()).then_some(fetch.body.as_slice());
    hostcalls::dispatch_http_call(&fetch.upstream, headers, body, Vec::new(), timeout).ok()
}
