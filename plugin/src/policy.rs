//! One policy in force, with all that changes while it is: what was proved, what was fetched, who waits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use scopegate_authn::remote::SourceId;
use scopegate_authn::{CacheUse, HostSignatures, Live};
use scopegate_document::UnixTime;
use scopegate_engine::Engine;

use crate::clock::Time;
use crate::documents::{Desk, Documents, Prospect};
use crate::host::Level;
use crate::log::say;
use crate::metrics::Metrics;
use crate::nonces;
use crate::opened::Opened;
use crate::waiting::Waiting;

/// A policy in force.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) engine: Rc<Engine>,
    pub(crate) live: RefCell<Live>,
    pub(crate) documents: Documents,
    pub(crate) waiting: Waiting,
    /// What the proxy calls things that the policy names.
    pub(crate) opened: Opened,
    /// Whether the client certificate of a connection matters.
    pub(crate) reads_peer: bool,
    /// Whether the address that a request comes from matters.
    pub(crate) reads_source: bool,
    /// Why it cannot be kept where nothing can be removed from a request; nothing once that was said.
    unfit: RefCell<Option<String>>,
    is_unfit: bool,
    asks_for_nonces: bool,
    ticks: Cell<u32>,
    /// What the token cache had done when it was last counted.
    counted: Cell<CacheUse>,
}

/// How many ticks pass between looks at what other workers have, and at what is to be counted: a second. So long may a
/// revocation or a new key that one worker knows be unknown to another.
const LOOK_TICKS: u32 = 10;

impl Policy {
    pub(crate) fn new(engine: Rc<Engine>, opened: Opened) -> Self {
        let unfit = engine.fault_without_removal();
        Self {
            is_unfit: unfit.is_some(),
            unfit: RefCell::new(unfit),
            live: RefCell::new(engine.authenticator().live()),
            reads_peer: engine.authenticator().reads_peer(),
            reads_source: engine.reads_source(),
            asks_for_nonces: engine.authenticator().asks_for_nonces(),
            engine,
            documents: Documents::default(),
            waiting: Waiting::default(),
            opened,
            ticks: Cell::default(),
            counted: Cell::default(),
        }
    }

    /// Whether it cannot be kept where nothing can be removed from a request. The first time, the log says why.
    pub(crate) fn is_unfit(&self) -> bool {
        if let Some(fault) = self.unfit.take() {
            say(
                Level::Error,
                &format!("scopegate: the policy is not served: {fault}"),
            );
        }
        self.is_unfit
    }

    /// Fetches what is due, and once a second looks at what others fetched and counts what was done.
    pub(crate) fn tick(&self, desk: Desk<'_>) {
        let ticks = self.ticks.get();
        self.ticks.set(ticks.wrapping_add(1));
        let is_look = ticks.is_multiple_of(LOOK_TICKS);
        self.documents.tick(desk, is_look);
        if is_look {
            self.count(desk);
        }
    }

    fn count(&self, desk: Desk<'_>) {
        let live = self.live.borrow();
        let used = live.cache_use();
        desk.metrics.cached(&self.counted.replace(used), &used);
        for (algorithm, is_asked) in live.host_signatures_tried() {
            desk.metrics.asks_host(algorithm.name(), is_asked);
        }
        for id in desk.authenticator.sources() {
            if let Some(age) = live.age(id, desk.now) {
                desk.metrics.aged(desk.authenticator.source_name(id), age);
            }
        }
    }

    /// Gives it what only a request can tell: that the host checks signatures, and the nonces that all workers share.
    pub(crate) fn prepare(&self, host: Option<&Rc<HostSignatures>>) {
        if let Some(host) = host.filter(|_| !self.live.borrow().has_host_signatures()) {
            self.live.borrow_mut().set_host_signatures(Rc::clone(host));
        }
        self.prepare_nonces();
    }

    /// Makes sure that nonces can be issued, where proofs need them.
    fn prepare_nonces(&self) {
        if !self.asks_for_nonces || self.live.borrow().has_nonces() {
            return;
        }
        if let Some(nonces) = nonces::of_process() {
            self.live.borrow_mut().set_nonces(nonces);
        }
    }

    /// What a request that needs a document can expect.
    pub(crate) fn want(&self, metrics: &Metrics, time: Time, id: SourceId) -> Prospect {
        match time.believed() {
            Some(now) => self.documents.want(self.desk(metrics, time, now), id),
            None => Prospect::None,
        }
    }

    pub(crate) fn desk<'a>(&'a self, metrics: &'a Metrics, time: Time, now: UnixTime) -> Desk<'a> {
        Desk {
            authenticator: self.engine.authenticator(),
            live: &self.live,
            opened: &self.opened,
            metrics,
            now,
            chance: time.nanoseconds(),
        }
    }
}
