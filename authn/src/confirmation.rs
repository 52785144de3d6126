//! The confirmation claim (RFC 7800 section 3.1): what a token is bound to, and which of it a provider checks.
//!
//! Here it is decided which proofs a token needs, and a certificate is compared. How a DPoP proof is checked is not
//! decided here.

use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use crate::section::Binding;
use crate::{Reject, base64url, dpop};

/// What a provider asks of the binding of its tokens, compiled.
#[derive(Debug, Clone)]
pub(crate) struct BindingRules {
    /// Which proofs are checked.
    pub(crate) binding: Binding,
    /// How DPoP proofs are checked, where they are.
    pub(crate) dpop: Option<dpop::Rules>,
}

/// What a token is bound to: at least one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Confirmation {
    /// The thumbprint of the key that makes its DPoP proofs: `jkt` (RFC 9449 section 6.1).
    pub(crate) key: Option<[u8; 32]>,
    /// The SHA-256 of the client certificate: `x5t#S256` (RFC 8705 section 3.1).
    pub(crate) certificate: Option<[u8; 32]>,
}

impl BindingRules {
    /// The proofs that a token with these claims needs; none where it is a bearer token and may be one.
    ///
    /// Whatever a token is bound to must be proved: a confirmation that is not checked here is a refusal, and so is
    /// a bearer token where binding is asked for.
    ///
    /// # Errors
    /// [`Reject::BindingMismatch`].
    pub(crate) fn required(&self, claims: &Map<String, Value>) -> Result<Option<Confirmation>, Reject> {
        let confirmation = Confirmation::read(claims)?;
        let (key, certificate) = confirmation.map_or((false, false), |confirmation| {
            (confirmation.key.is_some(), confirmation.certificate.is_some())
        });
        let is_met = match self.binding {
            Binding::None => !key && !certificate,
            Binding::Dpop => key && !certificate,
            Binding::Mtls => certificate && !key,
            Binding::Any => key || certificate,
        };
        match is_met {
            true => Ok(confirmation),
            false => Err(Reject::BindingMismatch),
        }
    }
}

impl Confirmation {
    /// Reads the claim `cnf`; nothing where there is none.
    ///
    /// # Errors
    /// [`Reject::BindingMismatch`] where it is no object, is empty, names another way of confirmation, or holds what
    /// is no SHA-256 in base64url.
    pub(crate) fn read(claims: &Map<String, Value>) -> Result<Option<Self>, Reject> {
        let Some(claim) = claims.get("cnf") else {
            return Ok(None);
        };
        let members = claim.as_object().ok_or(Reject::BindingMismatch)?;
        let mut confirmation = Self::default();
        for (name, value) in members {
            let digest = value.as_str().and_then(digest);
            match name.as_str() {
                "jkt" => confirmation.key = digest,
                "x5t#S256" => confirmation.certificate = digest,
                _ => return Err(Reject::BindingMismatch),
            }
            if digest.is_none() {
                return Err(Reject::BindingMismatch);
            }
        }
        match members.is_empty() {
            true => Err(Reject::BindingMismatch),
            false => Ok(Some(confirmation)),
        }
    }
}

/// Checks that the client certificate of the connection, of which `presented` is the SHA-256, is the one that the
/// token is bound to (RFC 8705 section 3).
///
/// # Errors
/// [`Reject::BindingMismatch`] where it is another, or there is none.
pub(crate) fn check_certificate(expected: &[u8; 32], presented: Option<&[u8; 32]>) -> Result<(), Reject> {
    match presented.is_some_and(|presented| presented.ct_eq(expected).into()) {
        true => Ok(()),
        false => Err(Reject::BindingMismatch),
    }
}

/// A SHA-256 as tokens write it: base64url, 43 characters.
pub(crate) fn digest(text: &str) -> Option<[u8; 32]> {
    base64url::decode(text.as_bytes())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{BindingRules, Confirmation, check_certificate};
    use crate::section::Binding;
    use crate::{Reject, base64url};

    const KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    /// The example of RFC 8705 section 3.1. Its last bits are not zero: it is no encoding of a SHA-256, and refused.
    const CERTIFICATE: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";

    fn required(binding: Binding, claims: &Value) -> Result<(bool, bool), Reject> {
        let rules = BindingRules { binding, dpop: None };
        let claims = claims.as_object().cloned().unwrap_or_default();
        let proofs = |it: Confirmation| (it.key.is_some(), it.certificate.is_some());
        rules
            .required(&claims)
            .map(|it| it.map_or((false, false), proofs))
    }

    #[test]
    fn whatever_a_token_is_bound_to_is_checked_or_the_token_is_refused() {
        let certificate = certificate();
        let bearer = json!({"sub": "anna"});
        let key = json!({"cnf": {"jkt": KEY}});
        let peer = json!({"cnf": {"x5t#S256": certificate}});
        let both = json!({"cnf": {"jkt": KEY, "x5t#S256": certificate}});
        let refused = Err(Reject::BindingMismatch);
        let cases = [
            (Binding::None, &bearer, Ok((false, false))),
            (Binding::None, &key, refused),
            (Binding::None, &peer, refused),
            (Binding::None, &both, refused),
            (Binding::Dpop, &bearer, refused),
            (Binding::Dpop, &key, Ok((true, false))),
            (Binding::Dpop, &peer, refused),
            (Binding::Dpop, &both, refused),
            (Binding::Mtls, &bearer, refused),
            (Binding::Mtls, &key, refused),
            (Binding::Mtls, &peer, Ok((false, true))),
            (Binding::Mtls, &both, refused),
            (Binding::Any, &bearer, refused),
            (Binding::Any, &key, Ok((true, false))),
            (Binding::Any, &peer, Ok((false, true))),
            (Binding::Any, &both, Ok((true, true))),
        ];
        for (binding, claims, expected) in cases {
            assert_eq!(required(binding, claims), expected, "{binding:?} {claims}");
        }
    }

    fn certificate() -> String {
        base64url::encode(&[7; 32])
    }

    #[test]
    fn a_confirmation_that_cannot_be_understood_is_refused_under_every_binding() {
        let cases = [
            json!(null),
            json!(KEY),
            json!([{"jkt": KEY}]),
            json!({}),
            json!({"jkt": null}),
            json!({"jkt": [KEY]}),
            json!({"jkt": ""}),
            json!({"jkt": format!("{KEY}=")}),
            json!({"jkt": format!("{KEY}A")}),
            json!({"jkt": KEY.replace('-', "+")}),
            json!({"JKT": KEY}),
            json!({"x5t#S256": CERTIFICATE}),
            json!({"x5t": certificate()}),
            json!({"kid": "k1"}),
            json!({"jwk": {"kty": "oct", "k": "AAAA"}}),
            json!({"jkt": KEY, "jku": "https://keys.example.com"}),
        ];
        for confirmation in cases {
            for binding in [Binding::None, Binding::Dpop, Binding::Mtls, Binding::Any] {
                let claims = json!({"cnf": confirmation});
                let answer = required(binding, &claims);
                assert_eq!(answer, Err(Reject::BindingMismatch), "{binding:?} {claims}");
            }
        }
    }

    #[test]
    fn r062_only_the_certificate_that_a_token_is_bound_to_will_do() {
        let mut other = [7; 32];
        other[31] = 6;
        assert_eq!(check_certificate(&[7; 32], Some(&[7; 32])), Ok(()));
        for presented in [Some(&other), Some(&[0; 32]), None] {
            assert_eq!(
                check_certificate(&[7; 32], presented),
                Err(Reject::BindingMismatch)
            );
        }
    }
}
