//! The real command, run as people and scripts run it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod check;
mod common;
mod decide;
mod newcomer;
mod pipe;
mod serve;
mod test;
