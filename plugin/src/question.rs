//! Questions to the issuers of opaque tokens: each belongs to one request, which is held until the answer is there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use scopegate_authn::{Answered, Question};
use scopegate_document::UnixTime;

use crate::callout::Received;
use crate::documents::dispatch;
use crate::policy::Policy;
use crate::stream::Held;

/// How many questions of a worker are open at a time. A flood of made-up tokens must not become one of questions.
const MOST: usize = 256;

/// How many ticks an answer is waited for: six seconds, one more than the host is told to wait.
const TICKS: u32 = 60;

/// The open questions, by the numbers of their callouts.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    open: RefCell<HashMap<u32, Open>>,
}

#[derive(Debug)]
struct Open {
    stream: Rc<Held>,
    policy: Rc<Policy>,
    question: Question,
    ticks: u32,
}

impl Questions {
    /// Puts a question for a request; `false` where there are too many, or the host cannot send it.
    pub(crate) fn put(&self, stream: &Rc<Held>, policy: &Rc<Policy>, question: Question) -> bool {
        if self.open.borrow().len() >= MOST {
            return false;
        }
        let Some(token) = dispatch(question.fetch(), &policy.opened) else {
            return false;
        };
        let open = Open {
            stream: Rc::clone(stream),
            policy: Rc::clone(policy),
            question,
            ticks: TICKS,
        };
        self.open.borrow_mut().insert(token, open);
        true
    }

    /// Takes the answer to a question; nothing where nobody waits for it any more.
    pub(crate) fn take(&self, token: u32, now: UnixTime) -> Option<(Rc<Held>, Answered)> {
        let open = self.open.borrow_mut().remove(&token)?;
        let received = Received::take();
        if received.has_failed() {
            open.stream.silence();
        }
        let pairs = received.pairs();
        let authenticator = open.policy.engine.authenticator();
        let answered = authenticator.answered(&open.question, &received.answer(&pairs), now);
        Some((open.stream, answered))
    }

    /// Gives up a question whose answer cannot be read.
    pub(crate) fn give_up(&self, token: u32) -> Option<Rc<Held>> {
        let open = self.open.borrow_mut().remove(&token)?;
        open.stream.silence();
        Some(open.stream)
    }

    /// Whether a request waits for an answer.
    pub(crate) fn is_open(&self, context: u32) -> bool {
        self.open
            .borrow()
            .values()
            .any(|open| open.stream.context() == context)
    }

    /// Forgets the question of a request that ended.
    pub(crate) fn forget(&self, context: u32) {
        self.open
            .borrow_mut()
            .retain(|_, open| open.stream.context() != context);
    }

    /// Counts a tick, and takes out the requests that waited too long.
    pub(crate) fn tick(&self) -> Vec<Rc<Held>> {
        let mut open = self.open.borrow_mut();
        open.values_mut()
            .for_each(|open| open.ticks = open.ticks.saturating_sub(1));
        let over = open.extract_if(|_, open| open.ticks == 0);
        over.map(|(_, open)| open.stream).collect()
    }
}
