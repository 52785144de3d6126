//! The compiled `authentication` section: providers, ready to verify.

use scopegate_document::{PolicyError, UnixTime};

use crate::compile;
use crate::credential::{self, CredentialLocation, Stripped, is_same_header_name};
use crate::identity::IdentityHeader;
use crate::live::Live;
use crate::provider::{self, Kind, Provider};
use crate::remote::{Source, SourceId};
use crate::revocation::RevocationRules;
use crate::section::{AuthenticationSection, Binding};
use crate::untrusted::{Untrusted, has_three_segments};
use crate::{Peer, Reject};

/// The providers of a policy, compiled.
#[derive(Debug)]
pub struct Authenticator {
    pub(crate) providers: Vec<Provider>,
    /// Where the providers read credentials, each place once.
    pub(crate) locations: Vec<CredentialLocation>,
    /// Whether what stands there is forwarded, for each of them.
    pub(crate) keeping: Vec<Keeping>,
    /// Whether DPoP proofs end here.
    pub(crate) removes_proofs: bool,
    pub(crate) identity_headers: Vec<IdentityHeader>,
    pub(crate) realm: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) origins: Vec<String>,
    /// Whether the host is asked about signatures, where it can be.
    pub(crate) asks_host: bool,
    /// The documents that are fetched.
    pub(crate) sources: Vec<Source>,
    pub(crate) revocation: RevocationRules,
    /// The feed of revocations, where there is one.
    pub(crate) feed: Option<SourceId>,
    /// The status lists, in the order of the rules.
    pub(crate) status_sources: Vec<SourceId>,
}

/// Whether what stands in a place is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// All providers that read there say so.
    Always,
    /// None of them does.
    Never,
    /// The one says so that a credential goes to.
    AsAsked,
}

impl Keeping {
    pub(crate) fn of(location: &CredentialLocation, providers: &[Provider]) -> Self {
        let readers = || providers.iter().filter(|provider| provider.reads(location));
        let all = readers().all(|provider| provider.forward_credential);
        let any = readers().any(|provider| provider.forward_credential);
        match (all, any) {
            (true, _) => Self::Always,
            (false, false) => Self::Never,
            (false, true) => Self::AsAsked,
        }
    }
}

/// Where secrets named in a policy (`{env: NAME}`) come from.
pub trait Secrets {
    /// The value of the secret called `name`.
    fn get(&self, name: &str) -> Option<String>;
}

/// The fields of a request that may hold a credential, as bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields<'r> {
    /// Header names and values as the proxy gave them; pseudo-headers may be among them.
    pub headers: &'r [(&'r [u8], &'r [u8])],
    /// The query of the request target, without `?`.
    pub query: Option<&'r [u8]>,
    /// The method.
    pub method: &'r [u8],
    /// The request target.
    pub target: &'r [u8],
    /// `:authority` or `Host`, where the host shows one.
    pub authority: Option<&'r [u8]>,
    /// What the host says of the client certificate of the connection; nothing where there is none.
    pub peer: Option<&'r Peer>,
}

/// A rejection and what may be recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: Reject,
    /// The provider that rejected, where the credential led to one.
    pub provider: Option<String>,
}

/// One challenge of a 401 (RFC 9110 section 11.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, as in `Bearer`.
    pub scheme: String,
    /// For `DPoP`, the algorithms that proofs may have, separated by spaces (RFC 9449 section 7.1).
    pub algorithms: Option<String>,
}

/// What other layers may know of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSummary {
    /// Its name.
    pub name: String,
    /// Whether its credentials carry scopes of their own (tokens do, keys and certificates do not).
    pub carries_scopes: bool,
}

/// What callers should know of tokens that are bound (RFC 9728 section 2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoundTokens {
    /// The algorithms that DPoP proofs may have.
    pub algorithms: Vec<&'static str>,
    /// Whether every token must be bound to a DPoP key.
    pub dpop_required: bool,
    /// Whether tokens may be bound to client certificates.
    pub certificates: bool,
}

/// Something the author should know, that stops nothing: a key that was skipped, a weak exponent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// A stable identifier of the kind.
    pub code: &'static str,
    /// The path of the field, relative to the section.
    pub path: String,
    /// What was noticed.
    pub message: String,
    /// What would be better.
    pub help: String,
}

impl Authenticator {
    /// Compiles the section.
    ///
    /// # Errors
    /// Every fault of the section, each with the path of its field relative to the section.
    pub fn compile(
        section: &AuthenticationSection,
        secrets: &dyn Secrets,
    ) -> Result<(Self, Vec<Notice>), Vec<PolicyError>> {
        compile::compile(section, secrets)
    }

