//! The question (RFC 7662 section 2.1). What is sent to the issuer is bounded and of good form, whatever a stranger
//! gave for a token.

use std::fmt;

use super::{IntrospectionRules, form};
use crate::{Reject, limits};

/// A question: a POST to the introspection endpoint.
#[derive(PartialEq, Eq)]
pub(crate) struct IntrospectionRequest {
    /// `https` or `http`.
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    /// The path and the query.
    pub(crate) path: String,
    /// Its header fields, names in lower case, without pseudo-headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The form with the token.
    pub(crate) body: Vec<u8>,
}

impl fmt::Debug for IntrospectionRequest {
    /// Without what it carries: the credentials of this API, and the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            authority,
            path,
            headers: _,
            body: _,
        } = self;
        write!(
            f,
            "IntrospectionRequest({scheme}://{authority}{path}, [redacted])"
        )
    }
}

/// Asks whether `token` is active.
///
/// # Errors
/// [`Reject::TokenTooLarge`], and [`Reject::TokenMalformed`] for what is no token at all: nobody is asked about it.
pub(crate) fn request(rules: &IntrospectionRules, token: &[u8]) -> Result<IntrospectionRequest, Reject> {
    check_form(token)?;
    let mut body = "token_type_hint=access_token&token=".to_owned();
    form::encode(&mut body, token);
    let header = |name: &'static str, value: &str| (name, value.to_owned());
    Ok(IntrospectionRequest {
        scheme: rules.endpoint.scheme,
        authority: rules.endpoint.authority.clone(),
        path: rules.endpoint.path.clone(),
        headers: vec![
            header("accept", "application/json"),
            header("authorization", &rules.authorization),
            header("content-type", "application/x-www-form-urlencoded"),
        ],
        body: body.into_bytes(),
    })
}

/// Checks that `token` is of the form all bearer tokens have, `b64token` (RFC 6750 section 2.1), and not too long.
///
/// # Errors
/// [`Reject::TokenTooLarge`], [`Reject::TokenMalformed`].
pub(crate) fn check_form(token: &[u8]) -> Result<(), Reject> {
    if token.len() > limits::TOKEN_BYTES {
        return Err(Reject::TokenTooLarge);
    }
    match is_b64token(token) {
        true => Ok(()),
        false => Err(Reject::TokenMalformed),
    }
}

/// Letters, digits, `-._~+/`, at least one of them, and then any number of `=`.
pub(crate) fn is_b64token(token: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let mut rest = token.iter().skip_while(|byte| is_plain(byte));
    token.first().is_some_and(is_plain) && rest.all(|byte| *byte == b'=')
}
