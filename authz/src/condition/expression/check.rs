//! Names and types are checked when an expression is compiled, so that what cannot hold is a fault of the policy and not
//! a surprise at a request.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an operation takes a few types, and whatever else there is or will be is refused"
)]

use super::error::{ConditionFault, Position};
use super::limits::COMPREHENSIONS;
use super::node::{Constant, Kind, Node, Reading};
use super::syntax::{Comprehension, Expr, ExprKind, Literal};
use super::types::Type;
use super::vocabulary::{Fact, Member, Object};
use super::{Allowed, Reads};
use crate::compile::suggest;

mod calls;
mod operators;

/// A part and its type.
type Checked = Result<(Node, Type), ConditionFault>;

/// Checks one expression.
pub(super) struct Checker<'a> {
    pub(super) source: &'a str,
    pub(super) allowed: &'a Allowed<'a>,
    pub(super) reads: Reads,
    /// Variables of comprehensions, the outermost first.
    locals: Vec<(String, Type)>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(source: &'a str, allowed: &'a Allowed<'a>) -> Self {
        Self {
            source,
            allowed,
            reads: Reads::default(),
            locals: Vec::new(),
        }
    }

    /// Checks an expression that is to hold or not.
    pub(super) fn condition(&mut self, expression: &Expr) -> Result<Node, ConditionFault> {
        let (node, found) = self.check(expression)?;
        match found.meets(&Type::Bool) {
            true => Ok(node),
            false => Err(ConditionFault::new(
                expression.at,
                format!("a condition is true or false, and this is {found}"),
                "compare it with something, as in `request.method == \"GET\"`",
            )),
        }
    }

    fn node(&self, at: usize, kind: Kind) -> Node {
        Node {
            position: Position::of(self.source, at),
            kind,
        }
    }

    fn check(&mut self, expression: &Expr) -> Checked {
        let at = expression.at;
        match &expression.kind {
            ExprKind::Literal(literal) => Ok(self.literal(at, literal)),
            ExprKind::Name(name) => self.name(at, name),
            ExprKind::Member(operand, name) => self.member(at, operand, name),
            ExprKind::Has(operand, name) => self.has(at, operand, name),
            ExprKind::Index(operand, index) => self.index(at, operand, index),
            ExprKind::List(elements) => self.list(at, elements),
            ExprKind::Not(operand) => {
                let operand = self.value_of(operand, &Type::Bool, "`!` turns")?;
                Ok((self.node(at, Kind::Not(operand.into())), Type::Bool))
            }
            ExprKind::Negate(operand) => self.negate(at, operand),
            ExprKind::All(operands) => {
                let operands = self.logical("&&", operands)?;
                Ok((self.node(at, Kind::All(operands)), Type::Bool))
            }
            ExprKind::Any(operands) => {
                let operands = self.logical("||", operands)?;
                Ok((self.node(at, Kind::Any(operands)), Type::Bool))
            }
            ExprKind::Choice(condition, yes, no) => self.choice(at, condition, yes, no),
            ExprKind::Binary(operator, left, right) => self.binary(at, *operator, left, right),
            ExprKind::Call {
                function,
                is_member,
                arguments,
            } => self.call(at, function, *is_member, arguments),
            ExprKind::Comprehension {
                kind,
                range,
                variable,
                condition,
                body,
            } => self.comprehension(at, *kind, range, variable, condition.as_deref(), body),
        }
    }

    fn literal(&self, at: usize, literal: &Literal) -> (Node, Type) {
        let (constant, kind) = match literal {
            Literal::Null => (Constant::Null, Type::Null),
            Literal::Bool(value) => (Constant::Bool(*value), Type::Bool),
            Literal::Int(value) => (Constant::Int(*value), Type::Int),
            Literal::Double(value) => (Constant::Double(*value), Type::Double),
            Literal::Text(value) => (Constant::Text(value.clone()), Type::Text),
        };
        (self.node(at, Kind::Constant(constant)), kind)
    }

    fn name(&mut self, at: usize, name: &str) -> Checked {
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
    fn object(&self, expression: &Expr) -> Option<Object> {
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

    fn member(&mut self, at: usize, operand: &Expr, name: &str) -> Checked {
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

    fn has(&mut self, at: usize, operand: &Expr, name: &str) -> Checked {
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
    fn reading(&mut self, at: usize, object: Object, name: &str) -> Result<(Reading, Type), ConditionFault> {
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

    fn index(&mut self, at: usize, operand: &Expr, index: &Expr) -> Checked {
        if let Some(object) = self.object(operand) {
            let ExprKind::Literal(Literal::Text(name)) = &index.kind else {
                return Err(ConditionFault::new(
                    index.at,
                    format!("`{}` is read by names that are written out", object.name()),
                    format!("write the name in quotes, as in `{}[\"name\"]`", object.name()),
                ));
            };
            let (reading, kind) = self.reading(index.at, object, name)?;
            return Ok((self.node(at, Kind::Read(reading)), kind));
        }
        let (operand, kind) = self.check(operand)?;
        let (wanted, element) = match kind {
            Type::List(element) => (Type::Int, *element),
            Type::Claims => (Type::Text, Type::Dynamic),
            Type::Dynamic => (Type::Dynamic, Type::Dynamic),
            other => {
                return Err(ConditionFault::new(
                    at,
                    format!("`[..]` asks for an element, and what is before it is {other}"),
                    "only lists and claims have elements",
                ));
            }
        };
        let index = self.value_of(index, &wanted, "an element is found by")?;
        Ok((self.node(at, Kind::Index(operand.into(), index.into())), element))
    }

    fn list(&mut self, at: usize, elements: &[Expr]) -> Checked {
        let mut kind: Option<Type> = None;
        let mut nodes = Vec::with_capacity(elements.len());
        for element in elements {
            let (node, found) = self.check(element)?;
            nodes.push(node);
            kind = Some(match kind {
                None => found,
                Some(kind) => kind.or(found).unwrap_or(Type::Dynamic),
            });
        }
        let kind = Type::list_of(kind.unwrap_or(Type::Dynamic));
        Ok((self.node(at, Kind::List(nodes)), kind))
    }

    fn comprehension(
        &mut self,
        at: usize,
        kind: Comprehension,
        range: &Expr,
        variable: &str,
        condition: Option<&Expr>,
        body: &Expr,
    ) -> Checked {
        let (range_node, found) = self.check(range)?;
        let element = match found {
            Type::List(element) => *element,
            Type::Dynamic => Type::Dynamic,
            other => {
                let help = "lists are `caller.scopes`, `caller.roles`, `caller.actors`, claims, and what is in `[..]`";
                return Err(ConditionFault::new(
                    range.at,
                    format!("a list should be here, and this is {other}"),
                    help,
                ));
            }
        };
        if self.locals.len() >= COMPREHENSIONS {
            let message = format!("lists are gone through more than {COMPREHENSIONS} deep");
            return Err(ConditionFault::new(
                at,
                message,
                "ask of one list after the other, with `&&`",
            ));
        }
        let is_taken = Object::VARIABLES.iter().any(|object| object.name() == variable)
            || self.locals.iter().any(|(local, _)| local == variable);
        if is_taken {
            let message = format!("`{variable}` has a meaning already");
            return Err(ConditionFault::new(
                at,
                message,
                "give the variable a name of its own",
            ));
        }
        self.locals.push((variable.to_owned(), element.clone()));
        let condition = condition.map(|condition| self.value_of(condition, &Type::Bool, "what is asked is"));
        let condition = condition.transpose()?.map(Box::new);
        let (body_node, result) = self.check(body)?;
        self.locals.pop();
        let result = match kind {
            Comprehension::Map => Type::list_of(result),
            Comprehension::Filter if result.meets(&Type::Bool) => Type::list_of(element),
            Comprehension::All | Comprehension::Exists | Comprehension::ExistsOne
                if result.meets(&Type::Bool) =>
            {
                Type::Bool
            }
            _ => {
                return Err(not_as_wanted(
                    body.at,
                    "what is asked of each element is",
                    &Type::Bool,
                    &result,
                ));
            }
        };
        let kind = Kind::Comprehension {
            kind,
            range: range_node.into(),
            condition,
            body: body_node.into(),
        };
        Ok((self.node(at, kind), result))
    }

    /// A part that must be `wanted`. `who` says who wants it, as in "`!` turns".
    fn value_of(&mut self, expression: &Expr, wanted: &Type, who: &str) -> Result<Node, ConditionFault> {
        let (node, found) = self.check(expression)?;
        match found.meets(wanted) {
            true => Ok(node),
            false => Err(not_as_wanted(expression.at, who, wanted, &found)),
        }
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

fn not_as_wanted(at: usize, who: &str, wanted: &Type, found: &Type) -> ConditionFault {
    ConditionFault::new(
        at,
        format!("{who} {wanted}, and this is {found}"),
        match (wanted, found) {
            (Type::Bool, Type::Text | Type::Int) => "compare it with something, using `==`",
            _ => "see the types of the facts in the documentation of conditions",
        },
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
