//! One question: what is done with this request?
//!
//! The order of work is the language's: understand, select, strip, authenticate, authorize, apply. Every
//! step is total, and every refusal goes through one door.

use std::sync::Arc;

use scopegate_authn::{
    Attempt, Challenge, Claim, Claimed, Fields, Live, Need, Reject, Rejection, Step, Unclaimed, Verified,
};
use scopegate_authz::{
    Action, Circumstances, Denial, Deny, GuardedAction, Mode, Permit, RequestError, RouteView, Target,
    Unrouted,
};
use scopegate_document::UnixTime;

use crate::audit::{Authentication, Authorization, Context, Failure};
use crate::decision::Caller;
use crate::digest;
use crate::metadata::ResourceMetadata;
use crate::reply::{self, Area, Asked, Refusal};
use crate::{Decision, Engine, Layer, Outcome, Record, Request};

/// Why no policy can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// No good policy was ever configured.
    NotConfigured,
    /// The host shows only a part of the request, or more than is looked at.
    HeadersTruncated,
}

/// How far a decision came.
#[derive(Debug)]
pub enum Progress<'p> {
    /// Decided.
    Decided(Box<Decision>),
    /// Decided but for one thing: whether the DPoP proof was used before.
    Claim(Box<Pending<'p>>),
    /// Something must be known first. Nothing of the request passes until it is decided.
    Wait(Need),
}

/// A request whose caller holds a DPoP proof that may have been used before.
#[derive(Debug)]
pub struct Pending<'p> {
    engine: &'p Engine,
    request: &'p Request<'p>,
    action: Action<'p>,
    unclaimed: Unclaimed,
    now: UnixTime,
}

impl Pending<'_> {
    /// What must be remembered of the proof, for all workers alike.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        self.unclaimed.claim()
    }

    /// The decision, once it is known whether the proof was used before.
    #[must_use]
    pub fn finish(self, claimed: Claimed) -> Decision {
        let Self {
            engine,
            request,
            action,
            unclaimed,
            now,
        } = self;
        let context = Context {
            request,
            now: Some(now),
            route: Some(action.route()),
            policy: Some(&engine.policy),
        };
        match (unclaimed.finish(claimed), &action) {
            (Ok(caller), Action::Guarded(guarded)) => engine.authorized(&context, guarded, &caller, now),
            // INVARIANT: nobody is asked for a proof on a public route.
            (Ok(_), Action::Public(_)) => engine.rejected(&context, &unproved(Reject::NotConfigured), None),
            (Err(rejection), _) => engine.rejected(&context, &rejection, None),
        }
    }
}

impl Engine {
    /// The decision where no policy can be asked: always a refusal.
    #[must_use]
    pub fn unready(request: &Request<'_>, reason: Unready, now: Option<UnixTime>) -> Decision {
        let refusal = match reason {
            Unready::NotConfigured => Refusal::Reject(Reject::NotConfigured),
            Unready::HeadersTruncated => Refusal::Request(RequestError::HeadersTruncated),
        };
        let context = Context {
            request,
            now,
            route: None,
            policy: None,
        };
        let (authentication, authorization) = match reason {
            Unready::NotConfigured => {
                let failure = Failure {
                    provider: None,
                    reason: refusal.code(),
                    fingerprint: None,
                };
                (Authentication::Failure(failure), Authorization::NotEvaluated)
            }
            Unready::HeadersTruncated => (Authentication::Skipped, Authorization::Unrouted(refusal.code())),
        };
        let reply = reply::render(request, &refusal, &Area::DEFAULT, &Asked::NOTHING);
        Decision {
            outcome: Outcome::Reply(reply),
            code: refusal.code(),
            layer: refusal.layer(),
            would_deny: None,
            route: None,
            caller: None,
            audit: vec![authentication.record(&context), authorization.record(&context)],
            authentication: authentication.counted(),
            authorization: authorization.counted(None),
        }
    }

