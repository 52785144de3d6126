//! The compiled policy: what a policy document becomes. How it decides stands in `decide`.

use std::sync::Arc;

use serde_json::{Value, json};

use scopegate_authn::section::{AuthenticationSection, ProviderType};
use scopegate_authn::{Authenticator, Notice, Secrets};
use scopegate_authz::section::AuthorizationSection;
use scopegate_authz::{Authorizer, PolicyContext, ProviderFacts};
use scopegate_document::PolicyError;

use crate::digest;
use crate::document::{self, Audit, PolicyDocument, Property};
use crate::identity::Identity;
use crate::metadata::ResourceMetadata;
use crate::reply::DEFAULT_REALM;

/// A compiled policy.
#[derive(Debug)]
pub struct Engine {
    pub(crate) authenticator: Authenticator,
    pub(crate) authorizer: Authorizer,
    pub(crate) identity: Identity,
    pub(crate) audit: Audit,
    pub(crate) realm: String,
    /// The metadata of this API, where the policy names the API.
    pub(crate) resource_metadata: Option<ResourceMetadata>,
    /// Name, version and digest, as records show them.
    pub(crate) policy: Arc<Value>,
}

/// A compiled policy and what its author should know of it.
#[derive(Debug)]
pub struct Compiled {
    /// The engine.
    pub engine: Engine,
    /// Notices: skipped keys, weak exponents, trusted statements about an upstream. Nothing that stops the policy. Paths are complete.
    pub notices: Vec<Notice>,
}

impl Engine {
    /// Compiles a policy document in JSON. This is all that the plugin reads.
    ///
    /// # Errors
    /// Every fault of the document, with the path of its field.
    pub fn from_json(text: &[u8], secrets: &dyn Secrets) -> Result<Compiled, Vec<PolicyError>> {
        let value = document::parse(text).map_err(|error| vec![error])?;
        Self::from_value(&value, secrets)
    }

    /// Compiles a policy document that was already read as JSON.
    ///
    /// # Errors
    /// As [`Engine::from_json`].
    pub fn from_value(value: &Value, secrets: &dyn Secrets) -> Result<Compiled, Vec<PolicyError>> {
        let document = document::read(value).map_err(|error| vec![error])?;
        Self::compile(document, digest::of(value), secrets)
    }

    fn compile(
        document: PolicyDocument,
        digest: String,
        secrets: &dyn Secrets,
    ) -> Result<Compiled, Vec<PolicyError>> {
        let PolicyDocument {
            scopegate: _,
            metadata,
            authentication,
            authorization,
            audit,
        } = document;
        let authenticated = Authenticator::compile(&authentication, secrets);
        let identity_headers = identity_headers(&authentication);
        let credential_headers = credential_headers(&authentication);
        let context = PolicyContext {
            providers: &facts(&authentication),
            environment: &|name| secrets.get(name),
            name: metadata.name.as_deref(),
            version: metadata.version.as_deref(),
            identity_headers: &identity_headers,
            credential_headers: &credential_headers,
        };
        let authorized = Authorizer::compile(&authorization, context);
        let ((authenticator, notices), authorizer) = match (authenticated, authorized) {
            (Ok(authenticated), Ok(authorizer)) => (authenticated, authorizer),
            (authenticated, authorized) => {
                let faults = [
                    within("authentication", authenticated.err()),
                    within("authorization", authorized.err()),
                ];
                return Err(faults.concat());
            }
        };
        let realm = authenticator
            .realm()
            .map(str::to_owned)
            .or_else(|| metadata.name.clone());
        let notices = complete(notices, Authorizer::notices(&authorization));
        let scopes = authorizer.scopes().collect();
        let resource_metadata = ResourceMetadata::new(&authenticator, metadata.name.as_deref(), scopes);
        check_metadata_path(resource_metadata.as_ref(), &authorization)?;
        let engine = Self {
            identity: Identity::new(authenticator.identity_headers()),
            authenticator,
            authorizer,
            audit,
            resource_metadata,
            realm: realm.unwrap_or_else(|| DEFAULT_REALM.to_owned()),
            policy: Arc::new(json!({"name": metadata.name, "version": metadata.version, "digest": digest})),
        };
        Ok(Compiled { engine, notices })
    }

    /// What identifies the policy in records: its name, version and digest.
    #[must_use]
    pub fn policy(&self) -> &Value {
        &self.policy
    }

    /// What access logs and later filters are told of each request, beside its code and its route.
    #[must_use]
    pub fn properties(&self) -> &[Property] {
        &self.audit.properties
    }

    /// The layer that proves callers, for whoever fetches what it needs.
    #[must_use]
    pub const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Whether the policy asks where requests come from.
    #[must_use]
    pub fn reads_source(&self) -> bool {
        self.authorizer.reads_source()
    }

    /// Whether a header or trailer called `name` says who a caller is, and so must never come from a client.
    #[must_use]
    pub fn is_identity_header(&self, name: &[u8]) -> bool {
        self.identity.names(name)
    }
}

/// What the rules may know of the providers. Taken from the document, so that faults of both sections are
/// reported together.
fn facts(authentication: &AuthenticationSection) -> Vec<ProviderFacts> {
    let providers = authentication.providers.iter().flatten();
    let facts = providers.map(|provider| ProviderFacts {
        name: provider.name.clone(),
        carries_scopes: matches!(
            provider.provider_type,
            ProviderType::Jwt | ProviderType::Introspection
        ),
    });
    facts.collect()
}

/// The names of the headers that tell the upstream who is calling.
fn identity_headers(authentication: &AuthenticationSection) -> Vec<String> {
    let headers = authentication.identity_headers.iter().flatten();
    headers.map(|(_, name)| name.clone()).collect()
}

/// The names of the headers in which providers take credentials.
fn credential_headers(authentication: &AuthenticationSection) -> Vec<String> {
    let providers = authentication.providers.iter().flatten();
    let locations = providers.filter_map(|provider| provider.credential.as_ref());
    locations.filter_map(|location| location.header.clone()).collect()
}

/// The metadata is served before any route is looked at: a route at its path could never be reached.
fn check_metadata_path(
    metadata: Option<&ResourceMetadata>,
    authorization: &AuthorizationSection,
) -> Result<(), Vec<PolicyError>> {
    let Some(metadata) = metadata else { return Ok(()) };
    let mut routes = authorization.routes.iter();
    let Some(at) = routes.position(|route| route.matches.path.as_deref() == Some(metadata.path())) else {
        return Ok(());
    };
    Err(vec![PolicyError::new(
        "route_unreachable",
        format!("authorization.routes[{at}].match.path"),
        format!(
            "`{}` is where the metadata of `resource` is served",
            metadata.path()
        ),
        "remove the route, or `authentication.resource`",
    )])
}

fn within(section: &str, errors: Option<Vec<PolicyError>>) -> Vec<PolicyError> {
    let errors = errors.into_iter().flatten();
    errors.map(|error| error.within(section)).collect()
}

/// The notices of both sections, with the whole path of each field.
fn complete(of_callers: Vec<Notice>, of_rules: Vec<PolicyError>) -> Vec<Notice> {
    let of_callers = of_callers.into_iter().map(|notice| Notice {
        path: format!("authentication.{}", notice.path),
        ..notice
    });
    let of_rules = of_rules.into_iter().map(|remark| {
        let PolicyError {
            code,
            path,
            message,
            help,
        } = remark.within("authorization");
        Notice {
            code,
            path,
            message,
            help,
        }
    });
    of_callers.chain(of_rules).collect()
}
