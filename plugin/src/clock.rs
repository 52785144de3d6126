//! The host's clock, and whether it is believed.

use scopegate_document::UnixTime;

use crate::host;

const NANOSECONDS: u64 = 1_000_000_000;

/// A year after 1970: a clock that shows less was never set, and is not believed.
const EARLIEST: UnixTime = UnixTime(365 * 24 * 60 * 60);

/// What the host's clock showed, if it showed anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(Option<u64>);

impl Time {
    /// Asks the host.
    pub(crate) fn now() -> Self {
        Self(host::now_nanoseconds().ok())
    }

    /// The time, where it can be the right one.
    pub(crate) fn believed(self) -> Option<UnixTime> {
        let seconds = self.0?.checked_div(NANOSECONDS)?;
        let now = UnixTime(i64::try_from(seconds).ok()?);
        Some(now).filter(|now| *now >= EARLIEST)
    }

    /// The nanoseconds it showed, believed or not: a number that is hardly ever the same twice.
    pub(crate) fn nanoseconds(self) -> u64 {
        self.0.unwrap_or_default()
    }
}
