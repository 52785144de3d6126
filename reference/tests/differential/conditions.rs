//! Random conditions.

/// What of the language is drawn.
pub(crate) const SWITCHES: () = ();
