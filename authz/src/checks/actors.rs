//! Delegation (RFC 8693 section 4.1): who may act for the caller.
//!
//! Only the outermost actor of a token decides; the actors within are history, and count for the depth alone.
//! `may_act` (section 4.4) says who may ask for a token. It grants nothing here, and is not looked at.

use scopegate_document::PolicyError;
use serde_json::{Map, Value};

use super::Named;
use crate::compile::empty_list;
use crate::scopes::selector::CallerFacts;
use crate::section::{self, ActorItem, ActorOf};

/// The longest chain that a policy can allow: longer ones are nobody's design.
const MAX_DEPTH: u32 = 8;

/// How many actors of a token are looked at, at most: one more than can ever be allowed.
const MAX_CHAIN: usize = 9;

/// The actors of a route, each with the provider of the tokens that name it.
#[derive(Debug)]
pub(crate) struct Actors {
    allow: Vec<(String, String)>,
    max_depth: usize,
    is_required: bool,
}

/// An `act` claim that is no chain of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Actors {
    /// Compiles the mapping at `path`.
    pub(crate) fn compile(
        actors: &section::Actors,
        providers: &[String],
        path: &str,
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        let section::Actors {
            allow,
            max_depth,
            required,
        } = actors;
        if allow.is_empty() {
            faults.push(empty_list(&format!("{path}.allow")));
        }
        let mut allowed = Vec::new();
        for (index, item) in allow.iter().enumerate() {
            match named(item).resolve(providers, &format!("{path}.allow[{index}]")) {
                Ok(actor) => allowed.push(actor),
                Err(fault) => faults.push(fault),
            }
        }
        let depth = max_depth.unwrap_or(1);
        if !(1..=MAX_DEPTH).contains(&depth) {
            faults.push(depth_out_of_range(depth, path));
        }
        Self {
            allow: allowed,
            max_depth: usize::try_from(depth).unwrap_or(1),
            is_required: required.unwrap_or(false),
        }
    }

    /// Whether the chain of the caller's token may pass a route with these actors; `None`: a route without.
    pub(crate) fn allow(actors: Option<&Self>, caller: &CallerFacts<'_>) -> bool {
        let Ok(chain) = chain(caller.claims) else {
            return false;
        };
        match (actors, chain.first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(actors), None) => !actors.is_required,
            (Some(actors), Some(actor)) => {
                chain.len() <= actors.max_depth && is_of_issuer(caller.claims) && actors.names(caller, actor)
            }
        }
    }

    fn names(&self, caller: &CallerFacts<'_>, actor: &str) -> bool {
        let mut allow = self.allow.iter();
        allow.any(|(provider, subject)| provider == caller.provider && subject == actor)
    }
}

/// The subjects of the actors of a token, the outermost first; one of more than can be allowed is cut off.
///
/// # Errors
/// An actor that is no mapping, or that has no subject in text.
pub(crate) fn chain(claims: &Map<String, Value>) -> Result<Vec<&str>, Malformed> {
    let mut chain = Vec::new();
    let mut next = claims.get("act");
    while let (Some(actor), true) = (next, chain.len() < MAX_CHAIN) {
        let subject = actor.get("sub").and_then(Value::as_str);
        chain.push(subject.filter(|subject| !subject.is_empty()).ok_or(Malformed)?);
        next = actor.get("act");
    }
    Ok(chain)
}

/// Whether the outermost actor is a subject of the token's own issuer: another issuer's subject of the same
/// name is somebody else.
fn is_of_issuer(claims: &Map<String, Value>) -> bool {
    let of_actor = claims.get("act").and_then(|actor| actor.get("iss"));
    of_actor.is_none() || of_actor == claims.get("iss")
}

fn named(item: &ActorItem) -> Named<'_> {
    let (provider, name) = match item {
        ActorItem::Subject(name) => (None, name),
        ActorItem::Of(ActorOf { provider, subject }) => (Some(provider.as_str()), subject),
    };
    Named {
        provider,
        name,
        what: "subject",
    }
}

fn depth_out_of_range(depth: u32, path: &str) -> PolicyError {
    PolicyError::new(
        "out_of_range",
        format!("{path}.max_depth"),
        format!("a chain of {depth} actors cannot be allowed"),
        format!("write 1 to {MAX_DEPTH}; leave `actors` out to deny all delegation"),
    )
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHAIN, MAX_DEPTH, Malformed, chain};
    use serde_json::{Map, Value, json};

    fn claims(act: Value) -> Map<String, Value> {
        std::iter::once(("act".to_owned(), act)).collect()
    }

    #[test]
    fn a_chain_is_read_from_the_outside_in() {
        assert_eq!(chain(&Map::new()), Ok(vec![]));
        let nested = claims(json!({"sub": "gateway", "act": {"sub": "web"}}));
        assert_eq!(chain(&nested), Ok(vec!["gateway", "web"]));
    }

    #[test]
    fn what_is_no_chain_is_refused() {
        let malformed = [
            json!("gateway"),
            json!({}),
            json!({"sub": 1}),
            json!({"sub": ""}),
            json!(null),
            json!([{"sub": "a"}]),
        ];
        for act in malformed {
            assert_eq!(chain(&claims(act.clone())), Err(Malformed), "{act}");
        }
        let within = claims(json!({"sub": "gateway", "act": "web"}));
        assert_eq!(chain(&within), Err(Malformed));
    }

    #[test]
    fn a_chain_without_end_is_longer_than_any_that_is_allowed() {
        let endless = (0..100).fold(json!({"sub": "a"}), |inner, _| json!({"sub": "a", "act": inner}));
        let endless = claims(endless);
        let length = chain(&endless).map(|chain| chain.len());
        assert_eq!(length, Ok(MAX_CHAIN));
        assert!(MAX_CHAIN > usize::try_from(MAX_DEPTH).expect("small"));
    }
}
