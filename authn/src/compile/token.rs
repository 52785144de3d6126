//! A provider of type `jwt`: what its tokens must say, and whose keys verify them.

use scopegate_document::Duration;

use crate::algorithm::Family;
use crate::claim_path::ClaimPath;
use crate::provider::{Authority, Mapping, TokenProvider};
use crate::section::{ClaimMapping, MaxLifetime, Profile, ProviderSection, Require, Scalar};
use crate::times::TimeRules;
use crate::{Algorithm, limits};

use super::{Context, Faults, keys, mtls};

/// Compiles what only this type has; nothing where it has faults.
pub(crate) fn compile(
    context: &mut Context<'_>,
    (index, path): (usize, &str),
    section: &ProviderSection,
) -> Option<TokenProvider> {
    let ProviderSection {
        name,
        provider_type: _,
        issuer,
        trust_domains,
        dns_names: _,
        audiences,
        algorithms,
        profile,
        keys,
        clock_skew,
        max_lifetime,
        require,
        claims,
        binding: _,
        dpop: _,
        credential: _,
        forward_credential: _,
        proxy_verifies: _,
        forwarded_by: _,
        endpoint: _,
        upstream: _,
        client_auth: _,
        cache: _,
    } = section;
    let profile = profile.unwrap_or_default();
    let authority = authority(
        &mut context.faults,
        path,
        profile,
        issuer.as_deref(),
        trust_domains.as_deref(),
    );
    let audiences = check_audiences(&mut context.faults, path, audiences.as_deref());
    let algorithms = check_algorithms(&mut context.faults, path, profile, algorithms.as_deref());
    let known = algorithms.unwrap_or(Algorithm::ALL);
    let owner = keys::Owner {
        index,
        name,
        issuer: issuer.as_deref(),
        algorithms: known,
        profile,
    };
    let keys = keys::compile(context, &format!("{path}.keys"), keys.as_ref(), owner);
    let times = times(&mut context.faults, path, *clock_skew, *max_lifetime);
    let required = required(&mut context.faults, path, require.as_ref());
    let mapping = mapping(&mut context.faults, path, claims.as_ref());
    Some(TokenProvider {
        authority: authority?,
        audiences: audiences?.to_vec(),
        algorithms: algorithms?.to_vec(),
        profile,
        keys: keys?,
        times,
        required,
        mapping: mapping?,
    })
}

/// What its tokens are known by: `issuer`, or `trust_domains` in the profile `spiffe`.
fn authority(
    faults: &mut Faults,
    path: &str,
    profile: Profile,
    issuer: Option<&str>,
    trust_domains: Option<&[String]>,
) -> Option<Authority> {
    let is_spiffe = profile == Profile::Spiffe;
    if is_spiffe && issuer.is_some() {
        let message = "`issuer` does not belong to the profile `spiffe`";
        faults.add(
            "field_not_of_type",
            format!("{path}.issuer"),
            message,
            "name the `trust_domains`; JWT-SVIDs need no `iss`",
        );
    }
    if !is_spiffe && trust_domains.is_some() {
        let message = "`trust_domains` belongs to the profile `spiffe`";
        faults.add(
            "field_not_of_type",
            format!("{path}.trust_domains"),
            message,
            "name the `issuer`, or write `profile: spiffe`",
        );
    }
    match is_spiffe {
        true => check_trust_domains(faults, &format!("{path}.trust_domains"), trust_domains),
        false => check_issuer(faults, &format!("{path}.issuer"), issuer),
    }
}

fn check_issuer(faults: &mut Faults, path: &str, issuer: Option<&str>) -> Option<Authority> {
    match issuer {
        None => faults.missing(path, "write the exact `iss` of its tokens"),
        Some("") => faults.invalid(path, "the issuer is empty", "write the exact `iss` of its tokens"),
        Some(issuer) => return Some(Authority::Issuer(issuer.to_owned())),
    }
    None
}

fn check_trust_domains(faults: &mut Faults, path: &str, domains: Option<&[String]>) -> Option<Authority> {
    let Some(domains) = domains else {
        faults.missing(
            path,
            "write the trust domains of its SPIFFE IDs, as in `[prod.example.com]`",
        );
        return None;
    };
    mtls::check_trust_domains(faults, path, domains);
    Some(Authority::TrustDomains(domains.to_vec()))
}

pub(super) fn check_audiences<'s>(
    faults: &mut Faults,
    path: &str,
    audiences: Option<&'s [String]>,
) -> Option<&'s [String]> {
    let path = format!("{path}.audiences");
    match audiences {
        None => faults.missing(
            path,
            "write what its tokens name in `aud` for this API (RFC 8725 section 3.9)",
        ),
        Some(list) => faults.check_texts(&path, list),
    }
    audiences
}

