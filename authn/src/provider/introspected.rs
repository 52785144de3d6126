//! Opaque tokens (RFC 7662): what their issuer answers, made into a proof.

use std::rc::Rc;

use crate::introspection::answer::Active;
use crate::introspection::{IntrospectionRules, request};
use crate::proof::{Lasts, Proof};
use crate::remote::Fetch;
use crate::step::{self, Need, Question};
use crate::{Evidence, Reject};

use super::token::check_required;
use super::{Provider, Surroundings, Unproved, fingerprint};

impl IntrospectionRules {
    /// Proves a token by the answer about it, or asks for one.
    pub(crate) fn prove(
        &self,
        (index, provider): (usize, &Provider),
        token: &[u8],
        around: Surroundings<'_>,
    ) -> Result<Proof, Unproved> {
        let Some(answer) = around.attempt.answer_for(index, token) else {
            return Err(self.ask(index, token, around)?);
        };
        let active = answer.clone()?;
        check_required(&self.required, &active.claims)?;
        let Active {
            claims,
            issued_at,
            expires_at,
            usable_until,
        } = active;
        let identity = self.mapping.identity(&claims)?;
        let evidence = Evidence {
            kind: "introspection",
            fingerprint: fingerprint(token),
            algorithm: None,
            key_id: None,
            issued_at,
            expires_at,
        };
        Ok(Proof {
            provider: index,
            generation: 0,
            caller: Rc::new(provider.verified(identity, claims, evidence)),
            proved_at: around.now,
            lasts: Lasts::Until(usable_until),
        })
    }

    /// The question; a token that is none is refused, and nobody is asked about it.
    fn ask(&self, index: usize, token: &[u8], around: Surroundings<'_>) -> Result<Unproved, Reject> {
        let question = request::request(self, token)?;
        if !around.attempt.may_ask() {
            return Err(Reject::IntrospectionUnavailable);
        }
        let request::IntrospectionRequest {
            scheme,
            authority,
            path,
            headers,
            body,
        } = question;
        let fetch = Fetch {
            upstream: self.upstream.clone(),
            method: "POST",
            scheme,
            authority,
            path,
            headers,
            body,
        };
        Ok(Unproved::Waiting(Need::Answer(Box::new(Question {
            provider: index,
            token: step::digest(token),
            fetch,
        }))))
    }
}
