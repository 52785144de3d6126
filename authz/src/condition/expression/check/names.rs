//! What names stand for: variables, members, parameters, headers.

use super::{Checked, Checker};
use crate::compile::suggest;
use crate::condition::expression::Reads;
use crate::condition::expression::error::ConditionFault;
use crate::condition::expression::node::{Kind, Reading};
use crate::condition::expression::syntax::{Expr, ExprKind};
use crate::condition::expression::types::Type;
use crate::condition::expression::vocabulary::{Fact, Member, Object};

impl Checker<'_> {
    pub(super) fn name(&mut self, at: usize, name: &str) -> Checked {
        let local = self.locals.iter().position(|(local, _)| local == name);
        if let Some((index, (_, kind))) = local.and_then(|index| Some((index, self.locals.get(index)?))) {
            return Ok((self.node(at, Kind::Local(index)), kind.clone()));
        }
        if let Some(object) = Object::VARIABLES.into_iter().find(|object| object.name() == name) {
            return Err(self.no_value(at, object));
        }
        let owner = Object::VARIABLES
            .into_iter()
            .find(|object| object.members().iter().any(|(member, _)| *member == name));
        let help = match owner {
            Some(owner) => format!("write `{}.{name}`", owner.name()),
            None => {
                let variables = Object::VARIABLES.iter().map(|object| object.name());
                let locals = self.locals.iter().map(|(name, _)| name.as_str());
                suggest(
                    name,
                    variables.chain(locals),
                    "start with `request`, `caller` or `policy`; texts are quoted",
                )
            }
        };
        Err(ConditionFault::new(
            at,
            format!("there is no variable `{name}`"),
            help,
        ))
    }

    /// The object that an expression names, where it names one.
    pub(super) fn object(&self, expression: &Expr) -> Option<Object> {
        match &expression.kind {
            ExprKind::Name(name) if !self.locals.iter().any(|(local, _)| local == name) => {
                Object::VARIABLES.into_iter().find(|object| object.name() == name)
            }
            ExprKind::Member(operand, name) => {
                let members = self.object(operand)?.members();
                let found = members.iter().find(|(member, _)| member == name)?;
                match found.1 {
                    Member::Object(object) => Some(object),
                    Member::Fact(_) => None,
                }
            }
            _ => None,
        }
    }

    pub(super) fn member(&mut self, at: usize, operand: &Expr, name: &str) -> Checked {
        if let Some(object) = self.object(operand) {
            let (reading, kind) = self.reading(at, object, name)?;
            return Ok((self.node(at, Kind::Read(reading)), kind));
        }
        let (operand, kind) = self.check(operand)?;
        self.has_members(at, &kind, name)?;
        Ok((
            self.node(at, Kind::Member(operand.into(), name.to_owned())),
            Type::Dynamic,
        ))
    }

    pub(super) fn has(&mut self, at: usize, operand: &Expr, name: &str) -> Checked {
        if let Some(object) = self.object(operand) {
            let (reading, _) = self.reading(at, object, name)?;
            return Ok((self.node(at, Kind::Has(reading)), Type::Bool));
        }
        let (operand, kind) = self.check(operand)?;
        self.has_members(at, &kind, name)?;
        Ok((
            self.node(at, Kind::HasMember(operand.into(), name.to_owned())),
            Type::Bool,
        ))
    }

    fn has_members(&self, at: usize, kind: &Type, name: &str) -> Result<(), ConditionFault> {
        match kind {
            Type::Claims | Type::Dynamic => Ok(()),
            _ => Err(ConditionFault::new(
                at,
                format!("`.{name}` asks for a member, and what is before it is {kind}"),
                "only `request`, `caller`, `policy` and claims have members",
            )),
        }
    }

    /// What a member of an object reads, and its type.
    pub(super) fn reading(
        &mut self,
        at: usize,
        object: Object,
        name: &str,
    ) -> Result<(Reading, Type), ConditionFault> {
        let reading = match object {
            Object::Parameters => self.parameter(at, name)?,
            Object::Headers => self.header(at, name)?,
            Object::Query => {
                self.reads.query = true;
                Reading::Query(name.to_owned())
            }
            Object::Request | Object::Caller | Object::Policy => {
                let members = object.members();
                match members
                    .iter()
                    .find(|(member, _)| *member == name)
                    .map(|(_, member)| *member)
                {
                    Some(Member::Fact(fact)) => {
                        self.reads.note(fact);
                        return Ok((Reading::Fact(fact), fact.type_of()));
                    }
                    Some(Member::Object(object)) => return Err(self.no_value(at, object)),
                    None => return Err(no_member(at, object, name)),
                }
            }
        };
        Ok((reading, Type::Text))
    }

    fn parameter(&mut self, at: usize, name: &str) -> Result<Reading, ConditionFault> {
        let known = self.allowed.parameters;
        if !known.iter().any(|parameter| parameter == name) {
            let message = format!("the route's path has no parameter `{}`", name.escape_debug());
            let otherwise = format!("give the path one, as in `/tenants/{{{}}}`", name.escape_debug());
            let names = known.iter().map(String::as_str);
            return Err(ConditionFault::new(at, message, suggest(name, names, &otherwise)));
        }
        self.reads.parameters = true;
        Ok(Reading::Parameter(name.to_owned()))
    }

    fn header(&mut self, at: usize, name: &str) -> Result<Reading, ConditionFault> {
        let lower = name.to_ascii_lowercase();
        if !self
            .allowed
            .headers
            .iter()
            .any(|header| header.eq_ignore_ascii_case(&lower))
        {
            return Err(ConditionFault::new(
                at,
                format!("conditions may not read the header `{}`", name.escape_debug()),
                format!("list it in `authorization.conditions.headers`, as in `headers: [{lower}]`"),
            ));
        }
        self.reads.headers = true;
        Ok(Reading::Header(lower))
    }

    fn no_value(&self, at: usize, object: Object) -> ConditionFault {
        let name = object.name();
        let help = match object {
            Object::Parameters => {
                let first = self.allowed.parameters.first().map_or("name", String::as_str);
                format!("name one of them, as in `{name}.{first}`")
            }
            Object::Query => format!("name a parameter, as in `{name}.format`"),
            Object::Headers => format!("name a header, as in `{name}[\"x-region\"]`"),
            Object::Request | Object::Caller | Object::Policy => {
                let members: Vec<&str> = object.members().iter().map(|(member, _)| *member).collect();
                format!("name one of its members: {}", members.join(", "))
            }
        };
        ConditionFault::new(at, format!("`{name}` is no value by itself"), help)
    }
}

