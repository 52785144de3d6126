//! The compiled `authorization` section: routes, scopes, grants, ready to decide.

use scopegate_authn::Verified;
use scopegate_document::{PolicyError, UnixTime};

use crate::section::AuthorizationSection;
use crate::{Deny, Permit, Requirement, Unrouted};

/// What this layer must know of a provider: its name, and whether its credentials carry scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFacts {
    /// The name of the provider.
    pub name: String,
    /// Whether its credentials carry scopes of their own.
    pub carries_scopes: bool,
}

/// The compiled section.
#[derive(Debug)]
pub struct Authorizer;

/// The request target and what surrounds it, as bytes from the host.
#[derive(Debug, Clone, Copy)]
pub struct Target<'r> {
    /// The method, case kept (RFC 9110 section 9.1).
    pub method: &'r [u8],
    /// The request target as the host will forward it, with its query.
    pub path: &'r [u8],
    /// `:authority` or `Host`, where the host shows one.
    pub authority: Option<&'r [u8]>,
    /// Header names and values, for preflights, method overrides, a second `Host`.
    pub headers: &'r [(&'r [u8], &'r [u8])],
}

/// The request, understood: its route was selected.
#[derive(Debug)]
pub enum Action<'a> {
    /// The route is public: nobody is asked to prove anything.
    Public(PublicAction<'a>),
    /// The route is guarded: only a verified caller can be authorized.
    Guarded(GuardedAction<'a>),
}

/// A request of a public route, or a preflight that the policy lets pass.
#[derive(Debug)]
pub struct PublicAction<'a> {
    _authorizer: &'a Authorizer,
}

/// A request of a guarded route.
#[derive(Debug)]
pub struct GuardedAction<'a> {
    _authorizer: &'a Authorizer,
}

/// What may be shown of a selected route.
#[derive(Debug, Clone, Copy)]
pub struct RouteView<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its path pattern, as written: safe to log.
    pub pattern: &'a str,
    /// The providers it takes; empty on a public route.
    pub providers: &'a [String],
    /// Its scope requirement, where it has one.
    pub requirement: Option<&'a Requirement>,
}

impl Authorizer {
    /// Compiles the section against the providers of the policy.
    ///
    /// # Errors
    /// Every fault of the section, each with the path of its field relative to the section.
    pub fn compile(
        _section: &AuthorizationSection,
        _providers: &[ProviderFacts],
    ) -> Result<Self, Vec<PolicyError>> {
        todo!()
    }

    /// Understands the request and selects its route.
    ///
    /// # Errors
    /// When the request is malformed, can be read in several ways, or matches no route.
    pub fn select<'a>(&'a self, _target: Target<'_>) -> Result<Action<'a>, Unrouted> {
        todo!()
    }
}

impl Action<'_> {
    /// What may be shown of the route.
    #[must_use]
    pub fn route(&self) -> RouteView<'_> {
        todo!()
    }
}

impl PublicAction<'_> {
    /// The permit of a public route: no scopes, nobody's identity.
    #[must_use]
    pub fn permit(&self) -> Permit {
        todo!()
    }
}

impl GuardedAction<'_> {
    /// Decides whether `caller` may do this at `now`.
    ///
    /// # Errors
    /// The first check that fails: providers, actors, tenant, scopes.
    pub fn authorize(&self, _caller: &Verified, _now: UnixTime) -> Result<Permit, Deny> {
        todo!()
    }
}
