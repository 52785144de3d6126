//! The types of lists and their elements, and of what is asked of each element.

use super::{Checked, Checker, not_as_wanted};
use crate::condition::expression::error::ConditionFault;
use crate::condition::expression::limits::COMPREHENSIONS;
use crate::condition::expression::node::Kind;
use crate::condition::expression::syntax::{Comprehension, Expr, ExprKind, Literal};
use crate::condition::expression::types::Type;
use crate::condition::expression::vocabulary::Object;

impl Checker<'_> {
    pub(super) fn index(&mut self, at: usize, operand: &Expr, index: &Expr) -> Checked {
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

    pub(super) fn list(&mut self, at: usize, elements: &[Expr]) -> Checked {
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

    pub(super) fn comprehension(
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
}
