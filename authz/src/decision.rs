//! What the layer answers: a permit that names the route and what granted it, or a denial with a code.

use std::collections::BTreeMap;
use std::fmt;

use crate::scopes::effective::{Effective, Moment, ScopeRules};
use crate::scopes::selector::CallerFacts;
use crate::scopes::set::ScopeId;

/// A request that cannot be authorized because it cannot be understood in one way only: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestError {
    /// The readings of the path select different routes or parameters.
    AmbiguousPath,
    /// The request is malformed, whatever the route.
    MalformedRequest,
    /// A client sent an identity header where the host cannot remove it.
    IdentityHeaderRefused,
    /// The host shows only a part of the headers: 431.
    HeadersTruncated,
}

impl RequestError {
    /// The stable code, as in `ambiguous_path`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AmbiguousPath => "ambiguous_path",
            Self::MalformedRequest => "malformed_request",
            Self::IdentityHeaderRefused => "identity_header_refused",
            Self::HeadersTruncated => "headers_truncated",
        }
    }

    /// The HTTP status of the reply.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::AmbiguousPath | Self::MalformedRequest | Self::IdentityHeaderRefused => 400,
            Self::HeadersTruncated => 431,
        }
    }
}

/// Why no route was selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrouted {
    /// The request cannot be understood in one way only.
    Request(RequestError),
    /// It was understood, and no route matches: `no_route`.
    NoRoute,
}

impl Unrouted {
    /// The stable code, as in `no_route`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Request(error) => error.code(),
            Self::NoRoute => Deny::NoRoute.code(),
        }
    }

    /// The HTTP status of the reply.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Request(error) => error.status(),
            Self::NoRoute => Deny::NoRoute.status(),
        }
    }
}

impl From<RequestError> for Unrouted {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

/// Why a verified caller may not do this. The codes are stable identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deny {
    /// No route matches the request.
    NoRoute,
    /// The route does not take callers of this provider.
    ProviderNotAllowed,
    /// The route does not take callers that come through this client.
    ClientNotAllowed,
    /// The caller acts for somebody else, and the route does not allow that actor (RFC 8693 section 4.1).
    ActorNotAllowed,
    /// The caller's tenant is not the tenant of the path.
    TenantMismatch,
    /// Scopes are missing.
    ScopeMissing {
        /// The scopes of the branch that lacks fewest, whole: what the challenge asks for.
        required: Vec<String>,
        /// Those of them the caller lacks.
        missing: Vec<String>,
    },
    /// The caller carries a scope that the route forbids (`none`).
    ScopeForbidden,
    /// The route is closed at this time.
    OutsideWindow,
    /// The route does not take requests from where this one comes.
    SourceNotAllowed,
    /// A condition of the route does not hold.
    ConditionFalse,
    /// The condition of the route cannot be evaluated, so it does not hold.
    ConditionError {
        /// What is wrong, and where in the expression; nothing of the request.
        detail: String,
    },
    /// The caller must authenticate anew, or in a stronger way (RFC 9470 section 3).
    StepUpRequired {
        /// The authentication contexts of which one is needed; empty where any will do.
        acr_values: Vec<String>,
        /// The greatest age of the authentication, in seconds, where it matters.
        max_age: Option<i64>,
    },
}

impl Deny {
    /// The stable code, as in `scope_missing`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::ProviderNotAllowed => "provider_not_allowed",
            Self::ClientNotAllowed => "client_not_allowed",
            Self::ActorNotAllowed => "actor_not_allowed",
            Self::TenantMismatch => "tenant_mismatch",
            Self::ScopeMissing { .. } => "scope_missing",
            Self::ScopeForbidden => "scope_forbidden",
            Self::OutsideWindow => "outside_window",
            Self::SourceNotAllowed => "source_not_allowed",
            Self::ConditionFalse => "condition_false",
            Self::ConditionError { .. } => "condition_error",
            Self::StepUpRequired { .. } => "step_up_required",
        }
    }

    /// The HTTP status of the reply.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoRoute
            | Self::ProviderNotAllowed
            | Self::ClientNotAllowed
            | Self::ActorNotAllowed
            | Self::TenantMismatch
            | Self::ScopeMissing { .. }
            | Self::ScopeForbidden
            | Self::OutsideWindow
            | Self::SourceNotAllowed
            | Self::ConditionFalse
            | Self::ConditionError { .. } => 403,
            Self::StepUpRequired { .. } => 401,
        }
    }
}

/// A denial, and what the audit record says of the caller who was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub deny: Deny,
    /// The caller's effective scopes at the time, sorted.
    pub effective: Vec<String>,
}

impl Denial {
    /// The stable code of the reason, as in `scope_missing`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.deny.code()
    }

    /// The HTTP status of the reply.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.deny.status()
    }

    /// The scopes of the requirement's nearest branch that the caller lacks; empty unless scopes are missing.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        match &self.deny {
            Deny::ScopeMissing { missing, .. } => missing,
            Deny::NoRoute
            | Deny::ProviderNotAllowed
            | Deny::ClientNotAllowed
            | Deny::ActorNotAllowed
            | Deny::TenantMismatch
            | Deny::ScopeForbidden
            | Deny::OutsideWindow
            | Deny::SourceNotAllowed
            | Deny::ConditionFalse
            | Deny::ConditionError { .. }
            | Deny::StepUpRequired { .. } => &[],
        }
    }
}

