//! The demo: real requests through the real module, every answer beside what was expected, and the audit.
//!
//! The policy is `policies/rest-api-tenants` with fresh keys and with everything audited. Every refusal is also
//! held against what the upstream saw: nothing.

mod cases;
mod gateway;
mod show;

use std::io;
use std::path::{Path, PathBuf};

use scopegate_engine::source;
use scopegate_harness::keys::Algorithm;
use serde_json::{Value, json};

use crate::client::{self, Answer};
use crate::envoy::EnvoyError;
use crate::mint::{Mint, MintError};
use crate::upstream::{MARK, Seen, Upstream};
use cases::{Case, Expected};
use gateway::Gateway;
pub use gateway::Host;

const POLICY: &str = "policies/rest-api-tenants/policy.yaml";

/// Why the demo could not be given.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Envoy is absent or does not run.
    #[error(transparent)]
    Envoy(#[from] EnvoyError),
    /// The keys or tokens could not be made.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The policy could not be read.
    #[error("`{file}`: {reason}", file = .0.display(), reason = .1)]
    Policy(PathBuf, String),
    /// The gateway ended or did not begin to serve.
    #[error("the gateway does not serve: {0}")]
    Gateway(String),
    /// A file or connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What came of a case.
struct Outcome {
    case: Case,
    answer: Answer,
    surprise: Option<String>,
}

/// Runs the demo; true if every answer was the expected one.
///
/// # Errors
/// The gateway, the policy or the tokens could not be had.
pub fn run(host: Host, module: &Path) -> Result<bool, DemoError> {
    let mut policy = read_policy()?;
    let mint = Mint::install(&mut policy, "corp", &[Algorithm::ES256, Algorithm::RS256])?;
    let upstream = Upstream::start()?;
    let gateway = Gateway::start(host, module, &policy, upstream.address())?;
    let cases = cases::all(&mint)?;
    let outcomes = cases.into_iter().enumerate();
    let outcomes = outcomes.map(|(number, case)| Ok(play(&gateway, &upstream, case, number)?));
    let mut outcomes = outcomes.collect::<Result<Vec<_>, DemoError>>()?;
    let records = gateway.records(&cases::id(outcomes.len().saturating_sub(1)));
    compare_routes(&mut outcomes, &records);
    println!("{}", show::table(&outcomes, &records));
    show::audit(&records);
    let surprises = show::surprises(&outcomes);
    let good = outcomes.len().saturating_sub(surprises);
    println!(
        "\n{} requests through {host}: {good} as expected, {surprises} surprises",
        outcomes.len()
    );
    Ok(surprises == 0)
}

fn read_policy() -> Result<Value, DemoError> {
    let path = PathBuf::from(POLICY);
    let unreadable = |reason: String| DemoError::Policy(PathBuf::from(POLICY), reason);
    let source = source::load(std::slice::from_ref(&path)).map_err(|fault| {
        let first = fault
            .diagnostics
            .first()
            .map(|diagnostic| diagnostic.message.clone());
        unreadable(first.unwrap_or_else(|| "the policy cannot be read".to_owned()))
    })?;
    let mut policy: Value =
        serde_json::from_slice(&source.json()).map_err(|error| unreadable(error.to_string()))?;
    if let Some(document) = policy.as_object_mut() {
        document.insert(
            "audit".to_owned(),
            json!({"authentication": "all", "authorization": "all"}),
        );
    }
    Ok(policy)
}

fn play(gateway: &Gateway, upstream: &Upstream, case: Case, number: usize) -> io::Result<Outcome> {
    drop(upstream.take());
    let answer = client::send(gateway.address(), &case.bytes(number))?;
    let seen = upstream.take();
    let surprise = surprise(&case, &answer, &seen);
    Ok(Outcome {
        case,
        answer,
        surprise,
    })
}

/// A request that went through by another route than was expected is a surprise too.
fn compare_routes(outcomes: &mut [Outcome], records: &[Value]) {
    for (number, outcome) in outcomes.iter_mut().enumerate() {
        let Expected::Forwarded { route, .. } = &outcome.case.expected else {
            continue;
        };
        let taken = show::recorded(records, &cases::id(number), "authorization", "route");
        if outcome.surprise.is_none() && taken != Some(*route) {
            outcome.surprise = Some(format!("by the route {}", taken.unwrap_or("of nobody's record")));
        }
    }
}

/// What differs from what was expected: in the answer, or in what the upstream saw.
fn surprise(case: &Case, answer: &Answer, seen: &[Seen]) -> Option<String> {
    match &case.expected {
        Expected::Forwarded { subject, .. } => {
            let [seen] = seen else {
                return Some(format!("the upstream saw {} requests", seen.len()));
            };
            if answer.status != 200 || answer.header(MARK).is_none() {
                return Some(format!("answered {}", answer.status));
            }
            if seen.header("x-auth-subject").as_deref() != *subject {
                return Some("the upstream was told another caller".to_owned());
            }
            if seen.path != case.path.as_bytes() {
                return Some("the upstream was sent another path".to_owned());
            }
            let tenant = subject.map(|_| "acme".to_owned());
            if seen.header("x-auth-tenant") != tenant {
                return Some("the upstream was told another tenant".to_owned());
            }
            let left = ["authorization", "x_auth_tenant"]
                .into_iter()
                .find(|name| seen.header(name).is_some());
            left.map(|name| format!("the upstream was sent `{name}`"))
        }
        Expected::Refused { status, code } => {
            if !seen.is_empty() {
                return Some("the upstream saw the request".to_owned());
            }
            if answer.status != *status || show::problem(answer, "code").as_deref() != Some(*code) {
                return Some(format!(
                    "answered {} {}",
                    answer.status,
                    show::problem(answer, "code").unwrap_or_default()
                ));
            }
            None
        }
    }
}
