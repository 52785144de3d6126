//! Circumstances of a request that a route asks for: where it comes from, what its headers say, what its
//! expression makes of all that.

use std::net::IpAddr;

use scopegate_document::{PolicyError, UnixTime};

use crate::Deny;
use crate::authorizer::{PolicyContext, Target};
use crate::condition::equalities::{Equalities, environment_holds};
use crate::condition::sources::Sources;
use crate::query::Query;
use crate::section::AccessRules;

/// When and how a caller asks.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'r> {
    /// The time by the host's clock.
    pub now: UnixTime,
    /// What is asked for, as it was when the route was selected.
    pub target: Target<'r>,
    /// The address it comes from, as the host names it; nothing where it does not.
    pub source: Option<IpAddr>,
}

/// What a route asks of the circumstances of a request. All that is written must hold.
#[derive(Debug)]
pub(crate) struct Conditions {
    sources: Option<Sources>,
    headers: Option<Equalities>,
    query: Option<Equalities>,
    /// Whether the environment is the one that is asked for. It never changes while a policy is in force.
    environment: bool,
}

impl Conditions {
    /// Compiles what the access at `path` says of it; `None`: nothing.
    pub(crate) fn compile(
        rules: &AccessRules,
        context: &PolicyContext<'_>,
        path: &str,
        faults: &mut Vec<PolicyError>,
    ) -> Option<Self> {
        let AccessRules {
            sources,
            headers,
            query,
            environment,
            ..
        } = rules;
        let is_written = sources.is_some() || headers.is_some() || query.is_some() || environment.is_some();
        if !is_written {
            return None;
        }
        let sources = sources
            .as_deref()
            .map(|sources| Sources::compile(sources, &format!("{path}.sources"), faults));
        let headers = headers
            .as_ref()
            .map(|headers| Equalities::headers(headers, context, &format!("{path}.headers"), faults));
        let query = query
            .as_ref()
            .map(|query| Equalities::query(query, &format!("{path}.query"), faults));
        let environment = environment.as_ref().is_none_or(|wanted| {
            environment_holds(
                wanted,
                context.environment,
                &format!("{path}.environment"),
                faults,
            )
        });
        Some(Self {
            sources,
            headers,
            query,
            environment,
        })
    }

    /// Whether the address of the peer matters.
    pub(crate) const fn reads_source(&self) -> bool {
        self.sources.is_some()
    }

    /// Whether a request under these circumstances may pass.
    ///
    /// # Errors
    /// [`Deny::SourceNotAllowed`], [`Deny::ConditionFalse`].
    pub(crate) fn check(&self, at: &Circumstances<'_>) -> Result<(), Deny> {
        let is_from = |sources: &Sources| at.source.is_some_and(|source| sources.contains(source));
        if !self.sources.as_ref().is_none_or(is_from) {
            return Err(Deny::SourceNotAllowed);
        }
        let has = |headers: &Equalities| headers.hold_for_headers(at.target.headers);
        let asks = |wanted: &Equalities| wanted.hold_for_query(Query::of(at.target.path));
        let holds =
            self.environment && self.headers.as_ref().is_none_or(has) && self.query.as_ref().is_none_or(asks);
        match holds {
            true => Ok(()),
            false => Err(Deny::ConditionFalse),
        }
    }
}
