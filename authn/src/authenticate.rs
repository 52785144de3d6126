//! Who is calling? Exactly one credential is found and proved, or found proved already; then what must be looked at on
//! every request is looked at.

use std::rc::Rc;

use scopegate_document::UnixTime;

use crate::credential::{self, CredentialLocation};
use crate::live::Live;
use crate::proof::Proof;
use crate::provider::{Kind, Provider, Surroundings, TokenProvider, Unproved};
use crate::step::{Attempt, Step};
use crate::untrusted::Untrusted;
use crate::{Algorithm, Authenticator, Fields, Reject, Rejection, limits};

impl Authenticator {
    /// Finds exactly one credential in `fields` and proves it at the time `now`. What was proved before, and what was
    /// fetched, is in `live`.
    ///
    /// # Errors
    /// The first check that fails, in the order of the language.
    pub fn authenticate(
        &self,
        fields: Fields<'_>,
        live: &mut Live,
        attempt: &Attempt,
        now: UnixTime,
    ) -> Result<Step, Rejection> {
        let found = credential::find(&self.locations, fields).map_err(unattributed)?;
        if found.credential.len() > limits::TOKEN_BYTES {
            return Err(unattributed(Reject::TokenTooLarge));
        }
        let place = self.place_of(found.location);
        if let Some(proof) = self.known(place, &found.credential, live, now)? {
            return self.admit(&proof, now);
        }
        let around = Surroundings {
            authenticator: self,
            live,
            attempt,
            now,
        };
        let proof = match self.prove(&found.credential, found.location, around) {
            Ok(proof) => Rc::new(proof),
            Err((Unproved::Waiting(need), _)) => return Ok(Step::Wait(need)),
            Err((Unproved::Rejected(reason), provider)) => return Err(Rejection { reason, provider }),
        };
        live.tokens.insert(place, &found.credential, Rc::clone(&proof));
        self.admit(&proof, now)
    }

    /// What was proved of a credential before, where the keys that proved it are still in force.
    fn known(
        &self,
        place: usize,
        credential: &[u8],
        live: &mut Live,
        now: UnixTime,
    ) -> Result<Option<Rc<Proof>>, Rejection> {
        let Some(proof) = live.tokens.get(place, credential).map(Rc::clone) else {
            return Ok(None);
        };
        let around = Surroundings {
            authenticator: self,
            live,
            attempt: &Attempt::default(),
            now,
        };
        let provider = self.providers.get(proof.provider);
        let is_current = match provider.and_then(Provider::tokens) {
            Some(tokens) => tokens.is_current(proof.generation, around).unwrap_or(false),
            None => false,
        };
        let is_usable = proof.usable_until.is_none_or(|until| now < until);
        if is_current && is_usable {
            return Ok(Some(proof));
        }
        live.tokens.remove(place, credential);
        Ok(None)
    }

    fn place_of(&self, location: &CredentialLocation) -> usize {
        let mut places = self.locations.iter();
        places
            .position(|place| std::ptr::eq(place, location))
            .unwrap_or(usize::MAX)
    }

    fn prove(
        &self,
        credential: &[u8],
        location: &CredentialLocation,
        around: Surroundings<'_>,
    ) -> Result<Proof, (Unproved, Option<String>)> {
        let token = Untrusted::parse(credential).map_err(nobodys)?;
        let (index, provider, tokens) = self.provider_of(&token, location).map_err(nobodys)?;
        tokens
            .prove((index, provider), token, around)
            .map_err(|unproved| (unproved, Some(provider.name.clone())))
    }

    /// What must be looked at on every request, whenever the credential was proved.
    fn admit(&self, proof: &Proof, now: UnixTime) -> Result<Step, Rejection> {
        let Some(provider) = self.providers.get(proof.provider) else {
            return Err(unattributed(Reject::IssuerUnknown));
        };
        let attributed = |reason| Rejection {
            reason,
            provider: Some(provider.name.clone()),
        };
        let Kind::Token(tokens) = &provider.kind;
        if let Some(times) = proof.times {
            tokens.times.allow(times, now).map_err(attributed)?;
        }
        if proof.caller.claims().contains_key("cnf") {
            return Err(attributed(Reject::BindingMismatch));
        }
        Ok(Step::Done(Rc::clone(&proof.caller)))
    }

    /// The provider that a well-formed token goes to: by its exact `iss`, else by the trust domain of its `sub`.
    fn provider_of(
        &self,
        token: &Untrusted<'_>,
        location: &CredentialLocation,
    ) -> Result<(usize, &Provider, &TokenProvider), Reject> {
        // No extension is understood, so none may be critical (RFC 7515 section 4.1.11).
        if token.header.is_critical {
            return Err(Reject::CriticalHeader);
        }
        let algorithm = Algorithm::from_name(&token.header.algorithm).ok_or(Reject::AlgorithmNotAllowed)?;
        let mut tokens = self.providers.iter().filter_map(Provider::tokens);
        if !tokens.any(|tokens| tokens.algorithms.contains(&algorithm)) {
            return Err(Reject::AlgorithmNotAllowed);
        }
        self.named_by(token, location).ok_or(Reject::IssuerUnknown)
    }

    /// INVARIANT: no two providers read one location and answer to one issuer or trust domain. A token may name
    /// an issuer and a trust domain of different providers: the issuer decides.
    pub(crate) fn named_by(
        &self,
        token: &Untrusted<'_>,
        location: &CredentialLocation,
    ) -> Option<(usize, &Provider, &TokenProvider)> {
        let named = || {
            let providers = self.providers.iter().enumerate();
            let here = providers.filter(|(_, provider)| provider.reads(location));
            let tokens = here.filter_map(|(index, provider)| Some((index, provider, provider.tokens()?)));
            tokens.filter(|(_, _, tokens)| tokens.is_named_by(&token.claims))
        };
        named()
            .find(|(_, _, tokens)| tokens.is_issuer())
            .or_else(|| named().next())
    }
}

const fn unattributed(reason: Reject) -> Rejection {
    Rejection {
        reason,
        provider: None,
    }
}

const fn nobodys(reason: Reject) -> (Unproved, Option<String>) {
    (Unproved::Rejected(reason), None)
}
