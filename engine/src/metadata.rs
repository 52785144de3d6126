//! The metadata of this API (RFC 9728): which issuers it trusts, which scopes there are, how tokens come. Public by
//! nature: nothing stands in it that a caller may not know.

use serde::Serialize;

use scopegate_authn::{Authenticator, BoundTokens};

use crate::{Reply, Request};

/// The document, and where it is served.
#[derive(Debug)]
pub(crate) struct ResourceMetadata {
    url: String,
    path: String,
    body: Vec<u8>,
}

/// Its members (RFC 9728 section 2), in the order in which a person reads them.
#[derive(Serialize)]
struct Document<'a> {
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<&'a str>,
    bearer_methods_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dpop_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dpop_bound_access_tokens_required: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tls_client_certificate_bound_access_tokens: bool,
}

impl ResourceMetadata {
    /// The metadata of the API that the policy names; nothing where it names none that can be asked for.
    pub(crate) fn new(authenticator: &Authenticator, name: Option<&str>, scopes: Vec<&str>) -> Option<Self> {
        let resource = authenticator.resource()?;
        let (url, path) = place(resource)?;
        let BoundTokens {
            algorithms,
            dpop_required,
            certificates,
        } = authenticator.bound_tokens();
        let document = Document {
            resource,
            resource_name: name,
            authorization_servers: authenticator.issuers(),
            scopes_supported: scopes,
            bearer_methods_supported: authenticator.bearer_methods(),
            dpop_signing_alg_values_supported: algorithms,
            dpop_bound_access_tokens_required: dpop_required,
            tls_client_certificate_bound_access_tokens: certificates,
        };
        let body = serde_json::to_vec(&document).ok()?;
        Some(Self { url, path, body })
    }

    /// Where it stands, for challenges (RFC 9728 section 5.1).
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The path at which it is served.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The document, if that is what `request` asks for. No other spelling of the path will do.
    pub(crate) fn reply_to(&self, request: &Request<'_>) -> Option<Reply> {
        let path = request
            .path
            .split(|byte| *byte == b'?')
            .next()
            .unwrap_or_default();
        if path != self.path.as_bytes() || !matches!(request.method, b"GET" | b"HEAD") {
            return None;
        }
        Some(Reply {
            status: 200,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("cache-control", "public, max-age=3600".to_owned()),
            ],
            body: match request.method {
                b"HEAD" => Vec::new(),
                _ => self.body.clone(),
            },
            grpc: None,
        })
    }
}

/// The well-known path stands between the host and the path of the resource, its query after both (RFC 9728
/// section 3.1).
fn place(resource: &str) -> Option<(String, String)> {
    let rest = resource.strip_prefix("https://")?;
    let (host, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let path = path.split('?').next().unwrap_or_default();
    let path = format!(
        "/.well-known/oauth-protected-resource{}",
        path.trim_end_matches('/')
    );
    Some((format!("https://{host}{path}"), path))
}
