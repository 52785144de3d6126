//! Names that are nobody's. A list that is widened always gets one, so that it is another list even where no test sends
//! a name that is missing from it.

use std::collections::BTreeSet;

use serde_json::Value;

/// An audience that is nobody's.
pub(super) const AUDIENCE: &str = "urn:scopegate:nobodys-audience";

/// A trust domain that is nobody's (`.invalid`: RFC 2606 section 2).
pub(super) const TRUST_DOMAIN: &str = "nobodys.invalid";

/// A DNS name that is nobody's.
pub(super) const DNS_NAME: &str = "nobodys.invalid";

/// A hop that is nobody's.
pub(super) const HOP: &str = "spiffe://nobodys.invalid/hop";

/// An actor who is nobody.
pub(super) const ACTOR: &str = "urn:scopegate:nobody";

/// The texts of the list `field` of a mapping.
pub(super) fn listed(mapping: &Value, field: &str) -> BTreeSet<String> {
    let list = mapping.get(field).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
