//! A permit cannot be made up.
use std::collections::BTreeMap;

use scopegate_authz::Permit;

fn main() {
    let _ = Permit { route: "admin".to_owned(), effective: Vec::new(), granted_by: BTreeMap::new() };
}
