//! A guarded route has no permit for nobody.
use scopegate_authz::{GuardedAction, Permit};

fn permit<'a>(action: &'a GuardedAction<'a>) -> Permit<'a> {
    action.permit()
}

fn main() {}
