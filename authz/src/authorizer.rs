//! The compiled `authorization` section: routes, scopes, grants, ready to decide.

use std::sync::Arc;

use scopegate_authn::Verified;
use scopegate_document::PolicyError;

use crate::checks::actors::Actors;
use crate::checks::circumstances::{Circumstances, Conditions};
use crate::checks::when::{Asked, When};
use crate::compile::access::Guard;
use crate::compile::readings;
use crate::compile::routes::{CompiledRoute, Routes};
use crate::decision::Grounds;
use crate::request::Understood;
use crate::scopes::effective::{Effective, Moment, ScopeRules};
use crate::scopes::requirement::Verdict;
use crate::scopes::selector::CallerFacts;
use crate::scopes::set::ScopeId;
use crate::section::{AuthorizationSection, CorsPreflight, MethodOverride};
use crate::select::{Gathered, Selection};
use crate::{Denial, Deny, Mode, Permit, RequestError, Requirement, Unrouted};

/// What this layer must know of a provider: its name, and whether its credentials carry scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFacts {
    /// The name of the provider.
    pub name: String,
    /// Whether its credentials carry scopes of their own.
    pub carries_scopes: bool,
}

/// What surrounds the section: the rest of the policy, and where it is in force.
#[derive(Clone, Copy)]
pub struct PolicyContext<'a> {
    /// The providers of the policy.
    pub providers: &'a [ProviderFacts],
    /// Variables of the environment, by name.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The name of the policy, where it has one.
    pub name: Option<&'a str>,
    /// The version of the policy, where it has one.
    pub version: Option<&'a str>,
    /// Headers that tell the upstream who is calling. What a client sent under their names must decide nothing.
    pub identity_headers: &'a [String],
    /// Headers in which providers take credentials.
    pub credential_headers: &'a [String],
}

impl<'a, T: AsRef<[ProviderFacts]>> From<&'a T> for PolicyContext<'a> {
    /// Providers alone, in an empty environment, without headers of their own.
    fn from(providers: &'a T) -> Self {
        Self {
            providers: providers.as_ref(),
            environment: &|_| None,
            name: None,
            version: None,
            identity_headers: &[],
            credential_headers: &[],
        }
    }
}

/// The compiled section.
#[derive(Debug)]
pub struct Authorizer {
    routes: Routes,
    scopes: ScopeRules,
    cors_preflight: CorsPreflight,
    method_override: MethodOverride,
}

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
    route: &'a CompiledRoute,
    is_preflight: bool,
}

/// A request of a guarded route.
#[derive(Debug)]
pub struct GuardedAction<'a> {
    authorizer: &'a Authorizer,
    route: &'a CompiledRoute,
    guard: &'a Guard,
    /// The tenant of the path, where the route binds one.
    tenant: Option<String>,
    /// What the expression of the route may read.
    gathered: Gathered<'a>,
}

/// What may be shown of a selected route.
#[derive(Debug, Clone, Copy)]
pub struct RouteView<'a> {
    /// Its id.
    pub id: &'a str,
    /// The same id, to be kept without a copy.
    pub shared_id: &'a Arc<str>,
    /// Its path pattern, as written: safe to log.
    pub pattern: &'a str,
    /// The providers it takes; empty on a public route.
    pub providers: &'a [String],
    /// Its scope requirement, where it has one.
    pub requirement: Option<&'a Requirement>,
    /// Whether it is enforced, or only watched.
    pub mode: Mode,
}

