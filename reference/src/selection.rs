//! Which route a request is about.

use serde_json::Value;

use crate::host::{self, Fit};
use crate::matching::{self, Rank};
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
}

/// A route, and the parameters of the path.
#[derive(Debug)]
pub(crate) struct Chosen<'p> {
    pub(crate) id: String,
    pub(crate) rules: &'p Value,
    pub(crate) parameters: Vec<(String, String)>,
    /// The query, where it can be read in one way.
    pub(crate) query: Option<String>,
}

impl Chosen<'_> {
    pub(crate) fn is_public(&self) -> bool {
        text(self.rules, "access") == Some("public")
    }

    /// What an upstream that folds case takes for the tenant. Other parameters are data to it.
    fn folded(mut self) -> Self {
        let access = self.rules.get("access").unwrap_or(&Value::Null);
        let tenant = text(access, "tenant").unwrap_or_default();
        for (name, value) in &mut self.parameters {
            if format!("{{{name}}}") == tenant {
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
            found.push(of_reading(
                reference,
                request,
                understood,
                &segments,
                *folds_case,
            )?);
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
        Some(one) => Ok(one),
        None => Ok(Selected::Nothing),
    }
}

fn same(one: &Selected<'_>, other: &Selected<'_>) -> bool {
    match (one, other) {
        (Selected::Nothing, Selected::Nothing) => true,
        (Selected::Route(one), Selected::Route(other))
        | (Selected::Preflight(one), Selected::Preflight(other)) => {
            one.id == other.id && one.parameters == other.parameters
        }
        _ => false,
    }
}

fn holds(selected: &Selected<'_>, letter: char) -> bool {
    match selected {
        Selected::Nothing => false,
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
    let (Some(path), upstream) = (&understood.path, Upstream::of(policy)) else {
        return false;
    };
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
            host::fit(&reference, hosts.as_deref(), authority.as_ref()).is_some()
                && readings::readings(path, &upstream).iter().any(fits)
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
) -> Result<Selected<'p>, &'static str> {
    let group = most_specific(reference, understood, segments, folds_case);
    let routes: Vec<&Value> = group.iter().map(|candidate| candidate.route).collect();
    if matching::is_open(&routes, request, understood) {
        return Err("malformed_request");
    }
    let of_method = |method: &str| {
        let chosen = best(reference, request, understood, &group, method);
        chosen.map(|chosen| if folds_case { chosen.folded() } else { chosen })
    };
    if let Some(chosen) = of_method(&understood.method) {
        return Ok(Selected::Route(chosen));
    }
    let passes = text(authorization(reference.policy), "cors_preflight") == Some("pass");
    let asked = understood.preflight.as_deref().filter(|_| passes);
    Ok(asked
        .and_then(of_method)
        .map_or(Selected::Nothing, Selected::Preflight))
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
fn best<'p>(
    reference: &Reference<'p>,
    request: &Request,
    understood: &Understood,
    group: &[Candidate<'p>],
    method: &str,
) -> Option<Chosen<'p>> {
    let mut best: Option<(Rank, &Candidate<'p>)> = None;
    for candidate in group {
        if let Some(rank) = matching::rank(reference, candidate.route, request, understood, method)
            && best.as_ref().is_none_or(|(found, _)| rank > *found)
        {
            best = Some((rank, candidate));
        }
    }
    let (_, candidate) = best?;
    Some(Chosen {
        id: text(candidate.route, "id").unwrap_or_default().to_owned(),
        rules: candidate.route,
        parameters: candidate.parameters.clone(),
        query: understood.query.clone(),
    })
}
