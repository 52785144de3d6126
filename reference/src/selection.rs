//! Which route a request is about.

use serde_json::Value;

use crate::condition;
use crate::host::{self, Fit};
use crate::matching;
use crate::pattern::{self, Part};
use crate::readings::{self, Upstream};
use crate::target::{self, Understood};
use crate::value::{authorization, routes, text, texts};
use crate::{Reference, Request, Wrong};

/// What a request is about.
#[derive(Debug)]
pub(crate) enum Selected<'p> {
    /// "A request that matches no route is denied (`no_route`)."
    Nothing,
    /// A CORS preflight that passes, and the route that it asks about.
    Preflight(Chosen<'p>),
    /// A route.
    Route(Chosen<'p>),
    /// None can be chosen: what the routes match on can be read in more than one way.
    Open,
}

/// A route, and the parameters of the path.
#[derive(Debug)]
pub(crate) struct Chosen<'p> {
    pub(crate) id: String,
    pub(crate) rules: &'p Value,
    pub(crate) parameters: Vec<(String, String)>,
}

impl Chosen<'_> {
    pub(crate) fn is_public(&self) -> bool {
        text(self.rules, "access") == Some("public")
    }

    /// What an upstream that folds case takes for the parameters that are read: for the tenant, and for all where the
    /// condition reads some. Others are data to it.
    fn folded(mut self, reference: &Reference<'_>) -> Self {
        let access = self.rules.get("access").unwrap_or(&Value::Null);
        let tenant = text(access, "tenant").unwrap_or_default();
        let is_read = condition::reads_parameters(reference, access);
        for (name, value) in &mut self.parameters {
            if is_read || format!("{{{name}}}") == tenant {
                *value = value.to_lowercase();
            }
        }
        self
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        parameters
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A route that matches host and path.
struct Candidate<'p> {
    route: &'p Value,
    fit: Fit,
    specificity: Vec<u8>,
    parameters: Vec<(String, String)>,
}

/// "If all readings select the same route with the same parameters (compared once-decoded), go on; if they differ,
/// 400 `ambiguous_path`." "A parameter that would hold a decoded `/` or `\`: 400 `ambiguous_path`."
pub(crate) fn select<'p>(
    reference: &Reference<'p>,
    request: &Request,
    understood: &Understood,
) -> Result<Selected<'p>, &'static str> {
    let names_hosts = |route: &Value| matching::of(route).get("hosts").is_some();
    if understood.authority.is_none() && routes(reference.policy).iter().any(names_hosts) {
        // "an empty ... authority": none at all is empty, where a route could be about any host.
        return Err("malformed_request");
    }
    let Some(path) = &understood.path else {
        return Ok(Selected::Nothing);
    };
    let mut upstream = Upstream::of(reference.policy);
    upstream.resolves_dots |= reference.wrong == Some(Wrong::DotsAlwaysResolved);
    let mut found: Vec<Selected<'p>> = Vec::new();
    for segments in readings::readings(path, &upstream) {
        for folds_case in if upstream.folds_case {
            &[false, true][..]
        } else {
            &[false]
        } {
            found.push(of_reading(reference, request, understood, &segments, *folds_case));
        }
    }
    let differs = found
        .iter()
        .any(|one| found.iter().any(|other| !same(one, other)));
    let holds = |letter: char| found.iter().any(|one| holds(one, letter));
    let is_open =
        (holds('/') && !upstream.keeps_encoded_slashes) || (holds('\\') && !upstream.keeps_backslashes);
    match found.into_iter().next() {
        Some(_) if differs || is_open => Err("ambiguous_path"),
        Some(Selected::Open) => Err("malformed_request"),
        Some(one) => Ok(one),
        None => Ok(Selected::Nothing),
    }
}

fn same(one: &Selected<'_>, other: &Selected<'_>) -> bool {
    match (one, other) {
        (Selected::Nothing, Selected::Nothing) | (Selected::Open, Selected::Open) => true,
        (Selected::Route(one), Selected::Route(other))
        | (Selected::Preflight(one), Selected::Preflight(other)) => {
            one.id == other.id && one.parameters == other.parameters
        }
        _ => false,
    }
}

fn holds(selected: &Selected<'_>, letter: char) -> bool {
    match selected {
        Selected::Nothing | Selected::Open => false,
        Selected::Route(route) | Selected::Preflight(route) => {
            route.parameters.iter().any(|(_, value)| value.contains(letter))
        }
    }
}

