//! When a document is fetched: by one worker of the process at a time, not too often, not at the same second
//! everywhere. What all workers know of it is one small record of times.

use scopegate_document::UnixTime;

use crate::limits;

/// What all workers of a process know of one document. Times are the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The number of the document in use, as in [`Record::version`](super::Record::version); 0 before the first.
    pub version: u64,
    /// When it was last known to be good.
    pub fetched_at: UnixTime,
    /// When a fetch last began.
    pub started_at: UnixTime,
    /// Until when the worker that began it is given time to answer.
    pub busy_until: UnixTime,
    /// When the next fetch is due.
    pub due_at: UnixTime,
    /// How many fetches failed since the last that did not.
    pub failures: u32,
}

/// Long before any clock that is believed.
const NEVER: UnixTime = UnixTime(i64::MIN);

impl Default for Schedule {
    /// Nothing was ever fetched: due now.
    fn default() -> Self {
        Self {
            version: 0,
            fetched_at: NEVER,
            started_at: NEVER,
            busy_until: NEVER,
            due_at: NEVER,
            failures: 0,
        }
    }
}

impl Schedule {
    /// Whether somebody fetches right now.
    #[must_use]
    pub fn is_busy(&self, now: UnixTime) -> bool {
        now < self.busy_until && self.started_at <= now
    }

    /// Whether a fetch should begin: it is due, or somebody `is_wanted`s a newer document and the last fetch is a
    /// minute ago.
    #[must_use]
    pub fn should_begin(&self, is_wanted: bool, now: UnixTime) -> bool {
        !self.is_busy(now) && (self.is_due(now) || (is_wanted && self.may_be_wanted(now)))
    }

    /// Whether the last fetch is long enough ago for one that a stranger can provoke.
    #[must_use]
    pub fn may_be_wanted(&self, now: UnixTime) -> bool {
        self.is_from_the_future(now) || now.since(self.started_at) >= limits::REFETCH_SECONDS
    }

    fn is_due(&self, now: UnixTime) -> bool {
        now >= self.due_at || self.is_from_the_future(now)
    }

    /// After the clock stepped back, no time in here means anything: fetch, and begin anew.
    fn is_from_the_future(&self, now: UnixTime) -> bool {
        self.started_at > now
    }

    /// Whether a document of this age may still be used.
    #[must_use]
    pub fn is_fresh(&self, max_stale: i64, now: UnixTime) -> bool {
        self.version > 0 && now.since(self.fetched_at).saturating_abs() <= max_stale
    }

    /// A fetch begins.
    #[must_use]
    pub fn begun(self, now: UnixTime) -> Self {
        Self {
            started_at: now,
            busy_until: now.plus(limits::FETCH_BUSY_SECONDS),
            ..self
        }
    }

    /// The second leg of a discovery begins: the worker is given its time again.
    #[must_use]
    pub fn continued(self, now: UnixTime) -> Self {
        Self {
            busy_until: now.plus(limits::FETCH_BUSY_SECONDS),
            ..self
        }
    }

    /// A fetch gave the good document of that `version`. The next is due after `interval` seconds, less up to a tenth by
    /// `chance`.
    #[must_use]
    pub fn succeeded(self, version: u64, interval: i64, chance: u64, now: UnixTime) -> Self {
        Self {
            version,
            fetched_at: now,
            busy_until: NEVER,
            due_at: now.plus(thinned(interval, chance)),
            failures: 0,
            ..self
        }
    }

    /// A fetch failed. With a document in hand there is no hurry: the next try comes after a minute, or after
    /// `refresh` where that is shorter. Without one it comes after a second, then two, four, up to a minute.
    #[must_use]
    pub fn failed(self, refresh: i64, chance: u64, now: UnixTime) -> Self {
        let patience = match self.version {
            0 => 1_i64
                .checked_shl(self.failures.min(6))
                .unwrap_or(limits::REFETCH_SECONDS),
            _ => refresh,
        };
        let pause = thinned(patience.min(limits::REFETCH_SECONDS), chance);
        Self {
            busy_until: NEVER,
            due_at: now.plus(pause),
            failures: self.failures.saturating_add(1),
            ..self
        }
    }

