//! Nor is somebody who was perhaps verified.
use scopegate_authn::Verified;
use scopegate_authz::{Circumstances, GuardedAction};

fn decide(action: &GuardedAction<'_>, caller: Option<&Verified>, asked: &Circumstances<'_>) -> bool {
    action.authorize(caller, asked).is_ok()
}

fn main() {}
