//! Expressions of `when`: a typed part of CEL, the Common Expression Language.
//!
//! What is written is checked when the policy is compiled: names, members, functions, types. What is evaluated borrows
//! from the facts, is bounded in steps, and stops at the first error.
//!
//! Parser and evaluator are our own. The interpreter of the library there is (`cel` 0.15) checks no types, counts no
//! steps, turns errors into `true`, and costs a third of the module. Of its two parsers, the one that gives positions is
//! 689 kB of WebAssembly by itself, and takes 4 MB of memory for `x[0][0]..` of 4 KiB. The other is 155 kB and no
//! documented interface. It gives no positions of what it could read, drops `!!` and `--` before any type is known, lets
//! any text run over lines, and counts neither `?:` nor chains against its limit of depth: `x.a().a()..` of 4 KiB keeps
//! it busy for a quarter of a second and overflows a stack of 500 kB. Tests compare ours with the library (`oracle`).

use std::net::IpAddr;

use scopegate_document::UnixTime;
use serde_json::{Map, Value as Json};

mod check;
mod convert;
mod error;
mod evaluate;
mod lexer;
mod limits;
mod node;
mod parser;
mod syntax;
mod types;
mod value;
mod vocabulary;

#[cfg(test)]
mod tests;

pub(crate) use error::{ConditionError, ConditionFault};

/// What an expression of one route may read beyond what every request has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allowed<'a> {
    /// The headers, in any case.
    pub(crate) headers: &'a [String],
    /// The parameters of the route's path.
    pub(crate) parameters: &'a [String],
}

/// What a condition reads of what is not at hand: the rest need not be gathered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Parameters of the path.
    pub(crate) parameters: bool,
    /// Parameters of the query.
    pub(crate) query: bool,
    /// Headers.
    pub(crate) headers: bool,
    /// The address of the peer.
    pub(crate) source: bool,
    /// The caller's effective scopes.
    pub(crate) scopes: bool,
    /// The subjects of those who act for the caller.
    pub(crate) actors: bool,
    /// When the caller authenticated.
    pub(crate) authenticated_at: bool,
}

/// The facts of one request and its caller. No `Debug`: it would show claims.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'f> {
    /// The method.
    pub(crate) method: &'f str,
    /// The host, where the request names one.
    pub(crate) host: Option<&'f str>,
    /// The path without its query, decoded once, where upstreams can read it in one way only.
    pub(crate) path: Option<&'f str>,
    /// Parameters of the path, decoded once.
    pub(crate) parameters: &'f [(&'f str, &'f str)],
    /// Parameters of the query, decoded, in order and with their repetitions.
    pub(crate) query: &'f [(&'f str, &'f str)],
    /// Headers as they came.
    pub(crate) headers: &'f [(&'f [u8], &'f [u8])],
    /// The time of the request.
    pub(crate) now: UnixTime,
    /// The address of the peer, where the host names it.
    pub(crate) source: Option<IpAddr>,
    /// The provider that vouches for the caller.
    pub(crate) provider: &'f str,
    /// The caller's subject.
    pub(crate) subject: Option<&'f str>,
    /// The caller's client.
    pub(crate) client: Option<&'f str>,
    /// The caller's tenant.
    pub(crate) tenant: Option<&'f str>,
    /// The caller's effective scopes.
    pub(crate) scopes: &'f [String],
    /// The caller's roles.
    pub(crate) roles: &'f [String],
    /// The subjects of those who act for the caller, the outermost first (RFC 8693 section 4.1).
    pub(crate) actors: &'f [String],
    /// `iat`.
    pub(crate) issued_at: Option<UnixTime>,
    /// `exp`.
    pub(crate) expires_at: Option<UnixTime>,
    /// `auth_time`.
    pub(crate) authenticated_at: Option<UnixTime>,
    /// All claims.
    pub(crate) claims: &'f Map<String, Json>,
    /// The name of the policy, where it has one.
    pub(crate) policy_name: Option<&'f str>,
    /// The version of the policy, where it has one.
    pub(crate) policy_version: Option<&'f str>,
}

/// A compiled expression that holds or not.
#[derive(Debug)]
pub(crate) struct Condition {
    root: node::Node,
    reads: Reads,
}

impl Condition {
    /// Compiles an expression.
    ///
    /// # Errors
    /// The first fault: of its syntax, its names, its types or its size.
    pub(crate) fn compile(source: &str, allowed: &Allowed<'_>) -> Result<Self, ConditionFault> {
        let mut checker = check::Checker::new(source, allowed);
        let checked = parser::parse(source).and_then(|expression| checker.condition(&expression));
        match checked {
            Ok(root) => Ok(Self {
                root,
                reads: checker.reads,
            }),
            Err(fault) => Err(ConditionFault {
                position: error::Position::of(source, fault.offset),
                ..fault
            }),
        }
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// When something it needs is absent or of another type, or it takes too long. The condition does not hold then.
    pub(crate) fn evaluate(&self, facts: &Facts<'_>) -> Result<bool, ConditionError> {
        evaluate::Evaluation::new(facts).holds(&self.root)
    }

    /// What it reads.
    pub(crate) const fn reads(&self) -> Reads {
        self.reads
    }
}
