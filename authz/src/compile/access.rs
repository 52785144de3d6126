//! The `access` of a route, compiled: providers, clients, actors, tenant, scopes, step-up.

use scopegate_document::PolicyError;

use super::{check_provider, empty_list};
use crate::authorizer::PolicyContext;
use crate::checks::actors::Actors;
use crate::checks::circumstances::Conditions;
use crate::checks::clients::Clients;
use crate::checks::step_up::StepUp;
use crate::checks::when::{Language, When};
use crate::condition::windows::Windows;
use crate::decision;
use crate::pattern::Pattern;
use crate::scopes::catalogue::Catalogue;
use crate::scopes::requirement::Requirement;
use crate::section::{Access, AccessName, AccessRules};

/// What a guarded route asks for.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    pub(crate) providers: Vec<String>,
    pub(crate) clients: Option<Clients>,
    pub(crate) actors: Option<Actors>,
    /// The index of the segment that must equal the caller's tenant.
    pub(crate) tenant: Option<usize>,
    pub(crate) scopes: Option<Requirement>,
    pub(crate) step_up: Option<StepUp>,
    pub(crate) windows: Option<Windows>,
    pub(crate) conditions: Option<Conditions>,
    pub(crate) when: Option<When>,
    /// The requirement as written.
    pub(crate) shown: Option<decision::Requirement>,
}

/// What the `access` of a route may refer to.
pub(crate) struct AccessScope<'a> {
    pub(crate) context: &'a PolicyContext<'a>,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) language: Language<'a>,
    /// `None` where the match has faults of its own.
    pub(crate) pattern: Option<&'a Pattern>,
}

impl AccessScope<'_> {
    /// Compiles the access at `path`; `None`: public.
    pub(crate) fn compile(
        &self,
        access: &Access,
        path: &str,
        faults: &mut Vec<PolicyError>,
    ) -> Option<Guard> {
        match access {
            Access::Named(AccessName::Public) => None,
            Access::Named(AccessName::Authenticated) => {
                let providers = self.only_provider(path, faults);
                Some(Guard {
                    providers,
                    ..Guard::default()
                })
            }
            Access::Rules(rules) => Some(self.compile_rules(rules, path, faults)),
        }
    }

    fn compile_rules(&self, rules: &AccessRules, path: &str, faults: &mut Vec<PolicyError>) -> Guard {
        let AccessRules {
            providers,
            clients,
            scopes,
            authenticated,
            tenant,
            acr: _,
            amr: _,
            max_auth_age: _,
            actors,
            windows,
            sources: _,
            headers: _,
            query: _,
            environment: _,
            when,
        } = rules;
        if *authenticated == Some(false) && scopes.is_some() {
            faults.push(PolicyError::new(
                "invalid_value",
                format!("{path}.authenticated"),
                "`authenticated: false` would open nothing and close nothing",
                "leave it out, or write `access: public` for a route that asks for nothing",
            ));
        }
        if scopes.is_none() && *authenticated != Some(true) {
            faults.push(access_empty(path));
        }
        let compiled = scopes
            .as_ref()
            .map(|scopes| Requirement::compile(scopes, self.catalogue, &format!("{path}.scopes")));
        let compiled = compiled
            .transpose()
            .map_err(|found| faults.extend(found))
            .ok()
            .flatten();
        let providers = self.compile_providers(providers.as_deref(), path, faults);
        Guard {
            clients: clients
                .as_deref()
                .map(|clients| Clients::compile(clients, &providers, &format!("{path}.clients"), faults)),
            actors: actors
                .as_ref()
                .map(|actors| Actors::compile(actors, &providers, &format!("{path}.actors"), faults)),
            step_up: StepUp::compile(rules, path, faults),
            windows: windows
                .as_deref()
                .map(|windows| Windows::compile(windows, &format!("{path}.windows"), faults)),
            conditions: Conditions::compile(rules, self.context, path, faults),
            when: when
                .as_deref()
                .and_then(|when| self.compile_when(when, path, faults)),
            providers,
            tenant: tenant
                .as_deref()
                .and_then(|tenant| self.compile_tenant(tenant, path, faults)),
            scopes: compiled,
            shown: scopes
                .as_ref()
                .and_then(|scopes| serde_json::to_value(scopes).ok()),
        }
    }

    fn compile_providers(
        &self,
        providers: Option<&[String]>,
        path: &str,
        faults: &mut Vec<PolicyError>,
    ) -> Vec<String> {
        let Some(providers) = providers else {
            return self.only_provider(path, faults);
        };
        let path = format!("{path}.providers");
        if providers.is_empty() {
            faults.push(empty_list(&path));
        }
        let unknown = providers.iter().enumerate();
        faults.extend(unknown.filter_map(|(index, name)| {
            check_provider(name, self.context.providers, &format!("{path}[{index}]"))
        }));
        providers.to_vec()
    }

    fn only_provider(&self, path: &str, faults: &mut Vec<PolicyError>) -> Vec<String> {
        if let [provider] = self.context.providers {
            return vec![provider.name.clone()];
        }
        let names: Vec<&str> = self
            .context
            .providers
            .iter()
            .map(|provider| provider.name.as_str())
            .collect();
        let help = match names.is_empty() {
            true => "add a provider to `authentication.providers`".to_owned(),
            false => format!(
                "name those meant, of [{}], beside `authenticated: true` or `scopes`",
                names.join(", ")
            ),
        };
        let count = names.len();
        faults.push(PolicyError::new(
            "providers_required",
            path,
            format!("the access names no providers, and the policy has {count}"),
            help,
        ));
        Vec::new()
    }

    fn compile_when(&self, when: &str, path: &str, faults: &mut Vec<PolicyError>) -> Option<When> {
        let parameters = self.pattern?.parameters().map(str::to_owned).collect::<Vec<_>>();
        let compiled = When::compile(when, &parameters, self.language, &format!("{path}.when"));
        compiled.map_err(|fault| faults.push(fault)).ok()
    }

    fn compile_tenant(&self, tenant: &str, path: &str, faults: &mut Vec<PolicyError>) -> Option<usize> {
        let pattern = self.pattern?;
        let name = tenant.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let position = name.and_then(|name| pattern.position(name));
        if position.is_none() {
            let names: Vec<String> = pattern
                .parameters()
                .map(|name| format!("`\"{{{name}}}\"`"))
                .collect();
            faults.push(PolicyError::new(
                "unknown_parameter",
                format!("{path}.tenant"),
                format!(
                    "`{}` names no parameter of the route's path",
                    tenant.escape_debug()
                ),
                match names.is_empty() {
                    true => "give the path a parameter, as in `/tenants/{tenant}/orders`".to_owned(),
                    false => format!("write one of {}", names.join(", ")),
                },
            ));
        }
        position
    }
}

fn access_empty(path: &str) -> PolicyError {
    PolicyError::new(
        "access_empty",
        path,
        "the access asks for nothing",
        "write `scopes` with at least one list that is not empty, or say `authenticated: true`",
    )
}
