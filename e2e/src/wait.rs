//! Waiting for a condition: looked at again and again until it holds or patience ends. Tests wait for what they
//! want to see, and never for a time.

use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(10);

/// 30 seconds: a machine that is busy is waited for, a hang is not.
const POLLS: u32 = 3000;

/// Waits until `ready` gives a value.
///
/// # Errors
/// It gave none in time; the message names `what` was waited for.
pub fn until<T>(what: &str, ready: impl FnMut() -> Option<T>) -> Result<T, String> {
    looked_at(POLLS, what, ready)
}

/// 3 seconds.
const FEW_POLLS: u32 = 300;

/// The same with little patience, for what may never come: that it did not is then what is seen.
///
/// # Errors
/// As [`until`].
pub fn briefly<T>(what: &str, ready: impl FnMut() -> Option<T>) -> Result<T, String> {
    looked_at(FEW_POLLS, what, ready)
}

fn looked_at<T>(polls: u32, what: &str, mut ready: impl FnMut() -> Option<T>) -> Result<T, String> {
    for _ in 0..polls {
        if let Some(value) = ready() {
            return Ok(value);
        }
        thread::sleep(POLL);
    }
    Err(format!("{what} did not come in time"))
}

/// The time of a clock that only goes forward, for the distances between events.
#[expect(
    clippy::disallowed_methods,
    reason = "measures distances for a report; decides nothing"
)]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}
