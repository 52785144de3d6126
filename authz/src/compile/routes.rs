//! Routes, compiled: patterns, hosts and methods into tries, access into checks.

use std::collections::BTreeMap;

use scopegate_document::PolicyError;

use super::{check_provider, empty_list};
use crate::authorizer::ProviderFacts;
use crate::decision;
use crate::host::HostPattern;
use crate::pattern::{Fault, Pattern, Segment};
use crate::request::is_token;
use crate::router::{Conflict, Router, is_default_port};
use crate::scopes::catalogue::Catalogue;
use crate::scopes::requirement::Requirement;
use crate::section::{
    Access, AccessName, AccessRules, AuthorizationSection, PathReadings, Route, RouteMatch,
};

/// The most routes of a policy. Selecting takes no longer with more, but compiling does, and memory.
const MAX_ROUTES: usize = 10_000;

/// The longest id of a route, in bytes: it is repeated in audit records and metrics.
const MAX_ID: usize = 128;

/// A compiled route.
#[derive(Debug)]
pub(crate) struct CompiledRoute {
    pub(crate) id: String,
    /// Its index in the policy, for errors.
    pub(crate) place: usize,
    /// Its pattern as written, for people and logs.
    pub(crate) shown: String,
    pub(crate) pattern: Pattern,
    /// `None`: public.
    pub(crate) guard: Option<Guard>,
}

/// What a guarded route asks for.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) providers: Vec<String>,
    /// The index of the segment that must equal the caller's tenant.
    pub(crate) tenant: Option<usize>,
    pub(crate) scopes: Option<Requirement>,
    /// The requirement as written.
    pub(crate) shown: Option<decision::Requirement>,
}

/// The routes of a policy.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) routes: Vec<CompiledRoute>,
    pub(crate) router: Router,
    /// The same routes with folded literals, where the upstream may fold.
    pub(crate) folded: Option<Router>,
}

type HostsAndMethods = (Vec<HostPattern>, Vec<String>);

/// What a route matches, compiled.
struct CompiledMatch {
    hosts: Vec<HostPattern>,
    methods: Vec<String>,
    pattern: Pattern,
    shown: String,
}

impl Routes {
    /// Compiles the routes; faults are added to `faults`.
    pub(crate) fn compile(
        section: &AuthorizationSection,
        providers: &[ProviderFacts],
        catalogue: &Catalogue,
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        if section.routes.len() > MAX_ROUTES {
            faults.push(too_many(section.routes.len()));
            return Self::default();
        }
        check_ids(&section.routes, faults);
        let folds = section.path_readings == Some(PathReadings::CaseInsensitive);
        let mut compiled = Self {
            folded: folds.then(Router::default),
            ..Self::default()
        };
        let mut matches = Vec::new();
        for (index, route) in section.routes.iter().enumerate() {
            let path = format!("routes[{index}]");
            faults.extend(
                route
                    .mode
                    .iter()
                    .map(|_| PolicyError::not_enforced(format!("{path}.mode"))),
            );
            let matched = compile_match(&route.matches, &format!("{path}.match"), faults);
            let scope = AccessScope {
                providers,
                catalogue,
                pattern: matched.as_ref().map(|matched| &matched.pattern),
            };
            let guard = scope.compile(&route.access, &format!("{path}.access"), faults);
            let Some(matched) = matched else { continue };
            let CompiledMatch {
                hosts,
                methods,
                pattern,
                shown,
            } = matched;
            compiled.routes.push(CompiledRoute {
                id: route.id.clone(),
                place: index,
                shown,
                pattern,
                guard,
            });
            matches.push((hosts, methods));
        }
        check_default_ports(&compiled.routes, &matches, faults);
        compiled.insert_all(&matches, faults);
        compiled
    }

    fn insert_all(&mut self, matches: &[HostsAndMethods], faults: &mut Vec<PolicyError>) {
        for (index, (route, (hosts, methods))) in self.routes.iter().zip(matches).enumerate() {
            let mut result = self.router.insert(hosts, &route.pattern, methods, index);
            if let (Ok(()), Some(folded)) = (result, &mut self.folded) {
                result = folded.insert(hosts, &fold_pattern(&route.pattern), methods, index);
            }
            if let Err(Conflict(other)) = result {
                faults.extend(self.routes.get(other).map(|other| conflict(route, other)));
            }
        }
    }
}

fn conflict(route: &CompiledRoute, other: &CompiledRoute) -> PolicyError {
    PolicyError::new(
        "route_conflict",
        format!("routes[{}].match", route.place),
        format!(
            "the routes `{}` (`{}`) and `{}` (`{}`) can match one request with equal rank",
            other.id, other.shown, route.id, route.shown
        ),
        format!(
            "let them differ in host, method or pattern; the other is `routes[{}]`",
            other.place
        ),
    )
}

