//! Authorization: may this caller do this action, now?
//!
//! A verified caller and a request go in, a [`Permit`] or a [`Deny`] comes out. This crate knows routes and
//! scopes; it has never seen a token. Evaluation is total: it cannot fail open.

#![forbid(unsafe_code)]

mod authorizer;
mod checks;
mod compile;
mod condition;
mod decision;
mod group;
mod host;
mod matchers;
mod media_type;
mod mode;
mod path;
mod pattern;
mod query;
mod readings;
mod request;
mod router;
mod scopes;
pub mod section;
mod select;

pub use authorizer::{
    Action, Authorizer, GuardedAction, PolicyContext, ProviderFacts, PublicAction, RouteView, Target,
};
pub use checks::circumstances::Circumstances;
pub use decision::{Denial, Deny, GrantedBy, Permit, RequestError, Requirement, Unrouted};
pub use mode::Mode;
