//! Lines for the operator. Nothing of a request's content ever stands in one.

use crate::host::{self, Level};

/// Writes a line. Where even the log fails there is nobody to tell, and nothing is loosened.
pub(crate) fn say(level: Level, message: &str) {
    let _ = host::log(level, message);
}
