//! The clock of the host: virtual and under the test's control, or the system's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What a module is told when it asks for the time. Clones share the clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Virtual(Arc<Mutex<Virtual>>),
}

#[derive(Debug)]
struct Virtual {
    nanos: u64,
    failing: bool,
}

impl Clock {
    /// A clock that stands still at these seconds since 1970-01-01T00:00:00Z until it is moved.
    #[must_use]
    pub fn virtual_at(unix_seconds: u64) -> Self {
        let nanos = unix_seconds.saturating_mul(NANOS_PER_SECOND);
        Self(Source::Virtual(Arc::new(Mutex::new(Virtual {
            nanos,
            failing: false,
        }))))
    }

    /// The machine's clock. Moving it or making it fail has no effect.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Moves a virtual clock forward. What would have happened meanwhile does not: see `Host::advance`.
    pub fn advance(&self, seconds: u64) {
        self.advance_by(Duration::from_secs(seconds));
    }

    /// The same, in any unit.
    pub fn advance_by(&self, by: Duration) {
        self.change(|clock| clock.nanos = clock.nanos.saturating_add(nanos(by)));
    }

    /// Sets a virtual clock, forward or back, in seconds since 1970.
    pub fn set(&self, unix_seconds: u64) {
        self.change(|clock| clock.nanos = unix_seconds.saturating_mul(NANOS_PER_SECOND));
    }

    /// From now on every question for the time fails.
    pub fn fail(&self) {
        self.change(|clock| clock.failing = true);
    }

    /// Ends what [`Clock::fail`] began.
    pub fn recover(&self) {
        self.change(|clock| clock.failing = false);
    }

    /// Nanoseconds since 1970; `None` while the clock fails.
    pub(crate) fn now_nanos(&self) -> Option<u64> {
        match &self.0 {
            Source::System => system_nanos(),
            Source::Virtual(shared) => {
                let clock = lock(shared);
                (!clock.failing).then_some(clock.nanos)
            }
        }
    }

    /// Nanoseconds since 1970 of a virtual clock, whether it fails or not.
    pub(crate) fn virtual_nanos(&self) -> Option<u64> {
        match &self.0 {
            Source::System => None,
            Source::Virtual(shared) => Some(lock(shared).nanos),
        }
    }

    /// Nanoseconds that never fail: those of a virtual clock, else of the machine's.
    pub(crate) fn steady_nanos(&self) -> u64 {
        self.virtual_nanos().or_else(system_nanos).unwrap_or_default()
    }

    /// Sets a virtual clock forward; never back.
    pub(crate) fn reach(&self, nanos: u64) {
        self.change(|clock| clock.nanos = clock.nanos.max(nanos));
    }

    fn change(&self, change: impl FnOnce(&mut Virtual)) {
        if let Source::Virtual(shared) = &self.0 {
            change(&mut lock(shared));
        }
    }
}

/// A length of time as the clock counts it.
pub(crate) fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

fn lock(shared: &Mutex<Virtual>) -> MutexGuard<'_, Virtual> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock: everybody else is given the time as a value"
)]
fn system_nanos() -> Option<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}