/// Folds the case of a text as an upstream could: through upper case and lower case.
pub(crate) fn fold(text: &str) -> String {
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

fn fold_pattern(pattern: &Pattern) -> Pattern {
    let folded = pattern.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => Segment::Literal(fold(text)),
        Segment::Parameter(name) => Segment::Parameter(name.clone()),
    });
    Pattern {
        segments: folded.collect(),
        rest: pattern.rest,
    }
}

fn too_many(count: usize) -> PolicyError {
    PolicyError::new(
        "too_many_routes",
        "routes",
        format!("the policy has {count} routes"),
        format!("write at most {MAX_ROUTES}; patterns with parameters take the place of lists"),
    )
}

fn check_ids(routes: &[Route], faults: &mut Vec<PolicyError>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, route) in routes.iter().enumerate() {
        let path = format!("routes[{index}].id");
        let shown = route.id.escape_debug();
        let barred = |character: char| character.is_control() || character.is_whitespace();
        if route.id.is_empty() || route.id.len() > MAX_ID || route.id.chars().any(barred) {
            faults.push(PolicyError::new(
                "invalid_id",
                &path,
                format!("`{shown}` is no id"),
                format!(
                    "write 1 to {MAX_ID} bytes without spaces and control characters, as in `orders.list`"
                ),
            ));
        }
        if let Some(other) = seen.insert(&route.id, index) {
            faults.push(PolicyError::new(
                "duplicate_id",
                path,
                format!("the id `{shown}` is taken by `routes[{other}]`"),
                "give each route an id of its own: records and metrics name it",
            ));
        }
    }
}

/// A request without a port could be meant for either default port.
fn check_default_ports(routes: &[CompiledRoute], matches: &[HostsAndMethods], faults: &mut Vec<PolicyError>) {
    let mut seen: BTreeMap<(bool, &str), u16> = BTreeMap::new();
    for (CompiledRoute { place: index, .. }, (hosts, _)) in routes.iter().zip(matches) {
        for host in hosts {
            let Some(port) = host.port.filter(|port| is_default_port(*port)) else {
                continue;
            };
            let other = *seen.entry((host.wildcard, &host.host)).or_insert(port);
            if other != port {
                faults.push(PolicyError::new(
                    "invalid_host",
                    format!("routes[{index}].match.hosts"),
                    format!("routes name `{}` with both ports 80 and 443", host.host),
                    "name one of them, or leave the port out: clients leave out default ports",
                ));
            }
        }
    }
}

fn compile_match(matches: &RouteMatch, path: &str, faults: &mut Vec<PolicyError>) -> Option<CompiledMatch> {
    let RouteMatch {
        hosts,
        methods,
        path: pattern,
        grpc,
        headers,
        query,
        content_type,
    } = matches;
    let later = [
        ("headers", headers),
        ("query", query),
        ("content_type", content_type),
    ];
    let written = later.into_iter().filter(|(_, value)| value.is_some());
    faults.extend(written.map(|(name, _)| PolicyError::not_enforced(format!("{path}.{name}"))));
    let hosts = compile_hosts(hosts.as_deref(), path, faults);
    check_methods(methods.as_deref(), path, faults);
    let methods = methods.clone().unwrap_or_default();
    let target = match (pattern, grpc) {
        (Some(pattern), None) => Ok((pattern.clone(), methods, "path")),
        (None, Some(grpc)) if methods.is_empty() => Ok((format!("/{grpc}"), vec!["POST".to_owned()], "grpc")),
        (None, Some(_)) => Err(PolicyError::new(
            "invalid_match",
            format!("{path}.methods"),
            "a match with `grpc` has methods",
            "leave `methods` out: gRPC is always POST",
        )),
        (Some(_), Some(_)) => Err(PolicyError::new(
            "invalid_match",
            format!("{path}.grpc"),
            "the match has both `path` and `grpc`",
            "write one of them: `grpc: package.Service/Method` is POST of `/package.Service/Method`",
        )),
        (None, None) => Err(PolicyError::new(
            "missing_path",
            path,
            "the match has neither `path` nor `grpc`",
            "write a pattern, as in `/orders/{id}`; `/**` matches every path",
        )),
    };
    let (shown, methods, field) = target.map_err(|fault| faults.push(fault)).ok()?;
    let parsed = if field == "grpc" {
        parse_grpc(&shown)
    } else {
        Pattern::parse(&shown)
    };
    match parsed {
        Ok(pattern) => Some(CompiledMatch {
            hosts,
            methods,
            pattern,
            shown,
        }),
        Err(Fault { message, help }) => {
            faults.push(PolicyError::new(
                "invalid_pattern",
                format!("{path}.{field}"),
                message,
                help,
            ));
            None
        }
    }
}

