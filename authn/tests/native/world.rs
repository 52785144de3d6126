//! One worker with its policy: requests go in, the answer comes out as a short text; documents and answers to questions
//! are handed over without a host.

use std::collections::BTreeMap;

use scopegate_authn::remote::{Answer, Fetch, SourceId, Taken};
use scopegate_authn::section::AuthenticationSection;
use scopegate_authn::{
    Attempt, Authenticator, Claimed, Fields, Live, Need, Peer, Question, RawPeer, Rejection, Step, Stripped,
};
use scopegate_document::{PolicyError, UnixTime};
use serde_json::{Value, json};

use crate::common::{Environment, NOW};

/// A worker, and its time.
pub(crate) struct World {
    pub(crate) authenticator: Authenticator,
    pub(crate) live: Live,
    pub(crate) now: i64,
    /// How many DPoP proofs were to be remembered.
    pub(crate) claims: usize,
}

/// A request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) query: String,
    pub(crate) peer: Option<Peer>,
}

impl Ask {
    pub(crate) fn bearer(token: &str) -> Self {
        Self::default().and("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn dpop(token: &str, proof: &str) -> Self {
        let ask = Self::default().and("authorization", &format!("DPoP {token}"));
        ask.and("dpop", proof)
    }

    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn from(mut self, peer: &Peer) -> Self {
        self.peer = Some(peer.clone());
        self
    }

    /// Hands it over as the host would: a `GET` of `/orders` at `api.example.com`.
    pub(crate) fn show<T>(&self, look: impl FnOnce(Fields<'_>) -> T) -> T {
        let headers: Vec<(&[u8], &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let target = match self.query.as_str() {
            "" => "/orders".to_owned(),
            query => format!("/orders?{query}"),
        };
        look(Fields {
            headers: &headers,
            query: Some(self.query.as_bytes()).filter(|query| !query.is_empty()),
            method: b"GET",
            target: target.as_bytes(),
            authority: Some(b"api.example.com"),
            peer: self.peer.as_ref(),
        })
    }
}

/// A verified certificate with this SPIFFE ID, whose digest is 32 times `byte`.
pub(crate) fn peer(id: &str, byte: u8) -> Peer {
    Peer::read(RawPeer {
        is_verified: true,
        uri_sans: &[id.as_bytes()],
        sha256: Some(&[byte; 32]),
        ..RawPeer::default()
    })
}

/// The faults of a section, as path and code.
pub(crate) fn faults(section: &Value) -> Vec<(String, &'static str)> {
    let errors = compile(section).err().unwrap_or_default();
    errors.into_iter().map(|error| (error.path, error.code)).collect()
}

fn compile(section: &Value) -> Result<Authenticator, Vec<PolicyError>> {
    let section: AuthenticationSection = serde_json::from_value(section.clone()).expect("a section");
    let secrets = BTreeMap::from([("PASSWORD", "s3cret".to_owned())]);
    Authenticator::compile(&section, &Environment(secrets)).map(|(authenticator, _)| authenticator)
}

impl World {
    /// A worker that begins with the policy `section`.
    pub(crate) fn new(section: &Value) -> Self {
        let authenticator = compile(section).expect("a policy without faults");
        Self {
            live: authenticator.live(),
            authenticator,
            now: NOW,
            claims: 0,
        }
    }

    /// A worker of a policy with these providers alone.
    pub(crate) fn of(providers: &[Value]) -> Self {
        Self::new(&json!({"providers": providers}))
    }

    pub(crate) fn now(&self) -> UnixTime {
        UnixTime(self.now)
    }

    /// The answer where waiting is possible: provider and subject, the code of the rejection, or what is waited for.
    pub(crate) fn ask(&mut self, ask: &Ask) -> String {
        self.attempt(ask, &Attempt::default())
    }

    /// The answer where waiting is over.
    pub(crate) fn ask_last(&mut self, ask: &Ask) -> String {
        self.attempt(ask, &Attempt::last())
    }

    pub(crate) fn attempt(&mut self, ask: &Ask, attempt: &Attempt) -> String {
        match self.step(ask, attempt) {
            Ok(Step::Done(caller)) => named(&caller),
            Ok(Step::Claim(unclaimed)) => {
                self.claims += 1;
                match unclaimed.finish(Claimed::First) {
                    Ok(caller) => named(&caller),
                    Err(rejection) => rejection.reason.code().to_owned(),
                }
            }
            Ok(Step::Wait(Need::Source(id))) => format!("wait {}", self.authenticator.source_name(id)),
            Ok(Step::Wait(Need::Answer(_))) => "wait answer".to_owned(),
            Err(rejection) => rejection.reason.code().to_owned(),
        }
    }

    pub(crate) fn step(&mut self, ask: &Ask, attempt: &Attempt) -> Result<Step, Rejection> {
        let now = self.now();
        ask.show(|fields| {
            self.authenticator
                .authenticate(fields, &mut self.live, attempt, now)
        })
    }

    pub(crate) fn source(&self, name: &str) -> SourceId {
        let mut sources = self.authenticator.sources();
        let found = sources.find(|id| self.authenticator.source_name(*id) == name);
        found.unwrap_or_else(|| panic!("there is no document `{name}`"))
    }

    /// Fetches a document and gets `body`.
    pub(crate) fn give(&mut self, source: &str, body: &str) -> String {
        let fetch = self.begin(source);
        self.take(source, &fetch, Some(200), body)
    }

    pub(crate) fn begin(&mut self, source: &str) -> Fetch {
        let (id, now) = (self.source(source), self.now());
        self.authenticator
            .begin(&mut self.live, id, now)
            .expect("a request to send")
    }

    /// What came of an answer: `document`, `unchanged`, `refused`, or the path to ask next.
    pub(crate) fn take(&mut self, source: &str, asked: &Fetch, status: Option<u16>, body: &str) -> String {
        match self.taken(source, asked, status, body) {
            Taken::Next(fetch) => fetch.path,
            Taken::Document(_) => "document".to_owned(),
            Taken::Unchanged(_) => "unchanged".to_owned(),
            Taken::Refused(_) => "refused".to_owned(),
        }
    }

    pub(crate) fn taken(&mut self, source: &str, asked: &Fetch, status: Option<u16>, body: &str) -> Taken {
        let (id, now) = (self.source(source), self.now());
        let answer = Answer {
            status,
            headers: &[],
            body: body.as_bytes(),
        };
        self.authenticator
            .take(&mut self.live, id, (asked, &answer), (0, now))
    }

    /// The question that a request raises.
    pub(crate) fn question(&mut self, ask: &Ask) -> Box<Question> {
        match self.step(ask, &Attempt::default()) {
            Ok(Step::Wait(Need::Answer(question))) => question,
            other => panic!("nothing is asked: {other:?}"),
        }
    }

    /// What becomes of a request whose question is answered with `status` and `body`.
    pub(crate) fn answer(&mut self, ask: &Ask, status: Option<u16>, body: &str) -> String {
        let question = self.question(ask);
        self.answer_to(&question, ask, status, body)
    }

    /// What becomes of a request with the answer to `question`.
    pub(crate) fn answer_to(
        &mut self,
        question: &Question,
        ask: &Ask,
        status: Option<u16>,
        body: &str,
    ) -> String {
        let answer = Answer {
            status,
            headers: &[(b"content-type", b"application/json")],
            body: body.as_bytes(),
        };
        let answered = self.authenticator.answered(question, &answer, self.now());
        let mut attempt = Attempt::default();
        attempt.asked(Some(answered));
        self.attempt(ask, &attempt)
    }

    pub(crate) fn strip(&self, ask: &Ask) -> Stripped {
        ask.show(|fields| self.authenticator.strip(&fields))
    }
}

fn named(caller: &scopegate_authn::Verified) -> String {
    format!("{}/{}", caller.provider(), caller.subject().unwrap_or("-"))
}