fn check_algorithms<'s>(
    faults: &mut Faults,
    path: &str,
    profile: Profile,
    algorithms: Option<&'s [Algorithm]>,
) -> Option<&'s [Algorithm]> {
    let path = format!("{path}.algorithms");
    let Some(list) = algorithms else {
        faults.missing(
            path,
            "list the algorithms its tokens use, as in `[ES256]`; there is no default (RFC 8725 section 3.1)",
        );
        return None;
    };
    if list.is_empty() {
        faults.empty_list(&path);
        return None;
    }
    for (index, algorithm) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if list.iter().take(index).any(|earlier| earlier == algorithm) {
            faults.duplicate(
                &path,
                format!("`{algorithm}` stands here twice"),
                "remove one of them",
            );
        }
        if !algorithm.is_built_in() {
            faults.invalid(
                &path,
                format!("`{algorithm}` is not part of this build"),
                "use another algorithm, or a build with the feature `ml-dsa`",
            );
        }
        if profile == Profile::Spiffe && !matches!(algorithm.family(), Family::Rsa | Family::Ecdsa) {
            let message = format!("a JWT-SVID is never signed with `{algorithm}`");
            faults.invalid(
                path,
                message,
                "use RS, PS or ES algorithms (JWT-SVID section 2.1)",
            );
        }
    }
    algorithms
}

pub(super) fn times(
    faults: &mut Faults,
    path: &str,
    clock_skew: Option<Duration>,
    max_lifetime: Option<MaxLifetime>,
) -> TimeRules {
    let clock_skew = self::clock_skew(clock_skew);
    if clock_skew > limits::CLOCK_SKEW_MAX {
        let message = "the clock skew is more than five minutes";
        faults.invalid(
            format!("{path}.clock_skew"),
            message,
            "write at most `5m`, and let the hosts keep time",
        );
    }
    let max_lifetime = match max_lifetime {
        None => Some(limits::LIFETIME_DEFAULT),
        Some(MaxLifetime::Unlimited) => None,
        Some(MaxLifetime::Limited(duration)) => Some(duration.as_seconds()),
    };
    if max_lifetime == Some(0) {
        let message = "no token lives for zero seconds";
        faults.invalid(
            format!("{path}.max_lifetime"),
            message,
            "write the longest life of its tokens, as in `1h`",
        );
    }
    TimeRules {
        clock_skew,
        max_lifetime,
    }
}

pub(super) fn required(
    faults: &mut Faults,
    path: &str,
    require: Option<&Require>,
) -> Vec<(ClaimPath, Vec<Scalar>)> {
    let Some(Require { claims }) = require else {
        return Vec::new();
    };
    let path = format!("{path}.require");
    let Some(claims) = claims.as_ref().filter(|claims| !claims.is_empty()) else {
        faults.invalid(
            path,
            "nothing is required",
            "write `claims: {name: [values]}`, or remove the field",
        );
        return Vec::new();
    };
    let mut required = Vec::new();
    for (name, values) in claims {
        let path = format!("{path}.claims.{name}");
        if values.as_slice().is_empty() {
            faults.empty_list(&path);
        }
        if let Some(claim) = claim_path(faults, path, name) {
            required.push((claim, values.as_slice().to_vec()));
        }
    }
    required
}

pub(super) fn mapping(faults: &mut Faults, path: &str, claims: Option<&ClaimMapping>) -> Option<Mapping> {
    let defaults = ClaimMapping::default();
    let ClaimMapping {
        scopes,
        subject,
        client,
        tenant,
        roles,
    } = claims.unwrap_or(&defaults);
    let path = format!("{path}.claims");
    let default_scopes = ["scope".to_owned(), "scp".to_owned()];
    let scopes = claim_paths(
        faults,
        format!("{path}.scopes"),
        scopes.as_deref().unwrap_or(&default_scopes),
    );
    let roles = roles
        .as_deref()
        .map(|roles| claim_paths(faults, format!("{path}.roles"), roles));
    let subject = claim_path(
        faults,
        format!("{path}.subject"),
        subject.as_deref().unwrap_or("sub"),
    );
    let client = claim_path(
        faults,
        format!("{path}.client"),
        client.as_deref().unwrap_or("client_id"),
    );
    let tenant = tenant
        .as_deref()
        .map(|tenant| claim_path(faults, format!("{path}.tenant"), tenant));
    Some(Mapping {
        scopes,
        roles: roles.unwrap_or_default(),
        subject: subject?,
        client: client?,
        tenant: tenant.flatten(),
    })
}

fn claim_paths(faults: &mut Faults, path: String, names: &[String]) -> Vec<ClaimPath> {
    faults.check_texts(&path, names);
    let names = names.iter().enumerate().filter(|(_, name)| !name.is_empty());
    names
        .filter_map(|(index, name)| claim_path(faults, format!("{path}[{index}]"), name))
        .collect()
}

fn claim_path(faults: &mut Faults, path: String, name: &str) -> Option<ClaimPath> {
    let claim = ClaimPath::parse(name);
    if claim.is_none() {
        let message = format!("`{}` is no claim name", name.escape_debug());
        faults.invalid(
            path,
            message,
            "write a dotted path, or a JSON Pointer that begins with `/`",
        );
    }
    claim
}

/// How far clocks may differ, in seconds.
pub(super) fn clock_skew(section: Option<Duration>) -> i64 {
    section.map_or(limits::CLOCK_SKEW_DEFAULT, Duration::as_seconds)
}
