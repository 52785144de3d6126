//! What the native engine's host does beside deciding: it fetches what a policy needs and asks what requests need to
//! know, at once and in one thread. The plugin does the same through a proxy.

use scopegate_authn::remote::{Answer, Fetch, SourceId, Taken};
use scopegate_authn::{Answered, Authenticator, Live, Question as Introspection, limits};
use scopegate_document::UnixTime;

use crate::exchange::Headers;
use crate::observed::Asked;
use crate::upstream::{Question, Served, Upstreams};

/// More legs than any discovery has.
const MOST_LEGS: usize = 4;

/// What fetching works on.
pub(crate) struct Desk<'a> {
    pub(crate) authenticator: &'a Authenticator,
    pub(crate) live: &'a mut Live,
    pub(crate) upstreams: &'a Upstreams,
    /// What was asked for, in order.
    pub(crate) asked: &'a mut Vec<Asked>,
    pub(crate) now: UnixTime,
}

impl Desk<'_> {
    /// Fetches what is due.
    pub(crate) fn tick(&mut self) {
        for id in self.authenticator.sources() {
            if self.live.schedule(id).should_begin(false, self.now) {
                self.fetch(id);
            }
        }
    }

    /// Fetches what a request waits for, where it may be fetched so soon.
    pub(crate) fn want(&mut self, id: SourceId) {
        if self.live.schedule(id).should_begin(true, self.now) {
            self.fetch(id);
        }
    }

    /// Asks what a request needs to know; the answer, and when it was there: silence takes its time.
    pub(crate) fn ask(&mut self, question: &Introspection) -> (Answered, UnixTime) {
        let received = Received::of(self.upstreams, question.fetch(), self.asked);
        let pairs = received.pairs();
        let now = match received.is_silence {
            true => self.now.plus(limits::FETCH_SECONDS),
            false => self.now,
        };
        let answered = self
            .authenticator
            .answered(question, &received.answer(&pairs), now);
        (answered, now)
    }

    fn fetch(&mut self, id: SourceId) {
        let mut next = self.authenticator.begin(self.live, id, self.now);
        for _ in 0..MOST_LEGS {
            let Some(fetch) = next.take() else { return };
            let received = Received::of(self.upstreams, &fetch, self.asked);
            let pairs = received.pairs();
            let answer = received.answer(&pairs);
            let times = (self.now.0.unsigned_abs(), self.now);
            match self.authenticator.take(self.live, id, (&fetch, &answer), times) {
                Taken::Next(fetch) => next = Some(fetch),
                Taken::Document(_) | Taken::Unchanged(_) | Taken::Refused(_) => {}
            }
        }
    }
}

/// What came back.
struct Received {
    /// Whether it is the want of any answer, and not the end of a connection.
    is_silence: bool,
    status: Option<u16>,
    headers: Headers,
    body: Vec<u8>,
}

impl Received {
    fn of(upstreams: &Upstreams, fetch: &Fetch, asked: &mut Vec<Asked>) -> Self {
        let bytes = |(name, value): &(&str, String)| (name.as_bytes().to_vec(), value.clone().into_bytes());
        let question = Question {
            method: fetch.method.as_bytes(),
            path: fetch.path.as_bytes(),
            headers: &fetch.headers.iter().map(bytes).collect(),
            body: &fetch.body,
        };
        asked.push(Asked::of(&fetch.upstream, &question));
        match upstreams.serve(&fetch.upstream, &question) {
            Served::Answer {
                status,
                headers,
                body,
            } => Self {
                is_silence: false,
                status: Some(status),
                headers,
                body,
            },
            served @ (Served::Broken | Served::Silent) => Self {
                is_silence: served == Served::Silent,
                status: None,
                headers: Headers::new(),
                body: Vec::new(),
            },
        }
    }

    fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
            .collect()
    }

    fn answer<'a>(&'a self, pairs: &'a [(&'a [u8], &'a [u8])]) -> Answer<'a> {
        Answer {
            status: self.status,
            headers: pairs,
            body: &self.body,
        }
    }
}