    /// The record as bytes, for other workers.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            version,
            fetched_at,
            started_at,
            busy_until,
            due_at,
            failures,
        } = self;
        let mut bytes = version.to_le_bytes().to_vec();
        for time in [fetched_at, started_at, busy_until, due_at] {
            bytes.extend(time.0.to_le_bytes());
        }
        bytes.extend(failures.to_le_bytes());
        bytes
    }

    /// The record that `bytes` hold; nothing where they are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, bytes) = bytes.split_first_chunk::<8>()?;
        let (fetched_at, bytes) = time(bytes)?;
        let (started_at, bytes) = time(bytes)?;
        let (busy_until, bytes) = time(bytes)?;
        let (due_at, bytes) = time(bytes)?;
        Some(Self {
            version: u64::from_le_bytes(*version),
            fetched_at,
            started_at,
            busy_until,
            due_at,
            failures: u32::from_le_bytes(bytes.try_into().ok()?),
        })
    }
}

fn time(bytes: &[u8]) -> Option<(UnixTime, &[u8])> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    Some((UnixTime(i64::from_le_bytes(*time)), rest))
}

/// `seconds`, less up to a tenth of them, so that a fleet that started together does not stay together.
fn thinned(seconds: i64, chance: u64) -> i64 {
    let tenth = u64::try_from(seconds / 10).unwrap_or_default().saturating_add(1);
    let less = chance
        .checked_rem(tenth)
        .and_then(|less| i64::try_from(less).ok());
    seconds.saturating_sub(less.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use scopegate_document::UnixTime;

    use super::Schedule;

    const NOW: UnixTime = UnixTime(1_795_338_000);

    fn loaded() -> Schedule {
        Schedule::default().begun(NOW).succeeded(7, 600, 0, NOW)
    }

    #[test]
    fn the_first_fetch_is_due_at_once_and_one_worker_makes_it() {
        let fresh = Schedule::default();
        assert!(fresh.should_begin(false, NOW) && !fresh.is_fresh(3_600, NOW));
        let begun = fresh.begun(NOW);
        assert!(!begun.should_begin(true, NOW), "another worker fetches");
        assert!(begun.should_begin(false, NOW.plus(60)), "it never answered");
    }

    #[test]
    fn a_document_is_refreshed_when_due_and_less_than_a_tenth_earlier() {
        let loaded = loaded();
        assert!(!loaded.should_begin(false, NOW.plus(599)) && loaded.should_begin(false, NOW.plus(600)));
        for chance in [0, 1, 59, 60, 61, u64::MAX] {
            let due = Schedule::default()
                .begun(NOW)
                .succeeded(7, 600, chance, NOW)
                .due_at;
            assert!((540..=600).contains(&due.since(NOW)), "{chance}");
        }
    }

    #[test]
    fn strangers_provoke_one_fetch_a_minute() {
        let loaded = loaded();
        assert!(!loaded.should_begin(true, NOW.plus(59)));
        assert!(loaded.should_begin(true, NOW.plus(60)));
        assert!(!loaded.begun(NOW.plus(60)).should_begin(true, NOW.plus(119)));
    }

    #[test]
    fn failures_are_patient_with_a_document_and_hurried_without() {
        let mut without = Schedule::default().begun(NOW);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            without = without.failed(600, 0, NOW);
            pauses.push(without.due_at.since(NOW));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let with = loaded().begun(NOW.plus(600)).failed(600, 0, NOW.plus(600));
        assert_eq!(with.due_at.since(NOW), 660);
        let often = loaded().begun(NOW).failed(30, 0, NOW);
        assert_eq!(often.due_at.since(NOW), 30);
        assert!(with.is_fresh(3_600, NOW.plus(3_600)) && !with.is_fresh(3_600, NOW.plus(3_601)));
    }

    #[test]
    fn a_clock_that_steps_back_makes_it_due() {
        let loaded = loaded();
        assert!(loaded.should_begin(false, NOW.minus(1)));
        assert!(loaded.is_fresh(3_600, NOW.minus(3_600)) && !loaded.is_fresh(3_600, NOW.minus(3_601)));
    }

    #[test]
    fn other_workers_read_what_was_written() {
        let schedule = loaded().begun(NOW.plus(7)).failed(30, 5, NOW.plus(9));
        assert_eq!(Schedule::decode(&schedule.encode()), Some(schedule));
        for length in 0..schedule.encode().len() {
            assert_eq!(Schedule::decode(&schedule.encode()[..length]), None);
        }
        assert_eq!(Schedule::decode(&[schedule.encode(), vec![0]].concat()), None);
    }
}
