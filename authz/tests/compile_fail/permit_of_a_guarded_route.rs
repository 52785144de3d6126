//! A guarded route has no permit for nobody.
use scopegate_authz::{GuardedAction, Permit};

fn permit(action: &GuardedAction<'_>) -> Permit {
    action.permit()
}

fn main() {}
