//! Reading the facts. What is absent is an error, and so is what is there several times: which of them the upstream
//! would go by is open.

use scopegate_document::UnixTime;

use super::{Evaluation, Outcome, convert, error};
use crate::condition::expression::error::{ConditionError, ErrorKind, Position};
use crate::condition::expression::node::Reading;
use crate::condition::expression::value::{List, Text, Value};
use crate::condition::expression::vocabulary::{Fact, WEEKDAYS};
use crate::condition::zone::Zone;
use crate::matchers::is_alike;
use crate::query;

impl<'v> Evaluation<'v> {
    pub(super) fn read(&mut self, reading: &'v Reading, at: Position) -> Outcome<'v> {
        match self.find(reading, at)? {
            Some(value) => Ok(value),
            None => Err(error(at, ErrorKind::Absent)),
        }
    }

    pub(super) fn has(&mut self, reading: &'v Reading, at: Position) -> Result<bool, ConditionError> {
        Ok(self.find(reading, at)?.is_some())
    }

    fn find(&mut self, reading: &'v Reading, at: Position) -> Result<Option<Value<'v>>, ConditionError> {
        let facts = self.facts;
        match reading {
            Reading::Fact(fact) => self.fact(*fact, at),
            Reading::Parameter(name) => self.only(facts.parameters, name, at),
            Reading::Query(name) => self.parameter(name, at),
            Reading::Header(name) => self.header(name, at),
        }
    }

    /// A parameter of the query. Where an upstream could read another one as it, there could be several.
    fn parameter(&mut self, name: &str, at: Position) -> Result<Option<Value<'v>>, ConditionError> {
        let query = self.facts.query;
        let found = self.only(query, name, at)?;
        let is_another = |seen: &str| seen != name && query::could_be(seen, name);
        match query.iter().any(|(seen, _)| is_another(seen)) {
            true => Err(error(at, ErrorKind::Repeated)),
            false => Ok(found),
        }
    }

    fn only(
        &mut self,
        pairs: &'v [(&'v str, &'v str)],
        name: &str,
        at: Position,
    ) -> Result<Option<Value<'v>>, ConditionError> {
        self.spend(pairs.len(), at)?;
        let mut named = pairs.iter().filter(|(seen, _)| *seen == name);
        let first = named.next();
        match named.next() {
            Some(_) => Err(error(at, ErrorKind::Repeated)),
            None => Ok(first.map(|(_, value)| Value::text(value))),
        }
    }

    /// A header that some upstreams would take for this one, with `_` for `-`, repeats it.
    fn header(&mut self, name: &str, at: Position) -> Result<Option<Value<'v>>, ConditionError> {
        let headers = self.facts.headers;
        self.spend(headers.len(), at)?;
        let mut named = headers.iter().filter(|(seen, _)| is_alike(seen, name.as_bytes()));
        let first = named.next();
        let is_other = first.is_some_and(|(seen, _)| !seen.eq_ignore_ascii_case(name.as_bytes()));
        if is_other || named.next().is_some() {
            return Err(error(at, ErrorKind::Repeated));
        }
        let text = first.map(|(_, value)| {
            self.spend_text(value.len(), at)?;
            let text =
                std::str::from_utf8(value.trim_ascii()).map_err(|_| error(at, ErrorKind::Unreadable))?;
            Ok(Value::text(text))
        });
        text.transpose()
    }

    fn fact(&self, fact: Fact, at: Position) -> Result<Option<Value<'v>>, ConditionError> {
        let facts = self.facts;
        let text = |text: Option<&'v str>| Ok(text.map(Value::text));
        let list = |texts| Ok(Some(Value::List(List::Texts(texts))));
        let time = |time: Option<UnixTime>| {
            let read = |time: UnixTime| convert::unix(time.0).ok_or_else(|| error(at, ErrorKind::TooLarge));
            Ok(time.map(read).transpose()?.map(Value::Timestamp))
        };
        let local = || Zone::UTC.local(facts.now);
        match fact {
            Fact::Method => text(Some(facts.method)),
            Fact::Host => text(facts.host),
            Fact::Path => text(facts.path),
            Fact::Time => time(Some(facts.now)),
            Fact::HourUtc => Ok(Some(Value::Int(local().second.div_euclid(3_600)))),
            Fact::WeekdayUtc => {
                let weekday = usize::try_from(local().weekday)
                    .ok()
                    .and_then(|day| WEEKDAYS.get(day));
                text(weekday.copied())
            }
            Fact::Source => {
                let source = facts.source.map(|source| source.to_canonical().to_string());
                Ok(source.map(|source| Value::Text(Text::Made(source.into()))))
            }
            Fact::Provider => text(Some(facts.provider)),
            Fact::Subject => text(facts.subject),
            Fact::Client => text(facts.client),
            Fact::Tenant => text(facts.tenant),
            Fact::Scopes => list(facts.scopes),
            Fact::Roles => list(facts.roles),
            Fact::Actors => list(facts.actors),
            Fact::IssuedAt => time(facts.issued_at),
            Fact::ExpiresAt => time(facts.expires_at),
            Fact::AuthenticatedAt => time(facts.authenticated_at),
            Fact::Claims => Ok(Some(Value::Members(facts.claims))),
            Fact::PolicyName => text(facts.policy_name),
            Fact::PolicyVersion => text(facts.policy_version),
        }
    }
}
