//! The expression of a route (`when`), and the facts that it may read of one request and its caller.

use scopegate_document::{PolicyError, UnixTime};

use super::circumstances::Circumstances;
use super::{actors, step_up};
use crate::condition::expression::{Allowed, Condition, Facts, Reads};
use crate::query::Query;
use crate::scopes::selector::CallerFacts;
use crate::{Deny, select};

/// What an expression may read, and what it says of the policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Language<'a> {
    /// The headers that `authorization.conditions` lists.
    pub(crate) headers: &'a [String],
    /// The name and the version of the policy.
    pub(crate) policy: &'a PolicyFacts,
}

/// What expressions may read of the policy itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PolicyFacts {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
}

/// A compiled expression, and the policy it belongs to.
#[derive(Debug)]
pub(crate) struct When {
    condition: Condition,
    policy: PolicyFacts,
}

/// Who asks, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a CallerFacts<'a>,
    /// The names of the caller's effective scopes; only where they are read.
    pub(crate) scopes: &'a [String],
    pub(crate) circumstances: &'a Circumstances<'a>,
    pub(crate) gathered: &'a select::Gathered<'a>,
}

/// Names and values.
type Pairs<'f> = &'f [(&'f str, &'f str)];

impl When {
    /// Compiles the expression at `path` for a route whose path has these parameters.
    pub(crate) fn compile(
        source: &str,
        parameters: &[String],
        language: Language<'_>,
        path: &str,
    ) -> Result<Self, PolicyError> {
        let allowed = Allowed {
            headers: language.headers,
            parameters,
        };
        let condition =
            Condition::compile(source, &allowed).map_err(|fault| fault.into_policy_error(path))?;
        Ok(Self {
            condition,
            policy: language.policy.clone(),
        })
    }

    /// What it reads.
    pub(crate) const fn reads(&self) -> Reads {
        self.condition.reads()
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// [`Deny::ConditionFalse`], and [`Deny::ConditionError`] where it cannot be said.
    pub(crate) fn check(&self, asked: &Asked<'_>) -> Result<(), Deny> {
        let reads = self.reads();
        let actors = actors::chain(asked.caller.claims).unwrap_or_default();
        let actors: Vec<String> = actors.into_iter().map(str::to_owned).collect();
        let query = match reads.query {
            true => Query::of(asked.circumstances.target.path).parameters(),
            false => Ok(Vec::new()),
        };
        let query = query.map_err(|_| undecidable("the query can be read in several ways"))?;
        let query: Vec<(&str, &str)> = query
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .collect();
        let parameters = asked.gathered.parameters.iter();
        let parameters: Vec<(&str, &str)> = parameters.map(|(name, value)| (*name, value.as_str())).collect();
        let facts = self.facts(asked, &actors, (&query, &parameters));
        match self.condition.evaluate(&facts) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Deny::ConditionFalse),
            Err(error) => Err(undecidable(&error.to_string())),
        }
    }

    fn facts<'f>(
        &'f self,
        asked: &'f Asked<'_>,
        actors: &'f [String],
        (query, parameters): (Pairs<'f>, Pairs<'f>),
    ) -> Facts<'f> {
        let Asked {
            caller,
            scopes,
            circumstances,
            gathered,
        } = asked;
        let time = |name: &str| {
            let value = caller.claims.get(name);
            value.and_then(step_up::seconds).map(UnixTime)
        };
        Facts {
            method: &gathered.method,
            host: gathered.host.as_deref(),
            path: gathered.path.as_deref(),
            parameters,
            query,
            headers: circumstances.target.headers,
            now: circumstances.now,
            source: circumstances.source,
            provider: caller.provider,
            subject: caller.subject,
            client: caller.client,
            tenant: caller.tenant,
            scopes,
            roles: caller.roles,
            actors,
            issued_at: time("iat"),
            expires_at: time("exp"),
            authenticated_at: time("auth_time"),
            claims: caller.claims,
            policy_name: self.policy.name.as_deref(),
            policy_version: self.policy.version.as_deref(),
        }
    }
}

fn undecidable(detail: &str) -> Deny {
    Deny::ConditionError {
        detail: detail.to_owned(),
    }
}
