//! The reply to a refused request: status, challenges, body. One mapping, no special cases elsewhere.
//!
//! Nothing of a credential ever stands in a reply, and no detail that would help an attacker.

use std::borrow::Cow;

use serde::Serialize;

use scopegate_authn::{Challenge, Reject};
use scopegate_authz::{Deny, RequestError};

use crate::{Layer, Reply, Request, written};

/// The realm of challenges where neither `authentication.realm` nor `metadata.name` says one.
pub(crate) const DEFAULT_REALM: &str = "scopegate";

/// Seconds after which a client may try again when an outage, not the credential, stopped it.
const RETRY_AFTER_SECONDS: &str = "5";

/// Why a request is not forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It cannot be understood in one way only.
    Request(RequestError),
    /// Who is calling is not proved.
    Reject(Reject),
    /// The caller may not do this.
    Deny(Deny),
}

impl Refusal {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Request(error) => error.code(),
            Self::Reject(reject) => reject.code(),
            Self::Deny(deny) => deny.code(),
        }
    }

    pub(crate) const fn layer(&self) -> Layer {
        match self {
            Self::Request(_) => Layer::Request,
            Self::Reject(_) => Layer::Authentication,
            Self::Deny(_) => Layer::Authorization,
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::Request(error) => error.status(),
            Self::Reject(reject) => reject.status(),
            Self::Deny(deny) => deny.status(),
        }
    }
}

/// What challenges say of the API: its realm, and where its metadata stands (RFC 9728 section 5.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area<'a> {
    pub(crate) realm: &'a str,
    pub(crate) resource_metadata: Option<&'a str>,
}

impl Area<'_> {
    /// What is said where no policy says anything.
    pub(crate) const DEFAULT: Self = Self {
        realm: DEFAULT_REALM,
        resource_metadata: None,
    };
}

/// What a refusal asks the client for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// The challenges of the providers.
    pub(crate) challenges: &'a [Challenge],
    /// A nonce for the next DPoP proof (RFC 9449 section 8.2).
    pub(crate) nonce: Option<String>,
}

impl Asked<'_> {
    pub(crate) const NOTHING: Self = Self {
        challenges: &[],
        nonce: None,
    };
}

/// The reply to `refusal`, with the challenges of the route's providers where the status asks for them.
pub(crate) fn render(request: &Request<'_>, refusal: &Refusal, area: &Area<'_>, asked: &Asked<'_>) -> Reply {
    let status = refusal.status();
    let mut headers = challenge_headers(refusal, area, asked.challenges);
    headers.extend(asked.nonce.clone().map(|nonce| ("dpop-nonce", nonce)));
    if status == 503 {
        headers.push(("retry-after", RETRY_AFTER_SECONDS.to_owned()));
    }
    headers.push(("cache-control", "no-store".to_owned()));
    match request.is_grpc() {
        true => grpc(status, title(refusal.code()), headers),
        false => problem(status, refusal.code(), request.id, headers),
    }
}

/// Room for the body of a reply, in bytes.
const BODY_BYTES: usize = 256;

/// The body of a reply (RFC 9457 section 3.1); members in the order in which a person reads them.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'a str,
    request_id: &'a str,
}

fn problem(status: u16, code: &str, request_id: &str, mut headers: Vec<(&'static str, String)>) -> Reply {
    headers.push(("content-type", "application/problem+json".to_owned()));
    let r#type = ["urn:scopegate:problem:", code].concat();
    let problem = Problem {
        r#type,
        title: title(code),
        status,
        code,
        request_id,
    };
    Reply {
        status,
        headers,
        body: written::json(&problem, BODY_BYTES),
        grpc: None,
    }
}

/// A trailers-only response (gRPC over HTTP/2): the status travels in headers, the HTTP status is 200.
fn grpc(status: u16, message: &'static str, mut headers: Vec<(&'static str, String)>) -> Reply {
    let grpc_status = grpc_status(status);
    headers.push(("content-type", "application/grpc".to_owned()));
    headers.push(("grpc-status", grpc_status.to_string()));
    headers.push(("grpc-message", message.to_owned()));
    Reply {
        status: 200,
        headers,
        body: Vec::new(),
        grpc: Some((grpc_status, message)),
    }
}

/// INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE.
const fn grpc_status(status: u16) -> u8 {
    match status {
        401 => 16,
        403 => 7,
        431 => 8,
        503 => 14,
        _ => 3,
    }
}

