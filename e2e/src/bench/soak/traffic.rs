//! The callers: each sends one request after the other over connections that it keeps, and looks at every answer.

use std::collections::HashSet;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::BenchError;
use super::keys::Rotation;
use super::kinds::{Act, Due, FATE, Fate, Identity, KINDS, Sight, deck};
use super::setting::Setting;
use crate::client::{self, Answer, Connection};
use crate::upstream::{self, MARK};
use crate::wait;

/// What became of the requests of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests that were sent.
    pub sent: u64,
    /// Those that were rightly permitted.
    pub permitted: u64,
    /// Those that were rightly refused.
    pub refused: u64,
    /// Those that keys changed under, so that either answer was right.
    pub changing: u64,
    /// Those that were ended before there was an answer.
    pub abandoned: u64,
}

impl Count {
    /// Whether one answer at least was held against the only one that was right. Of what is always abandoned there is none.
    pub(super) const fn was_held(&self) -> bool {
        self.permitted > 0 || self.refused > 0 || (self.abandoned > 0 && self.abandoned == self.sent)
    }

    fn add(&mut self, more: Self) {
        let Self {
            sent,
            permitted,
            refused,
            changing,
            abandoned,
        } = more;
        for (count, more) in [
            (&mut self.sent, sent),
            (&mut self.permitted, permitted),
            (&mut self.refused, refused),
            (&mut self.changing, changing),
            (&mut self.abandoned, abandoned),
        ] {
            *count = count.saturating_add(more);
        }
    }
}

/// What the callers saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) counts: Vec<Count>,
    /// Microseconds of each good request: the plugin's first, then that of Envoy's own filters.
    pub(super) again: [Vec<u32>; 2],
    pub(super) first: [Vec<u32>; 2],
    /// Requests that might have been permitted and were rightly refused.
    pub(super) refused: HashSet<usize>,
}

/// What all callers share.
#[derive(Debug)]
pub(super) struct Traffic<'a> {
    setting: &'a Setting,
    deck: Vec<usize>,
    next: AtomicUsize,
    begun: Instant,
    /// From one request to the next.
    pause: Duration,
    stop: AtomicBool,
    wrong: AtomicUsize,
    faults: Mutex<Vec<String>>,
    /// Requests that came to the upstream and might.
    forwarded: Mutex<HashSet<usize>>,
}

/// Wrong decisions that are told in full.
const TOLD: usize = 20;

