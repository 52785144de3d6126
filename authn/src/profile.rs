//! What kind of token a provider takes: `typ`, `cty`, the header of a JWT-SVID, required claims.
//!
//! Rules of different profiles exclude each other (RFC 8725 section 3.12): a token of one kind is never taken for
//! one of another. What a profile asks of claims stands here too; what a policy asks of them does not.

mod kind;
mod kubernetes;

use serde_json::{Map, Value};

use crate::section::Profile;
use crate::untrusted::Header;
use crate::{Reject, spiffe};

/// The claims RFC 9068 section 2.2 requires besides those that are checked anyway (`iss`, `exp`, `aud`).
const RFC9068_STRINGS: &[&str] = &["sub", "client_id", "jti"];

/// Checks that the token is of the kind that the profile takes.
///
/// # Errors
/// [`Reject::TypeMismatch`].
pub(crate) fn check_type(
    profile: Profile,
    header: &Header,
    claims: &Map<String, Value>,
) -> Result<(), Reject> {
    let typ = header.token_type.as_deref();
    let is_access_token = typ.is_some() && is_absent_or(typ, &["application/at+jwt"]);
    let is_plain = is_absent_or(typ, &["application/jwt"]);
    let fits = match profile {
        // Explicit typing decides (RFC 8725 section 3.11); without it, the claims must not tell another kind.
        Profile::Jwt => is_access_token || (is_plain && !kind::is_no_access_token(claims)),
        Profile::Rfc9068 => is_access_token,
        // A JWT-SVID has no other header members (JWT-SVID section 2).
        Profile::Spiffe => !header.has_more && is_absent_or(typ, &["application/jwt", "application/jose"]),
        Profile::Kubernetes => is_plain,
        Profile::IdToken => is_plain && !kind::is_no_id_token(claims),
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

/// Checks the claims that the profile asks for.
///
/// # Errors
/// [`Reject::ClaimMissing`], [`Reject::ClaimMismatch`].
pub(crate) fn check_claims(profile: Profile, claims: &Map<String, Value>) -> Result<(), Reject> {
    match profile {
        Profile::Jwt => Ok(()),
        Profile::Rfc9068 => {
            RFC9068_STRINGS
                .iter()
                .try_for_each(|name| string(claims, name).map(|_| ()))?;
            present(claims, "iat")
        }
        Profile::Spiffe => match spiffe::is_workload_id(string(claims, "sub")?) {
            true => Ok(()),
            false => Err(Reject::ClaimMismatch),
        },
        Profile::Kubernetes => kubernetes::check(claims),
        // What OpenID Connect Core section 2 requires besides `iss`, `aud` and `exp`.
        Profile::IdToken => {
            string(claims, "sub")?;
            present(claims, "iat")
        }
    }
}

fn present(claims: &Map<String, Value>, name: &str) -> Result<(), Reject> {
    claims.get(name).map(|_| ()).ok_or(Reject::ClaimMissing)
}

/// The claim called `name`, which must be there and be a string.
fn string<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<&'c str, Reject> {
    let claim = claims.get(name).ok_or(Reject::ClaimMissing)?;
    claim.as_str().ok_or(Reject::ClaimMismatch)
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
