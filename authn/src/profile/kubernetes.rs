//! Bound service account tokens of Kubernetes: what the API server writes under `kubernetes.io` must be there, be
//! of its type, and agree with `sub`.
//!
//! Tokens from before bound tokens, which never end and name no object, have none of it and are refused. Whether the
//! pod, the node or the secret still exists only the API server knows; nobody is asked here.

use serde_json::{Map, Value};

use super::string;
use crate::Reject;

/// What stands before the namespace and the name in `sub`.
const SUBJECT_PREFIX: &str = "system:serviceaccount:";

/// The objects a token may be bound to, besides its service account.
const BOUND_OBJECTS: &[&str] = &["pod", "node", "secret"];

/// Checks the claims of a service account token.
///
/// # Errors
/// [`Reject::ClaimMissing`] without the claims of a bound token; [`Reject::ClaimMismatch`] where one has another
/// type, or they name another service account than `sub`.
pub(super) fn check(claims: &Map<String, Value>) -> Result<(), Reject> {
    let account = string(claims, "sub")?
        .strip_prefix(SUBJECT_PREFIX)
        .and_then(|account| account.split_once(':'))
        .ok_or(Reject::ClaimMismatch)?;
    let bound = claims.get("kubernetes.io").ok_or(Reject::ClaimMissing)?;
    let bound = bound.as_object().ok_or(Reject::ClaimMismatch)?;
    let service_account = bound.get("serviceaccount").ok_or(Reject::ClaimMissing)?;
    let service_account = service_account.as_object().ok_or(Reject::ClaimMismatch)?;
    let named = (name(bound, "namespace")?, name(service_account, "name")?);
    name(service_account, "uid")?;
    for object in BOUND_OBJECTS.iter().filter_map(|object| bound.get(*object)) {
        check_object(object)?;
    }
    let warns_at_a_time = bound.get("warnafter").is_none_or(Value::is_number);
    match account == named && warns_at_a_time {
        true => Ok(()),
        false => Err(Reject::ClaimMismatch),
    }
}

/// An object has a name, and a uid where the API server knew it: of a node it may not.
fn check_object(object: &Value) -> Result<(), Reject> {
    let object = object.as_object().ok_or(Reject::ClaimMismatch)?;
    name(object, "name")?;
    match object.contains_key("uid") {
        true => name(object, "uid").map(|_| ()),
        false => Ok(()),
    }
}

/// A text that names something: not empty, and without the `:` that divides `sub`.
fn name<'c>(members: &'c Map<String, Value>, field: &str) -> Result<&'c str, Reject> {
    let text = string(members, field)?;
    match text.is_empty() || text.contains(':') {
        true => Err(Reject::ClaimMismatch),
        false => Ok(text),
    }
}
