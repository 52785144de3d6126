//! The engine and the reference, side by side: random policies, random requests, and one answer.
//!
//! The policies and requests are drawn from small alphabets that overlap, so that near misses, ties and conflicts
//! are frequent. Every difference is a fault of one of the two; it is printed with its seed and made small first.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod agreement;
mod callers;
mod case;
mod conditions;
mod draw;
mod policies;
mod properties;
mod requests;
mod shrink;
mod subject;
