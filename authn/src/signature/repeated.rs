//! What is made of a key once it is used again and again: when, of how many keys, and for how long it is kept.
//!
//! It hangs on the key itself, and goes with it: there is no way to find it but by the key it was made of.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits;

/// What is made of a key, once that pays.
pub(crate) struct Repeated<T> {
    uses: AtomicUsize,
    made: OnceLock<Option<T>>,
}

/// For how many more keys of a set it may be made.
pub(crate) struct Room(AtomicUsize);

impl<T> Default for Repeated<T> {
    fn default() -> Self {
        Self {
            uses: AtomicUsize::new(0),
            made: OnceLock::new(),
        }
    }
}

impl<T> fmt::Debug for Repeated<T> {
    /// Whether it was made.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeated")
            .field("is_made", &self.made.get().is_some())
            .finish_non_exhaustive()
    }
}

impl<T> Repeated<T> {
    /// What was made. Where that is nothing, this is one more use without it.
    pub(crate) fn for_use(&self) -> Option<&T> {
        let made = self.made.get();
        if made.is_none() {
            self.uses.fetch_add(1, Ordering::Relaxed);
        }
        made.and_then(Option::as_ref)
    }

    /// Makes it, where the key was used often enough and there is room. What `make` refuses to make is not tried again.
    pub(crate) fn make_if_due(&self, room: &Room, make: impl FnOnce() -> Option<T>) {
        let is_due =
            self.made.get().is_none() && self.uses.load(Ordering::Relaxed) >= limits::USES_BEFORE_TABLE;
        if is_due && room.take() {
            self.made.get_or_init(make);
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self(AtomicUsize::new(limits::TABLES_PER_SET))
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Room").field(&self.0).finish()
    }
}

impl Room {
    fn take(&self) -> bool {
        let one_less = |room: usize| room.checked_sub(1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_ok()
    }
}