fn no_member(at: usize, object: Object, name: &str) -> ConditionFault {
    let members = object.members();
    let names: Vec<&str> = members.iter().map(|(member, _)| *member).collect();
    let otherwise = match object {
        Object::Caller => format!(
            "a claim is written `caller.claims.{name}`; members are {}",
            names.join(", ")
        ),
        _ => format!("its members are {}", names.join(", ")),
    };
    ConditionFault::new(
        at,
        format!("`{}` has no member `{}`", object.name(), name.escape_debug()),
        suggest(name, names.iter().copied(), &otherwise),
    )
}

impl Reads {
    fn note(&mut self, fact: Fact) {
        match fact {
            Fact::Source => self.source = true,
            Fact::Scopes => self.scopes = true,
            Fact::Actors => self.actors = true,
            Fact::AuthenticatedAt => self.authenticated_at = true,
            Fact::Method
            | Fact::Host
            | Fact::Path
            | Fact::Time
            | Fact::HourUtc
            | Fact::WeekdayUtc
            | Fact::Provider
            | Fact::Subject
            | Fact::Client
            | Fact::Tenant
            | Fact::Roles
            | Fact::IssuedAt
            | Fact::ExpiresAt
            | Fact::Claims
            | Fact::PolicyName
            | Fact::PolicyVersion => {}
        }
    }
}
