//! What the authorization language means, written down a second time.
//!
//! The engine compiles a policy: it indexes, numbers and shares. This crate does none of that. It reads the policy
//! as JSON, goes through lists in loops, and quotes the sentence of the language that each function is. It is slow
//! and obvious, and there for tests alone: whatever the two answer differently, one of them has wrong.
//!
//! It starts where the caller is known: nothing here reads a token. It trusts the policy to be one that the compiler
//! takes; [`conflicts`] is the one fault that it finds itself.

#![forbid(unsafe_code)]

mod access;
mod actors;
pub mod condition;
mod conflict;
mod facts;
mod host;
mod matching;
mod mode;
mod pattern;
mod query;
mod readings;
mod scopes;
mod selection;
mod step_up;
mod target;
mod value;
mod windows;

use serde_json::Value;

pub use access::Denial;
pub use conflict::conflicts;
pub use facts::{Caller, Request, Who};
pub use selection::is_about;

use mode::Mode;
use selection::Selected;

/// A rule that this crate gets wrong on purpose, to see that the difference is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// `any` means `all`.
    AnyIsAll,
    /// `none` looks at the scopes after the cut.
    NoneAfterTheCut,
    /// A grant ends one second late.
    GrantsEndLate,
    /// What is left after a ceiling is closed again.
    ClosedAfterTheCut,
    /// The shortest suffix of a host wins.
    ShortestSuffix,
    /// A parameter wins over a literal.
    ParameterOverLiteral,
    /// Dot segments are always resolved.
    DotsAlwaysResolved,
    /// HEAD needs a route of its own.
    HeadIsNotGet,
    /// Of two routes, the one that matches fewer headers wins.
    FewerHeadersWin,
    /// The innermost actor decides.
    InnermostActor,
    /// A window is open during its last minute and the one after.
    WindowsEndLate,
    /// Every dry run covers authentication.
    ShadowCoversRejections,
    /// An error of a condition is a condition that does not hold.
    ErrorsAreFalse,
    /// An authentication counts however old it is.
    NothingIsTooOld,
}

/// The policy, and what of it is understood wrong on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'p> {
    /// The policy document.
    pub policy: &'p Value,
    /// A rule to get wrong.
    pub wrong: Option<Wrong>,
    /// The environment of the VM, by name.
    pub environment: &'p [(&'p str, &'p str)],
    /// The conditions of the policy, by their text.
    pub conditions: &'p [(String, condition::Expression)],
}

/// What is answered, and what is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the request goes on to the upstream.
    pub forwarded: bool,
    /// The code of the refusal, or of what would have been one; `allow` else.
    pub code: String,
    /// The id of the route.
    pub route: Option<String>,
    /// What is recorded of authentication: the outcome.
    pub authentication: &'static str,
    /// What is recorded of authorization: the outcome.
    pub authorization: &'static str,
    /// The scopes that the upstream is told of, sorted: those of a caller who was let in.
    pub effective: Option<Vec<String>>,
    /// What a refused caller is told to come back with.
    pub challenge: Challenge,
}

/// A request that was understood, and the route it is about.
#[derive(Debug)]
struct Asked<'a> {
    request: &'a Request,
    understood: &'a target::Understood,
    route: &'a selection::Chosen<'a>,
}

/// What a challenge asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// `scope`: the whole branch that lacks fewest.
    pub scope: Vec<String>,
    /// `acr_values` (RFC 9470 section 3).
    pub acr_values: Vec<String>,
    /// `max_age`, in seconds.
    pub max_age: Option<i64>,
}

impl Reference<'_> {
    /// "Order of work": understand the request, select the route, authenticate, authorize.
    #[must_use]
    pub fn answer(&self, request: &Request, who: &Who, now: i64) -> Answer {
        let understood = match target::understand(request, self.policy) {
            Ok(understood) => understood,
            Err(code) => return Answer::refused(code, None, "skipped", "deny"),
        };
        match selection::select(self, request, &understood) {
            Err(code) => Answer::refused(code, None, "skipped", "deny"),
            Ok(Selected::Nothing | Selected::Open) => Answer::refused("no_route", None, "skipped", "deny"),
            Ok(Selected::Preflight(route)) => Answer::anonymous("allow", &route.id, "skipped", "allow"),
            Ok(Selected::Route(route)) if route.is_public() => {
                Answer::anonymous("allow", &route.id, "skipped", "allow")
            }
            Ok(Selected::Route(route)) => {
                let asked = Asked {
                    request,
                    understood: &understood,
                    route: &route,
                };
                self.guarded(&asked, who, now)
            }
        }
    }

    /// "Authenticate ... else a Reject. Authorize ... else a Deny."
    fn guarded(&self, asked: &Asked<'_>, who: &Who, now: i64) -> Answer {
        let route = asked.route;
        let mode = Mode::of(self, route.rules, now);
        let caller = match who {
            Who::Nobody => return Self::rejected("credential_missing", route, &mode),
            Who::Refused(code) => return Self::rejected(code, route, &mode),
            Who::Caller(caller) => caller,
        };
        match access::authorize(self, asked, caller, now) {
            Ok(effective) => Answer {
                effective: Some(effective),
                ..Answer::anonymous("allow", &route.id, "success", "allow")
            },
            // "Shadow live (now < until): a Deny is recorded `would_deny`, and the request forwarded without
            // identity headers."
            Err(denial) if mode.covers_denials() => {
                Answer::anonymous(denial.code, &route.id, "success", "would_deny")
            }
            Err(denial) => Answer {
                challenge: denial.challenge,
                ..Answer::refused(denial.code, Some(&route.id), "success", "deny")
            },
        }
    }

    /// "with `layers: [authentication, authorization]` a 401 Reject too (authentication record `would_deny`,
    /// authorization `not_evaluated`)".
    fn rejected(code: &str, route: &selection::Chosen<'_>, mode: &Mode) -> Answer {
        if mode.covers_rejections() {
            Answer::anonymous(code, &route.id, "would_deny", "not_evaluated")
        } else {
            Answer::refused(code, Some(&route.id), "failure", "not_evaluated")
        }
    }
}

impl Answer {
    fn refused(
        code: &str,
        route: Option<&str>,
        authentication: &'static str,
        authorization: &'static str,
    ) -> Self {
        Self {
            forwarded: false,
            code: code.to_owned(),
            route: route.map(str::to_owned),
            authentication,
            authorization,
            effective: None,
            challenge: Challenge::default(),
        }
    }

    fn anonymous(code: &str, route: &str, authentication: &'static str, authorization: &'static str) -> Self {
        Self {
            forwarded: true,
            ..Self::refused(code, Some(route), authentication, authorization)
        }
    }
}
