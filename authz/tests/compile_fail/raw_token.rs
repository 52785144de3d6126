//! A token is not a caller.
use scopegate_authz::GuardedAction;
use scopegate_document::UnixTime;

fn decide(action: &GuardedAction<'_>, token: &str, now: UnixTime) -> bool {
    action.authorize(token, now).is_ok()
}

fn main() {}
