//! A permit cannot be made up.
use scopegate_authz::Permit;

fn main() {
    let _ = Permit { route: "admin", grounds: None };
}
