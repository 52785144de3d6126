//! Transcripts that a real proxy makes now, held against those that were recorded; where they are to be recorded anew,
//! written. What makes them is not known here.

use std::fs;

use crate::cases::{self, Case, Proxy};
use crate::skips;

/// A comparison of all cases of a proxy.
#[derive(Debug)]
pub struct Recorded {
    proxy: Proxy,
    differing: Vec<String>,
}

impl Recorded {
    /// What was recorded of this proxy.
    #[must_use]
    pub const fn of(proxy: Proxy) -> Self {
        Self {
            proxy,
            differing: Vec::new(),
        }
    }

    /// Looks at one case; with `SCOPEGATE_UPDATE_TRANSCRIPTS` set, records its transcript first.
    pub fn compare(&mut self, case: &Case, transcript: &str) {
        if skips::updates_records() {
            let written = fs::write(cases::transcript_path(&case.name, self.proxy), transcript);
            self.differing
                .extend(written.err().map(|error| format!("{}: {error}", case.name)));
        }
        if cases::transcript(&case.name, self.proxy).as_deref() != Ok(transcript) {
            self.differing.push(format!("{}:\n{transcript}", case.name));
        }
    }

    /// Ends the comparison.
    ///
    /// # Panics
    /// Where a transcript was another.
    pub fn assert_same(self) {
        assert!(self.differing.is_empty(), "{}", self.differing.join("\n"));
    }
}
