//! When a machine that failed may be made anew.

use std::time::Duration;

use crate::clock::nanos;
use crate::random::Random;

/// Envoy's `reload_config.backoff.base_interval` where it is not set.
const BASE: Duration = Duration::from_secs(1);

/// How long a plugin with the policy `Reload` goes without a machine.
#[derive(Debug, Clone)]
pub(crate) struct Reload {
    base: Duration,
    random: Random,
    loaded: u64,
}

impl Default for Reload {
    fn default() -> Self {
        Self::after(BASE)
    }
}

impl Reload {
    pub(crate) fn after(base: Duration) -> Self {
        Self {
            base,
            random: Random::seeded(0),
            loaded: 0,
        }
    }

    /// Remembers when a machine was made, or was to be made.
    pub(crate) fn loaded(&mut self, now: u64) {
        self.loaded = now;
    }

    /// Whether enough time has passed since then: the base, and at random up to a half of it more, drawn anew each
    /// time (Envoy's `JitteredLowerBoundBackOffStrategy`).
    pub(crate) fn is_due(&mut self, now: u64) -> bool {
        let base = nanos(self.base);
        let jitter = self.random.next().checked_rem(base / 2).unwrap_or_default();
        now.saturating_sub(self.loaded) >= base.saturating_add(jitter)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Reload;

    #[test]
    fn a_half_of_the_base_is_added_at_random() {
        const SECOND: u64 = 1_000_000_000;
        let mut reload = Reload::after(Duration::from_secs(1));
        reload.loaded(SECOND);
        let mut due = |now| (0..200).filter(|_| reload.is_due(now)).count();
        assert_eq!(due(2 * SECOND - 1), 0, "never before the base is over");
        assert_eq!(due(2 * SECOND + SECOND / 2), 200, "always after a half more");
        let between = due(2 * SECOND + SECOND / 4);
        assert!((50..150).contains(&between), "{between} of 200 in the middle");
        assert!(due(2 * SECOND) < 5, "hardly ever without a wait");
    }
}
