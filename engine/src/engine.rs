//! The compiled policy: what a policy document becomes. How it decides stands in `decide`.

use serde_json::{Value, json};

use scopegate_authn::section::AuthenticationSection;
use scopegate_authn::{Authenticator, Notice, Secrets};
use scopegate_authz::{Authorizer, ProviderFacts};
use scopegate_document::PolicyError;

use crate::digest;
use crate::document::{self, Audit, PolicyDocument};
use crate::identity::Identity;
use crate::reply::DEFAULT_REALM;

/// A compiled policy.
#[derive(Debug)]
pub struct Engine {
    pub(crate) authenticator: Authenticator,
    pub(crate) authorizer: Authorizer,
    pub(crate) identity: Identity,
    pub(crate) audit: Audit,
    pub(crate) realm: String,
    /// Where the metadata of this API stands, where the policy names the API (RFC 9728 section 3.1).
    pub(crate) resource_metadata: Option<String>,
    /// Name, version and digest, as records show them.
    pub(crate) policy: Value,
}

/// A compiled policy and what its author should know of it.
#[derive(Debug)]
pub struct Compiled {
    /// The engine.
    pub engine: Engine,
    /// Notices: skipped keys, weak exponents. Nothing that stops the policy. Paths are complete.
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
        let authorized = Authorizer::compile(&authorization, &facts(&authentication));
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
        let resource_metadata = authenticator.resource().and_then(metadata_url);
        let engine = Self {
            identity: Identity::new(authenticator.identity_headers()),
            authenticator,
            authorizer,
            audit,
            resource_metadata,
            realm: realm.unwrap_or_else(|| DEFAULT_REALM.to_owned()),
            policy: json!({"name": metadata.name, "version": metadata.version, "digest": digest}),
        };
        Ok(Compiled {
            engine,
            notices: complete(notices),
        })
    }

    /// What identifies the policy in records: its name, version and digest.
    #[must_use]
    pub const fn policy(&self) -> &Value {
        &self.policy
    }

    /// The layer that proves callers, for whoever fetches what it needs.
    #[must_use]
    pub const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Whether a header or trailer called `name` says who a caller is, and so must never come from a client.
    #[must_use]
    pub fn is_identity_header(&self, name: &[u8]) -> bool {
        self.identity.names(name)
    }
}

/// The well-known path stands between the host and the path of the resource (RFC 9728 section 3.1).
fn metadata_url(resource: &str) -> Option<String> {
    let rest = resource.strip_prefix("https://")?;
    let (host, path) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let path = path.trim_end_matches('/');
    Some(format!(
        "https://{host}/.well-known/oauth-protected-resource{path}"
    ))
}

/// What the rules may know of the providers. Taken from the document, so that faults of both sections are
/// reported together.
fn facts(authentication: &AuthenticationSection) -> Vec<ProviderFacts> {
    let providers = authentication.providers.iter().flatten();
    let facts = providers.map(|provider| ProviderFacts {
        name: provider.name.clone(),
        // Tokens carry scopes; a provider of another type is refused by its own section.
        carries_scopes: true,
    });
    facts.collect()
}

fn within(section: &str, errors: Option<Vec<PolicyError>>) -> Vec<PolicyError> {
    let errors = errors.into_iter().flatten();
    errors.map(|error| error.within(section)).collect()
}

fn complete(notices: Vec<Notice>) -> Vec<Notice> {
    let path = |notice: &Notice| format!("authentication.{}", notice.path);
    notices
        .into_iter()
        .map(|notice| Notice {
            path: path(&notice),
            ..notice
        })
        .collect()
}
