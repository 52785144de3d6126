//! Why a caller is not verified. One enum, stable codes, no text from the credential.

/// Why authentication failed. The codes are stable identifiers (`code()`), never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reject {
    /// No credential where the providers read one.
    CredentialMissing,
}

impl Reject {
    /// The stable code, as in `token_expired`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::CredentialMissing => "credential_missing",
        }
    }

    /// The HTTP status of the reply: 401, 400 for `credential_multiple`, 503 for an outage.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::CredentialMissing => 401,
        }
    }
}
