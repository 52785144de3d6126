//! Who acts for the caller (RFC 8693 section 4.1).

use serde_json::Value;

use crate::value::{list, text};
use crate::{Caller, Reference, Wrong};

/// The subjects of a chain of actors, outermost first; none where it is malformed: "a malformed `act` (no object, no
/// text `sub`) denies".
pub(crate) fn chain(caller: &Caller) -> Option<Vec<String>> {
    let mut subjects = Vec::new();
    let mut next = caller.claims.get("act");
    while let Some(act) = next {
        subjects.push(text(act, "sub")?.to_owned());
        next = act.get("act");
    }
    Some(subjects)
}

/// "`act.iss`, where present, must be the token's `iss`": that of the actor who decides. Those within are history.
fn is_of_the_issuer(caller: &Caller) -> bool {
    let issuer = caller.claims.get("act").and_then(|act| act.get("iss"));
    issuer.is_none_or(|issuer| issuer.as_str() == Some(&caller.issuer))
}

/// `actors`: whether whoever acts may.
pub(crate) fn may_act(reference: &Reference<'_>, rules: Option<&Value>, caller: &Caller) -> bool {
    let has_actor = caller.claims.get("act").is_some();
    let Some(rules) = rules else {
        // "A token with `act` on a route without `actors` is denied."
        return !has_actor;
    };
    if !has_actor {
        return rules.get("required").and_then(Value::as_bool) != Some(true);
    }
    let Some(chain) = chain(caller) else {
        return false;
    };
    // "nesting deeper than max_depth (default 1) denies"
    let deepest = rules.get("max_depth").and_then(Value::as_u64).unwrap_or(1);
    let depth = u64::try_from(chain.len()).unwrap_or(u64::MAX);
    // "Only the outermost `act.sub` decides".
    let decides = match reference.wrong {
        Some(Wrong::InnermostActor) => chain.last(),
        _ => chain.first(),
    };
    let allowed = |item: &Value| decides.is_some_and(|actor| allows(item, caller, actor));
    depth <= deepest && is_of_the_issuer(caller) && list(rules, "allow").iter().any(allowed)
}

/// "`allow` items: text where the route has one provider, else `{provider, subject}`."
fn allows(item: &Value, caller: &Caller, actor: &str) -> bool {
    match item.as_str() {
        Some(subject) => subject == actor,
        None => text(item, "provider") == Some(&caller.provider) && text(item, "subject") == Some(actor),
    }
}