/// Where a scope that a decision used came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantedBy {
    /// The credential carries it, or one that implies it.
    Token,
    /// A role of the credential stands for it.
    Role(String),
    /// A grant of the policy gives it; with its reason, where it has one.
    Grant(Option<String>),
}

impl fmt::Display for GrantedBy {
    /// As audit records have it: `token`, `role:viewer`, `grant:INC-4711`, or `grant` for one without a reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token => f.write_str("token"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Grant(Some(reason)) => write!(f, "grant:{reason}"),
            Self::Grant(None) => f.write_str("grant"),
        }
    }
}

/// A scope requirement of a route, as its author wrote it: `{"all":["orders:read"]}`.
pub type Requirement = serde_json::Value;

/// Permission for one request: names the route and what granted it. What nobody asks it for is not computed.
#[derive(Debug, Clone)]
pub struct Permit<'a> {
    pub(crate) route: &'a str,
    /// What a caller was permitted by; nothing on a public route.
    pub(crate) grounds: Option<Grounds<'a>>,
}

/// What a caller was permitted by.
#[derive(Debug, Clone)]
pub(crate) struct Grounds<'a> {
    pub(crate) rules: &'a ScopeRules,
    pub(crate) caller: CallerFacts<'a>,
    pub(crate) scopes: Effective,
    /// The scopes that were needed.
    pub(crate) used: &'a [ScopeId],
    pub(crate) at: Moment,
}

impl<'a> Permit<'a> {
    /// The id of the route.
    #[must_use]
    pub const fn route(&self) -> &'a str {
        self.route
    }

    /// The caller's effective scopes, sorted; none on a public route.
    pub fn effective(&self) -> impl Iterator<Item = &'a str> {
        let grounds = self.grounds.iter();
        grounds.flat_map(|grounds| grounds.rules.catalogue.names(&grounds.scopes.effective))
    }

    /// For each scope the decision used, where it came from.
    #[must_use]
    pub fn granted_by(&self) -> BTreeMap<String, GrantedBy> {
        let sources = |grounds: &Grounds<'_>| {
            let Grounds {
                rules,
                caller,
                scopes,
                used,
                at,
            } = grounds;
            rules.sources(used, scopes, caller, *at)
        };
        self.grounds.as_ref().map(sources).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Deny, GrantedBy, RequestError, Unrouted};

    #[test]
    fn codes_and_statuses_never_change() {
        let missing = Deny::ScopeMissing {
            required: vec!["a".to_owned()],
            missing: vec!["a".to_owned()],
        };
        let step_up = Deny::StepUpRequired {
            acr_values: vec!["mfa".to_owned()],
            max_age: Some(600),
        };
        let unsaid = Deny::ConditionError {
            detail: String::new(),
        };
        let denials = [
            (Deny::NoRoute, "no_route", 403),
            (Deny::ProviderNotAllowed, "provider_not_allowed", 403),
            (Deny::ClientNotAllowed, "client_not_allowed", 403),
            (Deny::ActorNotAllowed, "actor_not_allowed", 403),
            (Deny::TenantMismatch, "tenant_mismatch", 403),
            (missing, "scope_missing", 403),
            (Deny::ScopeForbidden, "scope_forbidden", 403),
            (Deny::OutsideWindow, "outside_window", 403),
            (Deny::SourceNotAllowed, "source_not_allowed", 403),
            (Deny::ConditionFalse, "condition_false", 403),
            (unsaid, "condition_error", 403),
            (step_up, "step_up_required", 401),
        ];
        for (deny, code, status) in denials {
            assert_eq!((deny.code(), deny.status()), (code, status));
        }
        let refusals = [
            (
                Unrouted::Request(RequestError::AmbiguousPath),
                "ambiguous_path",
                400,
            ),
            (
                Unrouted::Request(RequestError::MalformedRequest),
                "malformed_request",
                400,
            ),
            (
                Unrouted::Request(RequestError::IdentityHeaderRefused),
                "identity_header_refused",
                400,
            ),
            (
                Unrouted::Request(RequestError::HeadersTruncated),
                "headers_truncated",
                431,
            ),
            (Unrouted::NoRoute, "no_route", 403),
        ];
        for (unrouted, code, status) in refusals {
            assert_eq!((unrouted.code(), unrouted.status()), (code, status));
        }
    }

    #[test]
    fn sources_are_written_as_in_records() {
        let rows = [
            (GrantedBy::Token, "token"),
            (GrantedBy::Role("viewer".to_owned()), "role:viewer"),
            (GrantedBy::Grant(Some("INC-4711".to_owned())), "grant:INC-4711"),
            (GrantedBy::Grant(None), "grant"),
        ];
        for (source, text) in rows {
            assert_eq!(source.to_string(), text);
        }
    }
}
