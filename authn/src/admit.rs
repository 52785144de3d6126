//! What is looked at on every request, whenever its credential was proved: the times, what the token is bound to,
//! what was revoked. None of it is ever kept.

use std::rc::Rc;

use crate::confirmation::{self, Confirmation};
use crate::credential::{CredentialLocation, Found};
use crate::dpop;
use crate::mtls;
use crate::proof::{Lasts, Proof};
use crate::provider::{Kind, Provider, Surroundings, Unproved};
use crate::remote::{Content, SourceId};
use crate::revocation::{self, TokenFacts};
use crate::status_list::StatusListRules;
use crate::step::{Need, Step, Unclaimed};
use crate::{Authenticator, Fields, Reject};

/// A proof, and the request that it came with.
pub(crate) struct Admission<'a> {
    pub(crate) authenticator: &'a Authenticator,
    pub(crate) proof: &'a Proof,
    /// The credential and where it stood; none for the certificate of the connection.
    pub(crate) found: Option<&'a Found<'a, 'a>>,
    pub(crate) fields: Fields<'a>,
    pub(crate) around: Surroundings<'a>,
}

impl Admission<'_> {
    /// Decides in the order of the language: times, binding, revocation.
    pub(crate) fn decide(&self) -> Result<Step, Unproved> {
        let providers = &self.authenticator.providers;
        let provider = providers.get(self.proof.provider).ok_or(Reject::IssuerUnknown)?;
        if let (Lasts::AsTheToken(times), Some(tokens)) = (self.proof.lasts, provider.tokens()) {
            tokens.times.allow(times, self.around.now)?;
        }
        let claim = self.check_binding(provider)?;
        self.check_revocation(provider)?;
        let caller = Rc::clone(&self.proof.caller);
        Ok(match claim {
            None => Step::Done(caller),
            Some(claim) => Step::Claim(Box::new(Unclaimed {
                claim,
                provider: provider.name.as_ref().to_owned(),
                caller,
            })),
        })
    }

    /// Whatever the token is bound to must be proved with this very request (RFC 8705 section 3, RFC 9449 section 7).
    fn check_binding(&self, provider: &Provider) -> Result<Option<dpop::Claim>, Reject> {
        let Some((rules, found)) = provider.binding.as_ref().zip(self.found) else {
            return Ok(None);
        };
        let confirmation = rules.required(self.proof.caller.claims())?;
        check_scheme(found.location, confirmation)?;
        let Some(Confirmation { key, certificate }) = confirmation else {
            return Ok(None);
        };
        if let Some(expected) = certificate {
            let presented = self.certificate_digest()?;
            confirmation::check_certificate(&expected, presented.as_ref())?;
        }
        let Some(key) = key else { return Ok(None) };
        let rules = rules.dpop.as_ref().ok_or(Reject::BindingMismatch)?;
        let request = dpop::Request {
            headers: self.fields.headers,
            method: self.fields.method,
            target: self.fields.target,
            authority: self.fields.authority,
        };
        let bound = dpop::Bound {
            access_token: &found.credential,
            key: &key,
        };
        let nonces = self.around.live.nonces.as_ref();
        dpop::check(
            rules,
            &request,
            &bound,
            (nonces, self.around.host()),
            self.around.now,
        )
        .map(Some)
    }

    fn certificate_digest(&self) -> Result<Option<[u8; 32]>, Reject> {
        let rules = self.authenticator.providers.iter();
        let rules = rules.filter_map(|provider| match &provider.kind {
            Kind::Peer(rules) => Some(rules),
            Kind::Token(_) | Kind::ApiKey(_) | Kind::Introspection(_) => None,
        });
        let digest = mtls::certificate_digest(rules, self.fields.peer, self.fields.headers);
        // The token is good, and whoever holds the connection is nobody it could be bound to.
        digest.map_err(|_| Reject::BindingMismatch)
    }

    fn check_revocation(&self, provider: &Provider) -> Result<(), Unproved> {
        let rules = &self.authenticator.revocation;
        let feed = self.authenticator.feed;
        if rules.is_empty() && feed.is_none() {
            return Ok(());
        }
        let caller = &self.proof.caller;
        let claims = caller.claims();
        let facts = TokenFacts {
            jti: claims.get("jti").and_then(serde_json::Value::as_str),
            subject: caller.subject(),
            client: caller.client(),
            key_id: caller.evidence().key_id.as_deref(),
            issued_at: revocation::issued_at(claims),
        };
        rules.list.check(&provider.name, &facts)?;
        if let Some(feed) = feed {
            let Content::Revocations(list) = self.content(feed)? else {
                return Err(Reject::RevocationUnavailable.into());
            };
            list.check(&provider.name, &facts)?;
        }
        let status = StatusListRules::resolve(&rules.status_lists, &provider.name, claims)?;
        let Some((place, index)) = status else {
            return Ok(());
        };
        let source = self.authenticator.status_sources.get(place);
        let source = source.ok_or(Reject::RevocationUnavailable)?;
        match self.content(*source)? {
            Content::StatusList(list) => Ok(list.check(index, self.around.now)?),
            Content::Keys(..) | Content::Revocations(_) => Err(Reject::RevocationUnavailable.into()),
        }
    }

    /// A document without which nobody passes.
    fn content(&self, source: SourceId) -> Result<&Content, Unproved> {
        let Surroundings {
            authenticator,
            live,
            attempt,
            now,
        } = self.around;
        match live.content(authenticator, source, now) {
            Some((content, _)) => Ok(content),
            None if attempt.may_wait_for(source) => Err(Unproved::Waiting(Need::Source(source))),
            None => Err(Reject::RevocationUnavailable.into()),
        }
    }
}

/// A token that is bound to a key comes with the scheme `DPoP`, and no other one does (RFC 9449 sections 7.1 and 7.2).
fn check_scheme(location: &CredentialLocation, confirmation: Option<Confirmation>) -> Result<(), Reject> {
    let CredentialLocation::Header {
        scheme: Some(scheme), ..
    } = location
    else {
        return Ok(());
    };
    let is_bound_to_key = confirmation.is_some_and(|confirmation| confirmation.key.is_some());
    match scheme.eq_ignore_ascii_case("DPoP") == is_bound_to_key {
        true => Ok(()),
        false => Err(Reject::BindingMismatch),
    }
}