impl Authorizer {
    /// Compiles the section against the rest of the policy.
    ///
    /// # Errors
    /// Every fault of the section, each with the path of its field relative to the section.
    pub fn compile<'a>(
        section: &AuthorizationSection,
        context: impl Into<PolicyContext<'a>>,
    ) -> Result<Self, Vec<PolicyError>> {
        let context = context.into();
        let mut faults = Vec::new();
        let scopes = ScopeRules::compile(section, context.providers, &mut faults);
        let routes = Routes::compile(section, &context, &scopes.catalogue, &mut faults);
        let cors_preflight = section.cors_preflight.unwrap_or_default();
        let method_override = section.method_override.unwrap_or_default();
        match faults.is_empty() {
            true => Ok(Self {
                routes,
                scopes,
                cors_preflight,
                method_override,
            }),
            false => Err(faults),
        }
    }

    /// What the author of a section should know, that stops nothing; each with the path of its field relative to the
    /// section.
    #[must_use]
    pub fn notices(section: &AuthorizationSection) -> Vec<PolicyError> {
        readings::notices(section.path_readings.as_ref())
    }

    /// Understands the request and selects its route.
    ///
    /// # Errors
    /// When the request is malformed, can be read in several ways, or matches no route.
    pub fn select<'a>(&'a self, target: Target<'_>) -> Result<Action<'a>, Unrouted> {
        let request = Understood::read(&target, self.method_override)?;
        if request.authority.is_none() && self.routes.router.names_hosts() {
            return Err(RequestError::MalformedRequest.into());
        }
        let selection = self
            .routes
            .select(request, self.cors_preflight)?
            .ok_or(Unrouted::NoRoute)?;
        let Selection {
            route,
            tenant,
            gathered,
            is_preflight,
        } = selection;
        match &route.guard {
            Some(guard) if !is_preflight => Ok(Action::Guarded(GuardedAction {
                authorizer: self,
                route,
                guard,
                tenant,
                gathered,
            })),
            _ => Ok(Action::Public(PublicAction { route, is_preflight })),
        }
    }

    /// The names of all scopes of the catalogue, in order.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let catalogue = &self.scopes.catalogue;
        (0..catalogue.len()).map(|scope| catalogue.name(scope))
    }

    /// Whether a route asks where requests come from.
    pub fn reads_source(&self) -> bool {
        let mut guards = self.routes.routes.iter().filter_map(|route| route.guard.as_ref());
        guards.any(|guard| {
            guard.conditions.as_ref().is_some_and(Conditions::reads_source)
                || guard.when.as_ref().is_some_and(|when| when.reads().source)
        })
    }
}

impl Action<'_> {
    /// What may be shown of the route.
    #[must_use]
    pub fn route(&self) -> RouteView<'_> {
        match self {
            Self::Public(action) => action.route(),
            Self::Guarded(action) => action.route(),
        }
    }
}

impl PublicAction<'_> {
    /// What may be shown of the route; of a preflight, the route of the method it asks about.
    #[must_use]
    pub fn route(&self) -> RouteView<'_> {
        RouteView {
            id: &self.route.id,
            shared_id: &self.route.id,
            pattern: &self.route.shown,
            providers: &[],
            requirement: None,
            mode: Mode::default(),
        }
    }

    /// Whether it is a CORS preflight that the policy lets pass.
    #[must_use]
    pub const fn is_preflight(&self) -> bool {
        self.is_preflight
    }

    /// The permit of a public route: no scopes, nobody's identity.
    #[must_use]
    pub fn permit(&self) -> Permit<'_> {
        Permit {
            route: &self.route.id,
            grounds: None,
        }
    }
}

