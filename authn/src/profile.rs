//! What kind of token a provider takes: `typ`, `cty`, the header of a JWT-SVID, required claims.
//!
//! Rules of different profiles exclude each other (RFC 8725 section 3.12): a token of one kind is never taken for
//! one of another.

use crate::Reject;
use crate::section::Profile;
use crate::untrusted::Header;

/// The claims RFC 9068 section 2.2 requires besides those that are checked anyway (`iss`, `exp`, `aud`).
pub(crate) const RFC9068_STRINGS: &[&str] = &["sub", "client_id", "jti"];

/// Checks that the header belongs to a token of the profile.
pub(crate) fn check_type(profile: Profile, header: &Header) -> Result<(), Reject> {
    let typ = header.token_type.as_deref();
    let fits = match profile {
        Profile::Jwt => is_absent_or(typ, &["application/jwt", "application/at+jwt"]),
        Profile::Rfc9068 => typ.is_some() && is_absent_or(typ, &["application/at+jwt"]),
        // A JWT-SVID has no other header members (JWT-SVID section 2).
        Profile::Spiffe => !header.has_more && is_absent_or(typ, &["application/jwt", "application/jose"]),
        Profile::Kubernetes => false,
    };
    // A nested token says `cty: JWT` (RFC 7519 section 5.2); the claims of ours are plain JSON.
    let is_nested = header
        .content_type
        .as_deref()
        .is_some_and(|cty| !cty.eq_ignore_ascii_case("json"));
    match fits && !is_nested {
        true => Ok(()),
        false => Err(Reject::TypeMismatch),
    }
}

/// A media type without `/` is read as if `application/` stood before it (RFC 7515 section 4.1.9).
fn is_absent_or(typ: Option<&str>, allowed: &[&str]) -> bool {
    let Some(typ) = typ else { return true };
    let full = match typ.contains('/') {
        true => typ.to_owned(),
        false => format!("application/{typ}"),
    };
    allowed.iter().any(|allowed| full.eq_ignore_ascii_case(allowed))
}
