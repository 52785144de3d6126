//! The real engine, asked as the reference is asked.

use std::sync::Arc;

use base64_simd::URL_SAFE_NO_PAD;
use scopegate_authn::{Attempt, Live, Secrets};
use scopegate_document::{PolicyError, UnixTime};
use scopegate_engine::{Decision, Engine, Outcome, Progress, Request as Asked};
use scopegate_reference::{Answer, Challenge, Request};
use serde_json::Value;

use crate::callers::{Bearer, ENVIRONMENT, SECRET};

struct Environment;

impl Secrets for Environment {
    fn get(&self, name: &str) -> Option<String> {
        let set = ENVIRONMENT.iter().find(|(found, _)| *found == name);
        let secret = || (name == "SIGNING_SECRET").then(|| URL_SAFE_NO_PAD.encode_to_string(SECRET));
        set.map(|(_, value)| (*value).to_owned()).or_else(secret)
    }
}

/// A compiled policy, and what it remembers of the tokens it proved.
pub(crate) struct Subject {
    engine: Engine,
    live: Live,
}

impl Subject {
    /// Compiles a policy.
    pub(crate) fn new(policy: &Value) -> Result<Self, Vec<PolicyError>> {
        let engine = Engine::from_value(policy, &Environment)?.engine;
        let live = engine.authenticator().live();
        Ok(Self { engine, live })
    }

    /// What the engine answers.
    pub(crate) fn answer(&mut self, request: &Request, bearer: &Bearer, now: i64) -> Answer {
        let credential = bearer.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers: Vec<(&[u8], &[u8])> = Vec::new();
        for (name, value) in &request.headers {
            headers.push((name.as_bytes(), value.as_bytes()));
        }
        if let Some(credential) = &credential {
            headers.push((b"authorization", credential.as_bytes()));
        }
        let asked = Asked {
            method: request.method.as_bytes(),
            path: &request.target,
            authority: request.authority.as_deref().map(str::as_bytes),
            headers: &headers,
            source: request.source,
            ..Asked::unseen("r")
        };
        match self
            .engine
            .decide(&asked, &mut self.live, &Attempt::default(), Some(UnixTime(now)))
        {
            Progress::Decided(decision) => seen(&decision),
            other @ (Progress::Claim(_) | Progress::Wait(_)) => {
                panic!("nothing is waited for here: {other:?}")
            }
        }
    }
}

/// What a decision shows of itself.
fn seen(decision: &Decision) -> Answer {
    let refused = decision.authentication.reason.or(decision.authorization.reason);
    let (forwarded, effective, challenge) = match &decision.outcome {
        Outcome::Forward(forward) => (true, told(&forward.set), Challenge::default()),
        Outcome::Reply(reply) => {
            let fields = reply
                .headers
                .iter()
                .filter(|(name, _)| *name == "www-authenticate");
            let challenges: Vec<&str> = fields.map(|(_, value)| value.as_str()).collect();
            (false, None, challenge(&challenges.join(", ")))
        }
    };
    let is_anonymous = !forwarded
        || decision.authentication.outcome != "success"
        || decision.authorization.outcome != "allow";
    Answer {
        forwarded,
        code: refused.unwrap_or("allow").to_owned(),
        route: decision.route.as_deref().map(str::to_owned),
        authentication: decision.authentication.outcome,
        authorization: decision.authorization.outcome,
        effective: if is_anonymous {
            effective
        } else {
            Some(effective.unwrap_or_default())
        },
        challenge,
    }
}

/// The scopes that the upstream is told of.
fn told(set: &[(Arc<str>, Arc<[u8]>)]) -> Option<Vec<String>> {
    let (_, value) = set.iter().find(|(name, _)| **name == *"x-auth-scopes")?;
    Some(words(std::str::from_utf8(value).expect("scopes are text")))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn challenge(header: &str) -> Challenge {
    let quoted = |name: &str| {
        let (_, rest) = header.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let max_age = quoted("max_age").or_else(|| {
        let (_, rest) = header.split_once("max_age=")?;
        Some(rest.chars().take_while(char::is_ascii_digit).collect())
    });
    Challenge {
        scope: words(&quoted("scope").unwrap_or_default()),
        acr_values: words(&quoted("acr_values").unwrap_or_default()),
        max_age: max_age.and_then(|seconds| seconds.parse().ok()),
    }
}
