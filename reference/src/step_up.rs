//! How well, and how lately, the caller was authenticated (RFC 9470).

use serde_json::Value;

use crate::value::{duration, strings, text, texts};
use crate::{Caller, Challenge, Reference, Wrong};

/// "step-up: `acr: [mfa]` any of, whole; `amr: {all: [pwd, otp]}` or `{any: [..]}`; `max_auth_age: 10m`".
pub(crate) fn is_strong_enough(reference: &Reference<'_>, access: &Value, caller: &Caller, now: i64) -> bool {
    let ageless = reference.wrong == Some(Wrong::NothingIsTooOld);
    has_context(access, caller) && has_methods(access, caller) && (ageless || is_recent(access, caller, now))
}

fn has_context(access: &Value, caller: &Caller) -> bool {
    let context = text(&caller.claims, "acr");
    texts(access, "acr")
        .is_none_or(|wanted| context.is_some_and(|context| wanted.iter().any(|one| one == context)))
}

fn has_methods(access: &Value, caller: &Caller) -> bool {
    let Some(wanted) = access.get("amr") else {
        return true;
    };
    let used = caller.claims.get("amr").and_then(Value::as_array);
    let used = used.map(|methods| strings(methods)).unwrap_or_default();
    let all = texts(wanted, "all").is_none_or(|methods| methods.iter().all(|method| used.contains(method)));
    let any = texts(wanted, "any").is_none_or(|methods| methods.iter().any(|method| used.contains(method)));
    all && any
}

/// "now - auth_time; no auth_time, or more than 30 s in the future: as too old".
fn is_recent(access: &Value, caller: &Caller, now: i64) -> bool {
    let Some(greatest) = duration(access, "max_auth_age") else {
        return true;
    };
    let time = caller.claims.get("auth_time").and_then(Value::as_i64);
    time.is_some_and(|time| now.saturating_sub(time) <= greatest && time.saturating_sub(now) <= 30)
}

/// "step_up_required (401, acr_values, max_age)".
pub(crate) fn challenge(access: &Value) -> Challenge {
    Challenge {
        scope: Vec::new(),
        acr_values: texts(access, "acr").unwrap_or_default(),
        max_age: duration(access, "max_auth_age"),
    }
}