impl<'a> Traffic<'a> {
    pub(super) fn new(setting: &'a Setting, rate: u32) -> Self {
        Self {
            setting,
            deck: deck(),
            next: AtomicUsize::new(0),
            begun: wait::now(),
            pause: Duration::from_secs(1) / rate.max(1),
            stop: AtomicBool::new(false),
            wrong: AtomicUsize::new(0),
            faults: Mutex::default(),
            forwarded: Mutex::default(),
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Something that must not be, told for whoever reads the report.
    pub(super) fn fault(&self, fault: String) {
        if self.wrong.fetch_add(1, Ordering::SeqCst) < TOLD {
            lock(&self.faults).push(fault);
        }
    }

    /// Something came to the upstream.
    pub(super) fn forwarded(&self, request: &upstream::Seen) {
        match request.header(FATE).as_deref().and_then(Fate::read) {
            Some(Fate::May(number)) => {
                lock(&self.forwarded).insert(number);
            }
            Some(Fate::Never) | None => {
                let line = [request.method.as_slice(), b" ", request.path.as_slice()].concat();
                let line: String = String::from_utf8_lossy(&line).chars().take(100).collect();
                self.fault(format!("`{line}` came to the upstream and should not have"));
            }
        }
    }

    /// Nothing that was refused at last has come to the upstream before.
    pub(super) fn hold_refused(&self, refused: &HashSet<usize>) {
        for number in lock(&self.forwarded).intersection(refused) {
            self.fault(format!("request {number} was refused, and came to the upstream"));
        }
    }

    /// How many wrong decisions there were, and the first of them.
    pub(super) fn wrong(self) -> (usize, Vec<String>) {
        let faults = self.faults.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.wrong.into_inner(), faults)
    }

    /// One caller, until it is told to stop.
    pub(super) fn caller(&self) -> Result<Seen, BenchError> {
        let mut seen = Seen::new();
        let mut plugin = Connection::new(self.setting.plugin);
        let mut native = Connection::new(self.setting.native);
        while let Some(number) = self.turn() {
            let place = self
                .deck
                .get(number % self.deck.len())
                .copied()
                .unwrap_or_default();
            let (Some(kind), Some(count)) = (KINDS.get(place), seen.counts.get_mut(place)) else {
                continue;
            };
            for act in (kind.make)(&self.setting.sender, number)? {
                count.sent = count.sent.saturating_add(1);
                let (request, due, sight) = match act {
                    Act::Abandon(bytes) => {
                        count.abandoned = count.abandoned.saturating_add(1);
                        client::abandon(self.setting.plugin, &bytes)?;
                        client::abandon(self.setting.native, &bytes)?;
                        continue;
                    }
                    Act::Ask(request, due) => (request, due, None),
                    Act::Compare(request, due, sight) => (request, due, Some(sight)),
                };
                let mut untimed = [Vec::new(), Vec::new()];
                let [ours, theirs] = match sight {
                    Some(Sight::Again) => &mut seen.again,
                    Some(Sight::First) => &mut seen.first,
                    None => &mut untimed,
                };
                let mut ask = |count: &mut Count| {
                    let held = self.ask(kind.name, count, &request, &due, || {
                        timed(ours, &mut plugin, &request)
                    });
                    if held == Some(Right::Refused) && matches!(due, Due::WhilePublished(..)) {
                        seen.refused.insert(number);
                    }
                };
                let mut beside = || {
                    let answer = timed(theirs, &mut native, &request);
                    if sight.is_some() {
                        self.native(kind.name, answer);
                    }
                };
                // Neither always goes first.
                if number.is_multiple_of(2) {
                    beside();
                    ask(count);
                } else {
                    ask(count);
                    beside();
                }
            }
        }
        Ok(seen)
    }

    /// The number of the next request, once it is due; `None` where there is none.
    fn turn(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self
            .pause
            .saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        let passed = wait::now().saturating_duration_since(self.begun);
        thread::sleep(due.saturating_sub(passed));
        (!self.is_over()).then_some(number)
    }

    fn ask(
        &self,
        kind: &str,
        count: &mut Count,
        request: &[u8],
        due: &Due,
        send: impl FnOnce() -> io::Result<Answer>,
    ) -> Option<Right> {
        let then = self.setting.rotation.now();
        let answer = send();
        let steps = self.setting.rotation.since(then);
        let held = answer
            .map_err(|error| error.to_string())
            .and_then(|answer| due.met_by(&answer, steps));
        match &held {
            Ok(Right::Permitted) => count.permitted = count.permitted.saturating_add(1),
            Ok(Right::Refused) => count.refused = count.refused.saturating_add(1),
            Ok(Right::Either) => count.changing = count.changing.saturating_add(1),
            Err(fault) => {
                let native = client::send(self.setting.native, request);
                let native =
                    native.map_or_else(|error| error.to_string(), |answer| answer.status.to_string());
                self.fault(format!("{kind}: {fault}; Envoy's own filters: {native}"));
            }
        }
        held.ok()
    }

    /// Envoy's own filters permit what is good.
    fn native(&self, kind: &str, answer: io::Result<Answer>) {
        match answer {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => self.fault(format!("{kind}: Envoy's own filters answered {}", answer.status)),
            Err(error) => self.fault(format!("{kind}: Envoy's own filters: {error}")),
        }
    }
}

impl Seen {
    fn new() -> Self {
        Self {
            counts: vec![Count::default(); KINDS.len()],
            ..Self::default()
        }
    }

    /// What this caller and another one saw.
    pub(super) fn and(mut self, other: Self) -> Self {
        if self.counts.is_empty() {
            return other;
        }
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            count.add(more);
        }
        for (times, more) in self.again.iter_mut().zip(other.again) {
            times.extend(more);
        }
        for (times, more) in self.first.iter_mut().zip(other.first) {
            times.extend(more);
        }
        self.refused.extend(other.refused);
        self
    }
}

/// How an answer was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Permitted,
    Refused,
    Either,
}

impl Due {
    /// Whether the answer is right at one of these steps at least; if not, why.
    fn met_by(&self, answer: &Answer, mut steps: RangeInclusive<usize>) -> Result<Right, String> {
        match self {
            Self::Permitted(identity) => permitted(answer, identity),
            Self::Refused(status, code) => refused(answer, *status, code),
            Self::WhilePublished(generation, identity) => {
                let published = |step| Rotation::publishes(step, *generation);
                let first = published(*steps.start());
                let either = steps.any(|step| published(step) != first);
                let permitted = permitted(answer, identity);
                match (either, first) {
                    (false, true) => permitted,
                    (false, false) => refused(answer, 401, "key_not_found"),
                    (true, _) => permitted
                        .or_else(|_| refused(answer, 401, "key_not_found"))
                        .map(|_| Right::Either),
                }
            }
        }
    }
}

