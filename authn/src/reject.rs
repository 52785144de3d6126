//! Why a caller is not verified. One enum, stable codes, no text from the credential.

/// Declares the enum and everything that must name each of its variants, so that none can be forgotten.
macro_rules! rejects {
    ($($(#[$doc:meta])+ $variant:ident = $code:literal, $status:literal;)+) => {
        /// Why authentication failed. The codes are stable identifiers, never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reject {
            $($(#[$doc])+ $variant,)+
        }

        impl Reject {
            /// Every rejection, in the order of the language.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable code, as in `token_expired`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// The HTTP status of the reply: 401, 400 for `credential_multiple`, 503 for an outage.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
                }
            }
        }
    };
}

rejects! {
    /// No credential where the providers read one, or one of another scheme.
    CredentialMissing = "credential_missing", 401;
    /// More than one credential: two fields, two locations, or two schemes in one field (RFC 6750 section 2).
    CredentialMultiple = "credential_multiple", 400;
    /// The credential is not of the form its scheme prescribes.
    TokenMalformed = "token_malformed", 401;
    /// The token is longer than [`limits::TOKEN_BYTES`](crate::limits::TOKEN_BYTES).
    TokenTooLarge = "token_too_large", 401;
    /// The header has a `crit` (RFC 7515 section 4.1.11): no extension is understood here.
    CriticalHeader = "critical_header", 401;
    /// The algorithm of the header is not one the provider lists (RFC 8725 section 3.1).
    AlgorithmNotAllowed = "algorithm_not_allowed", 401;
    /// No provider has this issuer, or this trust domain.
    IssuerUnknown = "issuer_unknown", 401;
    /// A token of another kind (RFC 8725 section 3.11).
    TypeMismatch = "type_mismatch", 401;
    /// The token is not for this API (RFC 7519 section 4.1.3).
    AudienceMismatch = "audience_mismatch", 401;
    /// `exp` has passed (RFC 7519 section 4.1.4).
    TokenExpired = "token_expired", 401;
    /// `nbf` or `iat` is to come (RFC 7519 sections 4.1.5 and 4.1.6).
    TokenNotYetValid = "token_not_yet_valid", 401;
    /// The token lives longer than the provider's `max_lifetime`.
    LifetimeTooLong = "lifetime_too_long", 401;
    /// A required claim is absent.
    ClaimMissing = "claim_missing", 401;
    /// A claim has another value, or another type, than required.
    ClaimMismatch = "claim_mismatch", 401;
    /// No key of the provider fits the token.
    KeyNotFound = "key_not_found", 401;
    /// No fitting key made this signature.
    SignatureInvalid = "signature_invalid", 401;
    /// The token was revoked.
    TokenRevoked = "token_revoked", 401;
    /// The key that signed the token was revoked.
    KeyRevoked = "key_revoked", 401;
    /// No provider knows this API key.
    ApiKeyUnknown = "api_key_unknown", 401;
    /// The API key has ended.
    ApiKeyExpired = "api_key_expired", 401;
    /// The peer certificate names nobody, or the host does not vouch for it.
    PeerUnidentified = "peer_unidentified", 401;
    /// The issuer says that the token is not active (RFC 7662 section 2.2).
    TokenInactive = "token_inactive", 401;
    /// The token is bound to a proof of possession that was not given or is not checked here.
    BindingMismatch = "binding_mismatch", 401;
    /// A DPoP proof is required and absent (RFC 9449 section 7.1).
    ProofMissing = "proof_missing", 401;
    /// The DPoP proof does not hold (RFC 9449 section 4.3).
    ProofInvalid = "proof_invalid", 401;
    /// The DPoP proof was seen before (RFC 9449 section 11.1).
    ProofReplayed = "proof_replayed", 401;
    /// The DPoP proof lacks the nonce it was asked for (RFC 9449 section 9).
    ProofNonce = "proof_nonce", 401;
    /// The provider's keys could not be fetched.
    KeysUnavailable = "keys_unavailable", 503;
    /// The introspection endpoint did not answer.
    IntrospectionUnavailable = "introspection_unavailable", 503;
    /// The list of revocations is absent or too old.
    RevocationUnavailable = "revocation_unavailable", 503;
    /// Proofs cannot be checked for replay.
    ReplayUnavailable = "replay_unavailable", 503;
    /// The host's clock failed.
    ClockUnavailable = "clock_unavailable", 503;
    /// There is no policy.
    NotConfigured = "not_configured", 503;
}
