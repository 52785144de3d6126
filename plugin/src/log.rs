//! Lines for the operator. Nothing of a request's content ever stands in one.

use std::cell::Cell;

use crate::host::{self, Level};

thread_local! {
    static LEAST: Cell<Level> = const { Cell::new(Level::Info) };
}

/// From now on lines below this level are left out.
pub(crate) fn set_least(level: Level) {
    LEAST.set(level);
}

/// Writes a line. Where even the log fails there is nobody to tell, and nothing is loosened.
pub(crate) fn say(level: Level, message: &str) {
    if level >= LEAST.get() {
        let _ = host::log(level, message);
    }
}