impl GuardedAction<'_> {
    /// What may be shown of the route.
    #[must_use]
    pub fn route(&self) -> RouteView<'_> {
        RouteView {
            id: &self.route.id,
            shared_id: &self.route.id,
            pattern: &self.route.shown,
            providers: &self.guard.providers,
            requirement: self.guard.shown.as_ref(),
            mode: self.route.mode,
        }
    }

    /// Decides whether `caller` may do this under these circumstances.
    ///
    /// # Errors
    /// The first check that fails: providers, clients, actors, tenant, scopes, step-up, time, conditions.
    pub fn authorize<'a>(
        &'a self,
        caller: &'a Verified,
        asked: &Circumstances<'_>,
    ) -> Result<Permit<'a>, Denial> {
        self.decide(CallerFacts::from(caller), asked)
    }

    fn decide<'a>(
        &'a self,
        caller: CallerFacts<'a>,
        asked: &Circumstances<'_>,
    ) -> Result<Permit<'a>, Denial> {
        let scopes = &self.authorizer.scopes;
        let at = Moment {
            route: self.route.place,
            now: asked.now,
        };
        let effective = scopes.effective(&caller, at);
        let names = |set| scopes.catalogue.names(set).map(str::to_owned).collect();
        let used = self.check(&caller, &effective, asked);
        let used = used.map_err(|deny| Denial {
            deny,
            effective: names(&effective.effective),
        })?;
        let grounds = Grounds {
            rules: scopes,
            caller,
            scopes: effective,
            used,
            at,
        };
        Ok(Permit {
            route: &self.route.id,
            grounds: Some(grounds),
        })
    }

    /// The checks, in the order of the language; gives the scopes that were needed.
    fn check(
        &self,
        caller: &CallerFacts<'_>,
        scopes: &Effective,
        asked: &Circumstances<'_>,
    ) -> Result<&[ScopeId], Deny> {
        let guard = self.guard;
        if !guard.providers.iter().any(|provider| provider == caller.provider) {
            return Err(Deny::ProviderNotAllowed);
        }
        if guard
            .clients
            .as_ref()
            .is_some_and(|clients| !clients.allow(caller))
        {
            return Err(Deny::ClientNotAllowed);
        }
        if !Actors::allow(guard.actors.as_ref(), caller) {
            return Err(Deny::ActorNotAllowed);
        }
        if guard.tenant.is_some() && (self.tenant.is_none() || self.tenant.as_deref() != caller.tenant) {
            return Err(Deny::TenantMismatch);
        }
        let used = self.check_scopes(scopes)?;
        if let Some(step_up) = &guard.step_up {
            step_up.check(caller.claims, asked.now)?;
        }
        if guard
            .windows
            .as_ref()
            .is_some_and(|windows| !windows.contains(asked.now))
        {
            return Err(Deny::OutsideWindow);
        }
        if let Some(conditions) = &guard.conditions {
            conditions.check(asked)?;
        }
        if let Some(when) = &guard.when {
            self.check_when(when, caller, scopes, asked)?;
        }
        Ok(used)
    }

    fn check_when(
        &self,
        when: &When,
        caller: &CallerFacts<'_>,
        scopes: &Effective,
        circumstances: &Circumstances<'_>,
    ) -> Result<(), Deny> {
        let names = match when.reads().scopes {
            true => {
                let names = self.authorizer.scopes.catalogue.names(&scopes.effective);
                names.map(str::to_owned).collect()
            }
            false => Vec::new(),
        };
        when.check(&Asked {
            caller,
            scopes: &names,
            circumstances,
            gathered: &self.gathered,
        })
    }

    fn check_scopes(&self, scopes: &Effective) -> Result<&[ScopeId], Deny> {
        let verdict = self
            .guard
            .scopes
            .as_ref()
            .map(|requirement| requirement.judge(scopes));
        match verdict {
            None => Ok(&[]),
            Some(Verdict::Met(branch)) => Ok(branch.required()),
            Some(Verdict::Missing(branch)) => Err(self.scope_missing(branch.required(), scopes)),
            Some(Verdict::Forbidden) => Err(Deny::ScopeForbidden),
        }
    }

    fn scope_missing(&self, required: &[ScopeId], scopes: &Effective) -> Deny {
        let name = |scope: &ScopeId| self.authorizer.scopes.catalogue.name(*scope).to_owned();
        let lacking = required
            .iter()
            .filter(|scope| !scopes.effective.contains(**scope));
        Deny::ScopeMissing {
            required: required.iter().map(name).collect(),
            missing: lacking.map(name).collect(),
        }
    }
}