/// Whether a request could be about a route: its host and its pattern fit some reading of the path. A request without a
/// host could be about any route that names one.
#[must_use]
pub fn is_about(policy: &Value, route: &Value, request: &Request) -> bool {
    let Ok(understood) = target::understand(request, policy) else {
        return false;
    };
    let upstream = Upstream::of(policy);
    let parts = pattern::parts(&matching::pattern(route));
    let hosts = texts(matching::of(route), "hosts");
    let reference = Reference {
        policy,
        wrong: None,
        environment: &[],
        conditions: &[],
    };
    let fits = |segments: &Vec<String>| pattern::parameters(&parts, segments, upstream.folds_case).is_some();
    match (&hosts, &understood.authority) {
        (Some(_), None) => true,
        (hosts, authority) => {
            let mut paths = understood
                .path
                .iter()
                .flat_map(|path| readings::readings(path, &upstream));
            host::fit(&reference, hosts.as_deref(), authority.as_ref()).is_some()
                && paths.any(|path| fits(&path))
        }
    }
}

/// The route of one reading. "`cors_preflight: pass`: ... only if the requested method's route exists."
fn of_reading<'p>(
    reference: &Reference<'p>,
    request: &Request,
    understood: &Understood,
    segments: &[String],
    folds_case: bool,
) -> Selected<'p> {
    let group = most_specific(reference, understood, segments, folds_case);
    let routes: Vec<&Value> = group.iter().map(|candidate| candidate.route).collect();
    let is_open = |is_preflight| matching::is_open(&routes, request, understood, is_preflight);
    let chosen = |candidate: &Candidate<'p>| candidate.chosen(reference, folds_case);
    if is_open(false) {
        return Selected::Open;
    }
    let rank = |candidate: &Candidate<'p>| matching::rank(reference, candidate.route, request, understood);
    if let Some(candidate) = best(&group, rank) {
        return Selected::Route(chosen(candidate));
    }
    let passes = text(authorization(reference.policy), "cors_preflight") == Some("pass");
    let Some(asked) = understood.preflight.as_deref().filter(|_| passes) else {
        return Selected::Nothing;
    };
    let rank =
        |candidate: &Candidate<'p>| matching::preflight_rank(reference, candidate.route, understood, asked);
    best(&group, rank).map_or(Selected::Nothing, |candidate| {
        Selected::Preflight(candidate.chosen(reference, false))
    })
}

/// "Most specific wins, whatever the order in the file. First the host ... Then the path pattern".
fn most_specific<'p>(
    reference: &Reference<'p>,
    understood: &Understood,
    segments: &[String],
    folds_case: bool,
) -> Vec<Candidate<'p>> {
    let mut candidates = Vec::new();
    for route in routes(reference.policy) {
        let parts: Vec<Part> = pattern::parts(&matching::pattern(route));
        let hosts = texts(matching::of(route), "hosts");
        let fit = host::fit(reference, hosts.as_deref(), understood.authority.as_ref());
        let parameters = pattern::parameters(&parts, segments, folds_case);
        if let (Some(fit), Some(parameters)) = (fit, parameters) {
            let specificity = pattern::specificity(reference, &parts);
            candidates.push(Candidate {
                route,
                fit,
                specificity,
                parameters,
            });
        }
    }
    let key = |candidate: &Candidate<'_>| (candidate.fit, candidate.specificity.clone());
    let greatest = candidates.iter().map(key).max();
    candidates.retain(|candidate| Some(key(candidate)) == greatest);
    candidates
}

/// "Among routes of that one host and pattern, the method selects (named over none), then header, query and
/// content-type matches. If none of these fits: `no_route`; never a broader pattern".
fn best<'c, 'p, R: Ord>(
    group: &'c [Candidate<'p>],
    rank: impl Fn(&Candidate<'p>) -> Option<R>,
) -> Option<&'c Candidate<'p>> {
    let ranked = group
        .iter()
        .filter_map(|candidate| Some((rank(candidate)?, candidate)));
    ranked
        .max_by(|(one, _), (other, _)| one.cmp(other))
        .map(|(_, candidate)| candidate)
}

impl<'p> Candidate<'p> {
    fn chosen(&self, reference: &Reference<'_>, folds_case: bool) -> Chosen<'p> {
        let chosen = Chosen {
            id: text(self.route, "id").unwrap_or_default().to_owned(),
            rules: self.route,
            parameters: self.parameters.clone(),
        };
        if folds_case {
            chosen.folded(reference)
        } else {
            chosen
        }
    }
}
