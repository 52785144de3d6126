//! Nor is somebody who was perhaps verified.
use scopegate_authn::Verified;
use scopegate_authz::GuardedAction;
use scopegate_document::UnixTime;

fn decide(action: &GuardedAction<'_>, caller: Option<&Verified>, now: UnixTime) -> bool {
    action.authorize(caller, now).is_ok()
}

fn main() {}
