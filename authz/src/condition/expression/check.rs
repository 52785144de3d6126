//! Names and types are checked when an expression is compiled, so that what cannot hold is a fault of the policy and not
//! a surprise at a request.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an operation takes a few types, and whatever else there is or will be is refused"
)]

use super::error::{ConditionFault, Position};
use super::node::{Constant, Kind, Node};
use super::syntax::{Expr, ExprKind, Literal};
use super::types::Type;
use super::{Allowed, Reads};

mod calls;
mod lists;
mod names;
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

    /// A part that must be `wanted`. `who` says who wants it, as in "`!` turns".
    fn value_of(&mut self, expression: &Expr, wanted: &Type, who: &str) -> Result<Node, ConditionFault> {
        let (node, found) = self.check(expression)?;
        match found.meets(wanted) {
            true => Ok(node),
            false => Err(not_as_wanted(expression.at, who, wanted, &found)),
        }
    }
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
