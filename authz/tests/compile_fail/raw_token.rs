//! A token is not a caller.
use scopegate_authz::{Circumstances, GuardedAction};

fn decide(action: &GuardedAction<'_>, token: &str, asked: &Circumstances<'_>) -> bool {
    action.authorize(token, asked).is_ok()
}

fn main() {}
