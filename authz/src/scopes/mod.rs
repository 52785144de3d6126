//! Scopes: the catalogue, requirements, and what a caller's scopes are worth.
//!
//! Works on names and sets alone: nothing here knows a route or a request.

pub(crate) mod catalogue;
pub(crate) mod effective;
pub(crate) mod requirement;
pub(crate) mod selector;
pub(crate) mod set;
