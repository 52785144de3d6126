//! Requests that are held until a document is there: a bounded number of them, for a bounded time. Whoever waits in vain
//! is refused; nobody is let through for waiting.

use std::cell::RefCell;
use std::rc::Rc;

use scopegate_authn::remote::SourceId;

use crate::stream::Held;

/// How many requests a worker holds. Each costs its headers and a little; a flood of unknown key ids must not cost more.
const MOST: usize = 256;

/// How many ticks a request is held: three seconds. A client waits longer than that, a proxy's buffers do not.
const TICKS: u32 = 30;

/// A request that is held no longer, and what it waited for.
pub(crate) type Over = (Rc<Held>, SourceId);

/// The requests that are held.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    held: RefCell<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    stream: Rc<Held>,
    source: SourceId,
    ticks: u32,
}

impl Waiting {
    /// Holds a request; `false` where there are too many.
    pub(crate) fn hold(&self, stream: Rc<Held>, source: SourceId) -> bool {
        let mut held = self.held.borrow_mut();
        if held.len() >= MOST {
            return false;
        }
        held.push(Entry {
            stream,
            source,
            ticks: TICKS,
        });
        true
    }

    /// Forgets a request that ended.
    pub(crate) fn forget(&self, context: u32) {
        self.held
            .borrow_mut()
            .retain(|entry| entry.stream.context() != context);
    }

    /// Takes out the requests that wait for `source`.
    pub(crate) fn released(&self, source: SourceId) -> Vec<Over> {
        self.take(|entry| entry.source == source)
    }

    /// Counts a tick, and takes out the requests that waited too long, and those whose documents nobody fetches.
    pub(crate) fn tick(&self, is_coming: impl Fn(SourceId) -> bool) -> Vec<Over> {
        let count = |entry: &mut Entry| entry.ticks = entry.ticks.saturating_sub(1);
        self.held.borrow_mut().iter_mut().for_each(count);
        self.take(|entry| entry.ticks == 0 || !is_coming(entry.source))
    }

    /// Takes out every request: the policy they waited for is replaced.
    pub(crate) fn all(&self) -> Vec<Over> {
        self.take(|_| true)
    }

    fn take(&self, is_over: impl Fn(&Entry) -> bool) -> Vec<Over> {
        let mut held = self.held.borrow_mut();
        let (over, rest): (Vec<Entry>, Vec<Entry>) = held.drain(..).partition(is_over);
        *held = rest;
        over.into_iter()
            .map(|entry| (entry.stream, entry.source))
            .collect()
    }
}
