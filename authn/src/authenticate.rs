//! Who is calling? Exactly one credential is found and proved, or found proved already; then what must be looked at on
//! every request is looked at.

use std::rc::Rc;

use scopegate_document::UnixTime;

use crate::admit::Admission;
use crate::credential::{self, CredentialLocation, Found};
use crate::live::Live;
use crate::proof::Proof;
use crate::provider::{Kind, Provider, Surroundings, TokenProvider, Unproved};
use crate::step::{Attempt, Step};
use crate::untrusted::{self, Untrusted};
use crate::{Algorithm, Authenticator, Fields, Reject, Rejection, is_same_header_name, limits, mtls};

/// A reason, and the place of the provider that it is attributed to.
type Refused = (Unproved, Option<usize>);

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
        match self.step(fields, live, attempt, now) {
            Ok(step) => Ok(step),
            Err((Unproved::Waiting(need), _)) => Ok(Step::Wait(need)),
            Err((Unproved::Rejected(reason), place)) => {
                let provider = place.and_then(|place| self.providers.get(place));
                Err(Rejection {
                    reason,
                    provider: provider.map(|provider| provider.name.as_ref().to_owned()),
                })
            }
        }
    }

    fn step(
        &self,
        fields: Fields<'_>,
        live: &mut Live,
        attempt: &Attempt,
        now: UnixTime,
    ) -> Result<Step, Refused> {
        let found = match credential::find(&self.locations, fields) {
            Ok(found) => found,
            // A certificate is the caller only when it comes alone.
            Err(Reject::CredentialMissing) if self.has_peers() && !self.has_other(fields) => {
                let around = self.around(live, attempt, now);
                let proof = self.identify(fields, around)?;
                return self.admit(&proof, None, (fields, around));
            }
            Err(reject) => return Err(nobodys(reject)),
        };
        if found.credential.len() > limits::TOKEN_BYTES {
            return Err(nobodys(Reject::TokenTooLarge));
        }
        let place = self.place_of(found.location);
        let known = live.tokens.get(place, &found.credential).map(Rc::clone);
        let known = known.filter(|proof| self.is_current(proof, self.around(live, attempt, now)));
        live.tokens.count(known.is_some());
        let proof = match known {
            Some(proof) => proof,
            None => {
                live.tokens.remove(place, &found.credential);
                let proof = Rc::new(self.prove(&found, self.around(live, attempt, now))?);
                if proof.is_kept(now) {
                    live.tokens.insert(place, &found.credential, Rc::clone(&proof));
                }
                proof
            }
        };
        self.admit(&proof, Some(&found), (fields, self.around(live, attempt, now)))
    }

    fn admit(
        &self,
        proof: &Proof,
        found: Option<&Found<'_, '_>>,
        (fields, around): (Fields<'_>, Surroundings<'_>),
    ) -> Result<Step, Refused> {
        let admission = Admission {
            authenticator: self,
            proof,
            found,
            fields,
            around,
        };
        admission
            .decide()
            .map_err(|unproved| (unproved, Some(proof.provider)))
    }

    const fn around<'a>(&'a self, live: &'a Live, attempt: &'a Attempt, now: UnixTime) -> Surroundings<'a> {
        Surroundings {
            authenticator: self,
            live,
            attempt,
            now,
        }
    }

    /// Whether what was proved before is proved still: by the keys in force, and for as long as it lasts.
    fn is_current(&self, proof: &Proof, around: Surroundings<'_>) -> bool {
        let provider = self.providers.get(proof.provider);
        let has_keys = provider.is_some_and(|provider| match &provider.kind {
            Kind::Token(tokens) => tokens.is_current(proof.generation, around),
            Kind::ApiKey(_) | Kind::Peer(_) | Kind::Introspection(_) => true,
        });
        has_keys && proof.is_kept(around.now)
    }

    fn place_of(&self, location: &CredentialLocation) -> usize {
        let mut places = self.locations.iter();
        places
            .position(|place| std::ptr::eq(place, location))
            .unwrap_or(usize::MAX)
    }

    /// Proves a credential by the one provider that it goes to. Never a second one for what the first refused.
    fn prove(&self, found: &Found<'_, '_>, around: Surroundings<'_>) -> Result<Proof, Refused> {
        let (credential, location) = (&*found.credential, found.location);
        let here = || {
            let providers = self.providers.iter().enumerate();
            providers.filter(|(_, provider)| provider.reads(location))
        };
        if here().any(|(_, provider)| matches!(provider.kind, Kind::ApiKey(_))) {
            return self.look_up(credential, here(), around.now);
        }
        let asked = here().find_map(|(index, provider)| match &provider.kind {
            Kind::Introspection(rules) => Some((index, provider, rules)),
            Kind::Token(_) | Kind::ApiKey(_) | Kind::Peer(_) => None,
        });
        let reads_tokens = here().any(|(_, provider)| provider.tokens().is_some());
        match asked {
            // What looks like a signed token goes to the providers of signed tokens, where there are any.
            Some((index, provider, rules)) if !reads_tokens || !untrusted::has_three_segments(credential) => {
                rules
                    .prove((index, provider), credential, around)
                    .map_err(|unproved| (unproved, Some(index)))
            }
            _ => self.prove_token(credential, location, around),
        }
    }

    fn prove_token(
        &self,
        credential: &[u8],
        location: &CredentialLocation,
        around: Surroundings<'_>,
    ) -> Result<Proof, Refused> {
        let token = Untrusted::parse(credential).map_err(nobodys)?;
        let (index, provider, tokens) = self.provider_of(&token, location).map_err(nobodys)?;
        tokens
            .prove((index, provider), token, around)
            .map_err(|unproved| (unproved, Some(index)))
    }

    /// An API key, by the providers that read keys in its place. INVARIANT: no two of them know one key.
    fn look_up<'p>(
        &self,
        credential: &[u8],
        here: impl Iterator<Item = (usize, &'p Provider)>,
        now: UnixTime,
    ) -> Result<Proof, Refused> {
        let mut answer = Err(nobodys(Reject::ApiKeyUnknown));
        for (index, provider) in here {
            let Kind::ApiKey(keys) = &provider.kind else {
                continue;
            };
            match keys.find(credential, now) {
                Ok(key) => answer = Ok(provider.by_api_key(index, key, credential, now)),
                Err(Reject::ApiKeyUnknown) => {}
                Err(reject) => answer = Err((reject.into(), Some(index))),
            }
        }
        answer
    }

    /// Whether a header that providers read holds something else: then a certificate does not come alone.
    fn has_other(&self, fields: Fields<'_>) -> bool {
        let is_read = |name: &[u8]| {
            self.locations.iter().any(|location| match location {
                CredentialLocation::Header { name: read, .. } => is_same_header_name(name, read.as_bytes()),
                CredentialLocation::Cookie { .. } | CredentialLocation::Query { .. } => false,
            })
        };
        fields.headers.iter().any(|(name, _)| is_read(name))
    }

    fn has_peers(&self) -> bool {
        self.providers
            .iter()
            .any(|provider| matches!(provider.kind, Kind::Peer(_)))
    }

    /// Who the certificate of the connection says is calling.
    fn identify(&self, fields: Fields<'_>, around: Surroundings<'_>) -> Result<Proof, Refused> {
        let peers = || {
            let providers = self.providers.iter().enumerate();
            providers.filter_map(|(index, provider)| match &provider.kind {
                Kind::Peer(rules) => Some((index, provider, rules)),
                Kind::Token(_) | Kind::ApiKey(_) | Kind::Introspection(_) => None,
            })
        };
        let rules = peers().map(|(_, _, rules)| rules).collect::<Vec<_>>();
        let identity = mtls::identify(rules.iter().copied(), fields.peer, fields.headers).map_err(nobodys)?;
        match peers().nth(identity.provider) {
            Some((index, provider, _)) => Ok(provider.by_certificate(index, identity, around.now)),
            None => Err(nobodys(Reject::PeerUnidentified)),
        }
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

const fn nobodys(reason: Reject) -> Refused {
    (Unproved::Rejected(reason), None)
}
