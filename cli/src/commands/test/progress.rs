//! How far a long run has come, on standard error where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for a run of many cases. On anything but a terminal it shows nothing.
pub(super) struct Progress(ProgressBar);

/// Fewer cases are done before anybody has read the first line.
const MANY: usize = 500;

impl Progress {
    pub(super) fn new(cases: usize) -> Self {
        let length = u64::try_from(cases).unwrap_or(u64::MAX);
        let target = match cases >= MANY {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} cases, {eta} left") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub(super) fn step(&self) {
        self.0.inc(1);
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
