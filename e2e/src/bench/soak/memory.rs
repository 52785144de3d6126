//! What Envoy holds while the traffic runs: its memory, and the plugin's own account of the tokens that it keeps.

use std::io;

use super::super::process;
use crate::envoy::Envoy;

/// What Envoy held at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Seconds since the traffic began.
    pub second: u64,
    /// Envoy's resident memory, in kilobytes.
    pub kilobytes: u64,
    /// Tokens that the plugin keeps.
    pub tokens: u64,
    /// The bytes that they take.
    pub bytes: u64,
    /// The most bytes that they may take.
    pub bound: u64,
}

/// Where memory was at first and at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// The median of the second quarter of the samples, in kilobytes: what comes before is warm-up.
    pub early: u64,
    /// The median of the last quarter, in kilobytes.
    pub late: u64,
    /// The most that the last may be, in kilobytes.
    pub most: u64,
}

/// Beside what is accounted for, memory may be larger at last by so many kilobytes.
const TOLERANCE: u64 = 5 * 1024;

impl Sample {
    pub(super) fn take(envoy: &Envoy, second: u64) -> io::Result<Self> {
        let gauges = envoy.admin("/stats?filter=token_cache")?;
        let gauge = |name: &str| {
            let line = gauges
                .lines()
                .find_map(|line| line.split_once(&format!("token_cache.{name}: ")));
            line.and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or_default()
        };
        Ok(Self {
            second,
            kilobytes: process::resident_kilobytes(envoy.id())?,
            tokens: gauge("tokens"),
            bytes: gauge("bytes"),
            bound: gauge("bound"),
        })
    }
}

impl Growth {
    /// Compares the second quarter with the last. Tokens that came to be kept in between are accounted for, twice what
    /// they take: a table doubles before it is full.
    pub(super) fn of(samples: &[Sample]) -> Self {
        let quarter = samples.len() / 4;
        let early = samples
            .get(quarter..quarter.saturating_mul(2))
            .unwrap_or_default();
        let late = samples
            .get(samples.len().saturating_sub(quarter)..)
            .unwrap_or_default();
        let memory = |samples: &[Sample]| median(samples.iter().map(|sample| sample.kilobytes));
        // Not each worker has served: one that keeps nothing says so as well.
        let kept = |samples: &[Sample]| {
            samples
                .iter()
                .map(|sample| sample.bytes)
                .max()
                .unwrap_or_default()
                / 1024
        };
        let accounted = kept(late).saturating_sub(kept(early)).saturating_mul(2);
        Self {
            early: memory(early),
            late: memory(late),
            most: memory(early).saturating_add(accounted).saturating_add(TOLERANCE),
        }
    }

    /// Whether memory stayed.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.late > 0 && self.late <= self.most
    }
}

fn median(numbers: impl Iterator<Item = u64>) -> u64 {
    let mut sorted: Vec<u64> = numbers.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Growth, Sample};

    fn samples(memory: impl Fn(u64) -> u64, bytes: impl Fn(u64) -> u64) -> Vec<Sample> {
        let sample = |second| Sample {
            second,
            kilobytes: memory(second),
            tokens: 1,
            bytes: bytes(second),
            bound: 1 << 24,
        };
        (0..40).map(sample).collect()
    }

    #[test]
    fn memory_that_climbs_is_growth_and_a_warm_up_is_none() {
        let warm = samples(|second| if second < 8 { 10_000 * second } else { 100_000 }, |_| 0);
        assert!(Growth::of(&warm).is_bounded(), "{:?}", Growth::of(&warm));
        for (a_second, is_bounded) in [(200, true), (300, false), (1_000, false)] {
            let growth = Growth::of(&samples(|second| 100_000 + a_second * second, |_| 0));
            assert_eq!(growth.is_bounded(), is_bounded, "{growth:?}");
        }
        let kept = samples(|second| 100_000 + 1_000 * second, |second| 700 * 1024 * second);
        assert!(Growth::of(&kept).is_bounded(), "{:?}", Growth::of(&kept));
        assert!(!Growth::of(&[]).is_bounded());
    }
}
