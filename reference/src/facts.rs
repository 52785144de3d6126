//! What is known of a request and of its caller, as plain values.

use std::net::IpAddr;

use serde_json::Value;

/// A request as the proxy will forward it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The request target, in bytes.
    pub target: Vec<u8>,
    /// `:authority`, where there is one.
    pub authority: Option<String>,
    /// The headers, without those that carry a credential.
    pub headers: Vec<(String, String)>,
    /// The address of the peer, where the host names one.
    pub source: Option<IpAddr>,
}

impl Request {
    /// The values of a header, whose name is compared without case.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter();
        let named = fields.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// Whether some upstream could take another header for this one: it has `_` where this one has `-`, or the reverse.
    pub(crate) fn has_twin(&self, name: &str) -> bool {
        let folded = |name: &str| name.to_ascii_lowercase().replace('_', "-");
        let mut names = self.headers.iter().map(|(found, _)| found);
        names.any(|found| folded(found) == folded(name) && !found.eq_ignore_ascii_case(name))
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Who {
    /// Somebody without a credential.
    Nobody,
    /// Somebody whose credential is refused, with this code.
    Refused(&'static str),
    /// Somebody who was proved.
    Caller(Caller),
}

/// Somebody who was proved.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The provider that vouches for them.
    pub provider: String,
    /// The issuer of the token.
    pub issuer: String,
    /// `sub`.
    pub subject: Option<String>,
    /// The client.
    pub client: Option<String>,
    /// The tenant: only where the claim held exactly one text.
    pub tenant: Option<String>,
    /// The scopes that the token says.
    pub scopes: Vec<String>,
    /// The roles that the token says.
    pub roles: Vec<String>,
    /// All claims.
    pub claims: Value,
    /// `iat`, in seconds since 1970.
    pub issued_at: i64,
    /// `exp`, in seconds since 1970.
    pub expires_at: i64,
}
