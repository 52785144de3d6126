//! One question to both.

use std::fmt;
use std::rc::Rc;

use scopegate_reference::{Answer, Reference, Request, Who, Wrong};
use serde_json::{Value, json};

use crate::callers::{Bearer, ENVIRONMENT};
use crate::policies::Policy;

/// A policy, a request, a caller and a time.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) policy: Rc<Policy>,
    pub(crate) request: Request,
    pub(crate) bearer: Bearer,
    pub(crate) now: i64,
}

/// What the reference answers.
pub(crate) fn expected(
    policy: &Policy,
    request: &Request,
    who: &Who,
    now: i64,
    wrong: Option<Wrong>,
) -> Answer {
    let reference = Reference {
        policy: &policy.document,
        wrong,
        environment: &ENVIRONMENT,
        conditions: &policy.conditions,
    };
    reference.answer(request, who, now)
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match &self.bearer.who {
            Who::Nobody => Value::Null,
            Who::Refused(code) => json!(code),
            Who::Caller(caller) => caller.claims.clone(),
        };
        let request = json!({
            "method": self.request.method, "target": self.request.target.escape_ascii().to_string(),
            "authority": self.request.authority, "headers": self.request.headers, "source": self.request.source,
            "caller": who, "now": self.now,
        });
        let policy =
            serde_json::to_string_pretty(&self.policy.document["authorization"]).map_err(|_| fmt::Error)?;
        write!(f, "request: {request}\nauthorization: {policy}")
    }
}