/// The upstream's answer, which saw these identity headers, no others, and no credential.
fn permitted(answer: &Answer, identity: &Identity) -> Result<Right, String> {
    let seen =
        (answer.status == 200 && answer.header(MARK).is_some()).then(|| serde_json::from_slice(&answer.body));
    let Some(Ok(account)) = seen else {
        return Err(format!(
            "answered {}, not by the upstream, where it is permitted",
            said(answer)
        ));
    };
    let account: Value = account;
    let fields = account
        .get("headers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let fields =
        fields.filter_map(|field| Some((field.get(0)?.as_str()?.replace('_', "-"), field.get(1)?.as_str()?)));
    let told: Vec<(String, &str)> = fields
        .filter(|(name, _)| name.starts_with("x-auth-") || name == "authorization")
        .collect();
    let right = told.len() == identity.len()
        && told
            .iter()
            .all(|(name, value)| identity.get(name).is_some_and(|expected| expected == value));
    match right {
        true => Ok(Right::Permitted),
        false => {
            // A credential is shown nowhere.
            let told = told.iter().filter(|(name, _)| name != "authorization");
            Err(format!(
                "the upstream was told {:?}, expected {identity:?}",
                told.collect::<Vec<_>>()
            ))
        }
    }
}

fn refused(answer: &Answer, status: u16, code: &str) -> Result<Right, String> {
    let right = answer.status == status && answer.header(MARK).is_none() && code_of(answer) == code;
    match right {
        true => Ok(Right::Refused),
        false => Err(format!("answered {}, expected {status} {code}", said(answer))),
    }
}

/// The code of a refusal (RFC 9457); empty where it is none of the plugin's.
fn code_of(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body.get("code").and_then(Value::as_str);
    code.unwrap_or_default().to_owned()
}

fn said(answer: &Answer) -> String {
    format!("{} {}", answer.status, code_of(answer))
}

/// Sends a request and notes how long its answer took.
fn timed(times: &mut Vec<u32>, connection: &mut Connection, request: &[u8]) -> io::Result<Answer> {
    let begun = wait::now();
    let answer = connection.send(request);
    times.push(microseconds(begun));
    answer
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn microseconds(since: Instant) -> u32 {
    let passed = wait::now().saturating_duration_since(since);
    u32::try_from(passed.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{Due, Identity};
    use super::{Answer, MARK, Right};

    fn answer(status: u16, body: &str) -> Answer {
        let mark = (status == 200).then(|| (MARK.into(), b"1".to_vec()));
        Answer {
            status,
            headers: mark.into_iter().collect(),
            body: body.into(),
            trailers: Vec::new(),
        }
    }

    fn anna() -> Identity {
        [("x-auth-subject".to_owned(), "anna".to_owned())].into()
    }

    #[test]
    fn permitted_is_what_the_upstream_answered_who_saw_this_identity_and_nothing_more() {
        let due = Due::Permitted(anna());
        let told = |headers: &str| due.met_by(&answer(200, &format!(r#"{{"headers":{headers}}}"#)), 2..=2);
        assert_eq!(
            told(r#"[["host","h"],["x-auth-subject","anna"]]"#),
            Ok(Right::Permitted)
        );
        for wrong in [
            r#"[]"#,
            r#"[["x-auth-subject","root"]]"#,
            r#"[["x-auth-subject","anna"],["x_auth_subject","root"]]"#,
            r#"[["x-auth-subject","anna"],["x-auth-tenant","acme"]]"#,
            r#"[["x-auth-subject","anna"],["authorization","Bearer secret"]]"#,
        ] {
            let fault = told(wrong).unwrap_err();
            assert!(!fault.contains("secret"), "{fault}");
        }
        assert!(due.met_by(&answer(401, "{}"), 2..=2).is_err());
    }

    #[test]
    fn a_refusal_has_its_status_and_its_code() {
        let due = Due::Refused(403, "no_route");
        assert_eq!(
            due.met_by(&answer(403, r#"{"code":"no_route"}"#), 2..=2),
            Ok(Right::Refused)
        );
        for wrong in [
            answer(403, r#"{"code":"scope_missing"}"#),
            answer(401, r#"{"code":"no_route"}"#),
            answer(200, "{}"),
        ] {
            assert!(due.met_by(&wrong, 2..=2).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn either_answer_is_right_only_while_the_key_comes_or_goes() {
        let due = Due::WhilePublished(4, anna());
        let good = answer(200, r#"{"headers":[["x-auth-subject","anna"]]}"#);
        let gone = answer(401, r#"{"code":"key_not_found"}"#);
        let other = answer(401, r#"{"code":"signature_invalid"}"#);
        for (steps, permitted, refused) in [
            (5..=5, Ok(Right::Permitted), false),
            (6..=6, Err(()), true),
            (5..=6, Ok(Right::Either), true),
            (3..=5, Ok(Right::Permitted), false),
        ] {
            assert_eq!(
                due.met_by(&good, steps.clone()).map_err(|_| ()),
                permitted,
                "{steps:?}"
            );
            assert_eq!(due.met_by(&gone, steps.clone()).is_ok(), refused, "{steps:?}");
            assert!(due.met_by(&other, steps).is_err());
        }
    }
}