    /// The providers, in the order of the policy.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderSummary> {
        let summary = |provider: &Provider| ProviderSummary {
            name: provider.name.as_ref().to_owned(),
            carries_scopes: provider.carries_scopes(),
        };
        self.providers.iter().map(summary).collect()
    }

    /// The state to begin with: nothing fetched, nothing proved.
    #[must_use]
    pub fn live(&self) -> Live {
        Live::new(self.sources.len())
    }

    /// What identifies the one credential in `fields` in a record, whatever it is worth; nothing where there is not
    /// exactly one. It is what [`Evidence::fingerprint`](crate::Evidence::fingerprint) holds after success.
    #[must_use]
    pub fn fingerprint(&self, fields: Fields<'_>) -> Option<String> {
        let found = credential::find(&self.locations, fields).ok()?;
        Some(provider::fingerprint(&found.credential))
    }

    /// One challenge per provider named in `providers` (all of them where it is empty), without repeats.
    #[must_use]
    pub fn challenges(&self, providers: &[String]) -> Vec<Challenge> {
        let is_asked = |provider: &&Provider| {
            providers.is_empty() || providers.iter().any(|name| **name == *provider.name)
        };
        let mut challenges: Vec<Challenge> = Vec::new();
        let all = self
            .providers
            .iter()
            .filter(is_asked)
            .flat_map(Provider::challenges);
        for challenge in all {
            if !challenges.contains(&challenge) {
                challenges.push(challenge);
            }
        }
        challenges
    }

    /// The nonce that a rejection must carry, so that the client can make a better proof (RFC 9449 section 9).
    #[must_use]
    pub fn nonce(&self, live: &Live, rejection: &Rejection, now: UnixTime) -> Option<String> {
        let is_asked = rejection.reason == Reject::ProofNonce
            || rejection.reason == Reject::ProofMissing
                && self.asks_for_nonces_of(rejection.provider.as_deref()?);
        live.nonces
            .as_ref()
            .filter(|_| is_asked)
            .map(|nonces| nonces.issue(now))
    }

    fn asks_for_nonces_of(&self, name: &str) -> bool {
        let provider = self.providers.iter().find(|provider| *provider.name == *name);
        provider.is_some_and(Provider::asks_for_nonces)
    }

    /// Whether proofs need nonces of ours: then the host must give [`Live`] some.
    #[must_use]
    pub fn asks_for_nonces(&self) -> bool {
        self.providers.iter().any(Provider::asks_for_nonces)
    }

    /// Whether anything depends on the client certificate of the connection.
    #[must_use]
    pub fn reads_peer(&self) -> bool {
        self.providers.iter().any(Provider::reads_peer)
    }

    /// What must change in a request so that no credential is forwarded, whatever the route and whatever the
    /// credential is worth. Credentials of a provider with `forward_credential: true` stay.
    #[must_use]
    pub fn strip(&self, fields: &Fields<'_>) -> Stripped {
        let locations = self.locations.iter().zip(&self.keeping);
        let stripping = locations.filter(|(location, keeping)| match keeping {
            Keeping::Never => true,
            Keeping::Always => false,
            Keeping::AsAsked => !self.is_kept(location, *fields),
        });
        let mut stripped = credential::strip(stripping.map(|(location, _)| location), *fields);
        if self.removes_proofs {
            let names = fields.headers.iter().map(|(name, _)| *name);
            let proofs = names.filter(|name| is_same_header_name(name, b"dpop"));
            stripped.remove.extend(proofs.map(<[u8]>::to_vec));
        }
        stripped
    }

    /// Whether a header called `name` is one in which a provider reads credentials that are not forwarded, whatever stands
    /// in it here.
    #[must_use]
    pub fn is_credential_header(&self, name: &[u8]) -> bool {
        let is_read = |location: &&CredentialLocation| match location {
            CredentialLocation::Header { name: read, .. } => is_same_header_name(name, read.as_bytes()),
            CredentialLocation::Cookie { .. } | CredentialLocation::Query { .. } => false,
        };
        let ends_here = |location: &CredentialLocation| {
            let mut readers = self.providers.iter().filter(|provider| provider.reads(location));
            readers.any(|provider| !provider.forward_credential)
        };
        self.locations.iter().filter(is_read).any(ends_here)
    }

    /// The providers whose credentials are not forwarded, and so are to be removed from requests.
    pub fn stripping(&self) -> impl Iterator<Item = &str> {
        let strips = |provider: &&Provider| !provider.forward_credential && !provider.locations.is_empty();
        self.providers
            .iter()
            .filter(strips)
            .map(|provider| &*provider.name)
    }

    /// Whether DPoP proofs end here: nobody whose tokens go on needs one.
    pub(crate) fn removes_proofs(providers: &[Provider]) -> bool {
        let has_proofs = |provider: &&Provider| provider.binding.as_ref().is_some_and(|it| it.dpop.is_some());
        let mut bound = providers.iter().filter(has_proofs).peekable();
        bound.peek().is_some() && !bound.any(|provider| provider.forward_credential)
    }

    /// Whether what stands in `location` is forwarded, where its providers differ in that: the one that its token goes to
    /// says so.
    fn is_kept(&self, location: &CredentialLocation, fields: Fields<'_>) -> bool {
        // Of several credentials some may be of a provider that keeps none.
        let Ok(found) = credential::find(std::slice::from_ref(location), fields) else {
            return false;
        };
        self.asked(&found.credential, location)
            .is_some_and(|provider| provider.forward_credential)
    }

    /// The provider that a credential goes to, whatever it is worth; none where only its proof would tell.
    fn asked(&self, credential: &[u8], location: &CredentialLocation) -> Option<&Provider> {
        let reads = |kind: fn(&Kind) -> bool| {
            let readers = self.providers.iter().filter(|provider| provider.reads(location));
            readers.filter(move |provider| kind(&provider.kind))
        };
        if reads(|kind| matches!(kind, Kind::ApiKey(_))).next().is_some() {
            return None;
        }
        let token = Untrusted::parse(credential).ok();
        let named = token.and_then(|token| self.named_by(&token, location));
        match named {
            Some((_, provider, _)) => Some(provider),
            None if has_three_segments(credential) => None,
            None => reads(|kind| matches!(kind, Kind::Introspection(_))).next(),
        }
    }

    /// The identity headers of the policy, in the order of their keys.
    #[must_use]
    pub fn identity_headers(&self) -> &[IdentityHeader] {
        &self.identity_headers
    }

    /// Every place where a provider reads credentials, each once.
    #[must_use]
    pub fn credential_locations(&self) -> &[CredentialLocation] {
        &self.locations
    }

    /// The protection space named in challenges (RFC 9110 section 11.5), where the policy names one.
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    /// The identifier of this API (RFC 8707 section 2), where the policy names one.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// The issuers of tokens that providers take, each once (RFC 9728 section 2, `authorization_servers`).
    #[must_use]
    pub fn issuers(&self) -> Vec<&str> {
        let mut issuers: Vec<&str> = Vec::new();
        for issuer in self.providers.iter().filter_map(Provider::issuer) {
            if issuer.starts_with("https://") && !issuers.contains(&issuer) {
                issuers.push(issuer);
            }
        }
        issuers
    }

    /// How bearer tokens come (RFC 9728 section 2, `bearer_methods_supported`): `header`, `query`. The standard has no
    /// name for a cookie.
    #[must_use]
    pub fn bearer_methods(&self) -> Vec<&'static str> {
        let method = |location: &CredentialLocation| match location {
            CredentialLocation::Header { .. } => Some("header"),
            CredentialLocation::Query { .. } => Some("query"),
            CredentialLocation::Cookie { .. } => None,
        };
        let tokens = self.providers.iter().filter(|provider| provider.carries_scopes());
        let locations = tokens.flat_map(|provider| &provider.locations);
        let used: Vec<&str> = locations.filter_map(method).collect();
        let mut methods = vec!["header", "query"];
        methods.retain(|name| used.contains(name));
        methods
    }

    /// What callers should know of tokens that are bound to a key or a certificate.
    #[must_use]
    pub fn bound_tokens(&self) -> BoundTokens {
        let mut bound = BoundTokens {
            dpop_required: self.providers.iter().any(Provider::carries_scopes),
            ..BoundTokens::default()
        };
        for binding in self
            .providers
            .iter()
            .filter_map(|provider| provider.binding.as_ref())
        {
            let proofs = binding.dpop.iter().flat_map(|rules| &rules.algorithms);
            for name in proofs.map(|algorithm| algorithm.name()) {
                if !bound.algorithms.contains(&name) {
                    bound.algorithms.push(name);
                }
            }
            bound.dpop_required &= binding.binding == Binding::Dpop;
            bound.certificates |= matches!(binding.binding, Binding::Mtls | Binding::Any);
        }
        bound
    }

    /// The origins that callers see.
    #[must_use]
    pub fn origins(&self) -> &[String] {
        &self.origins
    }
}
