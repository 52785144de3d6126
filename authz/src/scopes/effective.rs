//! What a caller's scopes are worth: (close(token scopes + scopes of roles) cut by ceilings) + close(live
//! grants). `close` follows `implies`; nothing is closed later.

use std::collections::BTreeMap;

use scopegate_document::{PolicyError, UnixTime};

use super::catalogue::Catalogue;
use super::selector::{BySelector, CallerFacts, Selector};
use super::set::{ScopeId, ScopeSet};
use crate::authorizer::ProviderFacts;
use crate::compile::{check_provider, empty_list, empty_value, suggest};
use crate::condition::windows::Windows;
use crate::decision::GrantedBy;
use crate::router::Table;
use crate::section::{self, AuthorizationSection};

/// The longest reason of a grant, in bytes: it is repeated in audit records.
const MAX_REASON: usize = 256;

/// The rules about scopes of a policy.
#[derive(Debug, Default)]
pub(crate) struct ScopeRules {
    pub(crate) catalogue: Catalogue,
    /// For each role, its scopes and everything they imply.
    roles: Table<String, ScopeSet>,
    ceilings: BySelector<ScopeSet>,
    grants: BySelector<Grant>,
}

#[derive(Debug)]
struct Grant {
    /// Its scopes and everything they imply.
    scopes: ScopeSet,
    until: Option<UnixTime>,
    reason: Option<String>,
    windows: Option<Windows>,
    /// The places of the routes it is for, sorted; `None`: all.
    routes: Option<Vec<usize>>,
}

impl Grant {
    fn is_live(&self, at: Moment) -> bool {
        let is_for = |routes: &Vec<usize>| routes.binary_search(&at.route).is_ok();
        self.until.is_none_or(|until| at.now < until)
            && self.routes.as_ref().is_none_or(is_for)
            && self
                .windows
                .as_ref()
                .is_none_or(|windows| windows.contains(at.now))
    }
}

/// Where and when scopes are asked for: grants can be for some routes, and for a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The place of the route in the policy.
    pub(crate) route: usize,
    pub(crate) now: UnixTime,
}

/// The scopes of a caller at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effective {
    /// What they are worth: what requirements ask for.
    pub(crate) effective: ScopeSet,
    /// What they carry, grants included, before ceilings cut: what `none` looks at.
    pub(crate) carried: ScopeSet,
    /// What the token alone carries, and what that implies.
    of_token: ScopeSet,
}

impl ScopeRules {
    /// Compiles the catalogue, roles, ceilings and grants; faults are added to `faults`.
    pub(crate) fn compile(
        section: &AuthorizationSection,
        providers: &[ProviderFacts],
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        let catalogue = Catalogue::compile(&section.scopes, faults);
        let mut rules = Self {
            catalogue,
            ..Self::default()
        };
        rules.compile_roles(section, faults);
        rules.compile_ceilings(section, providers, faults);
        rules.compile_grants(section, providers, faults);
        rules
    }

    /// The scopes of `caller`, there and then.
    pub(crate) fn effective(&self, caller: &CallerFacts<'_>, at: Moment) -> Effective {
        let of_token = self.of_token(caller);
        let mut carried = of_token.clone();
        caller
            .roles
            .iter()
            .filter_map(|role| self.roles.get(role))
            .for_each(|scopes| carried.union_with(scopes));
        let mut effective = carried.clone();
        self.ceilings
            .about(caller)
            .for_each(|(_, ceiling)| effective.intersect_with(ceiling));
        for (_, grant) in self.grants.about(caller).filter(|(_, grant)| grant.is_live(at)) {
            effective.union_with(&grant.scopes);
            carried.union_with(&grant.scopes);
        }
        Effective {
            effective,
            carried,
            of_token,
        }
    }

    /// Where each of the `used` scopes, all of them effective, came from: the token first, then roles, then grants.
    pub(crate) fn sources(
        &self,
        used: &[ScopeId],
        scopes: &Effective,
        caller: &CallerFacts<'_>,
        at: Moment,
    ) -> BTreeMap<String, GrantedBy> {
        let name = |scope: &ScopeId| self.catalogue.name(*scope).to_owned();
        let source = |scope: &ScopeId| self.source(*scope, &scopes.of_token, caller, at);
        used.iter()
            .filter_map(|scope| Some((name(scope), source(scope)?)))
            .collect()
    }

    fn source(
        &self,
        scope: ScopeId,
        of_token: &ScopeSet,
        caller: &CallerFacts<'_>,
        at: Moment,
    ) -> Option<GrantedBy> {
        if self
            .ceilings
            .about(caller)
            .all(|(_, ceiling)| ceiling.contains(scope))
        {
            if of_token.contains(scope) {
                return Some(GrantedBy::Token);
            }
            let stands_for =
                |role: &&String| self.roles.get(*role).is_some_and(|scopes| scopes.contains(scope));
            if let Some(role) = caller.roles.iter().find(stands_for) {
                return Some(GrantedBy::Role(role.clone()));
            }
        }
        let gives = |(_, grant): &(usize, &Grant)| grant.is_live(at) && grant.scopes.contains(scope);
        let first = self
            .grants
            .about(caller)
            .filter(gives)
            // By what it says, and not by where it stands.
            .min_by_key(|(_, grant)| (grant.reason.is_none(), &grant.reason));
        first.map(|(_, grant)| GrantedBy::Grant(grant.reason.clone()))
    }