/// The path of a gRPC method: two literal segments.
fn parse_grpc(path: &str) -> Result<Pattern, Fault> {
    let is_method = |pattern: &Pattern| {
        !pattern.rest && pattern.segments.len() == 2 && pattern.parameters().next().is_none()
    };
    Pattern::parse(path).ok().filter(is_method).ok_or_else(|| {
        let method = path.strip_prefix('/').unwrap_or(path).escape_debug();
        Fault::new(
            format!("`{method}` is no gRPC method"),
            "write `package.Service/Method`",
        )
    })
}

fn compile_hosts(hosts: Option<&[String]>, path: &str, faults: &mut Vec<PolicyError>) -> Vec<HostPattern> {
    if hosts.is_some_and(<[String]>::is_empty) {
        faults.push(empty_list(&format!("{path}.hosts")));
    }
    let mut compiled = Vec::new();
    for (index, host) in hosts.unwrap_or_default().iter().enumerate() {
        match HostPattern::parse(host) {
            Ok(host) => compiled.push(host),
            Err(Fault { message, help }) => {
                faults.push(PolicyError::new(
                    "invalid_host",
                    format!("{path}.hosts[{index}]"),
                    message,
                    help,
                ));
            }
        }
    }
    compiled
}

fn check_methods(methods: Option<&[String]>, path: &str, faults: &mut Vec<PolicyError>) {
    if methods.is_some_and(<[String]>::is_empty) {
        faults.push(empty_list(&format!("{path}.methods")));
    }
    for (index, method) in methods.unwrap_or_default().iter().enumerate() {
        let shown = method.escape_debug();
        let upper = method.to_ascii_uppercase();
        let fault = if !is_token(method) {
            Some((
                format!("`{shown}` is no method"),
                "write a token, as in `GET`".to_owned(),
            ))
        } else if matches!(upper.as_str(), "CONNECT" | "TRACE") {
            Some((
                format!("no request with the method `{shown}` is ever let through"),
                "remove it".to_owned(),
            ))
        } else if upper != *method && is_registered(&upper) {
            Some((
                format!("`{shown}` is not `{upper}`: methods are case-sensitive"),
                format!("write `{upper}`"),
            ))
        } else {
            None
        };
        let at = |(message, help)| {
            PolicyError::new(
                "invalid_method",
                format!("{path}.methods[{index}]"),
                message,
                help,
            )
        };
        faults.extend(fault.map(at));
    }
}

/// The methods of RFC 9110 section 9.3 and RFC 5789 that a route can be about.
fn is_registered(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH"
    )
}

/// What the `access` of a route may refer to.
struct AccessScope<'a> {
    providers: &'a [ProviderFacts],
    catalogue: &'a Catalogue,
    /// `None` where the pattern has faults of its own.
    pattern: Option<&'a Pattern>,
}

impl AccessScope<'_> {
    fn compile(&self, access: &Access, path: &str, faults: &mut Vec<PolicyError>) -> Option<Guard> {
        match access {
            Access::Named(AccessName::Public) => None,
            Access::Named(AccessName::Authenticated) => {
                let providers = self.only_provider(path, faults);
                Some(Guard {
                    providers,
                    tenant: None,
                    scopes: None,
                    shown: None,
                })
            }
            Access::Rules(rules) => Some(self.compile_rules(rules, path, faults)),
        }
    }

    fn compile_rules(&self, rules: &AccessRules, path: &str, faults: &mut Vec<PolicyError>) -> Guard {
        let AccessRules {
            providers,
            scopes,
            authenticated,
            tenant,
            acr,
            max_auth_age,
            actors,
            when,
        } = rules;
        let later = [
            ("acr", acr.is_some()),
            ("max_auth_age", max_auth_age.is_some()),
            ("actors", actors.is_some()),
            ("when", when.is_some()),
        ];
        let written = later.into_iter().filter(|(_, written)| *written);
        faults.extend(written.map(|(name, _)| PolicyError::not_enforced(format!("{path}.{name}"))));
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
        Guard {
            providers: self.compile_providers(providers.as_deref(), path, faults),
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
        faults.extend(
            unknown.filter_map(|(index, name)| {
                check_provider(name, self.providers, &format!("{path}[{index}]"))
            }),
        );
        providers.to_vec()
    }

    fn only_provider(&self, path: &str, faults: &mut Vec<PolicyError>) -> Vec<String> {
        if let [provider] = self.providers {
            return vec![provider.name.clone()];
        }
        let names: Vec<&str> = self
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