/// What a person reads: fixed words per status and layer, nothing of the request.
fn title(code: &str) -> &'static str {
    match code {
        "credential_missing" => "Authentication is required",
        "credential_multiple" => "More than one credential was sent",
        "token_expired" => "The token has expired",
        "scope_missing" => "The caller lacks a scope",
        "no_route" => "This request is not allowed",
        "ambiguous_path" => "The path can be read in more than one way",
        "malformed_request" => "The request is malformed",
        "headers_truncated" => "The request's headers are too large",
        "identity_header_refused" => "The request carries a reserved header",
        "step_up_required" => "Stronger authentication is required",
        code if code.ends_with("_unavailable") || code == "not_configured" => "Access cannot be decided now",
        code if is_permission(code) => "The caller may not do this",
        _ => "The credential was not accepted",
    }
}

fn is_permission(code: &str) -> bool {
    let starts = [
        "provider_",
        "client_",
        "source_",
        "actor_",
        "tenant_",
        "scope_",
        "outside_",
        "condition_",
    ];
    starts.iter().any(|start| code.starts_with(start))
}

/// Room for a challenge as most are, in bytes.
const CHALLENGE_BYTES: usize = 96;

/// Writes a parameter of a challenge, its value quoted.
fn put_parameter(challenge: &mut String, name: &str, value: &str) {
    challenge.push_str(name);
    challenge.push_str("=\"");
    challenge.push_str(&quoted(value));
    challenge.push('"');
}

/// The `WWW-Authenticate` fields (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9470 section 3).
fn challenge_headers(
    refusal: &Refusal,
    area: &Area<'_>,
    challenges: &[Challenge],
) -> Vec<(&'static str, String)> {
    if !refusal.is_challenged() {
        return Vec::new();
    }
    let one = |challenge: &Challenge| {
        let mut value = String::with_capacity(CHALLENGE_BYTES);
        value.push_str(&challenge.scheme);
        put_parameter(&mut value, " realm", area.realm);
        if let Some(url) = area.resource_metadata {
            put_parameter(&mut value, ", resource_metadata", url);
        }
        value.push_str(&parameters(refusal, challenge));
        if let Some(names) = &challenge.algorithms {
            put_parameter(&mut value, ", algs", names);
        }
        ("www-authenticate", value)
    };
    challenges.iter().map(one).collect()
}

impl Refusal {
    /// Whether its reply carries challenges.
    const fn is_challenged(&self) -> bool {
        match self {
            Self::Request(_) => false,
            Self::Reject(reject) => matches!(reject.status(), 400 | 401),
            Self::Deny(deny) => matches!(deny, Deny::ScopeMissing { .. } | Deny::StepUpRequired { .. }),
        }
    }
}

/// What follows the realm in a challenge. What is wrong with a proof is said to those who make proofs.
fn parameters(refusal: &Refusal, challenge: &Challenge) -> String {
    let is_dpop = challenge.scheme.eq_ignore_ascii_case("DPoP");
    let error = match refusal {
        Refusal::Reject(Reject::CredentialMissing) => return String::new(),
        Refusal::Reject(Reject::ProofMissing | Reject::ProofInvalid | Reject::ProofReplayed) if is_dpop => {
            "invalid_dpop_proof"
        }
        Refusal::Reject(Reject::ProofNonce) if is_dpop => "use_dpop_nonce",
        Refusal::Reject(
            Reject::ProofMissing | Reject::ProofInvalid | Reject::ProofReplayed | Reject::ProofNonce,
        ) => return String::new(),
        Refusal::Reject(reject) if reject.status() == 400 => "invalid_request",
        Refusal::Reject(_) => "invalid_token",
        Refusal::Deny(Deny::ScopeMissing { required, .. }) => {
            return format!(
                r#", error="insufficient_scope", scope="{}""#,
                quoted(&required.join(" "))
            );
        }
        Refusal::Deny(Deny::StepUpRequired { acr_values, max_age }) => {
            return step_up(acr_values, *max_age);
        }
        Refusal::Request(_) | Refusal::Deny(_) => return String::new(),
    };
    format!(r#", error="{error}""#)
}

/// What a caller must do who authenticated too weakly, or too long ago (RFC 9470 section 3).
fn step_up(acr_values: &[String], max_age: Option<i64>) -> String {
    let mut parameters = r#", error="insufficient_user_authentication""#.to_owned();
    if !acr_values.is_empty() {
        parameters.push_str(&format!(r#", acr_values="{}""#, quoted(&acr_values.join(" "))));
    }
    if let Some(seconds) = max_age {
        parameters.push_str(&format!(r#", max_age="{seconds}""#));
    }
    parameters
}

/// The inside of a quoted-string (RFC 9110 section 5.6.4): printable ASCII, `"` and `\` escaped.
fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars().filter(|character| matches!(character, ' '..='~')) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests;
