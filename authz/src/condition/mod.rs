//! Conditions on the circumstances of a request: the time of day, the peer's address, headers, query parameters, the
//! environment, and expressions over all of them. Pure values: no clock, no environment and no host is asked here.

pub(crate) mod equalities;
pub(crate) mod expression;
pub(crate) mod sources;
pub(crate) mod windows;
pub(crate) mod zone;
