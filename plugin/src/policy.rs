//! One policy in force, with all that changes while it is: what was proved, what was fetched, who waits.

use std::cell::RefCell;

use scopegate_authn::Live;
use scopegate_authn::remote::SourceId;
use scopegate_document::UnixTime;
use scopegate_engine::Engine;

use crate::clock::Time;
use crate::documents::{Desk, Documents, Prospect};
use crate::metrics::Metrics;
use crate::nonces;
use crate::waiting::Waiting;

/// A policy in force.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) engine: Engine,
    pub(crate) live: RefCell<Live>,
    pub(crate) documents: Documents,
    pub(crate) waiting: Waiting,
    /// Whether the client certificate of a connection matters.
    pub(crate) reads_peer: bool,
    asks_for_nonces: bool,
}

impl Policy {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            live: RefCell::new(engine.authenticator().live()),
            reads_peer: engine.authenticator().reads_peer(),
            asks_for_nonces: engine.authenticator().asks_for_nonces(),
            engine,
            documents: Documents::default(),
            waiting: Waiting::default(),
        }
    }

    /// Makes sure that nonces can be issued, where proofs need them.
    pub(crate) fn prepare(&self) {
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
            metrics,
            now,
            chance: time.nanoseconds(),
        }
    }
}
