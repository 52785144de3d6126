//! A provider of type `introspection`: whom it asks, how it proves itself there, and what it takes for an answer.

use scopegate_document::Duration;
use zeroize::Zeroizing;

use crate::introspection::request::is_b64token;
use crate::introspection::{IntrospectionRules, authorization_of_client};
use crate::limits;
use crate::section::{BasicAuth, ClientAuth, ProviderSection, SecretReference};

use super::{Context, Faults, fetched, secret, token};

/// Compiles what only this type has. Fields of other types, the place of the credential and its binding are
/// compiled where they are for all types.
pub(crate) fn compile(
    context: &mut Context<'_>,
    path: &str,
    section: &ProviderSection,
) -> Option<IntrospectionRules> {
    let ProviderSection {
        name: _,
        provider_type: _,
        issuer,
        trust_domains: _,
        dns_names: _,
        audiences,
        algorithms: _,
        profile: _,
        keys: _,
        clock_skew,
        max_lifetime: _,
        require,
        claims,
        binding: _,
        dpop: _,
        credential: _,
        forward_credential: _,
        proxy_verifies: _,
        forwarded_by: _,
        endpoint,
        upstream,
        client_auth,
        cache,
    } = section;
    let authorization = authorization(context, &format!("{path}.client_auth"), client_auth.as_ref());
    let faults = &mut context.faults;
    let endpoint = compile_endpoint(faults, &format!("{path}.endpoint"), endpoint.as_deref());
    let upstream = fetched::upstream(faults, &format!("{path}.upstream"), upstream.as_deref());
    let audiences = token::check_audiences(faults, path, audiences.as_deref());
    let times = token::times(faults, path, *clock_skew, None);
    let required = token::required(faults, path, require.as_ref());
    let mapping = token::mapping(faults, path, claims.as_ref());
    check_issuer(faults, &format!("{path}.issuer"), issuer.as_deref());
    Some(IntrospectionRules {
        cache: cache_seconds(faults, &format!("{path}.cache"), *cache),
        endpoint: endpoint?,
        upstream: upstream?,
        authorization: authorization?,
        issuer: issuer.clone(),
        audiences: audiences?.to_vec(),
        clock_skew: times.clock_skew,
        required,
        mapping: mapping?,
    })
}

fn compile_endpoint(faults: &mut Faults, path: &str, url: Option<&str>) -> Option<crate::endpoint::Endpoint> {
    if url.is_none() {
        faults.missing(path, "write the URL of the issuer's introspection endpoint");
    }
    fetched::endpoint(faults, path, url?)
}

fn check_issuer(faults: &mut Faults, path: &str, issuer: Option<&str>) {
    if issuer == Some("") {
        let help = "write the exact `iss` of its answers, or remove the field where they have none";
        faults.invalid(path, "the issuer is empty", help);
    }
}

fn cache_seconds(faults: &mut Faults, path: &str, cache: Option<Duration>) -> i64 {
    let seconds = cache.map_or(0, Duration::as_seconds);
    if seconds > limits::INTROSPECTION_CACHE_MAX {
        let message = "a token would pass for more than an hour after it was revoked";
        faults.invalid(
            path,
            message,
            "write at most `1h`; `30s` spares most questions already",
        );
    }
    seconds
}

/// The value of `Authorization`. An endpoint that answers strangers is one that tokens can be guessed at (RFC 7662
/// section 2.1): a way to prove oneself is required.
fn authorization(
    context: &mut Context<'_>,
    path: &str,
    client_auth: Option<&ClientAuth>,
) -> Option<Zeroizing<String>> {
    let help = "write `{basic: {username: ID, password: {env: NAME}}}` or `{bearer: {env: NAME}}`";
    let Some(ClientAuth { basic, bearer }) = client_auth else {
        context.faults.missing(path, help);
        return None;
    };
    match (basic, bearer) {
        (Some(basic), None) => of_basic(context, &format!("{path}.basic"), basic),
        (None, Some(bearer)) => of_bearer(context, &format!("{path}.bearer"), bearer),
        (None, None) => {
            context
                .faults
                .invalid(path, "there is no way to prove oneself", help);
            None
        }
        (Some(_), Some(_)) => {
            context
                .faults
                .invalid(path, "there are two ways to prove oneself", help);
            None
        }
    }
}

fn of_basic(context: &mut Context<'_>, path: &str, basic: &BasicAuth) -> Option<Zeroizing<String>> {
    let BasicAuth { username, password } = basic;
    if username.is_empty() {
        let help = "write the client id of this API";
        context
            .faults
            .invalid(format!("{path}.username"), "the client id is empty", help);
    }
    let path = format!("{path}.password");
    let secret = secret::read(context, &path, Some(password), "the client's secret as it is")?;
    if secret.is_empty() || secret.contains(char::is_control) {
        malformed(
            context,
            &path,
            "the value of this variable is empty or holds control characters",
        );
        return None;
    }
    Some(authorization_of_client(username, &secret))
}

fn of_bearer(context: &mut Context<'_>, path: &str, bearer: &SecretReference) -> Option<Zeroizing<String>> {
    let token = secret::read(context, path, Some(bearer), "the access token as it is")?;
    if !is_b64token(token.as_bytes()) {
        malformed(context, path, "the value of this variable is no bearer token");
        return None;
    }
    Some(Zeroizing::new(["Bearer ", token.as_str()].concat()))
}

fn malformed(context: &mut Context<'_>, path: &str, message: &str) {
    let help = "set the variable to the secret as the issuer gave it, without blanks and line breaks";
    context
        .faults
        .add("secret_malformed", format!("{path}.env"), message, help);
}

#[cfg(test)]
mod tests;