    fn of_token(&self, caller: &CallerFacts<'_>) -> ScopeSet {
        let mut set = ScopeSet::empty(self.catalogue.len());
        let known = caller.scopes.iter().filter_map(|name| self.catalogue.id(name));
        known.for_each(|scope| self.catalogue.close_into(scope, &mut set));
        set
    }

    fn compile_roles(&mut self, section: &AuthorizationSection, faults: &mut Vec<PolicyError>) {
        for (role, scopes) in &section.roles {
            let path = format!("roles.{role}");
            if role.is_empty() {
                faults.push(empty_value("roles", "role"));
            }
            let scopes = self.catalogue.expand_list(scopes, &path, faults);
            self.roles.insert(role.clone(), self.catalogue.close(&scopes));
        }
    }

    fn compile_ceilings(
        &mut self,
        section: &AuthorizationSection,
        providers: &[ProviderFacts],
        faults: &mut Vec<PolicyError>,
    ) {
        let mut bounded = Vec::new();
        for (index, ceiling) in section.ceilings.iter().enumerate() {
            let path = format!("ceilings[{index}]");
            faults.extend(check_provider(
                &ceiling.provider,
                providers,
                &format!("{path}.provider"),
            ));
            let selector = Selector::from(ceiling);
            faults.extend(selector.check(&path));
            if selector.is_whole_provider() {
                bounded.push(ceiling.provider.as_str());
            }
            let scopes = self
                .catalogue
                .expand_list(&ceiling.scopes, &format!("{path}.scopes"), faults);
            self.ceilings.push(selector, scopes);
        }
        let carriers: Vec<&ProviderFacts> = providers
            .iter()
            .filter(|provider| provider.carries_scopes)
            .collect();
        if carriers.len() > 1 {
            let unbounded = carriers
                .iter()
                .filter(|provider| !bounded.contains(&provider.name.as_str()));
            faults.extend(unbounded.map(|provider| ceiling_missing(&provider.name)));
        }
    }

    fn compile_grants(
        &mut self,
        section: &AuthorizationSection,
        providers: &[ProviderFacts],
        faults: &mut Vec<PolicyError>,
    ) {
        let places = places(section);
        for (index, grant) in section.grants.iter().enumerate() {
            let path = format!("grants[{index}]");
            let section::Grant {
                caller,
                scopes,
                until,
                reason,
                windows,
                routes,
            } = grant;
            let of_caller = format!("{path}.caller");
            faults.extend(check_provider(
                &caller.provider,
                providers,
                &format!("{of_caller}.provider"),
            ));
            let selector = Selector::from(caller);
            faults.extend(selector.check(&of_caller));
            faults.extend(check_reason(reason.as_deref(), until.is_some(), &path));
            let scopes = self
                .catalogue
                .expand_list(scopes, &format!("{path}.scopes"), faults);
            let windows = windows.as_deref();
            let routes = routes.as_deref();
            self.grants.push(
                selector,
                Grant {
                    scopes: self.catalogue.close(&scopes),
                    until: until.map(|until| until.0),
                    reason: reason.clone(),
                    windows: windows
                        .map(|windows| Windows::compile(windows, &format!("{path}.windows"), faults)),
                    routes: routes
                        .map(|routes| resolve_routes(routes, &places, &format!("{path}.routes"), faults)),
                },
            );
        }
    }
}

/// The place of each route, by its id.
fn places(section: &AuthorizationSection) -> Table<&str, usize> {
    let routes = section.routes.iter().enumerate();
    routes.map(|(place, route)| (route.id.as_str(), place)).collect()
}

fn resolve_routes(
    ids: &[String],
    places: &Table<&str, usize>,
    path: &str,
    faults: &mut Vec<PolicyError>,
) -> Vec<usize> {
    if ids.is_empty() {
        faults.push(empty_list(path));
    }
    let mut found = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        match places.get(id.as_str()) {
            Some(place) => found.push(*place),
            None => faults.push(PolicyError::new(
                "unknown_route",
                format!("{path}[{index}]"),
                format!("the policy has no route `{}`", id.escape_debug()),
                suggest(id, places.keys().copied(), "write the id of a route"),
            )),
        }
    }
    found.sort_unstable();
    found
}

fn ceiling_missing(provider: &str) -> PolicyError {
    PolicyError::new(
        "ceiling_missing",
        "ceilings",
        format!(
            "the provider `{}` has no ceiling of its own",
            provider.escape_debug()
        ),
        format!(
            "several providers carry scopes, so each needs one: `{{provider: {provider}, scopes: [...]}}`; `[\"*\"]` says all, in writing"
        ),
    )
}

/// An elevation says why: whoever reads a record months later has nothing else to go by.
fn check_reason(reason: Option<&str>, is_elevation: bool, path: &str) -> Option<PolicyError> {
    let Some(reason) = reason else {
        return is_elevation.then(|| {
            PolicyError::new(
                "reason_missing",
                path,
                "a grant with an end does not say why it was given",
                "add `reason`: a ticket or a few words, which audit records then name",
            )
        });
    };
    let valid =
        !reason.trim().is_empty() && reason.len() <= MAX_REASON && !reason.chars().any(char::is_control);
    (!valid).then(|| {
        PolicyError::new(
            "invalid_reason",
            format!("{path}.reason"),
            "the reason cannot stand in an audit record",
            format!(
                "write a ticket or a few words: not empty, at most {MAX_REASON} bytes, no control characters"
            ),
        )
    })
}