    /// Decides on a request. Total: whatever fails, the answer is a refusal. `now` is `None` when the clock
    /// failed. With [`Attempt::last`] nothing is ever waited for.
    #[must_use]
    pub fn decide<'p>(
        &'p self,
        request: &'p Request<'p>,
        live: &mut Live,
        attempt: &Attempt,
        now: Option<UnixTime>,
    ) -> Progress<'p> {
        if let Some(decision) = self.metadata(request, now) {
            return decided(decision);
        }
        match self.authorizer.select(target(request)) {
            Err(Unrouted::Request(error)) => decided(self.unrouted(request, now, Refusal::Request(error))),
            Err(Unrouted::NoRoute) => decided(self.unrouted(request, now, Refusal::Deny(Deny::NoRoute))),
            Ok(action) => self.act(request, action, (live, attempt), now),
        }
    }

    /// The metadata of this API, where the policy names the API and the request asks for it (RFC 9728 section 3.1).
    fn metadata(&self, request: &Request<'_>, now: Option<UnixTime>) -> Option<Decision> {
        let reply = self.resource_metadata.as_ref()?.reply_to(request)?;
        let context = Context {
            request,
            now,
            route: None,
            policy: Some(&self.policy),
        };
        let layers = (&Authentication::Skipped, &Authorization::Metadata);
        Some(self.decision(
            &context,
            Outcome::Reply(reply),
            "resource_metadata",
            layers.0,
            layers.1,
        ))
    }

    fn act<'p>(
        &'p self,
        request: &'p Request<'p>,
        action: Action<'p>,
        (live, attempt): (&mut Live, &Attempt),
        now: Option<UnixTime>,
    ) -> Progress<'p> {
        let context = Context {
            request,
            now,
            route: Some(action.route()),
            policy: Some(&self.policy),
        };
        let (guarded, now) = match (&action, now) {
            (_, None) => {
                return decided(self.rejected(&context, &unproved(Reject::ClockUnavailable), None));
            }
            (Action::Public(public), Some(_)) => return decided(self.public(&context, &public.permit())),
            (Action::Guarded(guarded), Some(now)) => (guarded, now),
        };
        match self
            .authenticator
            .authenticate(fields(request), live, attempt, now)
        {
            Ok(Step::Done(caller)) => decided(self.authorized(&context, guarded, &caller, now)),
            Ok(Step::Wait(need)) => Progress::Wait(need),
            Ok(Step::Claim(unclaimed)) => Progress::Claim(Box::new(Pending {
                engine: self,
                request,
                action,
                unclaimed: *unclaimed,
                now,
            })),
            Err(rejection) => {
                let nonce = self.authenticator.nonce(live, &rejection, now);
                decided(self.rejected(&context, &rejection, nonce))
            }
        }
    }

    pub(crate) fn unrouted(
        &self,
        request: &Request<'_>,
        now: Option<UnixTime>,
        refusal: Refusal,
    ) -> Decision {
        let context = Context {
            request,
            now,
            route: None,
            policy: Some(&self.policy),
        };
        self.refuse(
            &context,
            &Authentication::Skipped,
            &Authorization::Unrouted(refusal.code()),
            &refusal,
            &Asked::NOTHING,
        )
    }

    fn public(&self, context: &Context<'_>, permit: &Permit<'_>) -> Decision {
        let forward = self.identity.anonymous(context.request, &self.authenticator);
        let outcome = Outcome::Forward(forward);
        self.decision(
            context,
            outcome,
            "allow",
            &Authentication::Skipped,
            &Authorization::Allow(permit),
        )
    }

    fn authorized(
        &self,
        context: &Context<'_>,
        action: &GuardedAction<'_>,
        caller: &Verified,
        now: UnixTime,
    ) -> Decision {
        let asked = Circumstances {
            now,
            target: target(context.request),
            source: context.request.source,
        };
        match action.authorize(caller, &asked) {
            Ok(permit) => self.permitted(context, caller, &permit),
            Err(denial) => self.denied(context, caller, denial),
        }
    }

    fn permitted(&self, context: &Context<'_>, caller: &Verified, permit: &Permit<'_>) -> Decision {
        match self
            .identity
            .proved(context.request, &self.authenticator, caller, permit)
        {
            Ok(forward) => {
                let layers = (Authentication::Success(caller), Authorization::Allow(permit));
                let outcome = Outcome::Forward(forward);
                Decision {
                    caller: Some(Caller::of(caller)),
                    ..self.decision(context, outcome, "allow", &layers.0, &layers.1)
                }
            }
            Err(reason) => {
                let provider = Some(caller.provider().to_owned());
                self.rejected(context, &Rejection { reason, provider }, None)
            }
        }
    }

    fn denied(&self, context: &Context<'_>, caller: &Verified, denial: Denial) -> Decision {
        if context.watches(Mode::watches_authorization) {
            let layers = (Authentication::Success(caller), Authorization::WouldDeny(&denial));
            return self.watched(context, denial.code(), &layers.0, &layers.1);
        }
        let refusal = Refusal::Deny(denial.deny.clone());
        let provider = [caller.provider().to_owned()];
        let challenges = self.authenticator.challenges(&provider);
        let layers = (Authentication::Success(caller), Authorization::Deny(&denial));
        let asked = Asked {
            challenges: &challenges,
            nonce: None,
        };
        self.refuse(context, &layers.0, &layers.1, &refusal, &asked)
    }

    /// What a dry run lets pass: nothing is said of who is calling, and the record says what was to be refused.
    fn watched(
        &self,
        context: &Context<'_>,
        code: &'static str,
        authentication: &Authentication<'_>,
        authorization: &Authorization<'_>,
    ) -> Decision {
        let mut forward = self.identity.anonymous(context.request, &self.authenticator);
        // What was not taken for a credential here may be one to the upstream.
        let names = context.request.headers.iter().map(|(name, _)| *name);
        let unproved = names.filter(|name| self.authenticator.is_credential_header(name));
        forward.remove.extend(unproved.map(<[u8]>::to_vec));
        forward.remove.sort_unstable();
        forward.remove.dedup();
        let outcome = Outcome::Forward(forward);
        let decision = self.decision(context, outcome, "allow", authentication, authorization);
        Decision {
            would_deny: Some(code),
            ..decision
        }
    }

    fn rejected(&self, context: &Context<'_>, rejection: &Rejection, nonce: Option<String>) -> Decision {
        let challenges = match &rejection.provider {
            Some(provider) => self.authenticator.challenges(std::slice::from_ref(provider)),
            None => self.route_challenges(context.route.as_ref()),
        };
        let failure = Failure {
            provider: rejection.provider.as_deref(),
            reason: rejection.reason.code(),
            fingerprint: self.authenticator.fingerprint(fields(context.request)),
        };
        // An outage or a request that contradicts itself is no answer that a dry run could try out.
        if rejection.reason.status() == 401 && context.watches(Mode::watches_authentication) {
            let layers = (Authentication::WouldDeny(failure), Authorization::NotEvaluated);
            return self.watched(context, rejection.reason.code(), &layers.0, &layers.1);
        }
        let authentication = Authentication::Failure(failure);
        let refusal = Refusal::Reject(rejection.reason);
        self.refuse(
            context,
            &authentication,
            &Authorization::NotEvaluated,
            &refusal,
            &Asked {
                challenges: &challenges,
                nonce,
            },
        )
    }

    fn route_challenges(&self, route: Option<&RouteView<'_>>) -> Vec<Challenge> {
        self.authenticator
            .challenges(route.map_or(&[], |route| route.providers))
    }

    fn refuse(
        &self,
        context: &Context<'_>,
        authentication: &Authentication<'_>,
        authorization: &Authorization<'_>,
        refusal: &Refusal,
        asked: &Asked<'_>,
    ) -> Decision {
        let reply = reply::render(context.request, refusal, &self.area(), asked);
        let decision = self.decision(
            context,
            Outcome::Reply(reply),
            refusal.code(),
            authentication,
            authorization,
        );
        Decision {
            layer: refusal.layer(),
            ..decision
        }
    }

    fn decision(
        &self,
        context: &Context<'_>,
        outcome: Outcome,
        code: &'static str,
        authentication: &Authentication<'_>,
        authorization: &Authorization<'_>,
    ) -> Decision {
        Decision {
            code,
            layer: Layer::Authorization,
            would_deny: None,
            route: context.route.map(|route| Arc::clone(route.shared_id)),
            caller: None,
            audit: self.records(context, &outcome, authentication, authorization),
            authentication: authentication.counted(),
            authorization: authorization.counted(context.route.as_ref()),
            outcome,
        }
    }

    fn records(
        &self,
        context: &Context<'_>,
        outcome: &Outcome,
        authentication: &Authentication<'_>,
        authorization: &Authorization<'_>,
    ) -> Vec<Record> {
        let is_allowed = matches!(outcome, Outcome::Forward(_))
            && !authorization.is_denial()
            && !authentication.is_failure();
        let recorded = (
            authentication.is_recorded(&self.audit),
            authorization.is_recorded(&self.audit),
        );
        if recorded == (false, false) || (is_allowed && !self.is_sampled(context.request.serial)) {
            return Vec::new();
        }
        let mut records = Vec::with_capacity(2);
        if recorded.0 {
            records.push(authentication.record(context));
        }
        if recorded.1 {
            records.push(authorization.record(context));
        }
        records
    }

    fn area(&self) -> Area<'_> {
        Area {
            realm: &self.realm,
            resource_metadata: self.resource_metadata.as_ref().map(ResourceMetadata::url),
        }
    }

    /// Whether an allowed request is recorded. The client has no say in it: an id of its making would.
    fn is_sampled(&self, serial: u64) -> bool {
        self.audit.sample >= 1.0 || digest::fraction(serial) < self.audit.sample
    }
}

fn decided<'p>(decision: Decision) -> Progress<'p> {
    Progress::Decided(Box::new(decision))
}

const fn target<'r>(request: &Request<'r>) -> Target<'r> {
    Target {
        method: request.method,
        path: request.path,
        authority: request.authority,
        headers: request.headers,
    }
}

pub(crate) fn fields<'r>(request: &Request<'r>) -> Fields<'r> {
    let query = request.path.iter().position(|byte| *byte == b'?');
    let query = query.and_then(|at| request.path.get(at.saturating_add(1)..));
    Fields {
        headers: request.headers,
        query,
        method: request.method,
        target: request.path,
        authority: request.authority,
        peer: request.peer,
    }
}

const fn unproved(reason: Reject) -> Rejection {
    Rejection {
        reason,
        provider: None,
    }
}
